"""Reference runs of lesson 13: DPO from the brief writer on the readers' pairs, its controls, beta, other losses, and what breaks.

Every job trains a fresh brief writer for `STEPS` batches of `BATCH` pairs and measures it on prompts that no pair stands on:
`scores`, the true score of one reply at temperature 1 to each of `PROMPTS` test prompts (the same prompts and the same sampling
seed for every arm, so that differences are paired); `chosen` and `rejected`, by how many nats the log-likelihood of the two replies of
`HELD_OUT` test pairs moved, both sampled from the writer; `own`, log π/π_ref of the replies that the trained policy itself writes, the first `HELD_OUT` of them; `harmless`, one character a
reply, 1 where it neither shouts nor advises. On one core the whole takes some fifty minutes.

Expected of the arms with all 1,920 pairs, written before their runs: with unbiased readers a rise of 0.12 to 0.18, still below RLOO's; with
biased ones a fall below the 384 pairs' score, and more than half of the briefs shouting, as RLOO's do.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ...data.preferences import brief_prompts, load_preferences
from ...gazette.brief import brief_score, faults
from ...measure.losses import token_log_probabilities
from ...methods.dpo import history, train_dpo
from ...models.generation import encode_exchange, generate
from ...models.instruct import load_brief_writer
from ..reference import runs

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...base.run import Run

LESSON = "13_dpo"
SEEDS = (0, 1, 2, 3, 4)  # of the comparison that the lesson rests on; other arms have fewer
STEPS, BATCH, BETA, RATE = 24, 16, 0.1, 1e-4
PROMPTS, HELD_OUT = 150, 80  # test prompts to write briefs for, lesson 12's; test pairs whose likelihoods are watched
LONGEST = 48  # tokens of a reply, at most
BETAS = (0.01, 1.0)  # beside BETA
ALL_STEPS = 120  # batches of all 1,920 pairs that lesson 11's reward model read
AS_MANY = {
    "reader": "1,920 pairs",
    "unbiased": "1,920 pairs, unbiased",
}  # the arms that read them once, by their readers


# ------------------------------------------------------------------ pairs and prompts


def reader_pairs(seed: int, steps: int = STEPS, labels: str = "reader", start: int | None = None) -> Dataset:
    """Training pairs for `steps` batches, labelled by `labels`; each seed has pairs of its own, unless `start` says where they begin."""
    data = load_preferences(labels=labels)["train"]
    start = seed * STEPS * BATCH if start is None else start
    return data.select(range(start, min(len(data), start + steps * BATCH)))


def relabelled(pairs: Dataset, swap: Sequence[bool]) -> Dataset:
    """The same pairs, with chosen and rejected exchanged where `swap` says so."""
    columns = {name: list(pairs[name]) for name in ("prompt", "chosen", "rejected")}
    both = zip(columns["chosen"], columns["rejected"], swap, strict=True)
    turned = [(b, a) if s else (a, b) for a, b, s in both]
    from datasets import Dataset

    return Dataset.from_dict(columns | {"chosen": [a for a, _ in turned], "rejected": [b for _, b in turned]})


def coin_flips(pairs: Dataset, seed: int) -> Dataset:
    """The control: the same pairs, labelled by a coin."""
    import random

    rng = random.Random(f"coin {seed}")
    return relabelled(pairs, [rng.random() < 0.5 for _ in range(len(pairs))])


@functools.lru_cache(maxsize=1)
def test_prompts() -> list[dict]:
    """Test prompts with their hidden records; no pair of the training data stands on them."""
    return brief_prompts("test", PROMPTS, seed=12)


@functools.lru_cache(maxsize=1)
def held_out() -> list[dict]:
    """Test pairs, both replies sampled from the brief writer."""
    return list(load_preferences()["test"].select(range(HELD_OUT)))


# ------------------------------------------------------------------ likelihoods


def log_probs(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[tuple[str, str]]
) -> list[float]:
    """log π(reply | prompt) of each (prompt, reply) row: nats, summed over the reply and its end mark."""
    pairs = [encode_exchange(tokenizer, prompt, reply) for prompt, reply in rows]
    return [float(values.sum()) for values in token_log_probabilities(model, tokenizer, pairs)]


@functools.lru_cache(maxsize=1)
def writer() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The brief writer as it was before any preference training: the reference. Never trained; `fresh` gives a copy."""
    return load_brief_writer()


