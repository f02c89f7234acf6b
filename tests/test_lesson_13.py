"""Lesson 13: the fixed case, the relabelled pairs, and the exercises' own arithmetic."""

from __future__ import annotations

import pytest

from course_lib.lessons.lesson_13_dpo import experiments as lab
from course_lib.lessons.lesson_13_dpo import shown
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


def run(arm, seed=0, scores=(0.1, 0.2, 0.3), loss=0.6, **key):
    metrics = {"scores": list(scores), "words": 12.0, "harmless": "110", "tokens": 1000, "losses": [loss] * 12}
    metrics |= {"own": [1.0, 2.0], "chosen": [-1.0, 2.0], "rejected": [-2.0, 3.0]}
    metrics |= {"curve_chosen": [-loss] * 12, "curve_rejected": [-2 * loss] * 12}
    return {"key": {"arm": arm, "seed": seed} | key, "metrics": metrics}


def of_rloo(seed=0, gold=(0.5, 0.1, 0.9, 1.0)):
    history = {"length": [20.0] * 3}
    return {"key": {"part": "RLOO", "reward": "biased", "beta": 0.2, "seed": seed}, "metrics": {"gold": list(gold), "history": history, "tokens": 30_000}}  # fmt: skip


def test_the_trainers_own_figures_are_a_mean_over_all_seeds():
    runs = [run("DPO", 0, loss=0.5, beta=0.1), run("DPO", 1, loss=0.7, beta=0.1)]
    assert "loss 0.600   log-ratio of chosen -0.6, rejected -1.2" in shown.log_of(runs, ["DPO"])


def test_an_arm_is_held_against_dpo_on_the_same_seeds():
    runs = [run("DPO", seed, (0.1 * seed, 0.2, 0.3), beta=0.1) for seed in (0, 1)]
    runs += [run("IPO", 0, (0.1, 0.3, 0.4)), run("SFT", 0), run("SFT", 1)]
    assert shown.against_dpo(runs, "IPO").value == pytest.approx(0.1)
    table = shown.relatives(runs)
    assert "IPO" in table and "KTO" not in table


def test_dpo_and_rloo_are_paired_by_prompt_over_the_seeds_that_both_have():
    runs = [run("DPO", seed, beta=0.1) for seed in (0, 1)]
    found = shown.against_rloo(runs, [of_rloo()], "DPO", "biased")
    assert found.value == pytest.approx(((0.1 - 0.5) + (0.2 - 0.1) + (0.3 - 0.9)) / 3)
    assert found.low < found.value < found.high


def test_the_bill_counts_each_prompt_once_and_each_reply_in_full():
    cost = shown.bill([run("DPO", beta=0.1)], [of_rloo()])
    replies, written = 64 * 3, 64 * 60
    once = written + (30_000 - written) / 8
    assert cost["RLOO"]["sampled"] == replies and cost["DPO"]["sampled"] == 0
    assert cost["RLOO"]["policy"] == pytest.approx(5 * once / 1e6)
    assert cost["DPO"]["policy"] == pytest.approx(4 * 1000 / 1e6)


def test_the_implicit_reward_is_right_where_the_chosen_reply_gained_more():
    found = shown.picks([run("DPO", beta=0.1)])
    assert found.value == pytest.approx(0.5)  # one pair of two: -1 > -2, and 2 < 3
