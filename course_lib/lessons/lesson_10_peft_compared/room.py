"""The task with room, `question`, for the one method that lesson 09 did not try on it: prompt tuning, at lesson 09's rows, steps and items.

`part` "room rate": three rates, one seed, on the validation rows. "room": the best of them, three seeds, on the test items.

Expected, written before the runs: the soft prompt can call up what the base knows and cannot teach it to find a name in a text, so it lies
more than ten points below full fine-tuning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...methods.sft import train
from ...models.load import load_model
from ..lesson_09_adapters import experiments as lesson_09
from ..reference import runs
from .setting import LESSON, ROOM, SOFT_GRID, configuration

if TYPE_CHECKING:
    from ...base.run import Run

METHOD = "prompt tuning"


def prompted(rate: float, seed: int) -> Run:
    """Prompt tuning on lesson 09's rows of a seed, for as many steps."""
    model, tokenizer = load_model()
    return train(
        lesson_09.rows(ROOM, seed),
        model=model,
        tokenizer=tokenizer,
        peft_config=configuration(METHOD, str(model.config.name_or_path), ROOM),
        learning_rate=rate,
        max_steps=lesson_09.STEPS[ROOM],
        batch_size=lesson_09.BATCH,
        seed=seed,
        quiet=True,
    )


def rate_job(rate: float) -> dict:
    """One rate on the validation rows."""
    return lesson_09.on_validation(prompted(rate, 0), ROOM)


def test_job(seed: int) -> dict:
    """One seed at the chosen rate, on all test items."""
    return lesson_09.on_test(prompted(lesson_09.best_rate(runs(LESSON, part="room rate")), seed), ROOM)


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """The rates first, since the others ask which was best."""
    for rate in SOFT_GRID:
        yield {"part": "room rate", "method": METHOD, "rate": rate, "seed": 0}, partial(rate_job, rate)
    for seed in lesson_09.SEEDS:
        yield {"part": "room", "method": METHOD, "seed": seed}, partial(test_job, seed)
