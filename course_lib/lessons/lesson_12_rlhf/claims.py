"""What lesson 12's prose says about its runs, recomputed."""

from __future__ import annotations

import re
from statistics import mean

from ...measure.preferences import win_rate
from ...measure.statistics import Interval, difference_interval
from ..claims import printed
from ..real.claims import rloo as real
from ..reference import runs
from .experiments import BETA, COUNTS, LESSON
from .shown import distance, unwritten


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
    found = re.findall(r"^(REINFORCE|known mean as baseline|leave one out) +([\d.]+) +([\d.]+)$", printed(LESSON), re.M)
    rows = {name: (float(plain), float(shifted)) for name, plain, shifted in found}
    known, out, none = rows["known mean as baseline"], rows["leave one out"], rows["REINFORCE"]
    assert none[1] > 3 * out[1] and out[0] < 1.1 * known[0] and none[0] < known[0]
    return (
        f"With five added, REINFORCE's noise is {none[1]:.2f} times the length of the gradient, and leave-one-out's "
        f"is {out[1]:.2f}, as before: nearly as quiet as with the mean reward known beforehand ({known[1]:.2f})"
    )


def climbs() -> tuple[dict[str, list[float]], float]:
    """What the figure of the four methods says: J after 20, 50 and 250 steps, and the best possible."""
    line = re.search(r"J, mean of .* seeds.*: (.*); the best possible is ([\d.]+)\.", printed(LESSON))
    found = re.findall(r"(REINFORCE(?: with baseline)?|RLOO|PPO) ([-\d.]+), ([-\d.]+) and ([-\d.]+)(?:, |$)", line[1])
    return {name: [float(v) for v in values] for name, *values in found}, float(line[2])


def all_methods_reach_the_best_policy() -> str:
    found, best = climbs()
    ends = {name: values[-1] for name, values in found.items()}
    assert min(ends["RLOO"], ends["PPO"], ends["REINFORCE with baseline"]) > 0.95 * best > ends["REINFORCE"]
    return (
        f"Of the best possible {best:.2f}, RLOO reaches {ends['RLOO']:.2f}, PPO {ends['PPO']:.2f} and REINFORCE with a "
        f"baseline {ends['REINFORCE with baseline']:.2f}; without a baseline it is {ends['REINFORCE']:.2f}"
    )


def ppo_is_ahead_at_first() -> str:
    found, _ = climbs()
    assert found["PPO"][0] > found["RLOO"][0] and found["PPO"][1] < found["RLOO"][1]
    return (
        f"is ahead after 20 steps ({found['PPO'][0]:.2f} against RLOO's {found['RLOO'][0]:.2f}) and no longer after 50 "
        f"({found['PPO'][1]:.2f} against {found['RLOO'][1]:.2f})"
    )


def the_reference_is_not_the_start() -> str:
    value = float(re.search(r"KL of the first step, nats a token: ([-\d.]+)", printed(LESSON))[1])
    assert value > 0.5
    return f"It is {value:.2f} nats a token."


def k1_is_often_negative() -> str:
    shares = {name: int(share) for name, share in re.findall(r"^(k\d) .* negative on (\d+) %", printed(LESSON), re.M)}
    assert shares["k1"] > 0 == shares["k2"] == shares["k3"]
    return f"k1 is right on average, and {shares['k1']} % of the replies make it negative"


def the_live_run_is_exploited() -> str:
    lines = printed(LESSON)
    scores = dict(re.findall(r"^(before|after) +true score ([\d.]+) .* shouting \d+ %$", lines, re.M))
    loud = dict(re.findall(r"^(before|after) +true score .* shouting (\d+) %$", lines, re.M))
    high = float(re.search(r"Your run from .* the highest true score is ([\d.]+)\.", lines)[1])
    gain = re.search(r"^gain (-[\d.]+) \((-[\d.]+) to (-[\d.]+)\)", lines, re.M)
    assert gain and float(scores["after"]) < float(scores["before"]) < high and int(loud["after"]) > 50
    return (
        f"the true score of the training replies first rises to {high:.2f}; at the end the test briefs have "
        f"{float(scores['after']):.2f} instead of {float(scores['before']):.2f}, and {loud['after']} % of them shout "
        f"instead of {loud['before']} %"
    )


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


