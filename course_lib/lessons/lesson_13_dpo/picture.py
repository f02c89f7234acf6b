"""The picture of lesson 13: two ways from pairs to a policy, and what the loss holds still."""

from __future__ import annotations

GREY, BLUE, RED, GREEN = "#666666", "#0072B2", "#D55E00", "#009E73"


def _box(axes, x: float, y: float, text: str, colour: str, width: float = 0.2, height: float = 0.15) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0.01", fc="white", ec=colour, lw=1.6))
    axes.text(x, y, text, ha="center", va="center", fontsize=9, color="#222222")


def _arrow(axes, start: tuple[float, float], end: tuple[float, float], colour: str, bend: float = 0.0) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.5, "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def draw(axes) -> str:
    """RLHF's loop above, DPO's one loss below; returns the sentence that says so."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.axis("off")
    axes.text(0.0, 0.95, "RLHF", fontsize=10, color=GREY, weight="bold")
    for x, text in ((0.13, "pairs"), (0.38, "reward model"), (0.63, "policy"), (0.88, "new samples")):
        _box(axes, x, 0.78, text, GREY, width=0.17)
    for left in (0.22, 0.47, 0.72):
        _arrow(axes, (left, 0.78), (left + 0.065, 0.78), GREY)
    _arrow(axes, (0.88, 0.69), (0.38, 0.69), GREY, bend=-0.25)
    axes.text(0.63, 0.655, "score, step, sample again", ha="center", va="center", fontsize=8.5, color=GREY)

    axes.plot([0, 1], [0.5, 0.5], color="#dddddd", lw=1)
    axes.text(0.0, 0.43, "DPO", fontsize=10, color=BLUE, weight="bold")
    _box(axes, 0.13, 0.22, "pairs", BLUE, width=0.17)
    _box(axes, 0.45, 0.33, "log π/π_ref of chosen", GREEN, width=0.27, height=0.11)
    _box(axes, 0.45, 0.11, "log π/π_ref of rejected", RED, width=0.27, height=0.11)
    _box(axes, 0.85, 0.22, "−log σ( β · difference )", BLUE, width=0.27)
    _arrow(axes, (0.22, 0.24), (0.30, 0.32), BLUE)
    _arrow(axes, (0.22, 0.20), (0.30, 0.12), BLUE)
    _arrow(axes, (0.595, 0.33), (0.70, 0.25), GREEN)
    _arrow(axes, (0.595, 0.11), (0.70, 0.19), RED)
    axes.text(0.45, 0.22, "only the gap counts: both may fall", ha="center", va="center", fontsize=8.5, color=GREY)
    return (
        "Above, RLHF: pairs train a reward model, which scores fresh samples of the policy, step after step. Below, DPO: the "
        "same pairs go straight into one loss on the gap between two log-ratios, and nothing in it holds either of them up."
    )
