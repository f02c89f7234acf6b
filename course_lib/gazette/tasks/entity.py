"""The name that an item is about."""

from __future__ import annotations

import random

from .common import draw_single, row_of
from .scoring import exact as score

__all__ = ["make", "score"]
SCORER = "exact"
TRAIN_ROWS = 640
NAMED = True  # there are names in its answers


def make(rng: random.Random, split: str) -> dict:
    """One row."""
    item = draw_single(rng, split, more=rng.choice((0, 0, 1)))
    name = item.record.get("who")
    return row_of("entity", item, rng, split, scorer=SCORER, output=name, label=name)
