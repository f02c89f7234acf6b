"""The files of lesson 16, in `data/own_data/`: messages to a repair shop, one file of each form, some broken on purpose.

Everything is invented here and drawn with a fixed seed: the same bytes each time (tested). `course_lib.lessons.lesson_16_real_models.shop.write()` makes them again.
"""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

from ...base.jsonl import as_line, write_text
from ...base.paths import home

LABELS = ("positive", "negative", "neutral")
INSTRUCTION = "What does this customer feel? Say positive, negative or neutral."
TRAIN_ROWS, TEST_ROWS = 240, 120  # before the faults are planted

THINGS = {
    "train": ("reading lamp", "wall clock", "kettle", "typewriter", "desk radio", "sewing machine"),
    "test": ("record player", "heater", "street lantern", "table fan"),
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
PHRASES = {
    "train": {
        "positive": (
            "The {thing} works better than ever, and the whole family is delighted.",
            "Quick, careful and friendly: the repair of my {thing} was a pleasure.",
            "I am very pleased with the {thing} that came on {day}.",
            "Thanks to your people the {thing} has been saved.",
            "The {thing} is a great success at home.",
        ),
        "negative": (
            "The {thing} broke again on {day}, and I am very disappointed.",
            "Nobody answered, and the {thing} is worse than before.",
            "I was charged twice for a {thing} that does not work.",
            "The {thing} arrived late and damaged.",
            "It was a mistake to buy the {thing}.",
        ),
        "neutral": (
            "The {thing} will be collected on {day}.",
            "Please send the {thing} to the address below.",
            "I ordered a {thing} on {day}; the number is 214.",
            "Is the shop open on {day}? I have a {thing} to bring.",
            "The {thing} is brown and has two buttons.",
        ),
    },
    "test": {
        "positive": (
            "What good work on the {thing}! It has never run so well.",
            "Everybody here is happy with the {thing}.",
            "The {thing} came early and in perfect order.",
            "I shall gladly buy another {thing} from you.",
        ),
        "negative": (
            "The {thing} failed after one day.",
            "I have waited since {day} for the {thing}, and I am losing patience.",
            "The {thing} was returned with a new fault.",
            "A poor {thing}, and a high price.",
        ),
        "neutral": (
            "The {thing} was ordered on {day}.",
            "The parcel holds a {thing} and a cable.",
            "I shall come on {day} with the {thing}.",
            "Which colours does the {thing} come in?",
        ),
    },
}
THREAD = "On {day} I wrote that the {thing} had stopped, and nobody has answered. "


def folder() -> Path:
    """Where the files lie."""
    return home() / "data" / "own_data"


def messages(split: str, count: int, seed: int = 0) -> list[dict]:
    """`count` different messages with what the customer feels, as rows of instruction, input and output; labels in turns."""
    rng, seen, rows = random.Random(f"shop {split} {seed}"), set(), []
    while len(rows) < count:
        label = LABELS[len(rows) % len(LABELS)]
        first, more = (rng.choice(PHRASES[split][label]) for _ in range(2))
        day, thing = rng.choice(DAYS), rng.choice(THINGS[split])
        text = first if rng.random() < 0.5 or first == more else f"{first} {more}"
        text = text.format(day=day, thing=thing)
        if text not in seen:
            seen.add(text)
            rows.append({"instruction": INSTRUCTION, "input": text, "output": label})
    rng.shuffle(rows)
    return rows


def spoiled(rows: list[dict], test: list[dict]) -> list[dict]:
    """The training rows with what real files have: twins, contradictions, empty answers, a null, a thread too long, test questions."""
    rng = random.Random("shop spoiled")
    twins = [dict(rows[n]) for n in (3, 40, 99)]
    against = [rows[n] | {"output": LABELS[(LABELS.index(rows[n]["output"]) + 1) % 3]} for n in (10, 60, 140, 200)]
    empty = [rows[n] | {"input": f"{rows[n]['input']} Please hurry.", "output": ""} for n in (20, 120)]
    bare = [{"instruction": "Which three words may you say?", "input": None, "output": "positive, negative, neutral"}]
    spaced = [
        rows[n] | {"input": f"Good morning. {rows[n]['input']}", "output": f"{rows[n]['output']} "} for n in (30, 70)
    ]
    long = "".join(THREAD.format(day=rng.choice(DAYS), thing="kettle") for _ in range(40))
    thread = [{"instruction": INSTRUCTION, "input": long.strip(), "output": "negative"}]
    leaked = [dict(test[n]) for n in (5, 50, 100)]
    planted = [*twins, *against, *empty, *bare, *spaced, *thread, *leaked]
    whole = [dict(row) for row in rows]
    for row in planted:
        whole.insert(rng.randrange(len(whole) // 2, len(whole) + 1), row)
    return whole


def files() -> dict[str, str]:
    """Name and text of each file, the byte order mark included."""
    train, test = messages("train", TRAIN_ROWS), messages("test", TEST_ROWS)
    return {
        "shop_train.json": json.dumps(spoiled(train, test), indent=1) + "\n",
        "shop_test.csv": "\ufeff" + _csv(test, ";"),
        "pandas.csv": _csv(
            [
                {"instruction": "Which country is meant? Give its code.", "input": "Namibia", "output": "NA"},
                {"instruction": "Which of our shops is meant?", "input": "Good evening.", "output": "None"},
                {"instruction": "Name a thing that we repair.", "input": "", "output": "kettle"},
            ],
            ",",
        ),
        "prompts.jsonl": _lines(
            [
                {"prompt": "My kettle is late again!", "completion": " negative"},
                {"prompt": "Thank you!", "completion": "positive\n"},
                {"prompt": "I was charged twice.", "completion": 3},
            ]
        ),
        "sharegpt.jsonl": _lines(
            [
                {"conversations": _talk("gpt: Good morning.", "human: My clock stopped.", "gpt: Please bring it in.")},
                {"conversations": _talk("human: Hello?", "human: Where is my lamp?", "gpt: On its way.")},
                {"conversations": _talk("human: Is it ready?", "gpt: Not yet.", "human: When?", "gpt: On Friday.")},
                {"conversations": _talk("human: Anybody there?")},
                {"conversations": [*_talk("human: Hello?"), {"from": "gpt", "value": None}]},
            ]
        ),
        "messages.jsonl": _lines(
            [
                {"messages": _chat("system: Say what the customer feels.", "user: Well done!", "assistant: positive")},
                {"messages": [{"role": "user", "content": [{"type": "text", "text": "It broke again."}]}, *_chat("assistant: negative")]},
                {"messages": _chat("user: Hello?", "tool: 3 messages waiting", "assistant: neutral")},
                "not an object",
            ]
        ),
        "pairs.jsonl": _lines(
            [
                {"prompt": "Where is my lamp?", "chosen": "It comes on Friday.", "rejected": "Who knows."},
                {"prompt": "Where is my lamp?", "chosen": "Who knows.", "rejected": "It comes on Friday."},
                {"chosen": "Q: Is it mended? A: Yes.", "rejected": "Q: Is it mended? A: No."},
                {"prompt": "Is it ready?", "chosen": "Yes.", "rejected": "Yes."},
            ]
        ),
    }  # fmt: skip


def write(place: Path | None = None) -> Path:
    """Write all files; returns their folder."""
    place = place or folder()
    for name, text in files().items():
        write_text(place / name, text)
    return place


def _csv(rows: list[dict], delimiter: str) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["instruction", "input", "output"], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _lines(rows: list) -> str:
    return "".join(map(as_line, rows))


def _talk(*turns: str) -> list[dict]:
    return [dict(zip(("from", "value"), turn.split(": ", 1), strict=True)) for turn in turns]


def _chat(*turns: str) -> list[dict]:
    return [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]
