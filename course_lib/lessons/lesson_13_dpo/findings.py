"""Claims of lesson 13 about DPO beside its relatives, beside RLOO, and about what was expected; and the words that its claims share."""

from __future__ import annotations

import math

from ...measure.statistics import Interval, mean_interval
from ..claims import percent, signed
from ..reference import runs
from . import shown
from .experiments import BETA, BETAS, LESSON


def reference() -> list[dict]:
    return runs(LESSON)


def needed(*arms: str) -> list[dict]:
    """The reference runs; fails where one of the arms has none."""
    found = reference()
    lacking = [name for name in arms if not shown.arm(found, name)]
    assert not lacking, f"there is no reference run of {', '.join(lacking)}: course sweep {LESSON}"
    return found


def seeds_of(found: list[dict], name: str) -> str:
    """How many seeds an arm has, in words."""
    count = len(shown.arm(found, name))
    return "one seed" if count == 1 else f"{count} seeds"


# ------------------------------------------------------------------ relatives, other readers, the other way


def against(found: Interval, what: str) -> str:
    if found.low > 0:
        return f"is better than {what}, by {signed(found)}"
    return (
        f"is worse than {what}: {signed(found)}" if found.high < 0 else f"cannot be told from {what}: {signed(found)}"
    )


def other_loss(name: str) -> str:
    """A relative of DPO on the same pairs and prompts."""
    found = needed(name)
    return f"On the same pairs and prompts {name} {against(shown.against_dpo(found, name), 'DPO')} ({seeds_of(found, name)})"


def ipo() -> str:
    """A fixed gap as the aim."""
    return other_loss("IPO")


def kto() -> str:
    """Single replies instead of pairs."""
    return other_loss("KTO")


def anchored() -> str:
    """DPO with the chosen reply's own loss."""
    found = needed("DPO + SFT")
    chosen = shown.mean(found, "DPO + SFT", "chosen")
    plain = mean_interval(shown.arm(found, "DPO")[0]["chosen"])
    return (
        f"With the anchor the held-out chosen replies move by {signed(chosen, 1)} nats instead of {signed(plain, 1)}, and the true score "
        f"{against(shown.against_dpo(found, 'DPO + SFT'), 'that of DPO alone')} ({seeds_of(found, 'DPO + SFT')})"
    )


def fair_readers() -> str:
    """The control of the readers' bias."""
    found = needed("unbiased readers")
    calm = [100 * shown.harmless(found, name).value for name in ("unbiased readers", "DPO")]
    return (
        f"With the labels of unbiased readers the true score changes by {signed(shown.gain(found, 'unbiased readers'))}, and "
        f"{calm[0]:.0f} % of the briefs neither shout nor advise ({seeds_of(found, 'unbiased readers')}); with biased ones it is {calm[1]:.0f} %"
    )


def wrong_reference() -> str:
    """DPO held against the base model, to the end."""
    found = needed("base as reference")
    first = shown.arm(found, "base as reference")[0]["losses"][0]
    assert abs(first - math.log(2)) > 0.02
    return (
        f"Carried through, the run with the base as reference starts at a loss of {first:.3f}, and its true score "
        f"{against(shown.against_dpo(found, 'base as reference'), 'that of DPO')} ({seeds_of(found, 'base as reference')})"
    )


def beside_rloo() -> str:
    """DPO against RLOO through the reward model, with either kind of readers."""
    found, other = needed("unbiased readers"), runs("12_rlhf")
    told = [shown.against_rloo(found, other, name, readers) for readers, name in shown.READERS.items()]
    counts = [
        min(len(shown.arm(found, name)), len(shown.rloo(other, readers))) for readers, name in shown.READERS.items()
    ]
    seeds = ["one seed" if count == 1 else f"{count} seeds" for count in counts]
    return (
        f"With biased readers DPO {against(told[0], 'RLOO')} ({seeds[0]}); with unbiased ones DPO "
        f"{against(told[1], 'RLOO')} ({seeds[1]})"
    )