def fresh() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A copy of the brief writer to train."""
    model, tokenizer = writer()
    return copy.deepcopy(model).requires_grad_(True), tokenizer


@functools.lru_cache(maxsize=1)
def _before() -> list[float]:
    return log_probs(*writer(), _both())


def _both() -> list[tuple[str, str]]:
    return [(row["prompt"], row[name]) for name in ("chosen", "rejected") for row in held_out()]


def moved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[list[float], list[float]]:
    """By how many nats log π of the held-out chosen and of the held-out rejected replies stands above the reference's."""
    change = [now - then for now, then in zip(log_probs(model, tokenizer, _both()), _before(), strict=True)]
    return change[:HELD_OUT], change[HELD_OUT:]


def fixed_check() -> dict[str, torch.Tensor]:
    """Four log-likelihoods of one pair under two models whose weights are given by a formula: a case to check any code against.

    A Llama of one layer, 16 wide, two heads, 32 tokens; the n-th number of each weight matrix is sin(n)/4 in the policy and
    cos(n)/4 in the reference, counted from 0; norms are 1. The prompt is the tokens 1 5 9, the chosen reply 3 7 2, the rejected one 4 2.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, rms_norm_eps=1e-6,
        max_position_embeddings=16, tie_word_embeddings=False,
    )  # fmt: skip
    found = {}
    for name, wave in (("policy", torch.sin), ("reference", torch.cos)):
        model = LlamaForCausalLM(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                counted = torch.arange(weight.numel(), dtype=torch.float32).reshape(weight.shape)
                weight.copy_(wave(counted) / 4 if weight.dim() == 2 else torch.ones_like(weight))
            for reply, tokens in (("chosen", [3, 7, 2]), ("rejected", [4, 2])):
                ids = torch.tensor([[1, 5, 9, *tokens]])
                logs = model(input_ids=ids).logits[:, 2:-1].log_softmax(-1)
                found[f"{name} {reply}"] = logs.gather(-1, ids[:, 3:, None]).sum()
    return found


# ------------------------------------------------------------------ what is measured


def replies(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int, temperature: float = 1.0
) -> list[str]:
    """One reply to each test prompt."""
    prompts = [row["prompt"] for row in test_prompts()]
    found = generate(model, tokenizer, prompts, max_new_tokens=LONGEST, temperature=temperature, seed=100 + seed)
    return [reply.strip() for reply in found]


def true_scores(texts: Sequence[str]) -> list[float]:
    """The true score of a reply to each test prompt, 0 to 1."""
    return [brief_score(row["facts"], row["text"], text) for row, text in zip(test_prompts(), texts, strict=True)]


def harmless(texts: Sequence[str]) -> list[bool]:
    """Whether a reply to each test prompt neither shouts nor gives advice."""
    rows = zip(test_prompts(), texts, strict=True)
    return [not {"hype", "advice"} & set(faults(row["facts"], row["text"], text)) for row, text in rows]


def measured(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int, texts: list[str] | None = None
) -> dict[str, Any]:
    """What every job measures of a model: see the top of this module. `texts` are its `replies`, if they are there already."""
    texts = replies(model, tokenizer, seed) if texts is None else texts
    rows = [(row["prompt"], text) for row, text in zip(test_prompts(), texts, strict=True) if text][:HELD_OUT]
    own = [a - b for a, b in zip(log_probs(model, tokenizer, rows), log_probs(*writer(), rows), strict=True)]
    chosen, rejected = moved(model, tokenizer)
    return {
        "scores": [round(v, 3) for v in true_scores(texts)],
        "words": round(sum(len(t.split()) for t in texts) / len(texts), 2),
        "harmless": "".join("01"[ok] for ok in harmless(texts)),
        "own": [round(v, 2) for v in own],
        "chosen": [round(v, 2) for v in chosen],
        "rejected": [round(v, 2) for v in rejected],
    }


def cost(run: Run) -> dict[str, Any]:
    """What a run took, and its training curve: log π/π_ref of the batch's chosen and rejected replies, step by step."""
    beta = run.trainer.args.beta
    return {
        "tokens": run.tokens,
        "curve_chosen": [round(e["rewards/chosen"] / beta, 2) for e in run.history],
        "curve_rejected": [round(e["rewards/rejected"] / beta, 2) for e in run.history],
        "losses": [round(e["loss"], 4) for e in run.history],
    }


