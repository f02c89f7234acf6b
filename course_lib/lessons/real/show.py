"""What the runs on the real model found, beside the same on the course's own: a table a technique, one for all, and a picture."""

from __future__ import annotations

from pathlib import Path

from ...measure.real_column import (
    MODELS,
    PLAIN,
    PROMPTED,
    SHORT,
    chosen_prompt,
    forgotten,
    interval,
    runs,
)
from ...measure.statistics import Interval
from .show_preferences import is_about_preferences, note_of, table_of

ORDER = (
    "full fine-tuning", "LoRA", "LoRA, a fifth of the rate", "QLoRA", "adapters (Houlsby)", "IA3", "prefix tuning", "prompt tuning",
    "SFT on the mixture",
)  # fmt: skip
NOTE = (
    "SmolLM2-135M is the instruct model; its weights were rounded to four bits by llama.cpp. Right: the first label word of the reply "
    "is the label\n(exact: the reply is the label and nothing else). Intervals: 95 %, over items, and over seeds where there are several."
)


def real(technique: str | None = None) -> str:
    """A technique on both models as a small table of text; without a name, all techniques on equal rows, a line each.

    A technique may be named by its beginning ("adapters"). Those of the lessons on preferences have tables of their own. One that has no run is answered by a sentence that says so.
    """
    if technique is None:
        return _all()
    names = {r["key"]["technique"] for r in runs()}
    found = next((n for n in (*ORDER, *sorted(names)) if n in names and n.lower().startswith(technique.lower())), None)
    if found is None:
        known = [n for n in (*ORDER, *sorted(names)) if n in names and not n.startswith("base")]
        return f"There is no run of {technique} on the real model yet; there are runs of {', '.join(dict.fromkeys(known))}."
    if is_about_preferences(runs(technique=found)):
        return "\n".join([*_aligned(table_of(found, SHORT)), note_of(found)])
    columns = []
    for model in MODELS:
        mine = runs(model, found)
        most = max((r["key"].get("rows", 0) for r in mine), default=0)
        columns.append((model, [r for r in mine if r["key"].get("rows", 0) == most]))
    cells = {name: [cell(rows, model) if rows else "–" for model, rows in columns] for name, cell in CELLS.items()}
    head = [SHORT[model] for model, _ in columns]
    lines = _aligned([[found, *head], *([name, *row] for name, row in cells.items())])
    return "\n".join([*lines, NOTE])


def _settings(rows: list[dict], model: str) -> str:
    settings = rows[0]["settings"]
    if "rows" not in settings:
        return "untrained"
    seeds = f", {len(rows)} seeds" if len(rows) > 1 else ""
    return f"{settings['rows']:,} rows, rate {settings['learning_rate']:g}{seeds}"


def _right(place: str, how: str):
    def cell(rows: list[dict], model: str) -> str:
        return _percent(interval(rows, place, how)) if all(place in row["metrics"] for row in rows) else "–"

    return cell


def _percent(found: Interval) -> str:
    low, high = max(0.0, found.low), min(1.0, found.high)  # an interval from seeds that lie apart may leave 0 to 100 %
    return f"{100 * found.value:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _cost(name: str, unit: str, factor: float):
    def cell(rows: list[dict], model: str) -> str:
        value = rows[0]["cost"].get(name)
        return f"{value / factor:,.4g} {unit}".strip() if value else "–"

    return cell


def _best_prompt(rows: list[dict], model: str) -> str:
    return _percent(interval([chosen_prompt(model)])) if runs(model, PROMPTED) else "–"


def _plain(rows: list[dict], model: str) -> str:
    return _percent(interval(runs(model, PLAIN))) if runs(model, PLAIN) else "–"


def _forgetting(rows: list[dict], model: str) -> str:
    """The course's model has read its newspaper and nothing else, so it has no common English to forget."""
    return "never read any" if model == "course" else f"{forgotten(rows, model):+.3f} nats"


CELLS = {
    "trained on": _settings,
    "hand-written, right": _right("in_the_wild", "lenient"),
    "hand-written, exact": _right("in_the_wild", "exact"),
    "Gazette items, exact": _right("gazette", "exact"),
    "untrained, asked plainly": _plain,
    "untrained, prompt chosen": _best_prompt,
    "forgetting, common English": _forgetting,
    "trained parameters": lambda rows, model: f"{rows[0]['cost']['trainable_parameters']:,}",
    "checkpoint": _cost("checkpoint_bytes", "MB", 1e6),
    "peak memory of a step": _cost("peak_memory_bytes", "MB", 1e6),
}


