"""The figure of lesson 09's comparison, from its reference runs, with the student's own run on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.plots import colour
from ...measure.statistics import Interval, difference_interval, mean_interval
from ..reference import runs
from .experiments import HEADLINE, LESSON, answers

if TYPE_CHECKING:
    from ...measure.evaluation import Result


def compared(method: str) -> list[list[int]]:
    """Right (1) or wrong (0) of a method in the comparison on `question`: one row a seed, one column an item."""
    more = {"placement": "houlsby"} if method == "adapters" else {}
    return answers("compare", task="question", method=method, **more)


def from_lora(method: str) -> Interval:
    """A method minus LoRA, paired by item and by the seeds that both have; a share between -1 and 1."""
    one, lora = compared(method), compared("LoRA")
    seeds = min(len(one), len(lora))
    return difference_interval(one[:seeds], lora[:seeds])


def pfeiffer() -> list[list[int]]:
    """Right or wrong of Pfeiffer's placement with as many parameters as the comparison's adapters: one row a seed."""
    return answers("compare", task="question", method="adapters", placement="pfeiffer")


def control() -> float:
    """The share of right answers after training on shuffled answers."""
    return runs(LESSON, part="control")[0]["metrics"]["right"]


SETTINGS = {  # what is told -> the key of its run; 150 validation items, one seed, the rate of the comparison
    "start 0.01, GELU (the paper's)": {"part": "rate", "method": "adapters", "rate": 0.005},
    "start 0.001": {"part": "start", "init_std": 0.001},
    "start 1": {"part": "start", "init_std": 1.0},
    "no function in the middle": {"part": "function", "nonlinearity": "identity"},
}


def settings() -> dict[str, dict[str, float]]:
    """`right` on the 150 validation items and the `loss` of their answers, in nats, for each of `SETTINGS`; one seed."""
    found = {name: runs(LESSON, **key)[0]["metrics"] for name, key in SETTINGS.items()}
    return {name: {"right": m["validation"], "loss": m["answer_loss"]} for name, m in found.items()}


def settings_table() -> str:
    """`settings` as text."""
    return "\n".join(f"{name:32s} {100 * m['right']:5.1f} %   loss {m['loss']:.2f}" for name, m in settings().items())


def relatives() -> dict[str, Interval]:
    """PEFT's relatives at the better of two rates each (chosen by validation loss), right on 500 test items; one seed."""
    found = {}
    for method in ("PEANuT", "IA3", "LLaMA-Adapter"):
        best = min(runs(LESSON, part="rate", method=method), key=lambda r: r["metrics"]["answer_loss"])
        found[method] = mean_interval([[int(bit) for bit in best["metrics"]["bits"]]])
    return found


def relatives_table() -> str:
    """`relatives` as text, beside Houlsby's adapters on the same 500 items."""
    ours = mean_interval([[*compared("adapters")[0][:500]]])
    rows = {"Houlsby, m 36": ours} | relatives()
    return "\n".join(f"{name:16s} {f.scaled(100):.1f} %" for name, f in rows.items())


def draw_compared(own: Result, title: str) -> str:
    """Left: right answers, reference runs light, `own` run of adapters solid and outlined. Right: points from LoRA. Returns the summary."""
    import matplotlib.pyplot as plt

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100, "font.size": 10})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2), sharey=True, layout="constrained")
    said = []
    for place, method in enumerate(HEADLINE):
        found, seeds = mean_interval(compared(method)).scaled(100), len(compared(method))
        style = {"fmt": "o", "color": colour(method), "capsize": 4}
        bars = [[found.value - found.low], [found.high - found.value]]
        left.errorbar(found.value, place, xerr=bars, ms=7, lw=1, alpha=0.65, **style)
        left.annotate(
            f"{found.value:.0f} %", (found.value, place), xytext=(0, 8), textcoords="offset points", ha="center"
        )
        said.append(f"{method} {found.value:.0f} % ({found.low:.0f}–{found.high:.0f}, {seeds} seeds)")
        if method != "LoRA":
            gap = from_lora(method).scaled(100)
            right.errorbar(gap.value, place, xerr=[[gap.value - gap.low], [gap.high - gap.value]], ms=7, **style)
            right.annotate(
                f"{gap.value:+.1f}", (gap.value, place), xytext=(0, 8), textcoords="offset points", ha="center"
            )
            said.append(f"that is {gap:+.1f} points from LoRA")
    value, low, high = (100 * v for v in (own.value, own.low, own.high))
    style = {"fmt": "o", "color": colour("adapters"), "capsize": 4, "ms": 9, "mec": "black", "mew": 1.2}
    left.errorbar(value, 0.32, xerr=[[value - low], [high - value]], label="adapters (yours)", **style)
    left.legend(frameon=False, fontsize=9, loc="lower left")
    left.set_yticks(range(len(HEADLINE)), HEADLINE)
    left.set_ylim(len(HEADLINE) - 0.4, -0.6)
    left.set_xlabel("question, right answers, %")
    right.axvline(0, color="#999999", ls="--", lw=1)
    right.annotate(
        "as LoRA", (0, -0.52), xytext=(4, 0), textcoords="offset points", va="top", fontsize=9, color="#666666"
    )
    right.set_xlabel("points from LoRA, same items and seeds")
    figure.suptitle(title, x=0.01, ha="left")
    plt.show()
    return f"{title}: {'; '.join(said)}; yours {value:.0f} % ({low:.0f}–{high:.0f})."
