"""What lesson 11 says about its measurements."""

from __future__ import annotations

import math
import re

from ...data.preferences import load_preferences
from ...measure.preferences import kappa
from ...measure.statistics import Interval, difference_interval, mean_interval
from .. import reference
from ..claims import percent, printed
from ..real.claims import reward_model as real
from .experiments import COUNTS, KEPT, LESSON, NOISES, SIZES, TAU


def metrics(**wanted) -> list[dict]:
    """The metrics of the runs whose key holds all this."""
    return [r["metrics"] for r in reference.runs(LESSON, **wanted)]


def agreement(found: list[dict]) -> Interval:
    """Agreement with the readers over seeds and test pairs."""
    return mean_interval([[int(bit) for bit in m["right"]] for m in found])


def test_pairs() -> int:
    return len(metrics(part="reward", labels="reader")[0]["right"])


def kappas() -> str:
    known = [row for row in load_preferences()["test"] if row["gold"]]
    gold, reader, unbiased = ([side(row, judge) for row in known] for judge in ("gold", "reader", "unbiased"))
    assert kappa(gold, unbiased) > kappa(gold, reader) > 0
    return (
        f"Over all {len(known)} test pairs without a tie the biased readers' kappa with the true score is {kappa(gold, reader):.2f}, "
        f"that of the unbiased ones {kappa(gold, unbiased):.2f}."
    )


def twenty() -> str:
    """Half the width of a kappa's interval for twenty pairs: at the readers' agreement with the true score, chance at one half."""
    known = [row for row in load_preferences()["test"] if row["gold"]]
    agree = sum(row["gold"] == row["reader"] for row in known) / len(known)
    off = 1.96 * math.sqrt(agree * (1 - agree) / 20) / 0.5
    return f"a kappa of twenty pairs is easily off by {off:.1f}"


def side(row: dict, judge: str) -> str:
    """Whom a judge prefers, as A or B in an order that says nothing: the alphabet's."""
    first = row[row[judge]] == min(row["chosen"], row["rejected"])
    return "A" if first else "B"


def by_pairs() -> str:
    found = {size: metrics(part="reward", labels="reader", pairs=size) for size in SIZES}
    values = {size: agreement(m) for size, m in found.items()}
    possible = found[SIZES[-1]][0]["possible"]
    assert values[SIZES[-1]].low > values[SIZES[0]].value
    least, most = SIZES[0], SIZES[-1]
    return (
        f"With {least} pairs the model agrees with its readers in {percent(values[least])} of unseen pairs, with {most:,} in "
        f"{percent(values[most])}; the best possible is {100 * possible:.1f} %."
    )


def head_only() -> str:
    alone = metrics(part="head only")
    both = metrics(part="reward", labels="reader", pairs=SIZES[-1])
    bits = [[[int(bit) for bit in m["right"]] for m in found] for found in (both, alone * len(both))]
    gain = difference_interval(*bits)
    assert gain.value > 0
    return (
        f"With {SIZES[-1]:,} pairs the head alone reaches {percent(agreement(alone))}, head and body together {percent(agreement(both))}: "
        f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})."
    )


def control() -> str:
    found = metrics(part="reward", labels="shuffled")
    coin = agreement(found)
    assert coin.low < 0.5 < coin.high
    single = sorted(100 * m["agreement"] for m in found)
    return (
        f"The control, taught by a coin, is right in {percent(coin)}, and its seeds in {single[0]:.1f} to {single[-1]:.1f} %: a coin teaches no "
        "order that holds, but each run learns some order, and that agrees with the readers more or less by luck."
    )


def noise() -> str:
    said, reached, possible = [], [], []
    for tau in (NOISES[0], TAU, NOISES[1]):
        wanted = {"part": "reward", "labels": "reader"} if tau == TAU else {"part": "noise", "tau": tau}
        found = metrics(pairs=480, seed=0, **wanted)
        reached.append(100 * agreement(found).value)
        possible.append(100 * found[0]["possible"])
        said.append(f"{reached[-1]:.1f} of {possible[-1]:.1f} % at τ = {tau}")
    assert possible[0] - possible[2] > 2 * (reached[0] - reached[2])
    return (
        f"It reaches {said[0]}, {said[1]} and {said[2]}: noise lowers what is possible more than what so few pairs teach. "
        f"With careful readers {possible[0] - reached[0]:.0f} points are left to learn, with careless ones {possible[2] - reached[2]:.0f}."
    )


def calibration() -> str:
    found = metrics(part="reward", labels="reader", pairs=SIZES[-1], seed=0)[0]
    sure = [1 / (1 + math.exp(-abs(gap))) for gap in found["gaps"]]
    came = sum(map(int, found["right"])) / len(sure)
    says = sum(sure) / len(sure)
    return f"On average it says {100 * says:.1f} % and is right in {100 * came:.1f} %."


