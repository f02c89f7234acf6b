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
