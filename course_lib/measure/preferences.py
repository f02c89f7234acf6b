"""Win rate: how often one model's reply to a prompt is better than another's, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

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
