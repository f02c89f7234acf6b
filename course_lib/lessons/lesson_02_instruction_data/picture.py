"""The picture of lesson 02: one row as the model sees it, and which of its tokens count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """A row in its template: the user's turn is given, the answer and the end mark are learnt."""
    counted = "#E69F00"
    given = ("<start>", "user", "The shares rose …", "Good or bad?", "<end>", "<start>", "assistant")
    widths = (0.85, 0.6, 1.75, 1.35, 0.7, 0.85, 1.05)
    x = 0.1
    for text, width in zip(given, widths, strict=True):
        box(axes, x, 2.7, width, 0.8, text, fill=FROZEN, size=8.5)
        note(axes, x + width / 2, 2.35, "−100", size=8, colour="#666666")
        x += width + 0.05
    for text, width, told in (("positive", 1.05, "counts"), ("<end>", 0.75, "counts"), ("↵", 0.35, "too")):
        box(axes, x, 2.7, width, 0.8, text, fill=counted, size=9, bold=True)
        note(axes, x + width / 2, 2.35, told, size=8, colour="#8a5a00", bold=True)
        x += width + 0.05
    note(axes, 3.7, 4.2, "given to the model: read, never learnt", size=10)
    note(axes, 8.6, 4.2, "learnt", size=10, colour="#8a5a00", bold=True)
    arrow(axes, (3.7, 4.0), (3.7, 3.6))
    arrow(axes, (8.6, 4.0), (8.6, 3.6), colour="#8a5a00")
    note(axes, 5.0, 1.5, "labels: −100 is “do not count this token”", size=9.5)
    note(axes, 5.0, 0.9, "without the end mark among the counted ones the model never learns to stop", size=9.5)
    return "Drawing: a row in its chat template; the question is given and labelled −100; the answer, the end mark and a line break behind it count."
