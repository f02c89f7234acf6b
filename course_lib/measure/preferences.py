"""Win rate: how often one model's reply to a prompt is better than another's; kappa: how far two judges agree. With intervals."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ..base.errors import CourseError
from .statistics import Interval, mean_interval, wilson

Scores = Sequence[float] | Sequence[Sequence[float]]


def win_rate(first_scores: Scores, second_scores: Scores, level: float = 0.95) -> Interval:
    """The share of prompts on which `first_scores` is the higher, ties counted as half: `Interval(value, low, high)`.

    Both are scores of replies to the *same* prompts in the same order: one number a prompt, or one such list a seed. If only one
    side has several seeds, the other side's list stands against each of them. One half is chance: a model against itself.
    The interval is `mean_interval`'s of the outcomes 1, 1/2 and 0, so it covers seeds and prompts; where every outcome
    is the same it has no width, and Wilson's is taken. Raises `CourseError` when the two do not pair, or for no prompts.
    """
    first, second = _by_seed(first_scores), _by_seed(second_scores)
    if len(first) != len(second) and 1 not in (len(first), len(second)):
        raise CourseError(
            f"{len(first)} seeds cannot be paired with {len(second)}.",
            "Give the same seeds on both sides, or one list.",
        )
    seeds = max(len(first), len(second))
    first, second = first * (seeds // len(first)), second * (seeds // len(second))
    outcomes = []
    for a, b in zip(first, second, strict=True):
        if len(a) != len(b):
            raise CourseError(
                f"{len(a)} scores cannot be paired with {len(b)}: a win is one reply against another to the same prompt.",
                "Score both models' replies to one list of prompts, in one order.",
            )
        outcomes.append([0.5 + 0.5 * ((x > y) - (x < y)) for x, y in zip(a, b, strict=True)])
    if not outcomes[0]:
        raise CourseError(
            "There is no win rate of no prompts.", "Give the scores of at least two replies of each model."
        )
    flat = [outcome for row in outcomes for outcome in row]
    value = sum(flat) / len(flat)
    if len(set(flat)) == 1:
        return Interval(value, *wilson(value * len(outcomes[0]), len(outcomes[0])))
    found = mean_interval(outcomes if seeds > 1 else outcomes[0], level)
    return Interval(value, max(0.0, found.low), min(1.0, found.high))


def _by_seed(scores: Scores) -> list[list[float]]:
    """One list of numbers a seed."""
    rows = list(scores)
    return [list(row) for row in rows] if rows and not isinstance(rows[0], (int, float)) else [rows]


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Cohen's kappa (1960, Educational and Psychological Measurement 20:37) of two judges' choices: 1 is agreement, 0 what chance gives.

    Two judges who always make the same one choice get 0: chance alone would agree as often, so nothing is seen of their judgement.
    """
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    chance = sum(first.count(c) * second.count(c) for c in set(first) | set(second)) / n**2
    return (agreed - chance) / (1 - chance) if chance < 1 else 0.0


def kappa_interval(first: Sequence[str], second: Sequence[str], draws: int = 1000) -> Interval:
    """Kappa with its 95 % interval by the bootstrap over items (Efron & Tibshirani 1993, ch. 13)."""
    return _drawn(lambda picks: kappa([first[i] for i in picks], [second[i] for i in picks]), len(first), draws)


def kappa_difference(first: Sequence[str], other: Sequence[str], truth: Sequence[str], draws: int = 1000) -> Interval:
    """How much better `first` agrees with `truth` than `other` does on the same items: kappa less kappa, with its interval."""

    def gap(picks: Sequence[int]) -> float:
        drawn = [truth[i] for i in picks]
        return kappa([first[i] for i in picks], drawn) - kappa([other[i] for i in picks], drawn)

    return _drawn(gap, len(truth), draws)


def _drawn(measure: Callable[[Sequence[int]], float], n: int, draws: int) -> Interval:
    """A measure of items, given by their places, with its bootstrap interval."""
    rng = random.Random(0)
    found = sorted(measure([rng.randrange(n) for _ in range(n)]) for _ in range(draws))
    return Interval(measure(range(n)), found[int(0.025 * draws)], found[int(0.975 * draws) - 1])
