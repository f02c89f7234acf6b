"""The picture of lesson 09: where the two adapters stand in a layer, and what is inside one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box, note
from ...measure.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """h + up(f(down(h))), after attention and after the MLP."""
    import matplotlib.pyplot as plt

    green = COLOURS["adapters"]

    def skip(left: float, right: float, low: float, high: float) -> None:
        """A line that leaves at `low`, goes round on the left and comes back at `high`."""
        axes.plot((right, left, left), (low, low, high), color="#444444", lw=1.2)
        arrow(axes, (left, high), (right - 0.22, high))

    for low, name in ((0.1, "attention"), (2.5, "MLP")):
        arrow(axes, (1.9, low - 0.1), (1.9, low + 0.42))
        skip(0.55, 1.9, low + 0.12, low + 2.1)
        box(axes, 0.95, low + 0.42, 1.9, 0.5, name, fill=FROZEN)
        arrow(axes, (1.9, low + 0.92), (1.9, low + 1.2))
        box(axes, 0.95, low + 1.2, 1.9, 0.5, "adapter", edge=green, ink=green, bold=True)
        arrow(axes, (1.9, low + 1.7), (1.9, low + 1.92))
        box(axes, 1.7, low + 1.94, 0.4, 0.34, "+", bold=True, size=11)
        note(axes, 0.25, low + 1.1, "skip", size=8)
    axes.plot((2.95, 5.0), (1.8, 4.75), color=green, ls=":", lw=1.2)
    axes.plot((2.95, 5.0), (1.3, 0.25), color=green, ls=":", lw=1.2)

    x = 7.0
    for y, bottom, top in ((1.05, 1.3, 0.45), (2.85, 0.45, 1.3)):
        corners = [(x - bottom, y), (x + bottom, y), (x + top, y + 0.65), (x - top, y + 0.65)]
        axes.add_patch(plt.Polygon(corners, facecolor="white", edgecolor=green, lw=2))
    note(axes, x, 1.37, "down", colour=green, bold=True)
    note(axes, x, 3.17, "up", colour=green, bold=True)
    box(axes, x - 0.45, 2.03, 0.9, 0.5, "GELU", edge=green, ink=green)
    note(axes, 9.05, 1.37, "d → m", colour=green)
    note(axes, 9.05, 2.28, "width m", colour=green)
    note(axes, 9.05, 3.17, "m → d", colour=green)
    arrow(axes, (x, 0.35), (x, 1.05))
    arrow(axes, (x, 1.7), (x, 2.03))
    arrow(axes, (x, 2.53), (x, 2.85))
    arrow(axes, (x, 3.5), (x, 3.9))
    skip(5.3, x, 0.65, 4.08)
    box(axes, x - 0.2, 3.91, 0.4, 0.34, "+", bold=True, size=11)
    arrow(axes, (x, 4.25), (x, 4.8))
    note(axes, x, 0.15, "h, of width d")
    note(axes, 8.6, 4.5, "h + up(GELU(down(h)))", bold=True)
    note(axes, 4.35, 2.4, "starts near\nthe identity", size=8, colour=green)
    return (
        "Drawing: in each frozen layer one adapter stands behind attention and one behind the MLP, before the skip connection is "
        "added; inside, the width d goes down to m, through a non-linearity and up to d again, and is added to what came in."
    )
