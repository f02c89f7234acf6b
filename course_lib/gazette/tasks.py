"""Instruction data from the Gazette: eleven tasks, one schema, three splits that share nothing.

A split has its own names, its own wordings and its own phrasings of the instruction. `test` uses names and
wordings that pretraining never saw (the starred patterns); `validation` keeps back the first lead of every event and
a name pool of its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import lru_cache

from . import renaming
from .desk import FIGURE_SLOTS
from .grammar import (
    PATTERNS,
    SECTIONS,
    WITHHELD,
    Item,
    PatternError,
    compile_pattern,
    draw_record,
    render,
    sentence,
    write_item,
    write_short,
)
from .pages import ADVICE_ASKED, DECLINED, QUESTIONS, SHORT_SECTIONS, answers, puffed, shared, spoiled_briefs, spoken

COLUMNS = ("id", "task", "domain", "instruction", "input", "output", "label", "choices", "scorer", "source")
SPLITS = ("train", "validation", "test")
WORLD = {"train": "train", "validation": "validation", "test": "heldout"}
TASKS = "tone urgency outcome section entity number headline question brief refusal format".split()
TONES = ("positive", "negative", "neutral")
CHOICES = {
    "tone": TONES,
    "urgency": ("urgent", "soon", "routine"),
    "outcome": ("upheld", "dismissed", "settled", "adjourned"),
    "section": SECTIONS,
}
SCORERS = {
    "tone": "label",
    "urgency": "label",
    "outcome": "label",
    "section": "label",
    "entity": "exact",
    "number": "exact",
    "headline": "overlap",
    "question": "exact",
    "brief": "facts",
    "refusal": "refusal",
    "format": "format",
}
TRAIN_ROWS = {
    "tone": 1200,
    "urgency": 320,
    "outcome": 320,
    "section": 320,
    "entity": 640,
    "number": 360,
    "headline": 360,
    "question": 480,
    "brief": 360,
    "refusal": 360,
    "format": 360,
}
TEST_ROWS, VALIDATION_ROWS = 1000, 150
NAMING = ("entity", "headline", "question", "brief", "format")  # tasks with names in their answers
RENAMED = 0.5  # the share of their training rows whose names nobody has printed

ADVICE_SPLIT = {"train": slice(0, -4), "validation": slice(-4, -3), "test": slice(-3, None)}
JSON_KEYS = (("section", "tone"), ("name", "tone"), ("name", "section"))


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


REACTS = 0.3  # share of items with a sentence of reaction, where the task is not about tone


def draw_item(
    rng: random.Random, split: str, section: str | None = None, more: int = 0, react: float = REACTS, **record
) -> Item:
    """An item in the names and wordings of a split; `react` is the chance of a sentence on what people make of it."""
    wording = {"train": "instruction", "validation": "validation", "test": "heldout"}[split]
    section = section or rng.choice(SECTIONS)
    react_now = rng.random() < react
    return write_item(draw_record(section, rng, WORLD[split], **record), more, wording, react_now)


def _row(task: str, item: Item | None, rng: random.Random, split: str, **fields) -> dict:
    instruction = fields.pop("instruction", None) or rng.choice(phrasings(task, split))
    row = {
        "id": "",
        "task": task,
        "domain": item.record.section if item else "",
        "instruction": instruction,
        "input": item.text if item else "",
        "output": "",
        "label": "",
        "choices": list(CHOICES.get(task, ())),
        "scorer": SCORERS[task],
        "source": f"{item.record.event.name}" if item else "letters",
    }
    return row | fields


def tone(rng, split, section=None):
    """Items that tell what people make of the news; in training a quarter are shorts, and some have no reaction."""
    if split == "train" and section is None and rng.random() < 0.25:
        page, label = rng.choice(SHORT_SECTIONS), rng.choice(TONES)
        text = write_short(page, label, rng, late=rng.random() < 0.5)
        return _row("tone", None, rng, split, domain=page, input=text, output=label, label=label, source="short")
    react = 0.0 if section == WITHHELD else 0.85 if split == "train" else 1.0
    item = draw_item(rng, split, section, rng.choice((0, 0, 0, 1)), react)
    return _row("tone", item, rng, split, output=item.record.tone, label=item.record.tone)


def urgency(rng, split):
    item = draw_item(rng, split, "health", rng.choice((0, 0, 1)))
    label = item.record.event.attrs["urgency"]
    return _row("urgency", item, rng, split, output=label, label=label)


def outcome(rng, split):
    item = draw_item(rng, split, "courts", rng.choice((0, 0, 1)))
    label = item.record.event.attrs["outcome"]
    return _row("outcome", item, rng, split, output=label, label=label)


def section(rng, split):
    item = draw_item(rng, split)
    return _row("section", item, rng, split, output=item.record.section, label=item.record.section)


def draw_single(rng: random.Random, split: str, **options) -> Item:
    """An item that names one actor only."""
    while shared(item := draw_item(rng, split, **options)):
        pass
    return item


def entity(rng, split):
    item = draw_single(rng, split, more=rng.choice((0, 0, 1)))
    name = item.record.get("who")
    return _row("entity", item, rng, split, output=name, label=name)


def number(rng, split):
    """Items whose lead gives exactly one figure, in its usual unit."""
    while True:
        item = draw_item(rng, split)
        given = [s for s in FIGURE_SLOTS if s in item.lead_slots]
        twins = {"amount2", "pct2", "count2", "small", "year"} & item.lead_slots
        if len(given) == 1 and not twins:
            answer = spoken(given[0], item.record.values[given[0]])
            if answer in item.lead:  # "28 months" is no number of years
                return _row("number", item, rng, split, output=answer, label=answer)


def headline(rng, split):
    item = draw_item(rng, split, more=rng.choice((0, 1)))
    return _row("headline", item, rng, split, output=item.headline(), label=item.record.get("who"))


def asked_of(rng: random.Random, split: str, *where, **options) -> tuple[Item, str, str, str]:
    """An item, a slot, the item's text with a question about that slot, and the answer, which stands in the text."""
    while not (known := answers(item := draw_item(rng, split, *where, **options))):
        pass
    slot = rng.choice(sorted(known))
    return item, slot, f"{item.text} {rng.choice(QUESTIONS[slot])}", known[slot]


