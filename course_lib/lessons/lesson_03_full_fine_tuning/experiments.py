"""Reference runs of lesson 03: full fine-tuning on the mixture of all tasks at six learning rates, and on one section alone.

`part` "rate": three seeds a rate. "control": the answers shuffled within each task. "narrow": two tasks of
one section; "short mixture": all tasks, for as many steps. The notebook trains with the same settings, so that a student's point belongs on the same figures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...base.run import Run
from ...data.instructions import load_instructions
from ...measure.evaluation import evaluate
from ...measure.losses import answer_loss, forgetting
from ...methods.profile import PROFILES
from ...methods.sft import train

if TYPE_CHECKING:
    from datasets import Dataset


RATE = PROFILES[0][1].full  # the usual one for all weights of a small model
RATES = (5e-5, 1.5e-4, RATE, 1.5e-3, 5e-3, 1.5e-2)
SEEDS = (0, 1, 2)
STEPS, BATCH = 160, 4
EACH = 15  # test rows of each task
VALIDATION = 8  # validation rows of each task
NEWS = 20  # held-out items of each section
SECTION, NARROW_TASKS, NARROW_STEPS = "courts", ("outcome", "tone"), 48


# ------------------------------------------------------------------ rows


def mixed_rows(seed: int = 0) -> Dataset:
    """The training rows of one run: all tasks, in their usual shares, each row once."""
    return load_instructions()["train"].shuffle(seed=seed).select(range(STEPS * BATCH))


def mixed(split: str, each: int) -> Dataset:
    """The first `each` rows of every task in a split."""
    data = load_instructions()[split]
    tasks = list(data["task"])
    return data.select(
        [i for task in dict.fromkeys(tasks) for i in [j for j, t in enumerate(tasks) if t == task][:each]]
    )


def mixed_test() -> Dataset:
    """The test rows of this lesson, equally many of each task."""
    return mixed("test", EACH)


def shuffled(rows: Dataset, seed: int = 0) -> Dataset:
    """The control: the same rows with their answers dealt out anew among the rows of the same task."""
    from datasets import Dataset

    rng = random.Random(seed)
    tasks, answers = list(rows["task"]), list(rows["output"])
    for task in dict.fromkeys(tasks):
        places = [i for i, t in enumerate(tasks) if t == task]
        dealt = [answers[i] for i in places]
        rng.shuffle(dealt)
        for i, answer in zip(places, dealt, strict=True):
            answers[i] = answer
    return Dataset.from_list([row | {"output": answer} for row, answer in zip(rows, answers, strict=True)])


def narrow_rows(seed: int = 0) -> Dataset:
    """Training rows of two tasks in one section: a narrow fine-tuning, after which the other sections can be asked."""
    data = load_instructions(NARROW_TASKS, domain=SECTION)["train"]
    return data.shuffle(seed=seed).select(range(NARROW_STEPS * BATCH))


# ------------------------------------------------------------------ the jobs


def forgotten(run: Run) -> dict[str, float | None]:
    """`forgetting_SECTION` for each section, and their mean `forgetting`."""
    rises = forgetting(run.model, run.tokenizer, count=NEWS)
    found = {"forgetting": sum(rises.values()) / len(rises)} | {f"forgetting_{s}": v for s, v in rises.items()}
    return {name: number(value) for name, value in found.items()}


def number(value: float) -> float | None:
    """Rounded; `None` for what is no number any more, since JSON has no word for it."""
    return round(value, 4) if math.isfinite(value) else None


def mixed_job(learning_rate: float, seed: int, control: bool = False) -> dict[str, float | None]:
    """One run on the mixture: test accuracy with its interval, loss on validation answers, last training loss, forgetting."""
    rows = shuffled(mixed_rows(seed), seed) if control else mixed_rows(seed)
    run = train(rows, learning_rate=learning_rate, max_steps=STEPS, batch_size=BATCH, seed=seed, quiet=True)
    found = evaluate(run.model, run.tokenizer, mixed_test())
    return {
        "accuracy": number(found.value),
        "low": number(found.low),
        "high": number(found.high),
        "n": found.n,
        "validation_loss": answer_loss(run.model, run.tokenizer, list(mixed("validation", VALIDATION))),
        "last_loss": number(run.losses[-1]),
    } | forgotten(run)


def narrow_job(learning_rate: float, seed: int) -> dict[str, float | None]:
    """One narrow run, and what it forgot of each section."""
    rows = narrow_rows(seed)
    run = train(rows, learning_rate=learning_rate, max_steps=NARROW_STEPS, batch_size=BATCH, seed=seed, quiet=True)
    return forgotten(run) | {"last_loss": number(run.losses[-1])}


def short_job(learning_rate: float, seed: int) -> dict[str, float | None]:
    """The mixture for as many steps as the narrow run, and what it forgot: the control for narrowness."""
    rows = mixed_rows(seed).select(range(NARROW_STEPS * BATCH))
    run = train(rows, learning_rate=learning_rate, max_steps=NARROW_STEPS, batch_size=BATCH, seed=seed, quiet=True)
    return forgotten(run) | {"last_loss": number(run.losses[-1])}


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson."""
    for seed in SEEDS:
        for rate in RATES:
            yield {"part": "rate", "learning_rate": rate, "seed": seed}, partial(mixed_job, rate, seed)
    for seed in SEEDS:
        yield {"part": "control", "learning_rate": RATE, "seed": seed}, partial(mixed_job, RATE, seed, control=True)
        yield {"part": "narrow", "learning_rate": RATE, "seed": seed}, partial(narrow_job, RATE, seed)
        yield {"part": "short mixture", "learning_rate": RATE, "seed": seed}, partial(short_job, RATE, seed)
