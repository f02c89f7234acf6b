"""Pieces of a whiteboard drawing: a field on white, boxes with text, arrows. A lesson's `picture.py` puts them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PALE, FROZEN = "#222222", "#f2f2f2", "#d9d9d9"
WIDTH, HEIGHT = 10, 5  # of the field


def drawing(draw: Callable[[Axes], str], *, path: Path | None = None) -> str:
    """Show what `draw(axes)` draws in a white field of 10 by 5; returns its summary, one sentence."""
    from . import plots

    figure, axes = plots.canvas(8.0, 4.0)
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    figure.set_facecolor("white")
    summary = draw(axes)
    plots.finish(figure, path)
    return summary


def box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    text: str = "",
    *,
    fill: str = "white",
    edge: str = INK,
    ink: str = INK,
    size: float = 9.5,
    dashed: bool = False,
    bold: bool = False,
) -> None:
    """A box with its lower left corner at (x, y) and a text in its middle."""
    from matplotlib.patches import Rectangle

    style = "--" if dashed else "-"
    axes.add_patch(Rectangle((x, y), width, height, facecolor=fill, edgecolor=edge, lw=1.4, ls=style))
    weight = "bold" if bold else "normal"
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size, color=ink, weight=weight)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], *, colour: str = INK, bend: float = 0.0
) -> None:
    """An arrow from `start` to `end`, bent to one side if asked."""
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.5, "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def note(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    colour: str = INK,
    size: float = 9,
    align: str = "center",
    bold: bool = False,
) -> None:
    """A text at (x, y)."""
    axes.text(x, y, text, ha=align, va="center", fontsize=size, color=colour, weight="bold" if bold else "normal")