def beside_rloo_on_all_pairs() -> str:
    """The same with all the pairs that the reward model read, which is also about as much computing."""
    found, other = needed(*shown.ALL_PAIRS.values()), runs("12_rlhf")
    told = [shown.against_rloo(found, other, name, readers) for readers, name in shown.ALL_PAIRS.items()]
    gains = [shown.gain(found, name) for name in shown.ALL_PAIRS.values()]
    calm = 100 * shown.harmless(found, shown.ALL_PAIRS["biased"]).value
    return (
        f"With all 1,920 pairs the true score changes by {signed(gains[0])} with biased readers and by {signed(gains[1])} with unbiased ones. With "
        f"biased readers DPO {against(told[0], 'RLOO')}, and {calm:.0f} % of its briefs neither shout nor advise; with unbiased ones DPO "
        f"{against(told[1], 'RLOO')} ({seeds_of(found, shown.ALL_PAIRS['biased'])})"
    )


def what_it_costs() -> str:
    """Pairs, samples and token passes of either way."""
    found = shown.bill(reference(), runs("12_rlhf"))
    dpo, rloo = found["DPO"], found["RLOO"]
    assert rloo["policy"] + rloo["reward model"] > 2 * dpo["policy"]
    return (
        f"A DPO run reads {dpo['pairs']:,} labelled pairs and samples nothing; RLOO samples {rloo['sampled']:,} replies, and its reward model "
        f"has read {rloo['pairs']:,} pairs, {rloo['pairs'] / dpo['pairs']:.0f} times as many. In token passes, sampling counted, it is {dpo['policy']:.1f} million against "
        f"{rloo['policy']:.1f} million for the policy and {rloo['reward model']:.1f} million for the reward model; DPO on all the pairs takes "
        f"{found['DPO, all pairs']['policy']:.1f} million"
    )


# ------------------------------------------------------------------ what was expected


def expectation_1() -> str:
    found = reference()
    rise, coin = shown.gain(found, "DPO"), shown.gain(found, "coin")
    ok = rise.low > 0 >= coin.low
    noise = "*lower* it" if coin.high < 0 else "do not raise it"
    return (
        f"**1** is {'' if ok else 'not '}confirmed: the true score changes by {signed(rise)}; labels by a coin {noise}: {signed(coin)} "
        f"({seeds_of(found, 'coin')})"
    )


def expectation_2() -> str:
    found = reference()
    fell, rise = shown.mean(found, "DPO", "chosen"), shown.gain(found, "DPO")
    assert fell.high < 0
    rest = "and the briefs become better" if rise.low > 0 else "that the briefs become better is as open as the first"
    return f"**2** holds for the likelihood, which falls by {fell.scaled(-1):.1f} nats; {rest}"


def expectation_3() -> str:
    found = shown.one_seed(reference())
    worse = shown.gain(found, "swapped")
    ends = [[sum(m["losses"][-10:]) / 10 for m in shown.arm(found, name)] for name in ("DPO", "swapped")]
    loss = [sum(values) / len(values) for values in ends]
    assert worse.high < 0 and abs(loss[0] - loss[1]) < 0.05
    return f"**3** holds: the trainer's last losses hardly differ ({loss[0]:.3f} and {loss[1]:.3f}), and the true score changes by {signed(worse)}"


def expectation_4() -> str:
    found = shown.one_seed(reference())
    own = [shown.mean(found, "DPO", "own", b).value for b in sorted([BETA, *BETAS])]
    assert own == sorted(own, reverse=True)
    return "**4** holds by the means: the smaller β, the further; but 0.01 and 0.1 are not told apart by their scores"


def expectation_5() -> str:
    seen = shown.picks(reference())
    return f"**5** is {'' if seen.low > 0.5 else 'not '}confirmed: {percent(seen, 0)} of the held-out pairs"


FINDINGS = [
    ipo, kto, anchored, fair_readers, wrong_reference, beside_rloo, beside_rloo_on_all_pairs, what_it_costs, expectation_1, expectation_2, expectation_3, expectation_4, expectation_5,
]  # fmt: skip
