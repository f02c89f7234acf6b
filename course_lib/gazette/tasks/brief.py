"""A brief of an item in one sentence."""

from __future__ import annotations

import random

from .common import draw_item, row_of
from .scoring import facts as score

__all__ = ["make", "score"]
SCORER = "facts"
TRAIN_ROWS = 360
NAMED = True  # there are names in its answers


def make(rng: random.Random, split: str) -> dict:
    """One row."""
    item = draw_item(rng, split, more=rng.choice((1, 2)))
    return row_of("brief", item, rng, split, scorer=SCORER, output=item.brief(), label=item.record.get("who"))
