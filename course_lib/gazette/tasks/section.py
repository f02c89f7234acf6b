"""The section that an item belongs to."""

from __future__ import annotations

import random

from ..reading import SECTIONS
from .common import draw_item, row_of
from .scoring import label as score

__all__ = ["make", "score"]
SCORER = "label"
TRAIN_ROWS = 320
CHOICES = SECTIONS


def make(rng: random.Random, split: str) -> dict:
    """One row."""
    item = draw_item(rng, split)
    return row_of(
        "section",
        item,
        rng,
        split,
        scorer=SCORER,
        choices=CHOICES,
        output=item.record.section,
        label=item.record.section,
    )