def _all() -> str:
    """Every technique on the same number of rows, a line each, both models."""
    table = [["technique", *(f"{SHORT[m]}: hand-written" for m in MODELS), "forgetting (135M)", "trained (135M)"]]
    lines = [(PLAIN, None), (PROMPTED, None), *((technique, 512) for technique in ORDER)]
    for technique, rows in lines:
        cells, last = [], []
        for model in MODELS:
            mine = [r for r in runs(model, technique) if r["key"].get("rows") == rows]
            mine = [chosen_prompt(model)] if technique == PROMPTED and mine else mine
            cells.append(_percent(interval(mine)) if mine else "–")
            last = mine
        if any(cell != "–" for cell in cells):
            trained = f"{last[0]['cost']['trainable_parameters']:,}" if last else "–"
            forgot = f"{forgotten(last, 'smollm2'):+.3f}" if rows and last else "–"
            table.append([technique if rows is None else f"{technique}, {rows} rows", *cells, forgot, trained])
    return "\n".join([*_aligned(table), NOTE])


def _aligned(table: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return ["   ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]


def draw(path: Path | None = None) -> str:
    """Both models on the hand-written sentences, from asking to training, as a figure; returns the text summary.

    Filled circles are the real model, hollow squares the course's; the bars are 95 % intervals.
    """
    import matplotlib.pyplot as plt

    from ...measure.plots import colour

    steps = [("asked plainly", PLAIN, None), ("prompt chosen on other items", PROMPTED, None)]
    steps += [(f"{t}, 512 rows", t, 512) for t in ORDER[::-1]] + [("LoRA, 1,024 rows", "LoRA", 1024)]
    points: list[tuple[str, str, dict[str, Interval]]] = []
    for name, technique, rows in steps:
        found = {}
        for model in MODELS:
            mine = [r for r in runs(model, technique) if r["key"].get("rows") == rows]
            if mine:
                found[model] = interval([chosen_prompt(model)] if technique == PROMPTED else mine)
        if "smollm2" in found:
            points.append((name, technique, found))
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10})
    figure, axes = plt.subplots(figsize=(7.4, 1.3 + 0.48 * len(points)), layout="constrained")
    looks = {"smollm2": ("o", 0.0, "full", 8), "course": ("s", 0.24, "none", 6)}
    for place, (_, technique, found) in enumerate(points):
        tint = "#555555" if technique in (PLAIN, PROMPTED) else colour(technique)
        for model, r in found.items():
            marker, shift, fill, size = looks[model]
            value, low, high = 100 * r.value, 100 * r.low, 100 * r.high
            axes.errorbar(
                value, place + shift, xerr=[[value - low], [high - value]], fmt=marker, color=tint, fillstyle=fill, ms=size,
                capsize=3, lw=1.6 if model == "smollm2" else 0.9,
            )  # fmt: skip
            if model == "smollm2":
                axes.annotate(f"{value:.0f} %", (value, place), xytext=(0, 8), textcoords="offset points", ha="center")
    for model, (marker, _, fill, size) in looks.items():
        label = {"smollm2": "SmolLM2-135M-Instruct (4-bit weights)", "course": SHORT["course"]}[model]
        axes.plot([], [], marker, color="#555555", fillstyle=fill, ms=size, label=label)
    axes.axvline(100 / 3, color="#999999", ls="--", lw=1)
    axes.annotate("chance", (34.2, -0.75), color="#777777", va="top", fontsize=9)
    axes.set_yticks(range(len(points)), [name for name, _, _ in points])
    axes.set_ylim(len(points) - 0.3, -0.85)
    axes.set_xlim(0, 102)
    axes.set_xlabel("right, % of 342 hand-written sentences (bars: 95 % interval)")
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    first, last = points[0][2]["smollm2"], max((f["smollm2"] for _, _, f in points), key=lambda r: r.value)
    title = f"A real language model: {100 * first.value:.0f} % right when asked, {100 * last.value:.0f} % after fine-tuning on a CPU"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    if path is not None:
        figure.savefig(path, dpi=150)
        plt.close(figure)
    else:
        plt.show()
    said = [
        f"{name} " + " and ".join(f"{100 * r.value:.0f} % ({SHORT[m]})" for m, r in found.items())
        for name, _, found in points
    ]
    return f"Right on 342 hand-written sentences: {'; '.join(said)}; chance is 33 %."
