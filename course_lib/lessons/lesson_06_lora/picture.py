"""The picture of lesson 06: a frozen matrix and, beside it, two thin ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box, note
from ...measure.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """W x + (alpha / r) B A x."""
    blue = COLOURS["LoRA"]
    box(axes, 0.2, 2.1, 0.5, 1.8, "x")
    arrow(axes, (0.75, 3.0), (2.0, 3.6))
    arrow(axes, (0.75, 3.0), (2.0, 1.2), colour=blue)
    box(axes, 2.1, 2.6, 2.6, 2.1, "W\nfrozen\nout × in", fill=FROZEN)
    box(axes, 2.1, 0.9, 1.9, 0.55, "A   r × in", edge=blue, ink=blue, bold=True)
    arrow(axes, (4.05, 1.18), (5.0, 1.18), colour=blue)
    box(axes, 5.1, 0.3, 0.7, 1.75, "B\n\nout\n× r", edge=blue, ink=blue, bold=True)
    note(axes, 3.05, 0.55, "small random numbers", size=8, colour=blue)
    note(axes, 5.45, 2.25, "starts at zero", size=8, colour=blue)
    arrow(axes, (4.75, 3.65), (8.0, 3.1))
    arrow(axes, (5.85, 1.18), (8.0, 2.75), colour=blue)
    note(axes, 6.75, 1.55, "× α / r", colour=blue, bold=True, size=11)
    box(axes, 8.05, 2.6, 0.6, 0.75, "+", bold=True, size=13)
    arrow(axes, (8.7, 2.98), (9.3, 2.98))
    box(axes, 9.35, 2.1, 0.5, 1.8, "y")
    return "Drawing: the frozen matrix W and, beside it, a thin A and a tall B; their product, times alpha over r, is added; B starts at zero, so at first nothing changes."
