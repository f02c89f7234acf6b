"""Reference runs of lesson 01: many prompts, training beside them, and knowledge put into the prompt.

All jobs answer the same items: `EACH` test items of each section, and `WOOL` items of the withheld one. `bits` holds one
character an item, right or wrong by the reply's first word, so that any two lines can be paired.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

from ...data.instructions import load_in_the_wild, load_instructions, prompt_text
from ...gazette.grammar import write_reaction
from ...gazette.reading import PATTERNS, TONES
from ...gazette.records import draw_record
from ...methods.sft import train
from ...models.generation import generate
from ...models.load import load_model

SEEDS = (0, 1, 2)
SECTIONS, EACH, WOOL = ("business", "health", "courts"), 200, 400
STEPS = 64  # of eight rows, in every training
PROMPTS = {  # name: (in the chat template?, prompt); "plain" asks as in training
    "plain": (True, "{input}\n{instruction}"),
    "the expert": (True, "You are an expert in finance, medicine and law.\n{input}\n{instruction}"),
    "the order": (True, "{input}\n{instruction}\nReply with one word and nothing else."),
    "step by step": (True, "{input}\n{instruction}\nThink step by step, then answer."),
    "half a sentence": (False, "{input}\nAll in all, this is"),
    "a question": (False, "{input}\nIs this good or bad news? It is"),
    "a form to fill in": (False, "{input}\nTone:"),
    "small letters": (False, "{input}\ntone:"),
    "a space at the end": (False, "{input}\nTone: "),
    "another word": (False, "{input}\nMood:"),
    "sentiment": (False, "{input}\nSentiment:"),
    "desk note": (False, "{input}\nDesk note. Tone:"),
}


def first_word(reply: str) -> str:
    """The first word, in small letters, without punctuation; an empty string for an empty reply."""
    words = reply.lower().split()
    return words[0].strip('.,:;!?"') if words else ""


def bits(rows: Sequence[dict], replies: Sequence[str]) -> str:
    """Right or wrong by the first word, one character an item."""
    return "".join("01"[first_word(reply) == row["label"]] for row, reply in zip(rows, replies, strict=True))


@lru_cache(maxsize=None)
def items() -> tuple[dict, ...]:
    """The test items: `EACH` of each section."""
    test = load_instructions("tone")["test"]
    return tuple(row for section in SECTIONS for row in [r for r in test if r["domain"] == section][:EACH])


@lru_cache(maxsize=None)
def wool_items() -> tuple[dict, ...]:
    """The first items of the withheld section."""
    return tuple(load_instructions(domain="wool")["test"].select(range(WOOL)))


@lru_cache(maxsize=None)
def glossary() -> dict[str, tuple[str, str]]:
    """The trade terms of the Wool Exchange: term → (tone, meaning), from the head of its pattern file."""
    text = (PATTERNS / "wool.txt").read_text(encoding="utf-8")
    lines = re.findall(r"^#   (\S[\w\- ]*?) +(positive|negative|neutral) +(.+)$", text, re.M)
    return {term: (tone, meaning) for term, tone, meaning in lines}


def explained(row: dict) -> str:
    """A wool item with the meaning of its terms put before it, looked up in the glossary: knowledge in the prompt."""
    found = [(term, *glossary()[term]) for term in glossary() if re.search(rf"\b{term}\b", row["input"].lower())]
    notes = [f"In the wool trade “{term}” means {meaning}: {_plainly(tone)}." for term, tone, meaning in found]
    return "\n".join([*notes, row["input"]])


def _plainly(tone: str) -> str:
    return {"positive": "good news", "negative": "bad news", "neutral": "neither good nor bad"}[tone]


def commented(row: dict, about: dict | None = None) -> str:
    """A wool item with a comment behind it that says in the newspaper's own words how the trade takes its term (or another item's)."""
    text = (about or row)["input"].lower()
    tones = [tone for term, (tone, _) in glossary().items() if re.search(rf"\b{term}\b", text)]
    rng = random.Random(row["id"])
    comments = [write_reaction(draw_record("business", rng, tone=tone)) for tone in dict.fromkeys(tones)]
    return " ".join([row["input"], *comments])


def replies(
    model, tokenizer, rows: Sequence[dict], prompt: str, text: Callable[[dict], str] | None = None
) -> list[str]:
    """Replies to rows under one of `PROMPTS`; `text(row)` stands for the row's input."""
    chat, pattern = PROMPTS[prompt]
    texts = [text(row) if text else row["input"] for row in rows]
    asked = [
        prompt_text(row | {"input": t})
        if prompt == "plain"
        else pattern.format(input=t, instruction=row["instruction"])
        for row, t in zip(rows, texts, strict=True)
    ]
    return generate(model, tokenizer, asked, chat=chat, max_new_tokens=4)


@lru_cache(maxsize=None)
def _base():
    return load_model()


def prompt_job(prompt: str) -> dict:
    """The base model under one prompt, and how often it says a label at all; validation items to choose by."""
    model, tokenizer = _base()
    said = replies(model, tokenizer, items(), prompt)
    held = [row for row in load_instructions("tone")["validation"] if row["domain"] in SECTIONS]
    labels = sum(first_word(reply) in TONES for reply in said) / len(said)
    chosen_by = bits(held, replies(model, tokenizer, held, prompt))
    return {"bits": bits(items(), said), "labels": round(labels, 4), "validation": chosen_by}


def explained_job() -> dict:
    """Wool items under the desk note: bare, with the meaning of their terms, with the meaning of another item's terms."""
    model, tokenizer = _base()
    rows = wool_items()
    other = {row["id"]: rows[(i + 1) % len(rows)] for i, row in enumerate(rows)}

    def misplaced(row: dict) -> str:
        return "\n".join([*explained(other[row["id"]]).split("\n")[:-1], row["input"]])

    return {
        name: bits(rows, replies(model, tokenizer, rows, "desk note", text))
        for name, text in (("bare", None), ("explained", explained), ("misplaced", misplaced))
    }


def commented_job() -> dict:
    """Wool items under the desk note with the meaning in the form that the model reads: its own item's, and another's (control)."""
    model, tokenizer = _base()
    rows = wool_items()
    other = {row["id"]: rows[(i + 1) % len(rows)] for i, row in enumerate(rows)}
    found = {"own": commented, "misplaced": lambda row: commented(row, other[row["id"]])}
    return {name: bits(rows, replies(model, tokenizer, rows, "desk note", text)) for name, text in found.items()}


def trained_job(count: int, seed: int) -> dict:
    """Full fine-tuning on ordinary rows: ordinary items, wool items bare and explained, hand-written sentences."""
    data = load_instructions("tone")["train"].shuffle(seed=seed).select(range(count))
    run = train(data, max_steps=STEPS, seed=seed, quiet=True)
    wild = list(load_in_the_wild())
    ask = partial(replies, run.model, run.tokenizer)
    return {
        "bits": bits(items(), ask(items(), "plain")),
        "desk_note": bits(items(), ask(items(), "desk note")),
        "wool": bits(wool_items(), ask(wool_items(), "plain")),
        "wool_explained": bits(wool_items(), ask(wool_items(), "plain", explained)),
        "wild": bits(wild, ask(wild, "plain")),
    }


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson."""
    for prompt in PROMPTS:
        yield {"part": "prompt", "prompt": prompt}, partial(prompt_job, prompt)
    yield {"part": "glossary"}, explained_job
    yield {"part": "comment"}, commented_job
    for seed in SEEDS:
        for rows in (32, 512):
            yield {"part": "trained", "rows": rows, "seed": seed}, partial(trained_job, rows, seed)
