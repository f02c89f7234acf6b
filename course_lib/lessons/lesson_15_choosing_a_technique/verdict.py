"""The rules by which a statement gets its verdict.

A statement "A is better than B" is *confirmed* where the whole 95 % interval lies on its side, *refuted* where the whole interval lies on the
other side, and *not at this scale* between. "As good as" is confirmed where the whole interval lies within `MARGIN` points, refuted where
it lies wholly outside; "no worse than" asks this of the lower side alone. Costs have no interval: a tenth is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...measure.statistics import Interval
from .. import claims

CONFIRMED, OPEN, REFUTED = "confirmed", "not at this scale", "refuted"
MARGIN = 3.0  # points within which two methods are called equally good
LEAST = 0.9  # of the other's cost, to be called cheaper


@dataclass(frozen=True)
class Verdict:
    """A statement and what the runs say: a verdict on the course's model, one on the real model where it was run, the figures, the seeds."""

    statement: str
    here: str
    figures: str
    seeds: str
    real: str = "–"
    said_by: str = field(default="", compare=False)


def ahead(found: Interval) -> str:
    """The verdict on "better than", from the difference."""
    return CONFIRMED if found.low > 0 else REFUTED if found.high < 0 else OPEN


def level(found: Interval) -> str:
    """The verdict on "as good as", from the difference in points."""
    if found.low > -MARGIN and found.high < MARGIN:
        return CONFIRMED
    return REFUTED if found.high < -MARGIN or found.low > MARGIN else OPEN


def no_worse(found: Interval) -> str:
    """The verdict on "no worse than", from the difference in points."""
    return CONFIRMED if found.low > -MARGIN else REFUTED if found.high < -MARGIN else OPEN


def cheaper(ratio: float) -> str:
    """The verdict on "costs less", from the ratio of the costs."""
    return CONFIRMED if ratio <= LEAST else REFUTED if ratio >= 1 / LEAST else OPEN


def points(found: Interval) -> str:
    """A difference that is in points already, with its interval."""
    return claims.points(found.scaled(0.01))


def counted(*counts: int) -> str:
    """How many seeds stand behind a verdict: the fewest of its sides."""
    low = min(counts)
    return "one seed" if low == 1 else f"{low} seeds"
