"""What lesson 11 says about its measurements."""

from __future__ import annotations

import math

from ...data.preferences import load_preferences
from ...measure.statistics import Interval, difference_interval, mean_interval
from .. import reference
from .experiments import COUNTS, KEPT, LESSON, NOISES, SIZES, TAU, kappa


def metrics(**wanted) -> list[dict]:
    """The metrics of the runs whose key holds all this."""
    return [r["metrics"] for r in reference.runs(LESSON) if wanted.items() <= r["key"].items()]


def agreement(found: list[dict]) -> Interval:
    """Agreement with the readers over seeds and test pairs."""
    return mean_interval([[int(bit) for bit in m["right"]] for m in found])


def percent(interval: Interval) -> str:
    """A share with its interval, in per cent."""
    return f"{100 * interval.value:.1f} % ({100 * interval.low:.1f}–{100 * interval.high:.1f})"


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


def control() -> str:
    coin = agreement(metrics(part="reward", labels="shuffled"))
    assert coin.low < 0.5 < coin.high
    return f"The control, taught by a coin, is right in {percent(coin)}."


def noise() -> str:
    said = []
    for tau in (NOISES[0], TAU, NOISES[1]):
        wanted = {"part": "reward", "labels": "reader"} if tau == TAU else {"part": "noise", "tau": tau}
        found = metrics(pairs=480, seed=0, **wanted)
        said.append(f"{100 * agreement(found).value:.1f} of {100 * found[0]['possible']:.1f} % at τ = {tau}")
    return f"Noise lowers what is reached and what is possible together: {', '.join(said)}."


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
    ends = {judge: mean_interval(found[f"{judge}_gold_{most}"]) for judge in ("gold", *KEPT)}
    start = mean_interval(found["gold_gold_1"])
    gap = difference_interval(found[f"unbiased_gold_{most}"], found[f"reader_gold_{most}"])
    assert gap.low > 0
    loud = found[f"reader_loud_{most}"]
    return (
        f"A single sample has a true score of {start.value:.2f}. Of sixteen, the true score's own choice has "
        f"{ends['gold'].value:.2f}, that of the model of unbiased readers {ends['unbiased'].value:.2f}, and that of the model of biased "
        f"readers {ends['reader'].value:.2f}, {gap.value:.2f} ({gap.low:.2f}–{gap.high:.2f}) less; {100 * loud:.0f} % of its choices shout."
    )


CLAIMS = [kappas, by_pairs, control, noise, calibration, likes, both_accuracies, best_of_n]