def likes() -> str:
    shares = {kind: metrics(part="reward", labels=kind, pairs=SIZES[-1]) for kind in KEPT}
    loud = {kind: sum(m["likes"]["shouting"] for m in found) / len(found) for kind, found in shares.items()}
    assert loud["reader"] > 0.5 > loud["unbiased"]
    return (
        f"Over the seeds, the model of biased readers likes the shouting brief best for {100 * loud['reader']:.0f} % of the items, "
        f"the model of unbiased readers for {100 * loud['unbiased']:.0f} %."
    )


def both_accuracies() -> str:
    one, other = (agreement(metrics(part="reward", labels=kind, pairs=SIZES[-1])) for kind in KEPT)
    return f"each agrees with its own readers, in {percent(one)} and {percent(other)} of pairs."


def best_of_n() -> str:
    found = metrics(part="best of n")[0]
    most = COUNTS[-1]
    one = mean_interval(found["gold_gold_1"])
    gold, fair = (mean_interval(found[f"{judge}_gold_{most}"]) for judge in ("gold", "unbiased"))
    assert gold.low > fair.high and fair.low > one.high
    return (
        f"A single sample has a true score of {one.value:.2f}. The best of sixteen by the true score itself has {gold.value:.2f}, by the "
        f"model of unbiased readers {fair.value:.2f}."
    )


def best_by_the_biased() -> str:
    found = metrics(part="best of n")[0]
    most, top = COUNTS[-1], 4
    rise = difference_interval(found[f"reader_gold_{top}"], found["reader_gold_1"])
    fall = difference_interval(found[f"reader_gold_{most}"], found["reader_gold_1"])
    assert rise.low > 0 > fall.high
    loud = 100 * found[f"reader_loud_{most}"]
    return (
        f"By the model of biased readers the true score first rises, by {rise.value:.3f} "
        f"({rise.low:.3f} to {rise.high:.3f}) with four to choose from, and then falls below a single sample, by {-fall.value:.3f} "
        f"({-fall.high:.3f} to {-fall.low:.3f}) with sixteen, of which it picks a shouting one for {loud:.0f} % of the prompts."
    )


def no_models() -> str:
    found = metrics(part="best of n")[0]
    greedy, lead, brief = (mean_interval(found[f"written_{name}"]) for name in ("greedy", "lead", "brief"))
    assert brief.low > lead.high and lead.low > 0
    return (
        f"On the same items the writer's most likely brief has {greedy.value:.2f}, the item's first sentence, copied, {lead.value:.2f}, and "
        f"the newspaper's own brief {brief.value:.2f}."
    )


def said(pattern: str) -> tuple[float, ...]:
    """The figures that the committed notebook printed where `pattern` matches, one for each group."""
    match = re.search(pattern, printed(LESSON))
    assert match, f"the notebook no longer prints {pattern}"
    return tuple(float(figure) for figure in match.groups())


def your_favourite() -> str:
    """What the notebook's own run likes best."""
    loud, sound = said(r"shouting +\d+ +\d+ +(\d+)")[0], said(r"sound brief +\d+ +\d+ +(\d+)")[0]
    assert loud > 50 > sound
    return f"The run above, after 960 pairs, likes the shouting one best for {loud:.0f} % of fifty items."


def padding() -> str:
    """The score read at the padding."""
    right, wrong = said(r"names the padding: (\S+) % right\nconfig names the end mark: (\S+) % right")
    assert right > wrong + 5
    return f"With the end mark named as padding {right:.1f} % become {wrong:.1f} %, and no error is raised."


def head_lost() -> str:
    """The same body with other heads."""
    own, *new = said(r"its own head (\d+) % right\nfive new heads (\d+), (\d+), (\d+), (\d+), (\d+) % right")
    assert new[-1] - new[0] > 10
    return f"On sixty pairs its own head has {own:.0f} % right, the new ones from {new[0]:.0f} to {new[-1]:.0f} %: such a head orders pairs by luck."


def summary() -> str:
    own, true = {}, {}
    for kind in KEPT:
        found = metrics(part="reward", labels=kind, pairs=SIZES[-1])
        own[kind] = 100 * agreement(found).value
        true[kind] = [100 * m["true_agreement"] for m in found]
    assert min(true["unbiased"]) > max(true["reader"]) + 5
    biased = true["reader"]
    return (
        f"After {SIZES[-1]:,} pairs the models of biased readers agree with their readers in {own['reader']:.0f} % of new pairs, that of unbiased "
        f"readers with its own in {own['unbiased']:.0f} %; with the true score they agree in {min(biased):.0f} to {max(biased):.0f} % and in "
        f"{true['unbiased'][0]:.0f} %."
    )


CLAIMS = [
    real,
    kappas,
    head_only,
    by_pairs,
    control,
    noise,
    calibration,
    likes,
    both_accuracies,
    best_of_n,
    best_by_the_biased,
    twenty,
    your_favourite,
    padding,
    head_lost,
    no_models,
    summary,
]
