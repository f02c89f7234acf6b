"""The picture of lesson 01: locked knowledge and absent knowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """Two kinds of not answering: the knowledge is there and no question reaches it, or it is not there."""
    blue = "#0072B2"
    for left, head, inside, fill in (
        (0.2, "locked", "knows the tone", FROZEN),
        (5.3, "absent", "nothing here", "white"),
    ):
        note(axes, left + 2.2, 4.7, head, bold=True, size=12)
        box(axes, left, 1.9, 4.4, 1.5, "", edge=blue)
        box(axes, left + 2.3, 2.15, 1.9, 1.0, inside, fill=fill, dashed=fill == "white")
        note(axes, left + 1.1, 2.65, "the model", colour=blue)
        note(axes, left + 1.1, 4.1, "a question", size=9)
        arrow(axes, (left + 1.1, 3.95), (left + 1.1, 3.45))
        note(axes, left + 3.25, 4.1, "its own form", size=9)
        arrow(axes, (left + 3.25, 3.95), (left + 3.25, 3.2), colour="#009E73" if head == "locked" else "#D55E00")
    note(axes, 2.4, 1.45, "a prompt in the model's own form finds it;", size=9)
    note(axes, 2.4, 1.05, "a few examples make it answer questions", size=9)
    note(axes, 7.5, 1.45, "no prompt finds it:", size=9)
    note(axes, 7.5, 1.05, "it has to be taught, or put into the prompt", size=9)
    note(axes, 5.0, 0.35, "Both look the same from outside: the question is not answered.", size=9.5, bold=True)
    return "Drawing: locked knowledge is there and answers in the model's own form; absent knowledge answers to no form; a plain question fails on both."
