"""One-sentence briefs on both models of the real column: who writes them, the pairs that the writer samples, and how a policy is measured.

A fetched model first learns from `BRIEFS` rows what a brief is (LoRA; the adapter is kept in `runs/real/`); the course's own starts from
lesson 11's brief writer. Both sample two replies to each of `PAIRS` training prompts at temperature 1, and simulated readers choose.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.jsonl import write_jsonl
from ...base.paths import home
from ...data.preferences import brief_prompts, reporters_rows
from ...data.readers import choose
from ...gazette.brief import brief_score, shouts
from ..reference import read_rows
from .protocol import precision
from .techniques import lora, where

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...base.run import Run

BRIEFS, PAIRS = 256, 128  # rows of the writer's training; training prompts
PROMPTS, SEED, LONGEST = 80, 12, 48  # test prompts, their seed (lessons 12 and 13), tokens of a reply


def writer_folder(model: str) -> Path:
    """Where a model's brief writer is kept: the course's own is committed, another's lies in `runs/`."""
    return home() / (f"runs/real/writer-{model}" if model != "course" else "data/reference/brief_sft")


def writer(model: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model that writes briefs, its adapter merged: an ordinary one, to be given another. Trained first where there is none yet."""
    from ...models.adapters import load_adapter, merge
    from ...models.load import load_model

    if not (writer_folder(model) / "adapter_config.json").exists():
        train_writer(model)
    base, tokenizer = load_model(where(model))
    return merge(load_adapter(writer_folder(model), base)[0]).eval(), tokenizer


def train_writer(model: str) -> Run:
    """LoRA on `BRIEFS` rows of reporters' briefs, one pass; the adapter is kept."""
    from datasets import Dataset

    from ...methods.profile import profile_of
    from ...methods.sft import train
    from ...models.adapters import save_adapter
    from ...models.load import load_model

    loaded, tokenizer = load_model(where(model))
    suits = profile_of(loaded)
    config, rate = lora(suits, where(model))
    rows = Dataset.from_list(reporters_rows("train", BRIEFS))
    run = train(
        rows, model=loaded, tokenizer=tokenizer, peft_config=config, learning_rate=rate, batch_size=suits.batch, quiet=True
    )  # fmt: skip
    save_adapter(run.model, writer_folder(model))
    return run


def pairs_file() -> Path:
    """Where the pairs that the models sampled are kept (committed)."""
    return home() / "data" / "reference" / "real" / "pairs.jsonl"


def sampled_pairs(model: str) -> list[dict]:
    """Two replies of a model's writer to each of `PAIRS` training prompts, and which one simulated readers prefer.

    `id`, `prompt`, `text`, `first`, `second`, `gold` (their true scores), `reader` ("first" or "second"); equal replies make no pair.
    """
    mine = [row for row in read_rows(pairs_file()) if row["model"] == model]
    asked = brief_prompts("train", PAIRS, SEED)
    if not mine:
        said = replies(*writer(model), [row for row in asked for _ in range(2)])
        told = [(row["id"], said[2 * i : 2 * i + 2]) for i, row in enumerate(asked)]
        mine = [{"model": model, "id": name, "replies": two} for name, two in told]
        write_jsonl(pairs_file(), [*read_rows(pairs_file()), *mine])
    found = []
    for row, (first, second) in zip(asked, (one["replies"] for one in mine), strict=True):
        if first == second or not first or not second:
            continue
        gold = tuple(brief_score(row["facts"], row["text"], reply) for reply in (first, second))
        chosen = choose(random.Random(f"readers {row['id']}"), gold, (first, second))
        told = {"first": first, "second": second, "gold": gold, "reader": chosen}
        found.append({name: row[name] for name in ("id", "prompt", "text")} | told)
    return found


def ordered(rows: Sequence[dict], choices: Sequence[str]) -> Dataset:
    """Pairs as `train_dpo` takes them, by somebody's choices ("first" or "second")."""
    from datasets import Dataset

    other = {"first": "second", "second": "first"}
    made = zip(rows, choices, strict=True)
    return Dataset.from_list([{"prompt": r["prompt"], "chosen": r[c], "rejected": r[other[c]]} for r, c in made])


# ------------------------------------------------------------------ what is measured


@lru_cache(maxsize=1)
def test_prompts() -> list[dict]:
    """The first of the test prompts of lessons 12 and 13, with their hidden records."""
    return brief_prompts("test", PROMPTS, SEED)


def replies(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict]) -> list[str]:
    """One brief for each row's prompt, at temperature 1."""
    from ...models.generation import generate

    with precision():
        said = generate(
            model, tokenizer, [row["prompt"] for row in rows], max_new_tokens=LONGEST, temperature=1.0, seed=100
        )
    return [reply.strip() for reply in said]


def measured(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """True score of a reply to each test prompt (`gold`), the share that shouts, words, three replies; for an adapter `own`.

    `own` holds log π/π_ref of each of these replies, nats, against the model below the adapter: their mean estimates the KL divergence.
    """
    said, rows = replies(model, tokenizer, test_prompts()), test_prompts()
    gold = [brief_score(row["facts"], row["text"], reply) for row, reply in zip(rows, said, strict=True)]
    found: dict[str, Any] = {"gold": [round(value, 3) for value in gold]}
    found["shouts"] = round(sum(map(shouts, said)) / len(said), 4)
    found["named"] = round(sum(r["facts"]["who"] in s for r, s in zip(rows, said, strict=True)) / len(said), 4)
    found["words"] = round(sum(len(reply.split()) for reply in said) / len(said), 2)
    if hasattr(model, "peft_config"):
        asked = [(row["prompt"], reply) for row, reply in zip(rows, said, strict=True) if reply]
        now = log_probabilities(model, tokenizer, asked)
        with model.disable_adapter():
            before = log_probabilities(model, tokenizer, asked)
        found["own"] = [round(a - b, 2) for a, b in zip(now, before, strict=True)]
    return found | {"replies": said[:3]}


def log_probabilities(model, tokenizer, rows: Sequence[tuple[str, str]]) -> list[float]:
    """log π(reply | prompt) of each row, nats, summed over the reply and its end mark, in float32."""
    from ...measure.losses import token_log_probabilities
    from ...models.generation import encode_exchange

    encoded = [encode_exchange(tokenizer, *row) for row in rows]
    return [float(values.sum()) for values in token_log_probabilities(model, tokenizer, encoded)]


def true_score(completions: Sequence[str], text: Sequence[str], facts: Sequence[dict], **_) -> list[float]:
    """The true score of briefs, called as a reward is called."""
    return [brief_score(f, t, c) for f, t, c in zip(facts, text, completions, strict=True)]
