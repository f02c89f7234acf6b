"""What the committed runs say of every technique: one row each with its interval and its costs, as a table and as a figure.

Nothing is trained here. The course's own model is read from lesson 10's runs (tone, the same rows, steps and test items, each method
at its own rate), the real model from `lessons.real` (512 rows, the hand-written sentences), the preference methods from lessons 12 to 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from ...measure import real_column as real
from ...measure.statistics import Interval
from ..lesson_10_peft_compared import findings as ten
from ..lesson_12_rlhf import claims as twelve
from ..lesson_13_dpo import shown as thirteen
from ..lesson_14_rlaif import shown as fourteen
from ..real.show import ORDER
from ..reference import runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FULL = "full fine-tuning"
MODELS = {"course": "the course's 5M model", "smollm2": "SmolLM2-135M"}
ITEMS = {"gazette": "Gazette items", "in_the_wild": "hand-written sentences"}
PROMPT = {"course": "prompt: desk note", "smollm2": "prompt: best of five"}


@dataclass(frozen=True)
class Row:
    """One technique on one model: per cent right on both kinds of items, what it costs, and how many seeds stand behind it.

    `file` and `peak` in bytes; `time` relative to full fine-tuning of the same model; a prompt trains nothing and has none of the three.
    """

    technique: str
    right: dict[str, Interval]
    file: float | None
    peak: float | None
    time: float | None
    forgetting: float | None
    seeds: int


def rows(model: str = "course") -> list[Row]:
    """Every technique on one model, `course` or `smollm2`; the prompt first."""
    return _course() if model == "course" else _real(model)


def _course() -> list[Row]:
    def right(part: str, **wanted) -> dict[str, Interval]:
        return {
            "gazette": ten.accuracy(part, **wanted),
            "in_the_wild": ten.accuracy(part, "wild_bits", **wanted),
        }

    found = [Row(PROMPT["course"], right("prompt", layout="desk note"), None, None, None, 0.0, 1)]
    for method in ten.methods_of("compare"):
        spent, seeds = ten.cost(method), len(ten.runs("compare", method=method))
        file, lost = (ten.mean("compare", name, method=method) for name in ("bytes", "forgetting"))
        found.append(
            Row(
                method,
                right("compare", method=method),
                file,
                spent["peak"],
                spent["relative_time"],
                lost,
                seeds,
            )
        )
    return found


def _real(model: str, count: int = 512) -> list[Row]:
    def right(some: list[dict]) -> dict[str, Interval]:
        there = [place for place in ITEMS if all(place in r["metrics"] for r in some)]
        return {place: real.interval(some, place).scaled(100) for place in there}

    found = [Row(PROMPT[model], right([real.chosen_prompt(model)]), None, None, None, 0.0, 1)]
    whole = real_runs(FULL, model, count)
    for technique in ORDER:
        some = real_runs(technique, model, count)
        if not some:
            continue
        cost = {
            name: mean(r["cost"][name] for r in some)
            for name in ("checkpoint_bytes", "peak_memory_bytes", "train_seconds")
        }
        time = cost["train_seconds"] / mean(r["cost"]["train_seconds"] for r in whole) if whole else None
        name = "adapters" if technique.startswith("adapters") else technique
        lost = real.forgotten(some, model)
        found.append(Row(name, right(some), cost["checkpoint_bytes"], cost["peak_memory_bytes"], time, lost, len(some)))
    return found


def real_runs(technique: str, model: str = "smollm2", count: int = 512) -> list[dict]:
    """The runs of one technique on the real model with so many rows."""
    return [r for r in real.runs(model, technique) if r["key"].get("rows") == count]


def real_bits(technique: str, place: str = "in_the_wild") -> dict[int, list[int]]:
    """Right or wrong on the real model: seed → one number an item. The technique `prompt` is the prompt chosen on validation."""
    some = [real.chosen_prompt("smollm2")] if technique == "prompt" else real_runs(technique)
    return {r["key"]["seed"]: real.bits(r["metrics"][place]["lenient_bits"]) for r in some}


def table(model: str = "course") -> str:
    """Every technique on one model in aligned columns."""
    heads = (
        "technique",
        "seeds",
        *(f"{ITEMS[i]}, %" for i in ITEMS),
        "file, kB",
        "peak, MB",
        "time, full = 1",
        "forgetting, nats",
    )
    lines = [heads]
    for row in rows(model):
        cells = [f"{row.right[i]:.1f}".replace(" to ", "–") if i in row.right else "–" for i in ITEMS]
        file = f"{row.file / 1e3:,.0f}" if row.file else "0"
        peak = f"{row.peak / 1e6:,.0f}" if row.peak else "–"
        time = f"{row.time:.2f}" if row.time else "–"
        lines.append((row.technique, str(row.seeds), *cells, file, peak, time, f"{row.forgetting:+.3f}"))
    return aligned(lines, left=(0, 2, 3))


def aligned(lines: list[tuple[str, ...]], left: tuple[int, ...] = (0,)) -> str:
    """Rows of cells as text in columns; the columns `left` begin on the left, the others end on the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    told = (
        "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in told)


# ------------------------------------------------------------------ preferences


def preferences() -> dict[str, dict]:
    """Ways to train on preferences, all from the brief writer: rise of the true score, seeds, and tokens that were read in training."""
    found, dpo = {}, thirteen.arm(runs("13_dpo"), "DPO")
    found["DPO, biased readers"] = {
        "rise": thirteen.gain(runs("13_dpo"), "DPO"),
        "seeds": len(dpo),
        "tokens": mean(m["tokens"] for m in dpo),
    }
    judged = fourteen.arm(runs("14_rlaif"), runs("13_dpo"), "AI")
    found["RLAIF: DPO on AI labels"] = {
        "rise": fourteen.against(runs("14_rlaif"), runs("13_dpo"), "AI", "SFT"),
        "seeds": len(judged),
        "tokens": mean(m["tokens"] for m in judged),
    }
    names = {"biased": "RLHF, biased readers", "unbiased": "RLHF, unbiased readers", "gold": "RLHF on the true score"}
    for kind, name in names.items():
        some = twelve.policies(kind)
        found[name] = {"rise": twelve.gain(kind), "seeds": len(some), "tokens": mean(m["tokens"] for m in some)}
    return found


def preference_table() -> str:
    """The same as text; the head says from where the true score rises."""
    start = mean(mean(m["scores"]) for m in thirteen.arm(runs("13_dpo"), "SFT"))
    lines = [("from the brief writer", "seeds", f"rise of the true score ({start:.3f})", "tokens read in training")]
    for name, each in preferences().items():
        lines.append((name, str(each["seeds"]), f"{each['rise']:+.3f}", f"{each['tokens']:,.0f}"))
    return aligned(lines, left=(0, 2))


# ------------------------------------------------------------------ the figure


def front(points: dict[str, tuple[float, float]]) -> list[str]:
    """The names that nothing as cheap or cheaper beats, cheapest first."""
    return ten.front(points)


def figure(model: str = "course", items: str = "gazette", own: tuple[str, Interval] | None = None) -> str:
    """Right answers over the file, the peak memory and the time of every technique; returns the summary in one sentence.

    The level is the prompt, which trains nothing. `own` is a technique of the student's with its per cent, laid on top.
    """
    import matplotlib.pyplot as plt

    from ..lesson_10_peft_compared.figures import COLOURS

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100, "font.size": 10})
    figure, panels = plt.subplots(1, 3, figsize=(11, 4.3), sharey=True, layout="constrained")
    prompt, *trained = rows(model)
    ways = {
        "file to keep, kB (logarithmic)": lambda r: r.file / 1e3,
        "peak memory of a step, MB": lambda r: r.peak / 1e6,
        "time, full fine-tuning = 1": lambda r: r.time,
    }
    fronts, level = [], prompt.right[items].value if items in prompt.right else None
    for axes, (label, cost) in zip(panels, ways.items(), strict=True):
        for row in trained:
            _point(axes, cost(row), row.right[items], row.technique, label=axes is panels[2])
            if own is not None and own[0] == row.technique:
                _point(axes, cost(row), own[1], row.technique, own=True, label=axes is panels[2])
        best = front({r.technique: (cost(r), r.right[items].value) for r in trained})
        line = [(cost(r), r.right[items].value) for name in best for r in trained if r.technique == name]
        axes.step(*zip(*line, strict=True), where="post", color="#999999", ls="--", lw=1, zorder=0)
        if level is not None:
            name = prompt.technique if axes is panels[2] else None
            axes.axhline(level, color=COLOURS["desk note"], ls=":", lw=1.3, label=name)
        axes.set_xlabel(label)
        fronts.append(f"{label.split(',')[0]}: {', '.join(best)}")
    panels[0].set_xscale("log")
    panels[0].set_ylabel(f"right, % of {ITEMS[items]}")
    panels[2].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle(_title(model, items, trained, level), x=0.01, ha="left", fontsize=11)
    plt.show()
    said = "; ".join(f"{r.technique} {r.right[items].value:.0f} %" for r in trained)
    prompted = f"; the prompt {level:.0f} %" if level is not None else ""
    mine = f" Yours: {own[0]} {own[1].value:.0f} %." if own else ""
    name = MODELS[model][0].upper() + MODELS[model][1:]
    return f"{name}, right on {ITEMS[items]}: {said}{prompted}. On the front over {'; over '.join(fronts)}.{mine}"


