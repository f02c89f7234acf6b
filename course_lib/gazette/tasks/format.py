"""Answers in a form: JSON with given keys, or exactly one word."""

from __future__ import annotations

import json
import random

from .common import draw_single, phrasings, row_of
from .scoring import form as score

__all__ = ["make", "score"]
SCORER = "format"
TRAIN_ROWS = 360
NAMED = True  # there are names in its answers
JSON_KEYS = (("section", "tone"), ("name", "tone"), ("name", "section"))


def make(rng: random.Random, split: str) -> dict:
    """Answers in JSON (two thirds) or in exactly one word (one third)."""
    item = draw_single(rng, split, react=1.0)
    known = {"section": item.record.section, "tone": item.record.tone, "name": item.record.get("who")}
    if rng.random() < 2 / 3:
        keys = rng.choice(JSON_KEYS)
        asked = rng.choice(phrasings("format", split)).format(keys=" and ".join(keys))
        reply = json.dumps({key: known[key] for key in keys})
        return row_of("format", item, rng, split, scorer=SCORER, instruction=asked, output=reply, label="json")
    asked = rng.choice(phrasings("word", split))
    reply = known["tone" if "tone" in asked.lower() else "section"]
    return row_of("format", item, rng, split, scorer=SCORER, instruction=asked, output=reply, label="word")
