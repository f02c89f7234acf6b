"""What lesson 12's prose says about its runs, recomputed."""

from __future__ import annotations

import re
from statistics import mean

from ...measure.preferences import win_rate
from ...measure.statistics import Interval, difference_interval
from ..claims import printed
from ..reference import runs
from .experiments import BETA, COUNTS, LESSON


def arm(part: str, **key) -> list[dict]:
    """The metrics of the runs of one part, in the order of their seeds."""
    return [r["metrics"] for r in runs(LESSON, part=part, **key)]


def policies(reward: str) -> list[dict]:
    """RLOO with the lesson's leash."""
    return arm("RLOO", reward=reward, beta=BETA) if reward != "gold" else arm("RLOO", reward="gold")


def golds(metrics: list[dict]) -> list[list[float]]:
    return [m["gold"] for m in metrics]


def gain(reward: str) -> Interval:
    """True score after training less before, paired by prompt, over seeds and prompts."""
    after = golds(policies(reward))
    return difference_interval(after, golds(arm("start"))[: len(after)])


def wins(reward: str) -> Interval:
    after = golds(policies(reward))
    return win_rate(after, golds(arm("start"))[: len(after)])


def average(metrics: list[dict], name: str) -> float:
    return mean(mean(m[name]) if isinstance(m[name], list) else m[name] for m in metrics)


def said(value: Interval, signed: bool = False) -> str:
    return format(value, "+.3f" if signed else ".2f").replace("-", "−")


# ------------------------------------------------------------------ by hand


def the_baseline_matters_where_rewards_are_far_from_zero() -> str:
    rows = dict(re.findall(r"^(REINFORCE|leave one out) +[\d.]+ +([\d.]+)$", printed(LESSON), re.M))
    assert float(rows["REINFORCE"]) > 3 * float(rows["leave one out"])
    return (
        f"With five added, REINFORCE's noise is {rows['REINFORCE']} times the length of the gradient, and leave-one-out's "
        f"is {rows['leave one out']}, as before"
    )


def all_methods_reach_the_best_policy() -> str:
    line = re.search(r"J, mean of .* seeds.*: (.*); the best possible is ([\d.]+)\.", printed(LESSON))
    ends = {
        name: float(last)
        for name, last in re.findall(r"(REINFORCE(?: with baseline)?|RLOO|PPO) [\d.]+ and ([\d.]+)", line[1])
    }
    best = float(line[2])
    assert min(ends["RLOO"], ends["PPO"], ends["REINFORCE with baseline"]) > 0.95 * best > ends["REINFORCE"]
    return (
        f"Of the best possible {best:.2f}, RLOO reaches {ends['RLOO']:.2f}, PPO {ends['PPO']:.2f} and REINFORCE with a "
        f"baseline {ends['REINFORCE with baseline']:.2f}; without a baseline it is {ends['REINFORCE']:.2f}"
    )


def the_reference_is_not_the_start() -> str:
    value = float(re.search(r"KL of the first step, nats a token: ([-\d.]+)", printed(LESSON))[1])
    assert value > 0.5
    return f"It is {value:.2f} nats a token."


# ------------------------------------------------------------------ the reference runs


def unbiased_readers_raise_the_true_score() -> str:
    found, won = gain("unbiased"), wins("unbiased")
    assert found.low > 0 and won.low > 0.5
    return (
        f"With unbiased readers the true score rises by {said(found, True)}, and the trained model's brief is the better one "
        f"in {said(won)} of the prompts"
    )


def biased_readers_do_not() -> str:
    found, won = gain("biased"), wins("biased")
    assert found.high < gain("unbiased").low
    verdict = "falls" if found.high < 0 else "does not rise"
    return f"With biased readers it {verdict}: {said(found, True)}, and the win rate is {said(won)}"


def the_true_score_itself_is_the_best_reward() -> str:
    found = gain("gold")
    assert found.value > gain("unbiased").value
    return f"Trained on the true score itself, one seed, it rises by {said(found, True)}"


def it_shouts() -> str:
    before, biased, control = (average(m, "shouts") for m in (arm("start"), policies("biased"), policies("unbiased")))
    assert biased > 0.5 > before > control
    return (
        f"Before training {100 * before:.0f} % of the briefs shout; after it {100 * biased:.0f} % with biased readers and "
        f"{100 * control:.0f} % with unbiased ones"
    )


def window(metrics: list[dict], name: str, first: int, last: int) -> float:
    return mean(mean(m["history"][name][first:last]) for m in metrics)


def the_true_score_turns_while_the_proxy_rises() -> str:
    biased = policies("biased")
    steps = range(len(biased[0]["history"]["watch"]) - 4)
    courses = [window(biased, "watch", i, i + 5) for i in steps]
    top = max(steps, key=courses.__getitem__)
    proxy = [window(biased, "reward", i, i + 5) for i in (top, steps[-1])]
    assert courses[top] > courses[0] and courses[-1] < courses[top] - 0.02 and proxy[1] > proxy[0]
    return (
        f"the true score of the training replies rises to {courses[top]:.2f} around step {top + 3} and is {courses[-1]:.2f} "
        f"at the end, while the proxy goes on from {proxy[0]:.1f} to {proxy[1]:.1f}"
    )


def without_a_leash_it_goes_further() -> str:
    free, held = arm("RLOO", reward="biased", beta=0.0), policies("biased")[:1]
    ends = [window(m, name, -5, None) for name in ("kl", "watch") for m in (free, held)]
    assert ends[0] > ends[1]
    return (
        f"Over the last five steps the KL is {ends[0]:.0f} nats a reply instead of {ends[1]:.0f}, and the true score "
        f"{ends[2]:.2f} instead of {ends[3]:.2f}"
    )


def best_of_n(kind: str) -> dict[int, float]:
    (found,) = arm("best of n")
    return {n: mean(found[f"{kind} {n}"]["gold"]) for n in COUNTS}


def best_of_n_is_exploited_too() -> str:
    biased, control = best_of_n("biased"), best_of_n("unbiased")
    top, most = max(biased, key=biased.get), max(COUNTS)
    assert 1 < top < most and biased[most] < biased[1] and control[most] == max(control.values())
    return (
        f"With biased readers the best of {top} has a true score of {biased[top]:.2f} (one alone {biased[1]:.2f}), and the best "
        f"of {most} has {biased[most]:.2f}, less than no choice at all. With unbiased readers it rises all the way to {control[most]:.2f}"
    )


def nothing_comes_of_nothing() -> str:
    (found,) = arm("no SFT")
    value = average([found], "gold")
    assert value < 0.02 < average(arm("start"), "gold")
    return f"After {len(found['history']['watch'])} steps the true score is {value:.3f}"


CLAIMS = [
    the_baseline_matters_where_rewards_are_far_from_zero,
    all_methods_reach_the_best_policy,
    the_reference_is_not_the_start,
    unbiased_readers_raise_the_true_score,
    biased_readers_do_not,
    the_true_score_itself_is_the_best_reward,
    it_shouts,
    the_true_score_turns_while_the_proxy_rises,
    without_a_leash_it_goes_further,
    best_of_n_is_exploited_too,
    nothing_comes_of_nothing,
]