def _point(axes: Axes, x: float, found: Interval, technique: str, *, own: bool = False, label: bool = False) -> None:
    """A technique's point with its interval; a variant ("LoRA, a fifth of the rate") has its technique's colour and is hollow."""
    from ..lesson_10_peft_compared.figures import COLOURS, MARKS

    name = technique if technique in COLOURS else technique.split(",")[0]
    style = {"alpha": 1.0, "ms": 11, "mec": "black", "mew": 1.5, "zorder": 3} if own else {"alpha": 0.6, "ms": 7}
    style |= {} if name == technique else {"fillstyle": "none"}
    bars = [[found.value - found.low], [found.high - found.value]]
    told = (f"{technique} (yours)" if own else technique) if label else None
    tint, mark = COLOURS.get(name, "#444444"), MARKS.get(name, "o")
    axes.errorbar(x, found.value, yerr=bars, fmt=mark, color=tint, capsize=3, lw=1, label=told, **style)


def _title(model: str, items: str, trained: list[Row], level: float | None) -> str:
    best = max(trained, key=lambda r: r.right[items].value)
    name, value = MODELS[model][0].upper() + MODELS[model][1:], best.right[items].value
    told = f"{name}: highest of the trained is {best.technique} with {value:.0f} %"
    return (
        told if level is None else f"{told}; the prompt has {level:.0f} %, {'above' if level > value else 'below'} it"
    )


def one_seed() -> list[str]:
    """The rows of both tables, and of the preference table, that rest on one training seed."""
    found = [f"{MODELS[m]}: {r.technique}" for m in MODELS for r in rows(m)[1:] if r.seeds == 1]
    return found + [name for name, each in preferences().items() if each["seeds"] == 1]


__all__ = ["FULL", "ITEMS", "MODELS", "Row", "aligned", "figure", "front", "one_seed", "preference_table",
           "preferences", "real_bits", "real_runs", "rows", "table"]  # fmt: skip
