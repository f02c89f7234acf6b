"""Intervals: of a proportion, of a mean over seeds and items, and of paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..base.errors import CourseError


class Interval(NamedTuple):
    """A value with its interval, 95 % unless another level was asked for."""

    value: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        """All three numbers in one number format: `f"{interval:+.1f}"` is `+1.2 (-0.3 to +2.7)`."""
        value, low, high = (format(number, form or ".3f") for number in self)
        return f"{value} ({low} to {high})"

    def __str__(self) -> str:
        return format(self, ".3f")

    def scaled(self, factor: float) -> Interval:
        """The interval in another unit: shares times 100 are per cent, differences of shares times 100 points."""
        low, high = sorted((factor * self.low, factor * self.high))
        return Interval(factor * self.value, low, high)


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Score interval for a proportion (Wilson 1927, JASA 22:209): `(low, high)`, 95 % by default."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # rounding must not pass p itself


def paired_bootstrap(
    first: Sequence[bool], second: Sequence[bool], draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Difference in accuracy `first − second` on the same rows, with its 95 % interval: `(value, low, high)`.

    Rows are drawn with replacement (Efron & Tibshirani 1993, ch. 13). Raises `CourseError` for unequal lengths.
    """
    import numpy as np

    if len(first) != len(second):
        raise CourseError(
            f"A paired comparison needs the same rows for both; got {len(first)} and {len(second)}.",
            "Evaluate both models on the same dataset.",
        )
    difference = np.asarray(first, float) - np.asarray(second, float)
    picks = np.random.default_rng(seed).integers(0, len(difference), (draws, len(difference)))
    low, high = np.percentile(difference[picks].mean(1), (2.5, 97.5))
    return float(difference.mean()), float(low), float(high)


def paired_shares(first: Sequence[bool], second: Sequence[bool], z: float = 1.96) -> Interval:
    """Difference of two shares `first − second` of the same items, with its interval, also for few items and shares of 0 or 1.

    Wilson's intervals of both shares, put together with their correlation over the items (Newcombe 1998, Statistics in Medicine 17:2635,
    method 10). A bootstrap of ten items that were all right would say that the next ones will be, too; this does not. Raises
    `CourseError` for unequal lengths or no items.
    """
    if len(first) != len(second) or not len(first):
        raise CourseError(
            f"A paired comparison needs the same items for both; got {len(first)} and {len(second)}.",
            "Evaluate both models on the same rows.",
        )
    n = len(first)
    pairs = [(bool(a), bool(b)) for a, b in zip(first, second, strict=True)]
    both, only_first, only_second, none = (
        pairs.count(c) for c in ((True, True), (True, False), (False, True), (False, False))
    )
    p, q = (both + only_first) / n, (both + only_second) / n
    (low_p, high_p), (low_q, high_q) = wilson(both + only_first, n, z), wilson(both + only_second, n, z)
    product = (both + only_first) * (only_second + none) * (both + only_second) * (only_first + none)
    top = both * none - only_first * only_second
    top = max(top - n / 2, 0.0) if top > 0 else top
    phi = top / math.sqrt(product) if product else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))

    return Interval(p - q, p - q - reach(p - low_p, high_q - q), p - q + reach(high_p - p, q - low_q))


def mean_interval(scores: Sequence[float] | Sequence[Sequence[float]], level: float = 0.95) -> Interval:
    """The mean of scores with an interval for *other seeds and other items*: one row a seed, one column an item.

    A flat list is one seed: then the interval is for other items only. Seeds and items are crossed random effects: the
    variance of the mean is (MS_seeds + MS_items − MS_rest) / (seeds · items), and Student's t has Satterthwaite's degrees of
    freedom (Satterthwaite 1946, Biometrics Bulletin 2:110; Searle, Casella & McCulloch 1992, ch. 4). Few seeds that disagree make
    it wide, as they should. Raises `CourseError` for rows of unequal length or fewer than two items.
    """
    import numpy as np
    from scipy.stats import t

    try:
        table = np.atleast_2d(np.asarray(scores, float))
    except ValueError:
        table = np.empty((0, 0))
    if table.ndim != 2 or table.shape[1] < 2:
        raise CourseError(
            "An interval over seeds and items needs one row a seed, all on the same two or more items.",
            "Evaluate every seed on the same rows.",
        )
    seeds, items = table.shape
    mean = float(table.mean())
    of_items = table.mean(0)
    ms_items = seeds * float(of_items.var(ddof=1))
    if seeds == 1:
        variance, freedom = ms_items / items, items - 1.0
    else:
        of_seeds = table.mean(1)
        ms_seeds = items * float(of_seeds.var(ddof=1))
        rest = table - of_items[None, :] - of_seeds[:, None] + mean
        ms_rest = float((rest**2).sum()) / ((seeds - 1) * (items - 1))
        # Below what the items alone give the estimate is no longer one of a variance of seeds *and* items.
        total = max(ms_seeds + ms_items - ms_rest, ms_items)
        parts = ms_seeds**2 / (seeds - 1) + ms_items**2 / (items - 1) + ms_rest**2 / ((seeds - 1) * (items - 1))
        variance, freedom = total / (seeds * items), max(1.0, total**2 / parts) if parts else 1.0
    half = float(t.ppf((1 + level) / 2, freedom)) * math.sqrt(max(variance, 0.0))
    return Interval(mean, mean - half, mean + half)


def difference_interval(
    first: Sequence[float] | Sequence[Sequence[float]],
    second: Sequence[float] | Sequence[Sequence[float]],
    level: float = 0.95,
) -> Interval:
    """The mean difference `first − second`, paired by item and seed, with its interval (`mean_interval`).

    Raises `CourseError` when the two do not have the same seeds and items.
    """
    import numpy as np

    one, other = np.asarray(first, float), np.asarray(second, float)
    if one.shape != other.shape:
        raise CourseError(
            f"A paired comparison needs the same seeds and items for both; got {one.shape} and {other.shape}.",
            "Evaluate both on the same rows, with the same seeds.",
        )
    return mean_interval(one - other, level)


def shares_interval(shares: Sequence[float], n: int, level: float = 0.95) -> Interval:
    """The mean share over seeds where only each seed's share of `n` common items is known, not which items.

    The variance of the seeds and that of the items, p(1 − p)/n, are added, as if no seed told anything new about the items: a
    little too wide rather than too narrow. Student's t with Satterthwaite's degrees of freedom.
    """
    from statistics import mean, variance

    from scipy.stats import t

    p, seeds = mean(shares), len(shares)
    of_items = max(p * (1 - p), 0.25 / n) / n
    of_seeds = variance(shares) / seeds if seeds > 1 else 0.0
    total = of_items + of_seeds
    parts = of_items**2 / max(1, n - 1) + (of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0)
    half = float(t.ppf((1 + level) / 2, total**2 / parts)) * math.sqrt(total)
    return Interval(p, max(0.0, p - half), min(1.0, p + half))
