"""The tone of an item: positive, negative or neutral."""

from __future__ import annotations

import random

from ..grammar import write_short
from ..pages import SHORT_SECTIONS
from ..reading import WITHHELD
from .common import TONES, draw_item, row_of
from .scoring import label as score

__all__ = ["make", "score"]
SCORER = "label"
TRAIN_ROWS = 1200
CHOICES = TONES


def make(rng: random.Random, split: str, section: str | None = None) -> dict:
    """Items that tell what people make of the news; in training a quarter are shorts, and some have no reaction."""
    if split == "train" and section is None and rng.random() < 0.25:
        page, label = rng.choice(SHORT_SECTIONS), rng.choice(TONES)
        text = write_short(page, label, rng, late=rng.random() < 0.5)
        return row_of(
            "tone",
            None,
            rng,
            split,
            scorer=SCORER,
            choices=CHOICES,
            domain=page,
            input=text,
            output=label,
            label=label,
            source="short",
        )
    react = 0.0 if section == WITHHELD else 0.85 if split == "train" else 1.0
    item = draw_item(rng, split, section, rng.choice((0, 0, 0, 1)), react)
    return row_of(
        "tone", item, rng, split, scorer=SCORER, choices=CHOICES, output=item.record.tone, label=item.record.tone
    )
