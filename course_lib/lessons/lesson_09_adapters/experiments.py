"""Reference runs of lesson 09: bottleneck adapters beside LoRA and full fine-tuning, their placement, size and start, and their relatives.

The task with room is `question`: two passes over its 480 rows. Part "rate" tries a few rates a method on one seed and the
validation rows; every later part takes the rate that came out best there (`chosen`), so no rate is chosen on the test. Parts
"compare" have three seeds and the same 1,000 test items, one character of `bits` an item.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...base.run import Run
from ...data.instructions import load_instructions, prompt_text
from ...measure.evaluation import evaluate
from ...measure.losses import answer_loss
from ...methods.sft import train
from ...models.generation import encode_exchange, padded_examples
from ...models.houlsby import HoulsbyConfig
from ...models.load import load_model
from ..reference import runs

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel

LESSON = "09_adapters"
SEEDS = (0, 1, 2)
BATCH = 8
STEPS = {"question": 120}
ITEMS, SOME = 1000, 500  # test items for the comparisons, and for sizes and relatives
WIDE = 36  # the bottleneck that gives the course model as many parameters as LoRA of rank 8 on all its linear layers
START = 1e-2  # the paper's standard deviation at the start

GRID = {  # rates tried, one seed
    "adapters": (1.5e-3, 5e-3, 1.5e-2),
    "LoRA": (5e-4, 1.5e-3, 5e-3),
    "full fine-tuning": (5e-4, 1.5e-3),
    "IA3": (1e-2, 3e-2),
    "LLaMA-Adapter": (1e-2, 3e-2),
    "PEANuT": (1.5e-3, 5e-3),
}
HEADLINE = ("adapters", "LoRA", "full fine-tuning")
RELATIVES = ("IA3", "LLaMA-Adapter", "PEANuT")
SIZES = {"houlsby": (4, 64), "pfeiffer": (8,)}  # beside 36 and 72 of the comparison
STARTS = (1e-3, 1.0)  # beside 0.01 of part "rate"


# ------------------------------------------------------------------ what is trained


def config_of(method: str, **options) -> HoulsbyConfig | PeftConfig | None:
    """The configuration of a method; `options` change that of the adapters."""
    from peft import AdaptionPromptConfig, IA3Config, LoraConfig
    from peft.tuners.peanut import PeanutConfig

    if method == "adapters":
        return HoulsbyConfig(**({"bottleneck": WIDE, "init_std": START} | options))
    task = {"task_type": "CAUSAL_LM"}
    return {
        "LoRA": lambda: LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", **task),
        "full fine-tuning": lambda: None,
        "IA3": lambda: IA3Config(**task),
        "LLaMA-Adapter": lambda: AdaptionPromptConfig(adapter_len=10, adapter_layers=6, **task),
        "PEANuT": lambda: PeanutConfig(r=8, target_modules="all-linear", **task),
    }[method]()


def rows(task: str, seed: int) -> Dataset:
    """Training rows of a task in an order of this seed, as many as the steps can use once or more."""
    return load_instructions(task)["train"].shuffle(seed=seed)


def trained(method: str, task: str, rate: float, seed: int = 0, data: Dataset | None = None, **options) -> Run:
    """One run of a method; LLaMA-Adapter in a loop of our own, since TRL's loss cannot read its attention layers."""
    data = rows(task, seed) if data is None else data
    if method == "LLaMA-Adapter":
        return plain_run(config_of(method), data, rate, STEPS[task], BATCH, seed)
    return train(
        data,
        peft_config=config_of(method, **options),
        learning_rate=rate,
        max_steps=STEPS[task],
        batch_size=BATCH,
        seed=seed,
        quiet=True,
    )


def plain_run(config: PeftConfig, data: Dataset, rate: float, steps: int, batch: int, seed: int) -> Run:
    """A plain training loop over answers, with the Trainer's schedule (warm-up over a tenth, cosine) and its gradient limit of 1."""
    import time

    import torch
    from peft import get_peft_model

    torch.manual_seed(seed)
    base, tokenizer = load_model()
    model = get_peft_model(base, config).train()
    pairs = [encode_exchange(tokenizer, prompt_text(row), row["output"]) for row in data]
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    warm = max(1, steps // 10)
    losses, order, tokens, started = [], [], 0, time.monotonic()
    for step in range(steps):
        if len(order) < batch:
            order += torch.randperm(len(pairs)).tolist()
        some = [pairs[i] for i in order[:batch]]
        del order[:batch]
        loss = batch_loss(model, some, tokenizer.pad_token_id)
        optimizer.param_groups[0]["lr"] = rate * min(
            (step + 1) / warm, 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / (steps - warm)))
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
        tokens += sum(len(given) + len(said) for given, said in some)
    total, counted = sum(p.numel() for p in model.parameters()), sum(p.numel() for p in weights)
    seconds = time.monotonic() - started
    return Run(model.eval(), tokenizer, None, seconds, steps * batch, tokens, losses, counted, total, rate, seed)


def batch_loss(model: PreTrainedModel, pairs: list[tuple[list[int], list[int]]], pad: int):
    """Mean cross-entropy of the answers' tokens: rows padded on the right, prompts not counted."""
    import torch.nn.functional as F

    ids, mask, labels = padded_examples(pairs, pad)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())


