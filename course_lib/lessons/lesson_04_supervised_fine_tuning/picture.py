"""The picture of lesson 04: two questions, what data and which weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import FROZEN, box, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """A table of two questions with the four trainings that they give."""
    note(axes, 6.1, 4.75, "WHAT DATA: questions and answers (SFT)", bold=True, size=11)
    note(axes, 4.3, 4.25, "one task", size=10)
    note(axes, 7.9, 4.25, "many tasks, asked in words", size=10)
    axes.text(0.25, 2.2, "WHICH WEIGHTS", rotation=90, ha="center", va="center", fontsize=11, weight="bold")
    note(axes, 1.5, 3.1, "all weights\nchange")
    note(axes, 1.5, 1.2, "a small addition\nchanges")
    cells = ((2.6, 2.3, "full fine-tuning\non one task"), (6.2, 2.3, "instruction tuning,\nall weights"),
             (2.6, 0.4, "an adapter\nfor one task"), (6.2, 0.4, "an instruction-tuned\nadapter"))  # fmt: skip
    for x, y, text in cells:
        box(axes, x, y, 3.4, 1.6, "", edge="#666666")
        note(axes, x + 2.2, y + 0.8, text)
        box(axes, x + 0.2, y + 0.35, 0.8, 0.9, "", fill="#E69F00" if y > 1 else FROZEN)
        if y < 1:
            box(axes, x + 0.75, y + 0.35, 0.25, 0.9, "", fill="#0072B2")
    return "Drawing: what data (one task, or many asked in words) and which weights (all, or a small addition) are two questions; each training answers both."
