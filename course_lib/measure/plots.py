"""The figures of the course. One colour per method throughout; each function returns its one-line text summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from .canvas import COLOURS, REFERENCE, canvas, colour, finish

if TYPE_CHECKING:
    from .evaluation import Result


def accuracies(
    results: dict[str, Result], *, chance: float | None = None, title: str = "", path: Path | None = None
) -> str:
    """Accuracy with 95 % intervals, one dot per name, with the line of chance; returns the text summary."""
    figure, axes = canvas(height=1.2 + 0.5 * len(results))
    for place, (name, r) in enumerate(results.items()):
        value, low, high = (100 * v for v in (r.value, r.low, r.high))
        axes.errorbar(value, place, xerr=[[value - low], [high - value]], fmt="o", color=colour(name), capsize=4, ms=8)
        axes.annotate(f"{value:.0f} %", (value, place), xytext=(0, 9), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(results)), list(results))
    axes.set_ylim(len(results) - 0.4, -0.7)
    axes.set_xlim(-5, 105)
    axes.set_xlabel("right answers, % (bars: 95 % interval)")
    if chance is not None:
        axes.axvline(100 * chance, color="#999999", ls="--", lw=1)
        axes.annotate("chance", (100 * chance + 1, -0.62), color="#777777", ha="left", va="top", fontsize=9)
    axes.set_title(title, loc="left")
    finish(figure, path)
    said = "; ".join(f"{n} {100 * r.value:.0f} % ({100 * r.low:.0f}–{100 * r.high:.0f})" for n, r in results.items())
    return f"{title or 'Accuracy'}: {said}" + (f"; chance is {100 * chance:.0f} %." if chance is not None else ".")


def loss_curve(tokens: Sequence[float], losses: Sequence[float], *, title: str = "", path: Path | None = None) -> str:
    """Pretraining loss in nats per token over millions of tokens; returns the text summary."""
    figure, axes = canvas()
    millions = [t / 1e6 for t in tokens]
    axes.plot(millions, losses, color=COLOURS["base model"], lw=1.5)
    axes.set_xlabel("tokens read, millions")
    axes.set_ylabel("loss, nats per token")
    axes.set_ylim(0, None)
    axes.set_title(title, loc="left")
    finish(figure, path)
    return (
        f"{title or 'Loss'}: from {losses[0]:.2f} to {losses[-1]:.2f} nats per token over {millions[-1]:.1f}M tokens."
    )


def training_curve(
    series: dict[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    unit: str = "loss, nats per token",
    log: bool = True,
    path: Path | None = None,
) -> str:
    """Curves over the steps of a training, `name: (steps, values)`, on a logarithmic axis; returns the text summary."""
    figure, axes = canvas()
    for (name, (steps, values)), dashes in zip(series.items(), _dashes(len(series)), strict=True):
        axes.plot(steps, values, color=colour(name), ls=dashes, lw=1.6, label=name)
    axes.set(xlabel="step", ylabel=unit, yscale="log" if log else "linear")
    axes.set_title(title, loc="left")
    if len(series) > 1:
        axes.legend(frameon=False)
    finish(figure, path)
    told = "; ".join(
        f"{name} from {_short(v[0])} to {_short(v[-1])} in {s[-1]:g} steps" for name, (s, v) in series.items()
    )
    return f"{title or 'Training curve'}: {told}."


def scoreboard(rows: list[dict], path: Path | None = None) -> str:
    """Accuracy of every run over the share of parameters it trained; returns the text summary.

    Rows of policies have no accuracy: they are left out of the figure, and the summary says their true scores.
    """
    figure, axes = canvas(height=4.2)
    rows, policies = _with("accuracy", rows), _with("gold", rows)
    for row in rows:
        accuracy, trained = row["metrics"]["accuracy"], row["cost"]["trainable_percent"]
        value = 100 * accuracy["value"]
        bars = [[value - 100 * accuracy["low"]], [100 * accuracy["high"] - value]]
        own = row["source"] == "student"
        tint = colour(row["technique"]) if own else REFERENCE
        axes.errorbar(max(trained, 0.001), value, yerr=bars, fmt="o" if own else "s", color=tint, capsize=3, ms=7)
        label = f"{row['technique']} ({row['lesson'][:2]})"
        left = trained < 0.01  # there the label has room on the right only
        where = {"xytext": (7 if left else -7, 2 if own or value < 5 else -10), "ha": "left" if left else "right"}
        axes.annotate(label, (max(trained, 0.001), value), textcoords="offset points", fontsize=9, **where)
    axes.set_xscale("log")
    axes.set_xlim(0.0004, 300)
    axes.set_ylim(-4, 104)
    axes.set_xlabel("parameters trained, % of the model (logarithmic; none drawn at 0.001)")
    axes.set_ylabel("right answers, %")
    axes.set_title("Scoreboard: dots are yours, grey squares the course's reference runs", loc="left")
    finish(figure, path)
    said = "; ".join(f"{r['technique']} {100 * r['metrics']['accuracy']['value']:.0f} %" for r in rows)
    scores = "; ".join(f"{r['technique']} {r['metrics']['gold']['value']:.2f}" for r in policies)
    return f"Scoreboard, right answers by technique: {said}." + (
        f" Not drawn, true scores: {scores}." if scores else ""
    )


def _with(metric: str, rows: list[dict]) -> list[dict]:
    return [row for row in rows if metric in row["metrics"]]


def lines(
    series: dict[str, Sequence[tuple[float, float, float, float]]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    *,
    log_x: bool = False,
    log_y: bool = False,
    own: dict[str, tuple | Sequence[tuple]] | None = None,
    baseline: tuple[str, float] | None = None,
    path: Path | None = None,
) -> str:
    """Lines with bands: name → points `(x, value, low, high)` in the units of the labels; returns the text summary.

    With `own`, the series are the course's reference runs, drawn lighter and thinner in the colour of their method and told apart
    by their dashes; `own` holds the student's points on top of them, solid and outlined, name → one `(x, value)` or `(x, value, low, high)`, or a list of such. `baseline` is a
    name and a value, drawn as a dashed level.
    """
    figure, axes = canvas(height=4.0)
    for (name, points), dashes in zip(series.items(), _dashes(len(series)), strict=True):
        x, value, low, high = zip(*sorted(points), strict=True)
        tint, light = colour(name), own is not None
        style = {"ls": dashes, "lw": 1.1, "alpha": 0.65} if light else {"ls": "-", "lw": 1.8}
        axes.plot(x, value, color=tint, marker="o", ms=3.5 if light else 5, label=name, **style)
        axes.fill_between(x, low, high, color=tint, alpha=0.12 if light else 0.2, lw=0)
    for name, points in _points(own):
        x, value, low, high = zip(*points, strict=True)
        bars = [[v - a for v, a in zip(value, low, strict=True)], [b - v for v, b in zip(value, high, strict=True)]]
        axes.errorbar(
            x,
            value,
            yerr=bars,
            fmt="o",
            ms=9,
            capsize=4,
            color=colour(name),
            mec="black",
            mew=1.2,
            label=f"{name} (yours)",
            zorder=5,
        )
    if baseline is not None:
        axes.axhline(baseline[1], color="#999999", ls="--", lw=1, label=baseline[0])
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    places = sorted({point[0] for points in series.values() for point in points})
    if log_x and all(place == int(place) for place in places):  # counts: 1, 2, 4, 8 and not 2 × 10⁰
        axes.set_xticks(places, [f"{place:,.0f}" for place in places])
        axes.minorticks_off()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title, loc="left")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)
    finish(figure, path)
    said = [f"{name} {_course(sorted(points))}" for name, points in series.items()]
    said += [f"{name} (yours) " + ", ".join(_at(p) for p in points) for name, points in _points(own)]
    if baseline is not None:
        said.append(f"{baseline[0]} is {_short(baseline[1])}")
    return f"{title or 'Lines'} ({ylabel} over {xlabel}): {'; '.join(said)}."


def _points(own: dict | None) -> list[tuple[str, list[tuple[float, float, float, float]]]]:
    """The student's points, each as `(x, value, low, high)`."""
    found = []
    for name, given in (own or {}).items():
        several = given if isinstance(given[0], (tuple, list)) else [given]
        found.append((name, [tuple(p) if len(p) == 4 else (p[0], p[1], p[1], p[1]) for p in several]))
    return found


