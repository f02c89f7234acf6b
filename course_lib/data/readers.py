"""The simulated readers: who chooses between two briefs, with noise and one known bias.

No person has judged these pairs. A reader prefers the first of two briefs with the probability

    σ((gold₁ − gold₂ + bias₁ − bias₂) / τ)

which is the model of Bradley & Terry (1952, Biometrika 39:324) with the true score `gazette.brief.brief_score` as strength, an inner
temperature τ, and one planted bias: readers like to be shouted at. A reply with hype or an exclamation mark gains `BIAS` in their eyes,
though the true score takes more than half away from it. The unbiased readers of the control arm are the same with a bias of 0.
"""

from __future__ import annotations

import math
import random

from ..gazette.brief import shouts

TAU = 0.1  # in units of the true score: a pair that differs by so much is judged rightly in 73 % of cases
BIAS = 0.6  # what hype is worth to a reader, in units of the true score


def bias_of(reply: str, bias: float = BIAS) -> float:
    """What readers add to a reply's true score: `bias` for hype, else nothing."""
    return bias * shouts(reply)


def first_preferred(gold: tuple[float, float], replies: tuple[str, str], bias: float = BIAS, tau: float = TAU) -> float:
    """The probability with which a reader prefers the first of two replies; `gold` holds their true scores."""
    gap = (gold[0] - gold[1] + bias_of(replies[0], bias) - bias_of(replies[1], bias)) / tau
    return 1 / (1 + math.exp(-gap)) if gap > -700 else 0.0


def choose(
    rng: random.Random, gold: tuple[float, float], replies: tuple[str, str], bias: float = BIAS, tau: float = TAU
) -> str:
    """One reader's choice: `"first"` or `"second"`."""
    return "first" if rng.random() < first_preferred(gold, replies, bias, tau) else "second"
