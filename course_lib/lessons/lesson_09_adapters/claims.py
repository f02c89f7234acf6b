"""What lesson 09 says about its measurements, recomputed from its reference runs."""

from __future__ import annotations

from ...measure.statistics import Interval, mean_interval
from ..reference import runs
from .experiments import LESSON, answers, chosen


def points(interval: Interval) -> str:
    """`+1.2 points (-0.3 to +2.7)`, from shares."""
    value, low, high = (100 * v for v in interval)
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def of(method: str, task: str = "question", placement: str | None = "houlsby") -> list[list[int]]:
    """The answers of one method in the comparison, a list a seed."""
    more = {"placement": placement} if (method, task) == ("adapters", "question") else {}
    return answers("compare", task=task, method=method, **more)


def percent(method: str, task: str = "question", placement: str = "houlsby") -> str:
    """`64.2 % (60.1 to 68.3)`."""
    value, low, high = (100 * v for v in mean_interval(of(method, task, placement)))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def metric(name: str, part: str, **wanted) -> float:
    """A figure of the one reference run that has these settings."""
    (found,) = [r for r in runs(LESSON) if {"part": part, **wanted}.items() <= r["key"].items()]
    return found["metrics"][name]


def rates() -> str:
    """Which rate was best for each."""
    mine, lora, full = (chosen(m) for m in ("adapters", "LoRA", "full fine-tuning"))
    return f"The rates that won: {mine:g} for the adapters, {lora:g} for LoRA, {full:g} for full fine-tuning."


def headline() -> str:
    """Adapters and LoRA with as many parameters."""
    difference = difference_interval(of("adapters"), of("LoRA"))
    assert difference.value < -0.02, "the adapters are no longer behind LoRA"
    return (
        f"On question the adapters are right in {percent('adapters')}, LoRA with as many parameters in {percent('LoRA')}: "
        f"{points(difference)}, over three seeds and the same thousand items."
    )


def certainty() -> str:
    """Whether the interval of that difference excludes zero."""
    assert difference_interval(of("adapters"), of("LoRA")).high < 0
    return (
        "The interval excludes zero: with as many parameters and steps, adapters learn this task less well than LoRA."
    )


def against_full() -> str:
    """LoRA and full fine-tuning."""
    difference = difference_interval(of("LoRA"), of("full fine-tuning"))
    assert difference.low < 0 < difference.high
    return f"LoRA and full fine-tuning are not told apart: {points(difference)}."


def control() -> str:
    """The shuffled answers."""
    right = metric("right", "control")
    assert right < 0.1
    return f"The control, trained on the same rows with their answers dealt out at random, is right in {100 * right:.1f} %."
