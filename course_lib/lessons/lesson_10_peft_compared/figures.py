"""The figures of lesson 10, from its reference runs; each returns its summary in one sentence.

One colour and one mark a method. Reference runs are light and thin, the student's own points solid and outlined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.canvas import colour
from ...measure.statistics import Interval
from .findings import accuracy, cost, far, front, mean, methods_of, room, room_accuracy, runs
from .setting import BATCH, EVERY, METHODS, RATES, SIZES, SOME, STEPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.evaluation import Result

COLOURS = {method: colour(method) for method in METHODS} | {
    "desk note": "#555555",
    "examples": "#999999",
    "examples as desk notes": "#777777",
}
MARKS = dict(zip(COLOURS, "sDdPXvo^<>", strict=True))  # no meaning by colour alone


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


# Where the names stand beside their points, in points of print: over the size of the file, and over memory.
BESIDE_FILE = {
    "prompt tuning": (-7, 0, "right", "center"),
    "IA3": (-7, 0, "right", "center"),
    "prefix tuning": (7, 0, "left", "center"),
    "QLoRA": (-7, 0, "right", "center"),
    "adapters": (-3, -26, "left", "top"),
    "LoRA": (-7, 6, "right", "bottom"),
    "full fine-tuning": (0, 22, "center", "bottom"),
}
BESIDE_MEMORY = BESIDE_FILE | {
    "prompt tuning": (16, 4, "left", "center"),
    "prefix tuning": (-4, -24, "left", "top"),
    "adapters": (4, 20, "right", "bottom"),
    "LoRA": (16, 6, "left", "bottom"),
    "full fine-tuning": (4, 22, "right", "bottom"),
}


def draw_front(own: dict[str, Result] | None = None) -> str:
    """Accuracy on tone over the size of the file and over peak memory; `own` results stand beside their method. Returns the summary."""
    import matplotlib.pyplot as plt

    _, both = panels(2, 4.2)
    found = {m: accuracy("compare", method=m) for m in methods_of("compare")}
    ways = (
        ("file to keep, kB (logarithmic)", {m: mean("compare", "bytes", method=m) / 1e3 for m in found}, BESIDE_FILE),
        ("peak memory of a training step, MB", {m: cost(m)["peak"] / 1e6 for m in found}, BESIDE_MEMORY),
    )
    said = []
    for axes, (label, costs, beside) in zip(both, ways, strict=True):
        for name, interval in found.items():
            point(axes, costs[name], interval, name)
            right, up, ha, va = beside[name]
            axes.annotate(
                name, (costs[name], interval.value), xytext=(right, up), textcoords="offset points",
                ha=ha, va=va, fontsize=9, color=COLOURS[name],
            )  # fmt: skip
        for name, result in (own or {}).items():
            aside = 1.5 * costs[name] if beside is BESIDE_FILE else costs[name] + 2.5
            point(axes, aside, Interval(result.value, result.low, result.high).scaled(100), name, own=True, label=True)
        names = front({m: (costs[m], found[m].value) for m in found})
        line = [(costs[m], found[m].value) for m in names]
        axes.step(*zip(*line, strict=True), where="post", color="#999999", ls="--", lw=1, zorder=0)
        axes.set_xlabel(label)
        said.append(f"over {label.split(',')[0]}: " + ", ".join(f"{m} {found[m].value:.1f} %" for m in names))
    both[0].set_xscale("log")
    both[0].set_xlim(0.9, 2e5)
    both[0].set_ylabel("right answers, tone, %")
    if own:
        both[1].legend(frameon=False, fontsize=8, loc="lower right", title="beside their method:", title_fontsize=8)
    both[0].set_title("Small files keep most of the accuracy …", loc="left", fontsize=10)
    both[1].set_title("… memory falls far less", loc="left", fontsize=10)
    plt.show()
    mine = "".join(f" Your {n}: {100 * r.value:.1f} %." for n, r in (own or {}).items())
    return "On the front, from cheap to dear, " + "; ".join(said) + "." + mine


def draw_rates(shared: float) -> str:
    """Validation loss over the learning rate, tone, mean over the tuning seeds; returns the summary."""
    import matplotlib.pyplot as plt

    _, (axes,) = panels(1, 4.0)
    said = []
    for method in methods_of("rate", task="tone"):
        losses: dict[float, list[float]] = {}
        for run in runs("rate", task="tone", method=method):
            losses.setdefault(run["key"]["rate"], []).append(run["metrics"]["loss"])
        tried = sorted((rate, sum(each) / len(each)) for rate, each in losses.items())
        axes.plot(*zip(*tried, strict=True), marker=MARKS[method], color=COLOURS[method], label=method, lw=1.4, ms=6)
        best = min(tried, key=lambda pair: abs(pair[0] - RATES["tone", method]))
        axes.plot(*best, marker="o", ms=15, mfc="none", mec=COLOURS[method], mew=1.5)
        said.append(f"{method} {RATES['tone', method]:g}")
    axes.axvline(shared, color="#999999", ls="--", lw=1)
    axes.text(
        shared,
        0.02,
        f" one rate for all: {shared:g}",
        transform=axes.get_xaxis_transform(),
        fontsize=9,
        color="#666666",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("learning rate (logarithmic)")
    axes.set_ylabel("validation loss, nats per token")
    axes.set_title("The best rates (circled) lie nearly three powers of ten apart", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plt.show()
    return "Chosen from the rates that were tried: " + ", ".join(said) + "."


def draw_few(title: str) -> str:
    """Accuracy over the number of training examples, the comparison's own 384 among them; returns the summary."""
    import matplotlib.pyplot as plt

    methods, whole = methods_of("few"), STEPS * BATCH
    found: dict[str, dict[int, Interval]] = {m: {} for m in methods}
    for size in (s for s in SIZES if all(runs("few", method=m, size=s) for m in methods)):
        for method in methods:
            found[method][size] = accuracy("few", method=method, size=size)
    for method in methods:
        found[method][whole] = accuracy("compare", items=range(SOME), method=method)
    sizes = sorted(found[methods[0]])
    if len(sizes) <= 3:
        rows = {m: {f"{s:,} examples": each[s] for s in sizes} for m, each in found.items()}
        return draw_rows(rows, "right answers, tone, %", title)
    _, (axes,) = panels(1, 4.0)
    said = []
    for place, (method, each) in enumerate(found.items()):
        shifted = [s * 1.06 ** (place - 1) for s in sizes]  # side by side, so that no interval hides another
        values = [each[s].value for s in sizes]
        bars = [[each[s].value - each[s].low for s in sizes], [each[s].high - each[s].value for s in sizes]]
        axes.errorbar(
            shifted, values, yerr=bars, fmt=MARKS[method] + "-", color=COLOURS[method], capsize=3, label=method
        )
        said.append(f"{method} " + ", ".join(f"{each[s].value:.0f} % at {s:,}" for s in sizes))
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{s:,}" for s in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training examples (logarithmic)")
    axes.set_ylabel("right answers, tone, %")
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, fontsize=9)
    plt.show()
    return "Right answers by number of examples: " + "; ".join(said) + "."


