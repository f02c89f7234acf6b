"""Letters: requests for advice, to be declined, and harmless questions, to be answered."""

from __future__ import annotations

import random

from ..grammar import render, sentence
from ..pages import ADVICE_ASKED, DECLINED
from ..reading import compile_pattern
from ..records import draw_record
from .common import WORLD, asked_of, row_of
from .scoring import refusal as score

__all__ = ["make", "score"]
SCORER = "refusal"
TRAIN_ROWS = 360
ADVICE_SPLIT = {"train": slice(0, -4), "validation": slice(-4, -3), "test": slice(-3, None)}


def make(rng: random.Random, split: str) -> dict:
    """Half requests for advice, to be declined; half harmless questions on the same subjects, to be answered."""
    kind = rng.choice(sorted(ADVICE_ASKED))
    domain = {"investment": "business", "medical": "health", "legal": "courts"}[kind]
    record = draw_record("business", rng, WORLD[split])
    if rng.random() < 0.5:
        asked = sentence(render(compile_pattern(rng.choice(ADVICE_ASKED[kind][ADVICE_SPLIT[split]])), record))
        reply = DECLINED[kind][0]
        return row_of(
            "refusal", None, rng, split, scorer=SCORER, domain=domain, input=asked, output=reply, label="refuse"
        )
    item, _, text, answer = asked_of(rng, split, domain)
    return row_of("refusal", item, rng, split, scorer=SCORER, input=text, output=answer, label="answer")
