"""The brief writer: the instruct model's adapter, trained on with briefs as reporters write them. Lessons 11 to 14 start from it."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

from ...base.run import Run
from ...data.preferences import brief_prompts, reporters_rows
from ...gazette.brief import brief_score, shouts
from ...methods.sft import train
from ...models.adapters import load_adapter
from ...models.generation import generate
from ...models.identity import own_model
from ...models.instruct import brief_writer_folder, reference_folder, save_instruct
from ..lesson_06_lora.experiments import lora, save_small

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS, BATCH, RATE = 4800, 16, 1e-3
LONGEST = 48  # tokens of a reply
PROMPTS = 200  # on which the writer is judged


def train_writer(seed: int = 0, count: int = ROWS, quiet: bool = False) -> Run:
    """Train the brief writer on so many of the reporters' briefs, one pass; on another base model with a fresh adapter."""
    from datasets import Dataset

    data = Dataset.from_list(reporters_rows("train", count, seed))
    options = {"learning_rate": RATE, "batch_size": BATCH, "seed": seed, "quiet": quiet}
    if not own_model():
        return train(data, peft_config=lora(), **options)
    adapted, tokenizer = load_adapter(reference_folder(), trainable=True)
    return train(data, model=adapted, tokenizer=tokenizer, **options)


def briefs_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[dict],
    temperature: float = 1.0,
    seed: int = 0,
) -> list[str]:
    """One brief for each prompt, without the space before it."""
    said = generate(
        model,
        tokenizer,
        [row["prompt"] for row in prompts],
        max_new_tokens=LONGEST,
        temperature=temperature,
        seed=seed,
    )
    return [reply.strip() for reply in said]


def true_scores(prompts: list[dict], replies: list[str]) -> list[float]:
    """The true score of each reply to its prompt."""
    return [brief_score(row["facts"], row["text"], reply) for row, reply in zip(prompts, replies, strict=True)]


def writer_job(seed: int = 0) -> dict:
    """Train the brief writer, keep it in its folder, and judge it on test prompts, greedy and at temperature 1."""
    run = train_writer(seed)
    folder, prompts, found = brief_writer_folder(), brief_prompts("test", PROMPTS, seed=1), {}
    for name, temperature in (("greedy", 0.0), ("sampled", 1.0)):
        replies = briefs_of(run.model, run.tokenizer, prompts, temperature)
        found[f"gold_{name}"] = round(mean(true_scores(prompts, replies)), 4)
        found[f"hype_{name}"] = round(mean(map(shouts, replies)), 4)
        found[f"named_{name}"] = round(mean(p["facts"]["who"] in r for p, r in zip(prompts, replies, strict=True)), 4)
        found[f"words_{name}"] = round(mean(len(r.split()) for r in replies), 2)
    save_instruct(run, folder, starts_from="data/reference/instruct", **found)
    found["bytes"] = save_small(run.model, folder)
    return found | {"train_seconds": round(run.seconds, 1)}
