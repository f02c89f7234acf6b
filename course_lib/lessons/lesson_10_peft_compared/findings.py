"""What the reference runs of lesson 10 say: scores with intervals, paired differences, figures, and the scoreboard's rows.

Scores of a part are kept as seeds × items, so that every interval covers both (`mean_interval`), and every difference is paired by
seed and item (`difference_interval`). All accuracies and differences that leave this module are in per cent or points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...measure.evaluation import Result
from ...measure.statistics import Interval, difference_interval, mean_interval
from ..reference import runs as all_runs
from .experiments import EVERY, LESSON, METHODS, SIZES, STEPS, test_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECTIONS = ("business", "health", "courts", "town")
COLOURS = {
    "full fine-tuning": "#D55E00",
    "LoRA": "#0072B2",
    "QLoRA": "#56B4E9",
    "adapters": "#009E73",
    "IA3": "#B8860B",
    "prefix tuning": "#7B5EA7",
    "prompt tuning": "#CC79A7",
    "desk note": "#555555",
    "examples": "#999999",
    "examples as desk notes": "#777777",
}
MARKS = dict(zip(COLOURS, "sDdPXvo^<>", strict=True))  # no meaning by colour alone


def runs(part: str, **wanted) -> list[dict]:
    """The reference runs of one part whose keys hold `wanted`, in the order of the seeds."""
    found = [r for r in all_runs(LESSON) if r["key"]["part"] == part and wanted.items() <= r["key"].items()]
    return sorted(found, key=lambda r: r["key"]["seed"])


def methods_of(part: str, **wanted) -> list[str]:
    """The methods that have runs of a part, in the lesson's order."""
    there = {r["key"].get("method") for r in runs(part, **wanted)}
    return [m for m in METHODS if m in there]


# ------------------------------------------------------------------ scores


def scores(part: str, name: str = "bits", items: Sequence[int] | None = None, **wanted) -> list[list[int]]:
    """Right (1) or wrong (0): one row a seed, one column an item. `items` keeps some columns."""
    table = [[int(bit) for bit in r["metrics"][name]] for r in runs(part, **wanted)]
    return table if items is None else [[row[i] for i in items] for row in table]


def per_cent(found: Interval) -> Interval:
    """An interval of shares in per cent; a difference in points."""
    return Interval(*(100 * v for v in found))


def accuracy(part: str, name: str = "bits", items: Sequence[int] | None = None, **wanted) -> Interval:
    """Per cent right, for other seeds and other items; the interval kept between 0 and 100."""
    value, low, high = per_cent(mean_interval(scores(part, name, items, **wanted)))
    return Interval(value, max(0.0, low), min(100.0, high))


def difference(
    first: dict, second: dict, part: str, name: str = "bits", items: Sequence[int] | None = None
) -> Interval:
    """Points between two settings of a part, such as two methods, on the seeds that both have."""
    shared = {r["key"]["seed"] for r in runs(part, **first)} & {r["key"]["seed"] for r in runs(part, **second)}

    def of(wanted: dict) -> list[list[int]]:
        kept = [r for r in runs(part, **wanted) if r["key"]["seed"] in shared]
        table = [[int(bit) for bit in r["metrics"][name]] for r in kept]
        return table if items is None else [[row[i] for i in items] for row in table]

    return per_cent(difference_interval(of(first), of(second)))


def against_full(method: str, part: str = "compare", name: str = "bits", items: Sequence[int] | None = None, **wanted):
    """Points that a method is above full fine-tuning, paired by seed and item."""
    return difference({"method": method, **wanted}, {"method": "full fine-tuning", **wanted}, part, name, items)


def places(count: int, *sections: str) -> list[int]:
    """The places of the test items of some sections among the first `count`."""
    return [i for i, row in enumerate(test_rows(count=count)) if row["domain"] in sections]


def mean(part: str, name: str, **wanted) -> float:
    """The mean of one figure over the seeds."""
    found = [r["metrics"][name] for r in runs(part, **wanted)]
    return sum(found) / len(found)


