"""The one figure of an item, in its unit."""

from __future__ import annotations

import random

from ..desk import FIGURE_SLOTS
from ..pages import spoken
from .common import draw_item, row_of
from .scoring import exact as score

__all__ = ["make", "score"]
SCORER = "exact"
TRAIN_ROWS = 360


def make(rng: random.Random, split: str) -> dict:
    """Items whose lead gives exactly one figure, in its usual unit."""
    while True:
        item = draw_item(rng, split)
        given = [s for s in FIGURE_SLOTS if s in item.lead_slots]
        twins = {"amount2", "pct2", "count2", "small", "year"} & item.lead_slots
        if len(given) == 1 and not twins:
            answer = spoken(given[0], item.record.values[given[0]])
            if answer in item.lead:  # "28 months" is no number of years
                return row_of("number", item, rng, split, scorer=SCORER, output=answer, label=answer)
