"""The picture of lesson 00: the same model before and after a first fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, arrow, box, note
from ...measure.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """The same question to the base model and to the fine-tuned one."""
    trained = COLOURS["full fine-tuning"]
    note(axes, 0.1, 4.75, "read: the newspaper, nothing else", align="left", size=9)
    box(axes, 0.1, 3.5, 2.6, 0.9, "item\n+ “is this positive?”")
    arrow(axes, (2.75, 3.95), (3.75, 3.95))
    box(axes, 3.8, 3.4, 2.0, 1.1, "base model", fill=FROZEN, bold=True)
    arrow(axes, (5.85, 3.95), (6.85, 3.95))
    box(axes, 6.9, 3.5, 3.0, 0.9, "“An assistant at the bakery\nhas served there …”")
    note(axes, 8.4, 3.2, "goes on writing: no answer", size=8.5)
    arrow(axes, (4.8, 3.3), (4.8, 1.75), colour=trained)
    box(axes, 5.2, 2.2, 3.3, 0.75, "512 items, each with its question\nand the right answer", edge=trained, size=8.5)
    note(axes, 3.1, 2.55, "fine-tuning: seconds", colour=trained, size=9, bold=True)
    box(axes, 0.1, 0.7, 2.6, 0.9, "item\n+ “is this positive?”")
    arrow(axes, (2.75, 1.15), (3.75, 1.15))
    box(axes, 3.8, 0.6, 2.0, 1.1, "the same model,\nfine-tuned", edge=trained, bold=True)
    arrow(axes, (5.85, 1.15), (6.85, 1.15))
    box(axes, 6.9, 0.7, 3.0, 0.9, "“negative”", edge=trained, bold=True)
    note(axes, 8.4, 0.35, "one label, and stops", size=8.5)
    return "Drawing: asked a question, the base model goes on writing news; after 512 examples the same model gives one label and stops."
