"""The drawing of lesson 08: trained vectors before the embeddings of a frozen model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box
from ...measure.plots import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """Draw it; returns what the drawing says in one sentence."""
    trained = colour("prompt tuning")
    words = ("Profits", "rose", "…", "?")
    for place in range(4):
        box(axes, 0.4 + 0.95 * place, 1.5, 0.75, 0.75, f"$p_{place + 1}$", fill=trained, size=11)
        arrow(axes, (0.77 + 0.95 * place, 2.3), (0.77 + 0.95 * place, 2.85))
    for place, word in enumerate(words):
        x = 4.6 + 1.05 * place
        box(axes, x, 1.5, 0.85, 0.75, "vector", fill=FROZEN, size=8.5)
        axes.text(x + 0.42, 0.72, word, ha="center", va="center", fontsize=10)
        arrow(axes, (x + 0.42, 0.95), (x + 0.42, 1.45))
        arrow(axes, (x + 0.42, 2.3), (x + 0.42, 2.85))
    box(axes, 0.4, 2.9, 8.25, 0.85, "the whole model, frozen", fill=FROZEN, bold=True)
    arrow(axes, (8.17, 3.8), (8.17, 4.25))
    axes.text(8.17, 4.5, "positive", ha="center", va="center", fontsize=10)
    axes.text(2.2, 0.72, "trained vectors:\nno word belongs to them", ha="center", va="center", fontsize=9.5)
    axes.text(8.95, 1.85, "from the\ntable,\nfrozen", ha="left", va="center", fontsize=9.5)
    arrow(axes, (7.6, 4.5), (0.36, 2.1), colour="#A6417A", bend=0.28)
    axes.text(2.9, 4.72, "the gradient runs back through every block", ha="center", fontsize=9.5, color="#A6417A")
    return (
        "A few trained vectors stand before the embeddings of the text; the model and its table are frozen, "
        "and the gradient runs back through all of it to reach the vectors."
    )
