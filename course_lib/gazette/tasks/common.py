"""What the tasks share: one schema, three splits that share nothing, items and phrasings that belong to a split."""

from __future__ import annotations

import random
from functools import lru_cache

from ..grammar import Item, write_item
from ..pages import QUESTIONS, answers, shared
from ..reading import PATTERNS, SECTIONS, PatternError
from ..records import draw_record

COLUMNS = ("id", "task", "domain", "instruction", "input", "output", "label", "choices", "scorer", "source")
SPLITS = ("train", "validation", "test")
WORLD = {"train": "train", "validation": "validation", "test": "heldout"}
TONES = ("positive", "negative", "neutral")
REACTS = 0.3  # share of items with a sentence of reaction, where the task is not about tone


@lru_cache(maxsize=None)
def _instructions() -> dict[tuple[str, str], tuple[str, ...]]:
    """Every phrasing of `patterns/instructions.txt`, by task and split. Raises `PatternError` with the number of a bad line."""
    found: dict[tuple[str, str], list[str]] = {}
    splits, task = dict(zip("tvh", SPLITS, strict=True)), ""
    for number, line in enumerate((PATTERNS / "instructions.txt").read_text(encoding="utf-8").splitlines(), 1):
        mark, _, text = line.partition(" ")
        if line.startswith("="):
            task = line[1:]
        elif task and text and mark in splits:
            found.setdefault((task, splits[mark]), []).append(text)
        elif line and mark != "#":
            raise PatternError(
                f"instructions.txt:{number}: a line starts with =task, then t, v or h; not '{line[:40]}'."
            )
    return {key: tuple(lines) for key, lines in found.items()}


def phrasings(task: str, split: str) -> tuple[str, ...]:
    """The phrasings of a task's instruction that belong to a split."""
    return _instructions()[task, split]


def draw_item(
    rng: random.Random, split: str, section: str | None = None, more: int = 0, react: float = REACTS, **record
) -> Item:
    """An item in the names and wordings of a split; `react` is the chance of a sentence on what people make of it."""
    wording = {"train": "instruction", "validation": "validation", "test": "heldout"}[split]
    section = section or rng.choice(SECTIONS)
    react_now = rng.random() < react
    return write_item(draw_record(section, rng, WORLD[split], **record), more, wording, react_now)


def draw_single(rng: random.Random, split: str, **options) -> Item:
    """An item that names one actor only."""
    while shared(item := draw_item(rng, split, **options)):
        pass
    return item


def asked_of(rng: random.Random, split: str, *where, **options) -> tuple[Item, str, str, str]:
    """An item, a slot, the item's text with a question about that slot, and the answer, which stands in the text."""
    while not (known := answers(item := draw_item(rng, split, *where, **options))):
        pass
    slot = rng.choice(sorted(known))
    return item, slot, f"{item.text} {rng.choice(QUESTIONS[slot])}", known[slot]


def row_of(
    task: str,
    item: Item | None,
    rng: random.Random,
    split: str,
    *,
    scorer: str,
    choices: tuple[str, ...] = (),
    instruction: str | None = None,
    **fields: str,
) -> dict:
    """One row of the schema about an item (or a letter, without one), asked in a phrasing of the split."""
    row = {
        "id": "",
        "task": task,
        "domain": item.record.section if item else "",
        "instruction": instruction or rng.choice(phrasings(task, split)),
        "input": item.text if item else "",
        "output": "",
        "label": "",
        "choices": list(choices),
        "scorer": scorer,
        "source": f"{item.record.event.name}" if item else "letters",
    }
    return row | fields
