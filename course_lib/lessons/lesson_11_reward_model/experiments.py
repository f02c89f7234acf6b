"""Reference runs of lesson 11: reward models by number of pairs, noise and readers; what they like best; best-of-n.

Every reward model starts from the brief writer, with LoRA and a scalar head, and reads each pair once. `right` holds one character
a test pair: "1" where the reply that those readers chose gets the higher reward. The two models of seed 0 that saw all pairs, one of
biased and one of unbiased readers, are kept in `data/reference/11_reward_model/` for lesson 12 (`reward_model`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from ...base.paths import home
from ...base.run import Run
from ...data.preferences import brief_prompts, load_preferences
from ...data.readers import BIAS, TAU, choose, first_preferred
from ...gazette.brief import shouts
from ...methods.reward import train_reward
from ...models.generation import length_batches, padded
from ...models.identity import model_name, own_model
from ...models.instruct import load_brief_writer
from ...models.reward_model import load_reward, reward_scores, save_reward, scored_tokens
from .writer import briefs_of, true_scores, writer_job

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LESSON = "11_reward_model"
SEEDS = (0, 1, 2)
SIZES = (30, 120, 480, 1920)  # pairs
BATCH, RATE, RANK = 16, 1e-3, 8
NOISES = (0.03, 0.3)  # beside TAU
ITEMS, EACH = 100, 16  # test prompts and replies a prompt of best-of-n
COUNTS = (1, 2, 4, 8, 16)
KEPT = ("reader", "unbiased")


# ------------------------------------------------------------------ pairs


def pairs(split: str, labels: str = "reader", tau: float = TAU) -> list[dict]:
    """The pairs of a split as the readers chose them: `reader`, `unbiased`, or `shuffled` (the control: a coin chose).

    Another `tau` than the data's labels them anew, by biased readers of that noise.
    """
    rows = list(load_preferences(labels="unbiased" if labels == "unbiased" else "reader")[split])
    if labels == "shuffled" or tau != TAU:
        rows = [_again(row, labels, tau) for row in rows]
    return rows


def _again(row: dict, labels: str, tau: float) -> dict:
    """The row with another choice."""
    rng = random.Random(f"{labels} {tau} {row['id']}")
    gold, replies = (row["gold_chosen"], row["gold_rejected"]), (row["chosen"], row["rejected"])
    keep = rng.random() < 0.5 if labels == "shuffled" else choose(rng, gold, replies, tau=tau) == "first"
    return row if keep else turned(row)


def turned(row: dict) -> dict:
    """The row with its two replies changed round."""
    swap = {"chosen": "rejected", "rejected": "chosen", "gold_chosen": "gold_rejected", "gold_rejected": "gold_chosen"}
    return row | {new: row[old] for old, new in swap.items()}


def agreement_possible(rows: list[dict], bias: float = BIAS, tau: float = TAU) -> float:
    """The highest expected agreement with readers of this noise: who knew their formula could foresee no more of their choices."""
    chances = [
        first_preferred((r["gold_chosen"], r["gold_rejected"]), (r["chosen"], r["rejected"]), bias, tau) for r in rows
    ]
    return mean(max(p, 1 - p) for p in chances)


# ------------------------------------------------------------------ reward models


def lora(r: int = RANK) -> LoraConfig:
    """LoRA on all linear layers of a reward model; the head is trained and saved beside it."""
    from peft import LoraConfig

    return LoraConfig(
        r=r, lora_alpha=2 * r, target_modules="all-linear", task_type="SEQ_CLS", modules_to_save=["score"]
    )


def train_on(rows: list[dict], seed: int = 0, quiet: bool = True) -> Run:
    """A reward model from the brief writer, one pass over these pairs in the order of the seed."""
    writer, tokenizer = load_brief_writer()
    return train_reward(
        rows,
        model=writer,
        tokenizer=tokenizer,
        peft_config=lora(),
        learning_rate=RATE,
        batch_size=BATCH,
        seed=seed,
        quiet=quiet,
    )


def reward_model(kind: str = "reader") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """One of the two committed reward models, `reader` (biased readers) or `unbiased`, and its tokenizer.

    For a base model other than the course's own it is trained first, on 480 pairs, and kept in `runs/`.
    """
    folder = reward_folder(kind)
    if not own_model():
        folder = home() / "runs" / LESSON / Path(model_name()).name / kind
        if not folder.exists():
            run = train_on(pairs("train", kind)[:480])
            save_reward(run.model, folder)
    return load_reward(folder)


def reward_folder(kind: str) -> Path:
    """Where a reward model lies, committed."""
    return home() / "data" / "reference" / LESSON / kind


def margins(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[dict]) -> list[float]:
    """Reward of the chosen reply less that of the rejected one, for each pair."""
    prompts = [row["prompt"] for row in rows]
    both = [row[side] for side in ("chosen", "rejected") for row in rows]
    scores = reward_scores(model, tokenizer, prompts * 2, both)
    return [a - b for a, b in zip(scores[: len(rows)], scores[len(rows) :], strict=True)]


def true_agreement(rows: list[dict], gaps: list[float]) -> float:
    """How often the higher reward goes to the reply with the higher true score; ties of the true score are left out."""
    known = [(r["gold_chosen"] - r["gold_rejected"], gap) for r, gap in zip(rows, gaps, strict=True)]
    return mean((gold > 0) == (gap > 0) for gold, gap in known if gold)


# ------------------------------------------------------------------ what it likes best


def candidates(prompts: list[dict]) -> dict[str, list[str]]:
    """Replies of known kinds to each prompt: sound, copied, shouting, long, with advice, about somebody else."""
    briefs = [row["brief"] for row in prompts]
    others = [prompts[(i + 1) % len(prompts)]["facts"]["who"] for i in range(len(prompts))]
    return {
        "sound brief": briefs,
        "copied lead": [row["lead"] for row in prompts],
        "shouting": [brief.rstrip(".") + ", an incredible triumph that nobody can afford to miss!" for brief in briefs],
        "long": [f"{row['brief']} {row['text']}" for row in prompts],
        "advice": [brief + " Readers should act on this now." for brief in briefs],
        "wrong name": [
            b.replace(r["facts"]["who"], other) for b, r, other in zip(briefs, prompts, others, strict=True)
        ],
    }


def liked_best(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: list[dict]) -> dict[str, float]:
    """The share of prompts for which each kind of candidate gets the highest reward."""
    kinds = candidates(prompts)
    asked = [row["prompt"] for row in prompts]
    scores = {kind: reward_scores(model, tokenizer, asked, replies) for kind, replies in kinds.items()}
    best = [max(kinds, key=lambda kind: scores[kind][i]) for i in range(len(prompts))]
    return {kind: best.count(kind) / len(best) for kind in kinds}


def best_of(scores: list[list[float]], of: list[list[float]], n: int) -> list[float]:
    """For each prompt `of` the reply that `scores` like best among n; averaged over all disjoint groups of n replies."""
    found = []
    for row, values in zip(scores, of, strict=True):
        groups = [range(start, start + n) for start in range(0, len(row) - n + 1, n)]
        found.append(mean(values[max(group, key=row.__getitem__)] for group in groups))
    return found


# ------------------------------------------------------------------ the jobs


def reward_job(labels: str, count: int, seed: int, tau: float = TAU) -> dict:
    """One reward model: agreement with its readers, with the true score, and what it likes best."""
    run = train_on(random.Random(seed).sample(pairs("train", labels, tau), count), seed)
    if count == max(SIZES) and seed == 0 and tau == TAU and labels in KEPT:
        save_reward(run.model, reward_folder(labels), dtype="bfloat16")
        run.model, run.tokenizer = reward_model(labels)  # what is measured is what is kept
    test = pairs("test", "reader" if labels == "shuffled" else labels, tau)
    gaps = margins(run.model, run.tokenizer, test)
    bias = 0.0 if labels == "unbiased" else BIAS
    found = {
        "right": "".join("01"[gap > 0] for gap in gaps),
        "agreement": round(mean(gap > 0 for gap in gaps), 4),
        "possible": round(agreement_possible(test, bias, tau), 4),
        "true_agreement": round(true_agreement(test, gaps), 4),
        "loss_first": round(run.losses[0], 4),
        "loss_last": round(run.losses[-1], 4),
        "train_seconds": round(run.seconds, 1),
    }
    if count == max(SIZES):
        prompts = brief_prompts("test", ITEMS, seed=2)
        found["gaps"] = [round(gap, 3) for gap in gaps]
        found["losses"] = [round(loss, 4) for loss in run.losses]
        found["likes"] = {k: round(v, 4) for k, v in liked_best(run.model, run.tokenizer, prompts).items()}
    return found


def head_job() -> dict:
    """The head alone on the brief writer's frozen states: what training the body adds."""
    import torch
    import torch.nn.functional as F

    writer, tokenizer = load_brief_writer()
    train, test = pairs("train")[: max(SIZES)], pairs("test")
    gaps = [
        end_states(writer, tokenizer, rows, "chosen") - end_states(writer, tokenizer, rows, "rejected")
        for rows in (train, test)
    ]
    head = torch.zeros(gaps[0].shape[1], requires_grad=True)
    optimizer = torch.optim.AdamW([head], lr=0.01, weight_decay=0.1)
    for _ in range(200):
        loss = -F.logsigmoid(gaps[0] @ head).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = (gaps[1] @ head.detach()).tolist()
    return {
        "right": "".join("01"[gap > 0] for gap in found),
        "agreement": round(mean(gap > 0 for gap in found), 4),
        "true_agreement": round(true_agreement(test, found), 4),
        "loss": round(loss.item(), 4),
    }