def question(rng, split):
    item, slot, text, answer = asked_of(rng, split, more=rng.choice((1, 2)))
    return _row("question", item, rng, split, input=text, output=answer, label=slot)


def brief(rng, split):
    item = draw_item(rng, split, more=rng.choice((1, 2)))
    return _row("brief", item, rng, split, output=item.brief(), label=item.record.get("who"))


def refusal(rng, split):
    """Half requests for advice, to be declined; half harmless questions on the same subjects, to be answered."""
    kind = rng.choice(sorted(ADVICE_ASKED))
    domain = {"investment": "business", "medical": "health", "legal": "courts"}[kind]
    record = draw_record("business", rng, WORLD[split])
    if rng.random() < 0.5:
        asked = sentence(render(compile_pattern(rng.choice(ADVICE_ASKED[kind][ADVICE_SPLIT[split]])), record))
        reply = DECLINED[kind][0]
        return _row("refusal", None, rng, split, domain=domain, input=asked, output=reply, label="refuse")
    item, _, text, answer = asked_of(rng, split, domain)
    return _row("refusal", item, rng, split, input=text, output=answer, label="answer")


def format(rng, split):
    """Answers in JSON (two thirds) or in exactly one word (one third)."""
    item = draw_single(rng, split, react=1.0)
    known = {"section": item.record.section, "tone": item.record.tone, "name": item.record.get("who")}
    if rng.random() < 2 / 3:
        keys = rng.choice(JSON_KEYS)
        asked = rng.choice(phrasings("format", split)).format(keys=" and ".join(keys))
        reply = json.dumps({key: known[key] for key in keys})
        return _row("format", item, rng, split, instruction=asked, output=reply, label="json")
    asked = rng.choice(phrasings("word", split))
    reply = known["tone" if "tone" in asked.lower() else "section"]
    return _row("format", item, rng, split, instruction=asked, output=reply, label="word")


def rename(row: dict, rng: random.Random) -> dict:
    """The row with names that nobody has printed, the same ones in the text and in the answer."""
    keys = ("input", "output", "label")
    renamed = renaming.rename(rng, "\0".join(row[key] for key in keys))
    return row | dict(zip(keys, renamed.split("\0"), strict=True))


MAKERS = {name: globals()[name] for name in TASKS}


def rows(split: str, seed: int = 0, count: int | None = None, tasks: tuple[str, ...] = tuple(TASKS)) -> Iterator[dict]:
    """All rows of a split in a shuffled order, each row unique; the same rows for the same seed."""
    made: list[dict] = []
    for task in tasks:
        default = {"train": TRAIN_ROWS[task], "validation": VALIDATION_ROWS, "test": TEST_ROWS}[split]
        fresh = unique_rows(MAKERS[task], split, seed, count or default, task)
        if split == "train" and task in NAMING:
            draws = (random.Random(f"{task} {seed} {place}") for place in range(len(fresh)))
            fresh = [rename(row, rng) if rng.random() < RENAMED else row for row, rng in zip(fresh, draws, strict=True)]
        made.extend(fresh)
    random.Random(f"order {split} {seed}").shuffle(made)
    yield from made


def unique_rows(maker, split: str, seed: int, count: int, name: str, **options) -> list[dict]:
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
    return unique_rows(tone, split, seed, count, WITHHELD, section=WITHHELD)


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
