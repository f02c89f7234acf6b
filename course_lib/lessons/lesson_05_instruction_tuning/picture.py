"""The picture of lesson 05: the three promises of instruction tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import arrow, box, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """Three promises, each with what it is held against."""
    colour = "#E69F00"
    promises = (
        ("it generalises", "new names\nnew wordings\nnew phrasings", "tasks never\ntrained?"),
        ("it needs less data", "a new task,\nfrom the tuned\nmodel", "the same task,\nfrom the base"),
        ("control and safety", "declines advice,\nkeeps the form\nasked for", "answers harmless\nletters?"),
    )
    for i, (head, claim, control) in enumerate(promises):
        x = 0.2 + 3.3 * i
        note(axes, x + 1.5, 4.6, f"{i + 1}  {head}", bold=True, size=10.5)
        box(axes, x, 2.7, 3.0, 1.4, claim, edge=colour)
        arrow(axes, (x + 1.5, 2.6), (x + 1.5, 1.85))
        note(axes, x + 2.3, 2.25, "held against", size=8)
        box(axes, x, 0.5, 3.0, 1.25, control, dashed=True, edge="#666666")
    return "Drawing: three promises, generalisation, less task data, control and safety, and below each what it is held against."
