"""Reference rows of the scoreboard for policies that were trained on preferences: true score, win rate, KL, and what one run costs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..measure.memory import peak_memory
from ..measure.preferences import win_rate
from ..measure.scoreboard import record
from ..measure.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from ..base.run import Run


def record_policy(
    technique: str,
    lesson: str,
    train: Callable[..., Run],
    *,
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    kl: Interval,
    seeds: Sequence[int],
    **metrics: Interval,
) -> dict:
    """Write the row of one technique and return it.

    `before` and `after`: true scores of the start and of the policy on the same prompts, one list a seed; `kl` in nats a reply. The costs
    are measured here: `train()` once for the seconds, `train(max_steps=1)` twice for the peak memory of a step, in bytes, sampling counted.
    """
    run = train()

    def step() -> None:
        train(max_steps=1)
        gc.collect()  # what a trainer leaves behind would be counted as the next step's

    named = {"gold": mean_interval(after), "win_rate": win_rate(after, before), "kl": kl, **metrics}
    told = {"lesson": lesson, "source": "reference", "seeds": list(seeds), "peak_memory_bytes": peak_memory(step)}
    return record(technique, run, None, **told, **named)