def chosen(method: str) -> float:
    """The best rate of a method in part "rate"."""
    return best_rate([r for r in runs(LESSON) if r["key"]["part"] == "rate" and r["key"]["method"] == method])


def best_rate(tried: list[dict]) -> float:
    """The rate of the run with the most right validation answers; between equals the lower loss decides."""
    best = max(tried, key=lambda r: (r["metrics"]["validation"], -r["metrics"]["answer_loss"]))
    return best["key"]["rate"]


# ------------------------------------------------------------------ what is measured


def on_validation(run: Run, task: str = "question") -> dict:
    """Share of right validation answers, and their loss in nats per token."""
    data = load_instructions(task)["validation"]
    loss = answer_loss(run.model, run.tokenizer, list(data))
    return cost(run) | {"validation": round(evaluate(run, data).value, 4), "answer_loss": loss}


def on_test(run: Run, task: str = "question", count: int = ITEMS) -> dict:
    """One character of `bits` a test item."""
    found = evaluate(run, load_instructions(task)["test"], count=count)
    bits = "".join("01"[ok] for ok in found.right)
    return cost(run) | {"right": round(found.value, 4), "n_right": found.n, "bits": bits}


def cost(run: Run) -> dict:
    """Rate, trained parameters, seconds, and the loss over the last steps that were logged."""
    return {
        "rate": run.learning_rate,
        "trainable": run.trainable_parameters,
        "train_seconds": round(run.seconds, 1),
        "train_loss": round(sum(run.losses[-4:]) / len(run.losses[-4:]), 4),
    }


def answers(part: str, **wanted) -> list[list[int]]:
    """The answers, right 1 or wrong 0, of the reference runs of one part with these settings: a list a seed."""
    found = runs(LESSON, part=part, **wanted)
    return [[int(bit) for bit in r["metrics"]["bits"]] for r in sorted(found, key=lambda r: r["key"]["seed"])]


# ------------------------------------------------------------------ the jobs


def rate_job(method: str, rate: float) -> dict:
    """One rate of one method on the validation rows; a relative answers the test as well, for the table."""
    run = trained(method, "question", rate)
    return on_validation(run) | (on_test(run, count=SOME) if method in RELATIVES else {})


def compare_job(method: str, seed: int, **options) -> dict:
    """One seed of a comparison, on all test items."""
    return on_test(trained(method, "question", chosen(method), seed, **options))


def size_job(placement: str, bottleneck: int) -> dict:
    """Another bottleneck, one seed, some test items."""
    run = trained("adapters", "question", chosen("adapters"), placement=placement, bottleneck=bottleneck)
    return on_test(run, count=SOME)


def variant_job(**options) -> dict:
    """Another start or another function in the middle, one seed, on the validation rows."""
    return on_validation(trained("adapters", "question", chosen("adapters"), **options))


def control_job() -> dict:
    """The negative control: the same rows with their answers dealt out at random."""
    data = shuffled(rows("question", 0), 0)
    return on_test(trained("adapters", "question", chosen("adapters"), data=data))


def shuffled(data: Dataset, seed: int) -> Dataset:
    """The rows with their answers dealt out at random."""
    dealt = list(data["output"])
    random.Random(seed).shuffle(dealt)
    return data.remove_columns("output").add_column("output", dealt)


def base_job() -> dict:
    """The base model, asked the same questions."""
    model, tokenizer = load_model()
    found = evaluate(model, tokenizer, load_instructions("question")["test"], count=ITEMS)
    return {"right": round(found.value, 4), "n_right": found.n, "bits": "".join("01"[ok] for ok in found.right)}


def rate_jobs(method: str) -> Iterator[tuple[dict, Callable[[], dict]]]:
    """The rates of one method."""
    for rate in GRID[method]:
        yield {"part": "rate", "method": method, "rate": rate, "seed": 0}, partial(rate_job, method, rate)


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs. The rates come first, since the others ask which was best."""
    for method in HEADLINE:
        yield from rate_jobs(method)
    compare = {"part": "compare", "task": "question"}
    for seed in SEEDS:
        for method in HEADLINE:
            key = compare | {"method": method, "seed": seed}
            if method == "adapters":
                key |= {"placement": "houlsby", "m": WIDE}
            yield key, partial(compare_job, method, seed)
    yield {"part": "base", "seed": 0}, base_job
    yield {"part": "control", "seed": 0}, control_job
    for std in STARTS:
        yield {"part": "start", "init_std": std, "seed": 0}, partial(variant_job, init_std=std)
    yield (
        {"part": "function", "nonlinearity": "identity", "seed": 0},
        partial(variant_job, nonlinearity="identity"),
    )
    for seed in SEEDS:
        key = compare | {"method": "adapters", "placement": "pfeiffer", "m": 2 * WIDE, "seed": seed}
        yield key, partial(compare_job, "adapters", seed, placement="pfeiffer", bottleneck=2 * WIDE)
    for method in RELATIVES:
        yield from rate_jobs(method)
    for placement, sizes in SIZES.items():
        for m in sizes:
            yield {"part": "size", "placement": placement, "m": m, "seed": 0}, partial(size_job, placement, m)