# ------------------------------------------------------------------ arms


def sft_job(seed: int) -> dict[str, Any]:
    """The brief writer itself, before any preference training."""
    return measured(*writer(), seed)


def dpo_job(
    seed: int, labels: str = "reader", steps: int = STEPS, start: int | None = None, **arguments: Any
) -> dict[str, Any]:
    """One DPO run; `labels` is "reader", "unbiased", "coin" or "swapped"; `arguments` go to `train_dpo`."""
    pairs = reader_pairs(seed, steps, "unbiased" if labels == "unbiased" else "reader", start)
    if labels == "coin":
        pairs = coin_flips(pairs, seed)
    elif labels == "swapped":
        pairs = relabelled(pairs, [True] * len(pairs))
    model, tokenizer = fresh()
    options = {"learning_rate": RATE, "beta": BETA, "batch_size": BATCH, "quiet": True} | arguments
    run = train_dpo(plain(pairs), model=model, tokenizer=tokenizer, seed=seed, **options)
    return measured(run.model, run.tokenizer, seed) | cost(run)


def plain(pairs: Dataset) -> Dataset:
    """Only the three columns that training needs."""
    return pairs.select_columns(["prompt", "chosen", "rejected"])


def base_reference_job(seed: int) -> dict[str, Any]:
    """DPO held against the base model instead of its own start."""
    from ...models.load import load_model

    return dpo_job(seed, reference=load_model()[0])


def chosen_only_job(seed: int) -> dict[str, Any]:
    """Supervised fine-tuning on the chosen replies alone, at the same rate and steps: no rejected reply, no reference."""
    from ...methods.sft import train

    pairs = reader_pairs(seed)
    model, tokenizer = fresh()
    blank = {
        "id": "",
        "task": "brief",
        "domain": "",
        "input": "",
        "label": "",
        "choices": [],
        "scorer": "",
        "source": "",
    }
    rows = [blank | {"instruction": p, "output": c} for p, c in zip(pairs["prompt"], pairs["chosen"], strict=True)]
    from datasets import Dataset

    run = train(
        Dataset.from_list(rows), model=model, tokenizer=tokenizer, batch_size=BATCH, learning_rate=RATE, seed=seed, quiet=True
    )  # fmt: skip
    return measured(run.model, run.tokenizer, seed) | {"tokens": run.tokens}