def cost(method: str) -> dict:
    """Peak memory in bytes, time relative to full fine-tuning, and trained parameters of one step of a method."""
    return runs("cost")[0]["metrics"]["methods"][method]


def steps_to(method: str, wanted: float = 0.8) -> int | None:
    """After how many steps a run first had this share of its validation items right; `None` for never."""
    metrics = runs("curve", method=method)[0]["metrics"]
    return next((s for s in range(EVERY, STEPS + 1, EVERY) if metrics[f"right_{s}"] >= wanted), None)


def front(points: dict[str, tuple[float, float]]) -> list[str]:
    """The names that nothing as cheap or cheaper beats, cheapest first; `points`: name → (cost, value)."""
    names, best = [], float("-inf")
    for name, (_, value) in sorted(points.items(), key=lambda each: (each[1][0], -each[1][1])):
        if value > best:
            names.append(name)
            best = value
    return names


def shown(found: Interval, digits: int = 1) -> str:
    """`93.1 (91.0–95.2)`."""
    return f"{found.value:.{digits}f} ({found.low:.{digits}f}–{found.high:.{digits}f})"


def signed(found: Interval) -> str:
    """A difference in points: `-1.2 (-3.0 to +0.6)`."""
    return f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


# ------------------------------------------------------------------ the one table


def table() -> str:
    """All methods on tone, as a Markdown table: accuracy, difference from full, in the wild, forgetting, and costs."""
    lines = [
        "| method | trained | file, kB | peak memory, MB | time a step | right, % | minus full, points | in the wild, % | forgetting, nats |",
        "|---|---:|---:|---:|---:|---|---|---|---:|",
    ]
    for method in methods_of("compare"):
        spent = cost(method)
        minus = "" if method == "full fine-tuning" else signed(against_full(method))
        cells = [
            method, f"{spent['trainable']:,}", f"{mean('compare', 'bytes', method=method) / 1e3:,.0f}",
            f"{spent['peak'] / 1e6:.0f}", f"{spent['relative_time']:.2f}", shown(accuracy("compare", method=method)), minus,
            shown(accuracy("compare", "wild_bits", method=method)), f"{mean('compare', 'forgetting', method=method):+.3f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    for layout in ("examples", "examples as desk notes", "desk note"):
        if runs("prompt", layout=layout):
            right = shown(accuracy("prompt", layout=layout))
            wild = shown(accuracy("prompt", "wild_bits", layout=layout))
            lines.append(f"| frozen base: {layout} | 0 | 0 | – | – | {right} | – | {wild} | 0 |")
    return "\n".join(lines)


# ------------------------------------------------------------------ figures


def panels(count: int, height: float = 3.8):
    """A figure with some axes side by side, without upper and right borders."""
    import matplotlib.pyplot as plt

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100, "font.size": 10})
    figure, axes = plt.subplots(1, count, figsize=(4.6 * count if count > 1 else 7, height), layout="constrained")
    return figure, (axes if count > 1 else [axes])


def point(axes: Axes, x: float, found: Interval, name: str, *, own: bool = False, label: bool = False) -> None:
    """One method's point with its interval: a reference run light and thin, a run of one's own solid and outlined."""
    bars = [[found.value - found.low], [found.high - found.value]]
    style = {"alpha": 1.0, "ms": 11, "mec": "black", "mew": 1.5, "zorder": 3} if own else {"alpha": 0.6, "ms": 7}
    text = f"{name} (yours)" if own else name
    axes.errorbar(
        x, found.value, yerr=bars, fmt=MARKS[name], color=COLOURS[name], capsize=3, lw=1, label=text if label else None, **style
    )  # fmt: skip