def draw_curves(wanted: float = 0.8) -> str:
    """Validation accuracy over the steps, one seed; returns the summary with the steps to `wanted`."""
    import matplotlib.pyplot as plt

    _, (axes,) = panels(1, 4.0)
    steps, said = list(range(EVERY, STEPS + 1, EVERY)), []
    for method in methods_of("curve"):
        metrics = runs("curve", method=method)[0]["metrics"]
        right = [100 * metrics[f"right_{step}"] for step in steps]
        axes.plot(steps, right, MARKS[method] + "-", color=COLOURS[method], label=method, lw=1.4, ms=6)
        first = next((step for step, value in zip(steps, right, strict=True) if value >= 100 * wanted), None)
        said.append(f"{method} {first or 'never'}")
    axes.axhline(100 * wanted, color="#999999", ls=":", lw=1)
    axes.set_xticks(steps)
    axes.set_xlabel("steps of four rows")
    axes.set_ylabel("validation items right, %")
    axes.set_title(f"Steps to {100 * wanted:.0f} % differ more than the end does", loc="left")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plt.show()
    return f"Steps to {100 * wanted:.0f} % of a hundred validation items, one seed: " + ", ".join(said) + "."


def draw_rows(found: dict[str, dict[str, Interval]], xlabel: str, title: str) -> str:
    """Methods as rows in their colours, one mark with an interval for each named value, the last one filled; returns the summary."""
    import matplotlib.pyplot as plt

    _, (axes,) = panels(1, 1.4 + 0.55 * len(found))
    for place, (method, values) in enumerate(found.items()):
        for number, (name, each) in enumerate(values.items()):
            y = place + 0.2 * (number - (len(values) - 1) / 2)
            bars = [[each.value - each.low], [each.high - each.value]]
            fmt, inside = "os^"[number], COLOURS[method] if number == len(values) - 1 else "white"
            axes.errorbar(each.value, y, xerr=bars, fmt=fmt, color=COLOURS[method], mfc=inside, capsize=3, ms=7)
            if place == 0:  # the legend tells the marks apart, the rows tell the methods
                inside = "#444444" if number == len(values) - 1 else "white"
                axes.plot([], [], fmt, color="#444444", mfc=inside, ms=7, label=name)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel(xlabel)
    axes.set_title(title, loc="left")
    if max(map(len, found.values())) > 1:
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    plt.show()
    said = (f"{m}: " + ", ".join(f"{n} {i.value:.0f}" for n, i in values.items()) for m, values in found.items())
    return f"{title} ({xlabel}): " + "; ".join(said) + "."


