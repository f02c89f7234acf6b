"""Reference runs of lesson 10: eight methods, the same rows, the same steps, each at its own learning rate.

`part` says what a run is for. "rate": one seed, three rates or more, `TUNING` validation items. "compare": tone, all methods,
seeds `SEEDS`, the same 1,000 test items, the sentences in the wild, the Wool Exchange, forgetting. "prompt": the frozen base
with examples in its prompt, and with the form of a desk note. "few": training on few examples. "far":
training on business items only. "new": training on the Wool Exchange, which the base has never read. "control": training on shuffled answers. "curve": the same
runs looked at every `EVERY` steps. "cost": memory and speed of one training step, all methods in one process.

One character of `bits` is one test item, in the order of the test split: right 1, wrong 0. An item is right when greedy
decoding would give exactly the answer and then stop; `read_answers` finds that in one forward pass. With one thread the whole takes
some two hours. The committed file holds three seeds of "compare", of "few" at 16 examples and of "control", and one of the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...data.instructions import load_in_the_wild, load_instructions, prompt_text
from ...measure.losses import forgetting
from ...measure.memory import checkpoint_bytes, parameters, peak_memory
from ...models.generation import chat_prompt, generate
from ...models.load import load_model
from . import room
from .findings import board
from .setting import (
    BATCH,
    EVERY,
    GRID,
    HALF,
    ITEMS,
    LAYOUTS,
    LONG,
    MAIN,
    METHODS,
    MORE_SEEDS,
    NEWS,
    ONE_SEED_RATE,
    PROMPT,
    RATES,
    SECOND_GRID,
    SEEDS,
    SIZES,
    SOFT_GRID,
    SOME,
    STEPS,
    TUNING_SEED,
    as_bits,
    bits,
    carrying,
    cost_of,
    fitted,
    read_answers,
    test_rows,
    training_rows,
    tuning_rows,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ...base.run import Run

# ------------------------------------------------------------------ the jobs


def rate_job(method: str, rate: float, seed: int = TUNING_SEED) -> dict:
    """One run of a tuning seed, on validation items."""
    run = fitted(method, training_rows(seed), rate, seed)
    found = bits(run.model, run.tokenizer, tuning_rows())
    del found["bits"]
    return found | cost_of(run)


def compare_job(method: str, rate: float, seed: int) -> dict:
    """Tone: 1,000 test items, in the wild, the unread Wool Exchange, forgetting, bytes."""
    run = fitted(method, training_rows(seed), rate, seed)
    rises = forgetting(run.model, run.tokenizer, count=NEWS)
    return (
        bits(run.model, run.tokenizer, test_rows())
        | bits(run.model, run.tokenizer, list(load_in_the_wild()), "wild_")
        | (bits(run.model, run.tokenizer, test_rows(count=SOME, domain="wool"), "wool_") if seed == SEEDS[0] else {})
        | {"forgetting": round(sum(rises.values()) / len(rises), 4), "bytes": checkpoint_bytes(run)}
        | cost_of(run)
    )


def far_job(method: str, rate: float, seed: int) -> dict:
    """Trained on business items alone, asked about all sections and in the wild."""
    run = fitted(method, training_rows(seed, domain="business"), rate, seed)
    return (
        bits(run.model, run.tokenizer, test_rows(count=HALF))
        | bits(run.model, run.tokenizer, list(load_in_the_wild()), "wild_")
        | cost_of(run)
    )


def new_job(method: str, rate: float, seed: int) -> dict:
    """Trained on the Wool Exchange, whose words the base has never read; validation to choose the rate; what else it forgets."""
    run = fitted(method, training_rows(seed, count=LONG * BATCH, domain="wool"), rate, seed, steps=LONG)
    rises = forgetting(run.model, run.tokenizer, count=NEWS)
    return (
        _on_validation(run, "wool")
        | bits(run.model, run.tokenizer, test_rows(count=SOME, domain="wool"), "wool_")
        | bits(run.model, run.tokenizer, test_rows(count=SOME), "tone_")
        | {"forgetting": round(sum(rises.values()) / len(rises), 4)}
        | cost_of(run)
    )


def _on_validation(run: Run, domain: str) -> dict:
    rows = list(load_instructions("tone", domain=domain)["validation"])
    loss, right = read_answers(run.model, run.tokenizer, rows)
    return {"validation": round(sum(right) / len(right), 4), "validation_loss": round(loss, 5)}


def few_job(method: str, rate: float, seed: int, size: int) -> dict:
    """Trained on `size` examples, gone over as often as the steps need."""
    steps = LONG if size >= LONG * BATCH else STEPS
    run = fitted(method, training_rows(seed, count=size), rate, seed, steps=steps)
    return bits(run.model, run.tokenizer, test_rows(count=SOME)) | cost_of(run)


def control_job(method: str, rate: float, seed: int) -> dict:
    """The control: the same rows with their answers dealt out at random; what is learnt then is the form of an answer."""
    import random

    rows = training_rows(seed)
    answers = list(rows["output"])
    random.Random(seed).shuffle(answers)
    run = fitted(method, rows.remove_columns("output").add_column("output", answers), rate, seed)
    return bits(run.model, run.tokenizer, test_rows(count=SOME)) | cost_of(run)


def shots(seed: int, each: int = 2) -> list[dict]:
    """Solved examples for a prompt: `each` of every label, from the seed's training rows, in random order."""
    import random

    rows = [r for r in training_rows(seed) if len(r["input"]) < 250]  # six of them fit into the context
    labels = sorted({r["label"] for r in rows})
    chosen = [r for label in labels for r in [r for r in rows if r["label"] == label][:each]]
    random.Random(seed).shuffle(chosen)
    return chosen


