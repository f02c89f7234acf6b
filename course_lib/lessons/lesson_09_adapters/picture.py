"""The idea of lesson 09 on a whiteboard: where the two adapters stand in a layer, and what is inside one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FROZEN, TRAINED, LINE = "#d9d9d9", "#009E73", "#444444"


def draw(axes: Axes) -> str:
    """Left a layer with its two skip connections, right one adapter; returns the summary."""
    import matplotlib.pyplot as plt

    def box(x: float, y: float, width: float, height: float, text: str, trained: bool = False) -> None:
        face, ink = (TRAINED, "white") if trained else (FROZEN, "black")
        axes.add_patch(plt.Rectangle((x, y), width, height, facecolor=face, edgecolor=LINE, lw=1))
        axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", color=ink, fontsize=10)

    def arrow(*points: tuple[float, float]) -> None:
        for start, end in itertools.pairwise(points[:-1]):
            axes.plot(*zip(start, end, strict=True), color=LINE, lw=1.4)
        axes.annotate("", points[-1], points[-2], arrowprops={"arrowstyle": "->", "color": LINE, "lw": 1.4})

    def plus(x: float, y: float) -> None:
        axes.text(x, y, "+", ha="center", va="center", fontsize=13, bbox={"boxstyle": "circle", "fc": "white"})

    for low, name in ((0.35, "attention"), (2.6, "MLP")):
        box(1.2, low + 0.25, 1.9, 0.55, name)
        box(1.2, low + 1.1, 1.9, 0.55, "adapter", trained=True)
        arrow((2.15, low - 0.2), (2.15, low + 0.25))
        arrow((2.15, low + 0.8), (2.15, low + 1.1))
        arrow((2.15, low + 1.65), (2.15, low + 1.83))
        arrow((2.15, low), (0.6, low), (0.6, low + 1.98), (1.97, low + 1.98))
        plus(2.15, low + 1.98)
    axes.text(0.48, 1.3, "skip", rotation=90, ha="right", va="center", fontsize=9, color=LINE)
    axes.text(0.48, 3.55, "skip", rotation=90, ha="right", va="center", fontsize=9, color=LINE)
    arrow((2.15, 4.73), (2.15, 5.0))
    axes.plot((3.15, 5.35), (1.98, 4.5), color=TRAINED, ls=":", lw=1.2)
    axes.plot((3.15, 5.35), (1.47, 0.6), color=TRAINED, ls=":", lw=1.2)

    x = 7.0
    for y, half, text in ((1.15, (1.3, 0.45), "down: d → m"), (3.15, (0.45, 1.3), "up: m → d")):
        corners = [(x - half[0], y), (x + half[0], y), (x + half[1], y + 0.75), (x - half[1], y + 0.75)]
        axes.add_patch(plt.Polygon(corners, facecolor=TRAINED, edgecolor=LINE))
        axes.text(x + 1.45, y + 0.37, text, va="center", fontsize=10)
    box(x - 0.45, 2.2, 0.9, 0.5, "f", trained=True)
    axes.text(x + 1.45, 2.45, "GELU, width m", va="center", fontsize=10)
    arrow((x, 0.45), (x, 1.15))
    arrow((x, 1.9), (x, 2.2))
    arrow((x, 2.7), (x, 3.15))
    arrow((x, 3.9), (x, 4.15))
    arrow((x, 0.75), (5.45, 0.75), (5.45, 4.33), (x - 0.2, 4.33))
    plus(x, 4.33)
    arrow((x, 4.5), (x, 4.95))
    axes.text(x + 0.15, 0.35, "h: what attention or the MLP said, width d", va="center", fontsize=10)
    axes.text(x + 0.3, 4.75, "h + up(f(down(h)))", va="center", fontsize=10)
    return (
        "Grey is frozen, green is trained: in each layer one adapter stands behind attention and one behind the MLP, before the skip "
        "connection is added; inside, the width d goes down to m, through a non-linearity, up to d again, and is added to the input."
    )