def end_states(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[dict], side: str):
    """The hidden states at the end marks of one side's replies: a tensor (rows, width)."""
    import torch

    encoded = [scored_tokens(tokenizer, row["prompt"], row[side]) for row in rows]
    found: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for batch in length_batches(encoded, equal=False):
            ids, _ = padded([encoded[i] for i in batch], tokenizer.pad_token_id)
            hidden = model.base_model(input_ids=ids.to(model.device)).last_hidden_state.float().cpu()
            found |= {i: hidden[place, len(encoded[i]) - 1] for place, i in enumerate(batch)}
    return torch.stack([found[i] for i in range(len(rows))])


def best_of_n_job() -> dict:
    """Best-of-n by both kept reward models and by the true score, on test prompts; and what is no model, for comparison."""
    writer, tokenizer = load_brief_writer()
    prompts = brief_prompts("test", ITEMS, seed=3)
    repeated = [row for row in prompts for _ in range(EACH)]
    replies = briefs_of(writer, tokenizer, repeated, seed=7)
    gold = _rows(true_scores(repeated, replies))
    loud = _rows([float(shouts(reply)) for reply in replies])
    found: dict = {}
    judges = {"gold": gold}
    for kind in KEPT:
        model, its = reward_model(kind)
        judges[kind] = _rows(reward_scores(model, its, [row["prompt"] for row in repeated], replies))
    for name, scores in judges.items():
        for n in COUNTS:
            found[f"{name}_gold_{n}"] = _rounded(best_of(scores, gold, n))
            found[f"{name}_loud_{n}"] = round(mean(best_of(scores, loud, n)), 4)
            found[f"{name}_own_{n}"] = round(mean(best_of(scores, scores, n)), 4)
    greedy = briefs_of(writer, tokenizer, prompts, temperature=0.0)
    for name, said in {
        "greedy": greedy,
        "lead": [row["lead"] for row in prompts],
        "brief": [row["brief"] for row in prompts],
    }.items():
        found[f"written_{name}"] = _rounded(true_scores(prompts, said))
    return found


def _rows(values: list[float]) -> list[list[float]]:
    return [values[start : start + EACH] for start in range(0, len(values), EACH)]


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 3) for value in values]


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson. Those that other lessons start from come first."""
    most = max(SIZES)

    def reward(labels: str, count: int, seed: int) -> tuple[dict, Callable[[], dict]]:
        key = {"part": "reward", "labels": labels, "pairs": count, "seed": seed}
        return key, partial(reward_job, labels, count, seed)

    yield {"part": "writer", "seed": 0}, writer_job
    for labels in KEPT:
        yield reward(labels, most, 0)
    yield {"part": "best of n"}, best_of_n_job
    for size in SIZES[:-1]:
        yield reward("reader", size, 0)
    yield {"part": "head only", "pairs": most}, head_job
    yield reward("shuffled", 480, 0)
    for tau in NOISES:
        key = {"part": "noise", "labels": "reader", "tau": tau, "pairs": 480, "seed": 0}
        yield key, partial(reward_job, "reader", 480, 0, tau)
    for seed in SEEDS[1:]:
        yield reward("shuffled", 480, seed)
        for size in SIZES:
            yield reward("reader", size, seed)