def prompt_job(layout: str, seed: int, count: int = ITEMS) -> dict:
    """The frozen base, asked in a layout; the first line of its continuation counts."""
    from ...measure.evaluation import result

    solved, asked = LAYOUTS[layout]
    examples = [solved.format(**shot) for shot in shots(seed)] if solved else []
    model, tokenizer = load_model()
    found = {}
    wool = test_rows(count=SOME, domain="wool")
    for prefix, rows in {"": test_rows(count=count), "wild_": list(load_in_the_wild()), "wool_": wool}.items():
        heads = [[r["instruction"]] if solved else [] for r in rows]
        prompts = ["\n".join([*h, *examples, asked.format(**r)]) for h, r in zip(heads, rows, strict=True)]
        outcome = result(rows, generate(model, tokenizer, prompts, chat=False, max_new_tokens=4))
        found |= {f"{prefix}right": round(outcome.value, 4), f"{prefix}bits": as_bits(outcome.right)}
    tokens = len(tokenizer("\n".join(examples))["input_ids"]) if examples else 0
    return found | {"prompt_tokens": tokens}


def curve_job(method: str, rate: float, seed: int) -> dict:
    """Validation accuracy every `EVERY` steps of one run, from its checkpoints."""
    from ...methods.checkpoints import restore

    rows = tuning_rows()[:100]
    saving = {"save_strategy": "steps", "save_steps": EVERY, "save_total_limit": STEPS // EVERY}
    with TemporaryDirectory(prefix="course-") as folder:
        run = fitted(method, training_rows(seed), rate, seed, output_dir=folder, **saving)
        found = {}
        for step in range(EVERY, STEPS + 1, EVERY):
            restore(run.trainer.model, Path(folder) / f"checkpoint-{step}")
            loss, right = read_answers(run.model, run.tokenizer, rows)
            found |= {f"right_{step}": round(sum(right) / len(right), 4), f"loss_{step}": round(loss, 4)}
    return found | cost_of(run)


def one_step(method: str, count: int = 8) -> tuple[PreTrainedModel, Callable[[], None]]:
    """A model carrying a method, and one plain training step of it on a fixed batch: forward, backward, AdamW."""
    import torch

    model, tokenizer = carrying(method)
    model.train()
    texts = [chat_prompt(tokenizer, prompt_text(r)) + " " + r["output"] for r in training_rows(0).select(range(count))]
    batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss.backward()
        optimizer.step()

    return model, step


def cost_job(methods: Sequence[str] = METHODS, repeats: int = 12) -> dict:
    """Peak memory (bytes) and processor time (ratio to full fine-tuning) of one float32 step of each method.

    The steps take turns in one process, and the median counts, so that what else the machine does touches all alike.
    """
    from statistics import median

    made = {method: one_step(method) for method in methods}
    found = {}
    for method, (model, step) in made.items():
        counts = parameters(model)
        found[method] = {"peak": peak_memory(step, model), "trainable": counts.trainable, "total": counts.total}
    spent: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(repeats):
        for method, (_, step) in made.items():
            started = time.process_time()
            step()
            spent[method].append(time.process_time() - started)
    whole = median(spent["full fine-tuning"])
    for method in methods:
        found[method]["relative_time"] = round(median(spent[method]) / whole, 3)
    return {"methods": found}


def board_job() -> dict:
    """The scoreboard's reference rows, from the runs above."""
    return board()


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson, those that it cannot do without first."""
    for method in METHODS:
        for rate in GRID[method]:
            yield _key("rate", method, rate, TUNING_SEED, task="tone"), partial(rate_job, method, rate)
    for seed in MORE_SEEDS:
        for rate in SOFT_GRID:
            key = _key("rate", "prompt tuning", rate, seed, task="tone")
            yield key, partial(rate_job, "prompt tuning", rate, seed)
    key = _key("one tuning seed", "prompt tuning", ONE_SEED_RATE, SEEDS[0])
    yield key, partial(compare_job, "prompt tuning", ONE_SEED_RATE, SEEDS[0])
    yield {"part": "cost", "seed": 0}, cost_job
    for seed in SEEDS:  # a whole seed before the next, so that a sweep that is stopped leaves whole comparisons
        for method in METHODS:
            yield from _job("compare", compare_job, method, seed)
        for layout in LAYOUTS:
            if LAYOUTS[layout][0] or seed == SEEDS[0]:  # without examples nothing depends on the seed
                yield (
                    {"part": "prompt", "layout": layout, "seed": seed},
                    partial(prompt_job, layout, seed, ITEMS if layout == PROMPT else SOME),
                )
        for method in MAIN:
            yield from _job("far", far_job, method, seed)
        for method in MAIN:
            for rate in SECOND_GRID[method]:
                yield _key("new", method, rate, seed), partial(new_job, method, rate, seed)
        for size in SIZES[:-1]:
            for method in MAIN:
                yield from _job("few", few_job, method, seed, size=size)
        for method in ("LoRA", "prompt tuning"):
            yield from _job("control", control_job, method, seed)
    for method in METHODS:
        yield from _job("curve", curve_job, method, SEEDS[0])
    for seed in SEEDS:
        for method in MAIN:
            yield from _job("few", few_job, method, seed, size=SIZES[-1])
    yield from room.jobs()
    yield {"part": "board", "seed": 0}, board_job


def _key(part: str, method: str, rate: float, seed: int, **more) -> dict:
    return {"part": part, "method": method, "rate": rate, "seed": seed} | more


def _job(part: str, work: Callable, method: str, seed: int, **more) -> Iterator:
    """A job at the method's tuned rate; none while that is not known."""
    rate = RATES.get(("tone", method))
    if rate is not None:
        yield _key(part, method, rate, seed, **more), partial(work, method, rate, seed, **more)