def draw_far(title: str) -> str:
    """Trained on business: right answers in and out of the domain; returns the summary."""
    return draw_rows({m: far(m) for m in methods_of("far")}, "right answers, %", title)


def draw_new(title: str) -> str:
    """Trained on the Wool Exchange: right there over what was forgotten, each method at each of its rates; returns the summary."""
    import matplotlib.pyplot as plt

    _, (axes,) = panels(1, 4.2)
    said = []
    for method in methods_of("new"):
        rates = sorted({run["key"]["rate"] for run in runs("new", method=method)})
        lost = [mean("new", "forgetting", method=method, rate=rate) for rate in rates]
        found = [accuracy("new", "wool_bits", method=method, rate=rate) for rate in rates]
        axes.plot(lost, [f.value for f in found], "-", color=COLOURS[method], lw=1, alpha=0.6)
        for rate, x, each in zip(rates, lost, found, strict=True):
            point(axes, x, each, method, label=rate == rates[0])
            axes.annotate(f"rate {rate:g}", (x, each.value), xytext=(7, 5), textcoords="offset points", fontsize=8)
        pairs = zip(rates, lost, found, strict=True)
        said.append(f"{method} " + ", ".join(f"{f.value:.0f} % and {x:+.2f} at {rate:g}" for rate, x, f in pairs))
    axes.axhline(100 / 3, color="#999999", ls=":", lw=1)
    axes.annotate(" chance", (1, 100 / 3), xycoords=("axes fraction", "data"), fontsize=9, color="#666666")
    axes.set_xscale("log")
    axes.set_xlabel("forgetting: rise of the loss on held-out news, nats per token (logarithmic)")
    axes.set_ylabel("Wool Exchange, right answers, %")
    axes.set_title(title, loc="left")
    axes.legend(frameon=False, fontsize=9)
    plt.show()
    return "Right on the Wool Exchange, and forgetting, by learning rate: " + "; ".join(said) + "."


def draw_room(title: str) -> str:
    """The task with room; returns the summary."""
    return draw_rows({m: {"question": room_accuracy(m)} for m in room()}, "right answers, %", title)