def draw_front(own: dict[str, Result] | None = None) -> str:
    """Accuracy on tone over the size of the file and over peak memory; `own` results are laid on top. Returns the summary."""
    import matplotlib.pyplot as plt

    _, both = panels(2, 4.2)
    found = {m: accuracy("compare", method=m) for m in methods_of("compare")}
    ways = (
        ("file to keep, kB (logarithmic)", {m: mean("compare", "bytes", method=m) / 1e3 for m in found}),
        ("peak memory of a training step, MB", {m: cost(m)["peak"] / 1e6 for m in found}),
    )
    said = []
    for axes, (label, costs) in zip(both, ways, strict=True):
        for name, interval in found.items():
            point(axes, costs[name], interval, name, label=True)
        for name, result in (own or {}).items():
            point(
                axes, costs[name], per_cent(Interval(result.value, result.low, result.high)), name, own=True, label=True
            )
        names = front({m: (costs[m], found[m].value) for m in found})
        line = [(costs[m], found[m].value) for m in names]
        axes.step(*zip(*line, strict=True), where="post", color="#999999", ls="--", lw=1, zorder=0)
        axes.set_xlabel(label)
        said.append(f"over {label.split(',')[0]}: " + ", ".join(f"{m} {found[m].value:.1f} %" for m in names))
    both[0].set_xscale("log")
    both[0].set_ylabel("right answers, tone, %")
    both[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    both[0].set_title("Small files keep most of the accuracy …", loc="left", fontsize=10)
    both[1].set_title("… memory falls far less", loc="left", fontsize=10)
    plt.show()
    mine = "".join(f" Your {n}: {100 * r.value:.1f} %." for n, r in (own or {}).items())
    return "On the front, from cheap to dear, " + "; ".join(said) + "." + mine


def draw_rates(shared: float) -> str:
    """Validation loss over the learning rate, tone, one seed; returns the summary."""
    import matplotlib.pyplot as plt

    _, (axes,) = panels(1, 4.0)
    said = []
    for method in methods_of("rate", task="tone"):
        tried = sorted((r["key"]["rate"], r["metrics"]["loss"]) for r in runs("rate", task="tone", method=method))
        axes.plot(*zip(*tried, strict=True), marker=MARKS[method], color=COLOURS[method], label=method, lw=1.4, ms=6)
        said.append(f"{method} {min(tried, key=lambda each: each[1])[0]:g}")
    axes.axvline(shared, color="#999999", ls="--", lw=1)
    axes.annotate(f" one rate for all: {shared:g}", (shared, axes.get_ylim()[1]), va="top", fontsize=9, color="#666666")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("learning rate (logarithmic)")
    axes.set_ylabel("validation loss, nats per token")
    axes.set_title("The best rates lie three orders of magnitude apart", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plt.show()
    return "Best of the rates that were tried: " + ", ".join(said) + "."


def draw_few(title: str) -> str:
    """Accuracy over the number of training examples; returns the summary."""
    import matplotlib.pyplot as plt

    _, (axes,) = panels(1, 4.0)
    said = []
    for place, method in enumerate(methods_of("few")):
        sizes = [s for s in SIZES if runs("few", method=method, size=s)]
        found = [accuracy("few", method=method, size=s) for s in sizes]
        shifted = [s * 1.06 ** (place - 1) for s in sizes]  # side by side, so that no interval hides another
        bars = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
        axes.errorbar(
            shifted, [f.value for f in found], yerr=bars, fmt=MARKS[method] + "-", color=COLOURS[method], capsize=3, label=method
        )  # fmt: skip
        said.append(f"{method} " + ", ".join(f"{f.value:.0f} % at {s:,}" for s, f in zip(sizes, found, strict=True)))
    axes.axhline(100 / 3, color="#999999", ls=":", lw=1)
    axes.annotate("chance", (SIZES[0], 100 / 3 + 1), fontsize=9, color="#666666")
    axes.set_xscale("log")
    axes.set_xticks(SIZES, [f"{s:,}" for s in SIZES])
    axes.minorticks_off()
    axes.set_xlabel("training examples (logarithmic)")
    axes.set_ylabel("right answers, tone, %")
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, fontsize=9)
    plt.show()
    return "Right answers by number of examples: " + "; ".join(said) + "."
