"""The figures of the course. One colour per method throughout; each function returns its one-line text summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .evaluation import Result

# Okabe & Ito's palette (2008), which readers with any colour vision can tell apart.
COLOURS = {
    "base model": "#7f7f7f",
    "full fine-tuning": "#D55E00",
    "SFT": "#E69F00",
    "LoRA": "#0072B2",
    "QLoRA": "#56B4E9",
    "prompt tuning": "#CC79A7",
    "adapters": "#009E73",
    "RLHF": "#000000",
    "DPO": "#8C6BB1",
    "RLAIF": "#A6761D",
}
REFERENCE = "#b0b0b0"


def colour(technique: str) -> str:
    """The colour of a technique; an unknown one gets the first of the same beginning, else a dark grey."""
    for name, value in COLOURS.items():
        if technique.lower().startswith(name.lower()):
            return value
    return "#444444"


def _axes(width: float = 7.0, height: float = 3.6):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100, "font.size": 10})
    return plt.subplots(figsize=(width, height), layout="constrained")


def _finish(figure, path: Path | None) -> None:
    import matplotlib.pyplot as plt

    if path is not None:
        figure.savefig(path, dpi=150)
        plt.close(figure)
    else:
        plt.show()


def accuracies(
    results: dict[str, Result], *, chance: float | None = None, title: str = "", path: Path | None = None
) -> str:
    """Accuracy with 95 % intervals, one dot per name, with the line of chance; returns the text summary."""
    figure, axes = _axes(height=1.2 + 0.5 * len(results))
    for place, (name, r) in enumerate(results.items()):
        value, low, high = (100 * v for v in (r.value, r.low, r.high))
        axes.errorbar(value, place, xerr=[[value - low], [high - value]], fmt="o", color=colour(name), capsize=4, ms=8)
        axes.annotate(f"{value:.0f} %", (value, place), xytext=(0, 9), textcoords="offset points", ha="center")
    axes.set_yticks(range(len(results)), list(results))
    axes.set_ylim(len(results) - 0.4, -0.7)
    axes.set_xlim(-3, 103)
    axes.set_xlabel("right answers, % (bars: 95 % interval)")
    if chance is not None:
        axes.axvline(100 * chance, color="#999999", ls="--", lw=1)
        axes.annotate("chance", (100 * chance + 1, -0.62), color="#777777", ha="left", va="top", fontsize=9)
    axes.set_title(title, loc="left")
    _finish(figure, path)
    said = "; ".join(f"{n} {100 * r.value:.0f} % ({100 * r.low:.0f}–{100 * r.high:.0f})" for n, r in results.items())
    return f"{title or 'Accuracy'}: {said}" + (f"; chance is {100 * chance:.0f} %." if chance is not None else ".")


def loss_curve(tokens: Sequence[float], losses: Sequence[float], *, title: str = "", path: Path | None = None) -> str:
    """Pretraining loss in nats per token over millions of tokens; returns the text summary."""
    figure, axes = _axes()
    millions = [t / 1e6 for t in tokens]
    axes.plot(millions, losses, color=COLOURS["base model"], lw=1.5)
    axes.set_xlabel("tokens read, millions")
    axes.set_ylabel("loss, nats per token")
    axes.set_ylim(0, None)
    axes.set_title(title, loc="left")
    _finish(figure, path)
    return (
        f"{title or 'Loss'}: from {losses[0]:.2f} to {losses[-1]:.2f} nats per token over {millions[-1]:.1f}M tokens."
    )


def scoreboard(rows: list[dict], path: Path | None = None) -> str:
    """Accuracy of every run over the share of parameters it trained; returns the text summary."""
    figure, axes = _axes(height=4.2)
    for row in rows:
        accuracy, trained = row["metrics"]["accuracy"], row["cost"]["trainable_percent"]
        value = 100 * accuracy["value"]
        bars = [[value - 100 * accuracy["low"]], [100 * accuracy["high"] - value]]
        own = row["source"] == "student"
        tint = colour(row["technique"]) if own else REFERENCE
        axes.errorbar(max(trained, 0.001), value, yerr=bars, fmt="o" if own else "s", color=tint, capsize=3, ms=7)
        label = f"{row['technique']} ({row['lesson'][:2]})"
        axes.annotate(
            label, (max(trained, 0.001), value), xytext=(-7, -4), textcoords="offset points", ha="right", fontsize=9
        )
    axes.set_xscale("log")
    axes.set_xlim(0.0004, 300)
    axes.set_ylim(-4, 104)
    axes.set_xlabel("parameters trained, % of the model (logarithmic; none drawn at 0.001)")
    axes.set_ylabel("right answers, %")
    axes.set_title("Scoreboard: dots are yours, grey squares the course's reference runs", loc="left")
    _finish(figure, path)
    said = "; ".join(f"{r['technique']} {100 * r['metrics']['accuracy']['value']:.0f} %" for r in rows)
    return f"Scoreboard, right answers by technique: {said}."
