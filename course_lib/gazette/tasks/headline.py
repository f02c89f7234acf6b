"""A headline for an item."""

from __future__ import annotations

import random

from .common import draw_item, row_of
from .scoring import overlap as score

__all__ = ["make", "score"]
SCORER = "overlap"
TRAIN_ROWS = 360
NAMED = True  # there are names in its answers


def make(rng: random.Random, split: str) -> dict:
    """One row."""
    item = draw_item(rng, split, more=rng.choice((0, 1)))
    return row_of("headline", item, rng, split, scorer=SCORER, output=item.headline(), label=item.record.get("who"))