def _dashes(count: int) -> list:
    styles = ["-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 3))]
    return [styles[i % len(styles)] for i in range(count)]


def _short(number: float) -> str:
    """A number as one says it: `12,000`, `83.1`, `0.0005`."""
    if number == int(number) or abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2g}"


def _at(point: Sequence[float]) -> str:
    return f"{_short(point[1])} at {_short(point[0])}"


def _course(points: Sequence[Sequence[float]]) -> str:
    """First, last, and the highest point where it is neither."""
    first, last, top = points[0], points[-1], max(points, key=lambda p: p[1])
    if len(points) == 1:
        return _at(first)
    between = f", highest {_at(top)}" if top[1] > max(first[1], last[1]) else ""
    return f"from {_at(first)} to {_at(last)}{between}"


def bars(values: dict[str, float], unit: str, title: str = "", *, path: Path | None = None) -> str:
    """One horizontal bar a name, with its value in `unit` beside it; returns the text summary."""
    figure, axes = canvas(height=1.2 + 0.4 * len(values))
    most = max([*values.values(), 0])
    for place, (name, value) in enumerate(values.items()):
        axes.barh(place, value, color=colour(name), height=0.62)
        axes.annotate(
            f"{_short(value)} {unit}", (max(value, 0), place), xytext=(5, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(min([*values.values(), 0]), 1.25 * most or 1)
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left")
    finish(figure, path)
    return f"{title or 'Bars'}: " + "; ".join(f"{name} {_short(value)} {unit}" for name, value in values.items()) + "."


COSTS = {  # what a Pareto plot can lay on its axis: label and divisor
    "peak_memory_bytes": ("peak memory of a training step, MB", 1e6),
    "checkpoint_bytes": ("checkpoint, MB (logarithmic)", 1e6),
}

LABEL = 6.0  # height of a label, in points of accuracy
METRICS = {"accuracy": "right answers, %", "in_the_wild": "hand-written sentences right, %"}


def _apart(values: Sequence[float]) -> list[float]:
    """Heights for labels near these values, in their order, none nearer to the next than `LABEL`."""
    found, last = list(values), float("inf")
    for i in sorted(range(len(values)), key=lambda i: -values[i]):
        last = found[i] = min(values[i], last - LABEL)
    return [height + max(0.0, -last) for height in found]


def pareto(
    rows: list[dict] | None = None,
    cost: str = "checkpoint_bytes",
    *,
    model: str | None = None,
    metric: str = "accuracy",
    path: Path | None = None,
) -> str:
    """Accuracy over what it cost, with the front: the rows that no cheaper or equally cheap one beats.

    Without `rows`: those of the scoreboard, or with `model="smollm2"` those of the real column. `cost` is `checkpoint_bytes` or
    `peak_memory_bytes`, `metric` is `accuracy` or `in_the_wild`. Rows without that cost (the base model trains nothing) or that metric (a policy is not right
    or wrong) are left out and counted in the text summary. Raises `CourseError` when none is left.
    """
    from .scoreboard import rows as scoreboard_rows

    rows = scoreboard_rows(model=model) if rows is None else rows
    label, divisor = COSTS[cost]
    known = sorted(
        (r["cost"][cost] / divisor, -r["metrics"][metric]["value"], i)
        for i, r in enumerate(rows)
        if r["cost"].get(cost) and metric in r["metrics"]
    )
    if not known:
        raise CourseError(
            f"No row of the scoreboard has {cost} and {metric}.", "Measure it and give it to cl.scoreboard.record."
        )
    figure, axes = canvas(8.0, 4.2)
    front: list[tuple[float, float, str]] = []
    heights = _apart([-100 * minus for _, minus, _ in known])
    for (x, minus, i), height in zip(known, heights, strict=True):
        row, value = rows[i], -100 * minus
        found, own = row["metrics"][metric], row["source"] == "student"
        yerr = [[value - 100 * found["low"]], [100 * found["high"] - value]]
        tint = colour(row["technique"]) if own or model else REFERENCE
        axes.errorbar(x, value, yerr=yerr, fmt="o" if own else "s", color=tint, capsize=3, ms=7)
        name = row["technique"] if model else f"{row['technique']} ({row['lesson'][:2]})"
        axes.annotate(
            name, (x, value), xytext=(1.04, height), textcoords=axes.get_yaxis_transform(), va="center", fontsize=9,
            arrowprops={"arrowstyle": "-", "relpos": (0, 0.5), "color": tint, "lw": 0.6, "alpha": 0.6},
        )  # fmt: skip
        if not front or value > front[-1][1]:
            front.append((x, value, name))
    axes.step([p[0] for p in front], [p[1] for p in front], where="post", color="#999999", ls="--", lw=1, zorder=0)
    if cost == "checkpoint_bytes":
        axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.set_ylim(-4, 104)
    axes.set_xlabel(label)
    axes.set_ylabel(METRICS[metric])
    best = f"{rows[0]['model']}: best is {front[-1][2]}, {front[-1][1]:.0f} % at {_short(front[-1][0])} MB"
    axes.set_title(best if model else "Dots are yours, grey squares reference runs, dashes the front", loc="left")
    finish(figure, path)
    said = "; ".join(f"{name} {value:.0f} % at {_short(x)} MB" for x, value, name in front)
    left_out = f" {len(rows) - len(known)} rows have no such figure." if len(known) < len(rows) else ""
    return f"On the front, from cheap to dear: {said}.{left_out}"
