"""Instruction data from the Gazette: eleven tasks, one schema, three splits that share nothing.

A split has its own names, its own wordings and its own phrasings of the instruction. `test` uses names and
wordings that pretraining never saw (the starred patterns); `validation` keeps back the first lead of every event and
a name pool of its own. Each task is a module with `make(rng, split)`, its rows, and what they are scored by.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from .. import renaming
from ..grammar import Item
from ..pages import puffed, spoiled_briefs
from ..reading import WITHHELD
from . import brief, entity, format, headline, number, outcome, question, refusal, scoring, section, tone, urgency
from .common import COLUMNS, SPLITS, TONES, asked_of, draw_item, draw_single, phrasings

MODULES = {  # in the order in which rows are made
    "tone": tone,
    "urgency": urgency,
    "outcome": outcome,
    "section": section,
    "entity": entity,
    "number": number,
    "headline": headline,
    "question": question,
    "brief": brief,
    "refusal": refusal,
    "format": format,
}
TASKS = list(MODULES)
CHOICES = {name: module.CHOICES for name, module in MODULES.items() if hasattr(module, "CHOICES")}
TEST_ROWS, VALIDATION_ROWS = 1000, 150
RENAMED = 0.5  # the share of the training rows with names in their answers whose names nobody has printed


def rename(row: dict, rng: random.Random) -> dict:
    """The row with names that nobody has printed, the same ones in the text and in the answer."""
    keys = ("input", "output", "label")
    renamed = renaming.rename(rng, "\0".join(row[key] for key in keys))
    return row | dict(zip(keys, renamed.split("\0"), strict=True))


def rows(split: str, seed: int = 0, count: int | None = None, tasks: tuple[str, ...] = tuple(TASKS)) -> Iterator[dict]:
    """All rows of a split in a shuffled order, each row unique; the same rows for the same seed."""
    made: list[dict] = []
    for task in tasks:
        default = {"train": MODULES[task].TRAIN_ROWS, "validation": VALIDATION_ROWS, "test": TEST_ROWS}[split]
        fresh = unique_rows(MODULES[task].make, split, seed, count or default, task)
        if split == "train" and getattr(MODULES[task], "NAMED", False):
            draws = (random.Random(f"{task} {seed} {place}") for place in range(len(fresh)))
            fresh = [rename(row, rng) if rng.random() < RENAMED else row for row, rng in zip(fresh, draws, strict=True)]
        made.extend(fresh)
    random.Random(f"order {split} {seed}").shuffle(made)
    yield from made


def unique_rows(maker: Callable[..., dict], split: str, seed: int, count: int, name: str, **options) -> list[dict]:
    """`count` different rows from one maker, with ids."""
    rng = random.Random(f"{name} {split} {seed}")
    seen: set[tuple[str, str]] = set()
    made = []
    for _ in range(50 * count):
        row = maker(rng, split, **options)
        key = (row["instruction"], row["input"])
        if key in seen:
            continue
        seen.add(key)
        made.append(row | {"id": f"{split}-{name}-{len(made):04d}"})
        if len(made) == count:
            return made
    raise RuntimeError(f"{name}/{split}: only {len(made)} different rows of {count}; the patterns are too few")


def wool_rows(split: str, seed: int = 0, count: int | None = None) -> list[dict]:
    """Tone rows of the withheld Wool Exchange."""
    count = count or {"train": 512, "validation": VALIDATION_ROWS, "test": TEST_ROWS}[split]
    return unique_rows(tone.make, split, seed, count, WITHHELD, section=WITHHELD)


def reporter_brief(item: Item, rng: random.Random) -> str:
    """A brief as the newsroom's reporters write it: sound more often than not, but long, shouting or careless at times."""
    draw = rng.random()
    if draw < 0.5:
        return item.brief()
    if draw < 0.62:
        return item.lead
    if draw < 0.74:
        return puffed(rng, item.brief())
    return rng.choice(list(spoiled_briefs(rng, item).values()))


__all__ = [
    "CHOICES",
    "COLUMNS",
    "MODULES",
    "SPLITS",
    "TASKS",
    "TONES",
    "asked_of",
    "draw_item",
    "draw_single",
    "phrasings",
    "rename",
    "reporter_brief",
    "rows",
    "scoring",
    "unique_rows",
    "wool_rows",
]