def what_the_reward_model_loses() -> str:
    best = golds(policies("gold"))
    found = difference_interval(best, golds(policies("unbiased"))[: len(best)])
    verdict = "more than chance" if found.low > 0 else "no more than chance can make on so few prompts"
    return (
        f"That is {said(found, True)} more than with the unbiased readers' reward model, on the same prompts: {verdict}"
    )


def copying_is_better_still() -> str:
    lead, brief = (mean(scores) for scores in unwritten().values())
    best = average(policies("gold"), "gold")
    assert best < lead < brief
    return (
        f"the item's first sentence, copied, has {lead:.2f}, more than any policy here ({best:.2f} at most), and the newspaper's own brief "
        f"{brief:.2f}"
    )


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


def turn(metrics: list[dict]) -> int:
    """The step around which the true score of the training replies is highest, over five steps."""
    steps = range(len(metrics[0]["history"]["watch"]) - 4)
    return 3 + max(steps, key=lambda i: window(metrics, "watch", i, i + 5))


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


def at_the_same_distance() -> str:
    """Best of 16 and the step at which RLOO had gone as far."""
    n, told = 16, []
    for readers in ("biased", "unbiased"):
        histories = [m["history"] for m in policies(readers)]
        kl, truth = (
            [mean(mean(h[key][i : i + 5]) for h in histories) for i in range(len(histories[0][key]) - 4)]
            for key in ("kl", "watch")
        )
        place = min(range(len(kl)), key=lambda i: abs(kl[i] - distance(n)))
        told.append((best_of_n(readers)[n], truth[place]))
    (chosen, trained), (fair_chosen, fair_trained) = told
    assert chosen < trained
    return (
        f"With biased readers the best of {n}, at most {distance(n):.1f} nats away, has {chosen:.2f}, and RLOO's replies at that "
        f"distance {trained:.2f}; with unbiased ones it is {fair_chosen:.2f} and {fair_trained:.2f}"
    )


def the_base_writes_no_briefs() -> str:
    first = arm("no SFT")[0]["history"]["watch"][0]
    assert first < 0.01
    return f"the mean true score of its 64 replies in the first step is {first:.3f}"


# ------------------------------------------------------------------ what was expected


def expectation_1() -> str:
    found, best = climbs()
    slow = [name for name, values in found.items() if values[-1] < 0.97 * best]
    assert slow == ["REINFORCE"]
    return "**1** holds for three of the four: REINFORCE without a baseline is still on its way after 250 steps"


def expectation_2() -> str:
    found = gain("biased")
    assert found.low <= 0
    return f"**2** fails: with biased readers the change is {said(found, True)}"


def expectation_3() -> str:
    biased, fair = policies("biased"), policies("unbiased")
    last = len(fair[0]["history"]["watch"]) - 2
    assert turn(biased) < last / 2 < turn(fair)
    return (
        f"**3** holds: with biased readers the true score of the training replies turns around step {turn(biased)}, with unbiased "
        f"ones it is highest around step {turn(fair)} of {last + 2}"
    )


def expectation_4() -> str:
    free, held = turn(arm("RLOO", reward="biased", beta=0.0)), turn(policies("biased")[:1])
    verdict = "holds" if free < held - 2 else "is not shown"
    return f"**4** {verdict}: without the penalty the turn comes around step {free}, with it around step {held} (one seed each)"


def nothing_comes_of_nothing() -> str:
    (found,) = arm("no SFT")
    value = average([found], "gold")
    assert value < 0.02 < average(arm("start"), "gold")
    return f"After {len(found['history']['watch'])} steps the true score is {value:.3f}"


CLAIMS = [
    real,
    the_baseline_matters_where_rewards_are_far_from_zero,
    all_methods_reach_the_best_policy,
    ppo_is_ahead_at_first,
    the_reference_is_not_the_start,
    k1_is_often_negative,
    the_live_run_is_exploited,
    unbiased_readers_raise_the_true_score,
    biased_readers_do_not,
    the_true_score_itself_is_the_best_reward,
    what_the_reward_model_loses,
    copying_is_better_still,
    it_shouts,
    the_true_score_turns_while_the_proxy_rises,
    without_a_leash_it_goes_further,
    best_of_n_is_exploited_too,
    at_the_same_distance,
    nothing_comes_of_nothing,
    the_base_writes_no_briefs,
    expectation_1,
    expectation_2,
    expectation_3,
    expectation_4,
]
