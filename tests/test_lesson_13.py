"""Lesson 13: the fixed case, the relabelled pairs, and the exercises' own arithmetic."""

from __future__ import annotations

import pytest

from course_lib.lessons.lesson_13_dpo import experiments as lab
from course_lib.lessons.lesson_13_dpo.exercises import falling


def pairs():
    from datasets import Dataset

    numbers = range(40)
    return Dataset.from_dict(
        {
            "prompt": [f"p{n}" for n in numbers],
            "chosen": [f"c{n}" for n in numbers],
            "rejected": [f"r{n}" for n in numbers],
        }
    )


def test_the_fixed_case_has_the_loss_that_the_lesson_prints():
    """Computed here without torch's own functions but for the model: any other code must find it too."""
    import math

    four = {name: float(value) for name, value in lab.fixed_check().items()}
    margin = 0.5 * (
        (four["policy chosen"] - four["reference chosen"]) - (four["policy rejected"] - four["reference rejected"])
    )
    assert all(value < 0 for value in four.values())
    assert math.log(1 + math.exp(-margin)) == pytest.approx(FIXED_LOSS, abs=1e-4)


FIXED_LOSS = 1.0033


def test_relabelling_exchanges_just_the_two_columns():
    turned = lab.relabelled(pairs(), [n % 2 == 0 for n in range(40)])
    assert turned[0] == {"prompt": "p0", "chosen": "r0", "rejected": "c0"}
    assert turned[1] == {"prompt": "p1", "chosen": "c1", "rejected": "r1"}


def test_coin_flips_turn_about_half_and_are_the_same_for_the_same_seed():
    one, again, other = (lab.coin_flips(pairs(), seed)["chosen"] for seed in (0, 0, 1))
    assert list(one) == list(again) != list(other)
    assert 8 <= sum(text.startswith("r") for text in one) <= 32


def test_a_reply_falls_exactly_when_the_best_policy_gives_it_less():
    import math

    rewards, reference, beta = (3.0, 2.0, 1.0, 0.0, -4.0), (0.1, 0.2, 0.4, 0.2, 0.1), 1.0
    weights = [p * math.exp(r / beta) for p, r in zip(reference, rewards, strict=True)]
    best = [w / sum(weights) for w in weights]
    assert falling() == {n for n, (b, p) in enumerate(zip(best, reference, strict=True), 1) if b < p}
    assert falling() != {n for n, r in enumerate(rewards, 1) if r < 0}
