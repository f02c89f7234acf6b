"""A question about an item, answered with words of the item."""

from __future__ import annotations

import random

from .common import asked_of, row_of
from .scoring import exact as score

__all__ = ["make", "score"]
SCORER = "exact"
TRAIN_ROWS = 480
NAMED = True  # there are names in its answers


def make(rng: random.Random, split: str) -> dict:
    """One row."""
    item, slot, text, answer = asked_of(rng, split, more=rng.choice((1, 2)))
    return row_of("question", item, rng, split, scorer=SCORER, input=text, output=answer, label=slot)
