"""The picture of lesson 07: a block of weights, its scale, and the sixteen values of NF4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box, note
from ...measure.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Dettmers et al., arXiv 2305.14314, appendix E; lesson 07 computes them
NF4 = (-1.0, -0.696, -0.525, -0.395, -0.284, -0.185, -0.091, 0.0, 0.080, 0.161, 0.246, 0.338, 0.441, 0.563, 0.723, 1.0)

WEIGHTS = (0.031, -0.012, 0.004, None, -0.048, 0.020)


def draw(axes: Axes) -> str:
    """Sixty-four numbers become sixty-four codes of four bits and one scale."""
    blue = COLOURS["QLoRA"]
    note(axes, 0.2, 4.6, "a block of 64 weights", align="left", bold=True)
    for i, weight in enumerate(WEIGHTS):
        box(axes, 0.2 + 1.05 * i, 3.7, 1.0, 0.55, f"{weight:.3f}" if weight else "…", fill="white", size=9)
    box(axes, 7.4, 3.7, 2.3, 0.55, "scale: the largest, 0.048", edge=blue, size=8.5)
    arrow(axes, (3.3, 3.6), (3.3, 2.95))
    note(axes, 5.4, 3.27, "divide by the scale, take the nearest of sixteen", size=9)
    left, width = 0.5, 9.0
    axes.plot([left, left + width], [2.2, 2.2], color="#222222", lw=1.2)
    for value in NF4:
        x = left + width * (value + 1) / 2
        axes.plot([x, x], [2.05, 2.35], color=blue, lw=2.5)
    for value, text in ((-1.0, "−1"), (0.0, "0"), (1.0, "1")):
        note(axes, left + width * (value + 1) / 2, 1.8, text, size=8.5)
    note(axes, 5.0, 2.65, "the NF4 values: dense where weights are common", size=8.5)
    arrow(axes, (3.3, 1.7), (3.3, 1.2))
    for i, weight in enumerate(WEIGHTS):
        code = min(range(16), key=lambda k: abs(NF4[k] - (weight or 0) / 0.048))
        box(axes, 0.2 + 1.05 * i, 0.5, 1.0, 0.55, f"{code:04b}" if weight else "…", fill=FROZEN, size=9)
    note(axes, 8.3, 0.78, "4 bits each, and a LoRA\nin 16 bits on top, trained", size=8.5)
    return "Drawing: a block of 64 weights is divided by its largest and each is replaced by the nearest of sixteen NF4 values, four bits each; LoRA trains on top."
