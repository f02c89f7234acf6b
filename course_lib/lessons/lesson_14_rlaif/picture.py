"""The picture of lesson 14: who writes the labels, and who must not measure."""

from __future__ import annotations

from ...measure.plots import COLOURS

GREY, BLUE = "#666666", "#0072B2"
BROWN, PURPLE = COLOURS["RLAIF"], COLOURS["DPO"]  # AI labels, and lesson 13's readers: as in the lesson's figures


def _box(axes, x: float, y: float, text: str, colour: str, width: float = 0.2, height: float = 0.16) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0.01", fc="white", ec=colour, lw=1.6))
    axes.text(x, y, text, ha="center", va="center", fontsize=9, color="#222222")


def _arrow(axes, start: tuple[float, float], end: tuple[float, float], colour: str, dashed: bool = False) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.5, "ls": "--" if dashed else "-"}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def draw(axes) -> str:
    """Two sources of labels, one training, and a measure that belongs to neither; returns the sentence that says so."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.axis("off")
    _box(axes, 0.12, 0.5, "two briefs\nof one item", GREY, width=0.18)
    _box(axes, 0.4, 0.82, "readers choose", PURPLE)
    _box(axes, 0.4, 0.2, "judge reads each\nbrief by the rules", BROWN, width=0.22)
    axes.text(0.4, 0.045, "constitution: six rules", ha="center", fontsize=8.5, color=BROWN)
    _box(axes, 0.66, 0.5, "preference\ntraining (DPO)", BLUE, width=0.18)
    _box(axes, 0.9, 0.5, "policy", BLUE, width=0.12)
    _box(axes, 0.9, 0.88, "true score", GREY, width=0.16, height=0.13)
    _arrow(axes, (0.21, 0.56), (0.3, 0.78), PURPLE)
    _arrow(axes, (0.21, 0.44), (0.29, 0.25), BROWN)
    _arrow(axes, (0.5, 0.78), (0.6, 0.59), PURPLE)
    _arrow(axes, (0.51, 0.25), (0.6, 0.41), BROWN)
    _arrow(axes, (0.76, 0.5), (0.83, 0.5), BLUE)
    _arrow(axes, (0.9, 0.59), (0.9, 0.8), GREY)
    _arrow(axes, (0.52, 0.17), (0.88, 0.41), BROWN, dashed=True)
    axes.plot(0.7, 0.29, marker="x", ms=13, mew=2.5, color="#D55E00")
    axes.text(0.8, 0.12, "never: a judge that rewards\nmust not also measure", ha="center", fontsize=8.5, color=BROWN)
    return (
        "Pairs of briefs get their labels from readers or from a judge that reads written rules; either trains the policy in the "
        "same way; the true score, which neither has seen, measures it, and the judge never measures what it has rewarded."
    )