def train_kto(pairs: Dataset, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int) -> Run:
    """KTO (arXiv 2402.01306) by TRL's `KTOTrainer`: each reply alone, with a thumb up or down; two rows a pair."""
    from tempfile import mkdtemp

    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    from ...methods.run import common_settings, fit

    rows = [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row[name]}],
            "label": name == "chosen",
        }
        for row in pairs
        for name in ("chosen", "rejected")
    ]
    data, frozen = Dataset.from_list(rows), copy.deepcopy(model)
    steps = len(rows) // (2 * BATCH)
    settings = {"learning_rate": RATE, "beta": BETA, "per_device_train_batch_size": 2 * BATCH, "max_steps": steps}
    more = {"warmup_steps": steps // 10, "logging_steps": 1, "max_length": 512, "seed": seed}
    config = KTOConfig(**(common_settings(mkdtemp(prefix="course-")) | settings | more))

    def make(callbacks: list) -> KTOTrainer:
        return KTOTrainer(
            model, ref_model=frozen, args=config, train_dataset=data, processing_class=tokenizer, callbacks=callbacks
        )

    run = fit(make, model=model, tokenizer=tokenizer, data=data, peft_config=None, config=config, quiet=True)
    run.history = history(run.trainer)
    return run


def kto_job(seed: int) -> dict[str, Any]:
    """KTO on the readers' pairs taken apart."""
    model, tokenizer = fresh()
    run = train_kto(plain(reader_pairs(seed)), model, tokenizer, seed)
    return measured(run.model, run.tokenizer, seed) | {"tokens": run.tokens}


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """The reference runs of the lesson, what it needs most first."""
    for seed in SEEDS:
        yield {"arm": "SFT", "seed": seed}, partial(sft_job, seed)
    for seed in SEEDS:
        yield {"arm": "DPO", "beta": BETA, "rate": RATE, "seed": seed}, partial(dpo_job, seed)
    for name in ("coin", "swapped"):
        yield {"arm": name, "seed": 0}, partial(dpo_job, 0, name)
    for beta in BETAS:
        yield {"arm": "DPO", "beta": beta, "rate": RATE, "seed": 0}, partial(dpo_job, 0, beta=beta)
    yield {"arm": "chosen only", "seed": 0}, partial(chosen_only_job, 0)
    yield {"arm": "IPO", "seed": 0}, partial(dpo_job, 0, loss_type="ipo", beta=1.0)
    yield {"arm": "KTO", "seed": 0}, partial(kto_job, 0)
    yield {"arm": "unbiased readers", "seed": 0}, partial(dpo_job, 0, "unbiased")
    for seed in SEEDS[:3]:
        yield {"arm": "half the rate", "seed": seed}, partial(dpo_job, seed, learning_rate=RATE / 2)
    anchored = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]}
    yield {"arm": "DPO + SFT", "seed": 0}, partial(dpo_job, 0, **anchored)
    yield {"arm": "base as reference", "seed": 0}, partial(base_reference_job, 0)
    for seed in SEEDS[1:3]:
        yield {"arm": "coin", "seed": seed}, partial(dpo_job, seed, "coin")
    for seed in SEEDS[:3]:
        for readers, name in AS_MANY.items():
            yield {"arm": name, "seed": seed}, partial(dpo_job, seed, readers, ALL_STEPS, start=0)
    yield {"arm": "board", "seed": 0}, board_job


def board_job() -> dict[str, Any]:
    """The scoreboard's reference row of DPO."""
    return board_row("DPO", LESSON, reader_pairs(0), runs(LESSON, arm="DPO", beta=BETA, rate=RATE))


def board_row(technique: str, lesson: str, pairs: Dataset, found: list[dict]) -> dict[str, Any]:
    """Write the scoreboard's reference row of DPO on some labels, from its runs `found`; `pairs` are those whose costs are measured."""
    from ...measure.statistics import mean_interval
    from ..policy_rows import record_policy

    def train(max_steps: int = STEPS) -> Run:
        model, tokenizer = fresh()
        options = {"learning_rate": RATE, "beta": BETA, "batch_size": BATCH, "quiet": True}
        return train_dpo(plain(pairs.select(range(max_steps * BATCH))), model=model, tokenizer=tokenizer, **options)

    start = {run["key"]["seed"]: run["metrics"]["scores"] for run in runs(LESSON, arm="SFT")}
    seeds = [run["key"]["seed"] for run in found]
    told = [run["metrics"] for run in found]
    row = record_policy(
        technique,
        lesson,
        train,
        before=[start[seed] for seed in seeds],
        after=[metrics["scores"] for metrics in told],
        kl=mean_interval([value for metrics in told for value in metrics["own"]]),
        seeds=seeds,
        harmless=mean_interval([[float(bit) for bit in metrics["harmless"]] for metrics in told]),
    )
    return {"rows": 1, "train_seconds": row["cost"]["seconds"]}
