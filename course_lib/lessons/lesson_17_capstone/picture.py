"""The picture of lesson 17: one project from the question to the card, and the one arrow into the test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, INK, PALE, arrow, box, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ONCE = "#D55E00"


def draw(axes: Axes) -> str:
    """Two rows of boxes, the validation set below the loop, the test set behind a line; returns the sentence that says so."""
    box(axes, 0.2, 3.6, 2.0, 1.0, "question and\ncriterion,\nwritten down", fill=PALE, bold=True)
    box(axes, 2.7, 3.6, 1.7, 1.0, "look at\nthe data")
    box(axes, 4.9, 3.6, 2.1, 1.0, "baselines,\nprompts")
    box(axes, 7.5, 3.6, 2.3, 1.0, "two settings\nand a control")
    for left, right in ((2.2, 2.7), (4.4, 4.9), (7.0, 7.5)):
        arrow(axes, (left, 4.1), (right, 4.1))
    box(axes, 4.9, 2.15, 4.2, 0.7, "validation set: as often as you like", fill=FROZEN)
    arrow(axes, (5.95, 2.85), (5.95, 3.6))
    arrow(axes, (8.3, 2.85), (8.3, 3.6))
    axes.plot([0.1, 9.9], [1.85, 1.85], color="#999999", lw=1, ls=":")
    box(axes, 7.5, 0.4, 2.3, 1.0, "test set:\nonce, for the\none chosen", edge=ONCE, bold=True)
    arrow(axes, (9.5, 3.6), (9.5, 1.4), colour=ONCE)
    box(axes, 4.9, 0.4, 2.1, 1.0, "ten errors,\nforgetting")
    box(axes, 2.7, 0.4, 1.7, 1.0, "model card")
    box(axes, 0.2, 0.4, 2.0, 1.0, "criterion beside\noutcome", fill=PALE, bold=True)
    for left, right in ((7.5, 7.0), (4.9, 4.4), (2.7, 2.2)):
        arrow(axes, (left, 0.9), (right, 0.9))
    arrow(axes, (1.2, 3.6), (1.2, 1.4), colour=INK)
    note(axes, 1.3, 2.5, "not changed\nin between", align="left", size=9)
    return (
        "A project from left to right: the question and its criterion are written down, the data is looked at, baselines, prompts and two "
        "settings are compared on the validation set as often as one likes; the test set is opened once for the one chosen; errors, "
        "forgetting and a model card follow, and the outcome stands beside the criterion that was written first."
    )
