"""How urgent a health item is for its readers."""

from __future__ import annotations

import random

from .common import draw_item, row_of
from .scoring import label as score

__all__ = ["make", "score"]
SCORER = "label"
TRAIN_ROWS = 320
CHOICES = ("urgent", "soon", "routine")


def make(rng: random.Random, split: str) -> dict:
    """One row."""
    item = draw_item(rng, split, "health", rng.choice((0, 0, 1)))
    label = item.record.event.attrs["urgency"]
    return row_of("urgency", item, rng, split, scorer=SCORER, choices=CHOICES, output=label, label=label)
