"""What lesson 14 says about its measurements, recomputed from the committed reference runs."""

from __future__ import annotations

from ...measure.statistics import Interval
from ..claims import percent, points, signed
from ..real.claims import judge as real
from ..real.claims import rlaif as real_policy
from ..reference import runs
from . import shown
from .constitution import RULES
from .experiments import LESSON


def _dpo() -> list[dict]:
    return runs("13_dpo")


def _points(found: Interval) -> str:
    return points(found).replace("-", "−")


def faults() -> str:
    """Planted faults, over all rules."""
    one, pair = (shown.right(runs(LESSON), way, "constitution") for way in shown.TITLES)
    assert one.low > 0.5
    return (
        f"Reading one brief at a time, the judge finds the brief that keeps the rule in {percent(one, 0)} of the pairs; "
        f"comparing two at once, in {percent(pair, 0)}"
    )


def controls() -> str:
    """Without rules, and with their words shuffled."""
    deleted, shuffled = (shown.right(runs(LESSON), "one", c) for c in ("deleted", "shuffled"))
    return f"Without any rule it is right in {percent(deleted, 0)}, with shuffled words in {percent(shuffled, 0)}"


def by_rule() -> str:
    """The easiest and the hardest rule."""
    found = {rule: shown.right(runs(LESSON), "one", "constitution", rule) for rule in RULES}
    easy, hard = (pick(found, key=lambda rule: found[rule].value) for pick in (max, min))
    return f"The easiest rule is *{easy}* ({percent(found[easy], 0)}), the hardest *{hard}* ({percent(found[hard], 0)})"


def own_of_two() -> str:
    """The rule on which the judge of pairs fails."""
    found = shown.right(runs(LESSON), "pair", "constitution", "own")
    assert found.low < 0.5 < found.high
    return f"Asked of two briefs, *own* cannot be told from a coin: {percent(found, 0)}"


def kappa_truth() -> str:
    """Agreement with the truth, beside the readers'."""
    gold, readers = shown.agreement(runs(LESSON), "one", "constitution", "gold"), shown.readers_agreement(runs(LESSON))
    more = shown.closer_than_readers(runs(LESSON))
    assert more.low > 0
    return (
        f"The judge's kappa with the truth is {signed(gold, 2)}, the readers' own is {signed(readers, 2)}; paired by pair the judge's is higher by "
        f"{signed(more, 2)}"
    )


def kappa_readers() -> str:
    """Agreement with the readers."""
    return f"With the readers it is {signed(shown.agreement(runs(LESSON), 'one', 'constitution', 'readers'), 2)}"


def kappa_controls() -> str:
    """Agreement of the controls with the truth."""
    deleted, shuffled = (shown.agreement(runs(LESSON), "one", c, "gold") for c in ("deleted", "shuffled"))
    return f"Without its rules the judge agrees with the truth by {signed(deleted, 2)}, with shuffled words by {signed(shuffled, 2)}"


def hype() -> str:
    """Why the judge without rules goes against the readers: it asks nothing but whether a brief shouts."""
    found = {who: shown.quiet_preferred(runs(LESSON), who) for who in ("readers", "deleted", "constitution", "gold")}
    (liked, n), (deleted, _), (judged, _), (gold, decided) = found.values()
    assert deleted > 0.9 * n and n - liked > 0.9 * n and judged < deleted
    return (
        f"In {n} of the test pairs one brief shouts and the other does not. The readers choose the shouting one in {100 * (n - liked) / n:.0f} % of them, "
        f"the judge without rules the quiet one in {100 * deleted / n:.0f} %, with its rules in {100 * judged / n:.0f} %; the truth prefers the quiet one in "
        f"{100 * gold / decided:.0f} % of those {decided} that it decides"
    )


def undecided() -> str:
    """Where the place decides."""
    turned, others = shown.undecided(runs(LESSON))
    assert turned < others / 2
    return f"The mean of the two answers has a median size of {turned:.1f} where the verdict turns, and of {others:.1f} elsewhere"


def place() -> str:
    """The bias for a place."""
    return (
        f"{percent(shown.turns(runs(LESSON)), 0)} of the verdicts turn when the two briefs change places, and the judge says A in "
        f"{percent(shown.says_a(runs(LESSON)), 0)} of all answers"
    )


def swapped() -> str:
    """Asking twice."""
    once, twice = (shown.agreement(runs(LESSON), "pair", c, "gold") for c in ("a", "constitution"))
    return f"Kappa with the truth is {signed(once, 2)} in one order and {signed(twice, 2)} over both"


def one_or_two() -> str:
    """The two ways to ask."""
    one, pair = (shown.agreement(runs(LESSON), way, "constitution", "gold") for way in shown.TITLES)
    return f"Asked about one brief at a time there is no place to prefer, and kappa is {signed(one, 2)} against {signed(pair, 2)}"


def shortcut() -> str:
    """One fault a brief in training: right on planted faults, worthless on real briefs."""
    found = runs(LESSON)
    right = shown.apart(found, "single")
    kappas = {judge: shown.agreement(found, judge, "constitution", "gold") for judge in ("single", "one")}
    assert right.low > 0.9 and kappas["single"].high < kappas["one"].low
    return (
        f"Trained on briefs with one fault each, the judge is right on such briefs in {percent(right, 0)} of the pairs, and its kappa with the truth on the "
        f"writer's own briefs is {signed(kappas['single'], 2)}; trained on faults that were planted independently, {signed(kappas['one'], 2)}"
    )


def believed() -> str:
    """Why: shouting is taken as a sign of truth."""
    found = runs(LESSON)
    single, one = (shown.shouting_believed(found, judge) for judge in ("single", "one"))
    assert single.value > one.value
    return f"Where one of two briefs shouts, it finds the shouting one *truer* in {percent(single, 0)} of the pairs; the other judge does so in {percent(one, 0)}"


def ai_readers() -> str:
    """True score: AI labels beside the readers'."""
    found, dpo = runs(LESSON), _dpo()
    ai, readers = (shown.against(found, dpo, name, "SFT") for name in ("AI", "readers"))
    both, seeds = shown.against(found, dpo, "AI", "readers"), len(shown.arm(found, dpo, "AI"))
    return (
        f"Over {seeds} seeds AI labels change the writer's true score by {signed(ai, 3)}, the readers' labels by {signed(readers, 3)}; "
        f"paired by seed and prompt, AI less readers is {signed(both, 3)}"
    )


def ai_harmless() -> str:
    """Harmlessness: AI labels beside the readers'."""
    found, dpo = runs(LESSON), _dpo()
    rates = {name: shown.harmless_rate(found, dpo, name) for name in ("SFT", "readers", "AI")}
    told = ", ".join(f"{percent(rates[n], 0)} {t}" for n, t in (("SFT", "of the writer's briefs"), ("readers", "after the readers' labels"), ("AI", "after AI labels")))  # fmt: skip
    return f"Harmless are {told}; AI less readers is {_points(shown.against(found, dpo, 'AI', 'readers', 'harmless'))}"


def mixed() -> str:
    """Half and half."""
    found, dpo = runs(LESSON), _dpo()
    return (
        f"Half AI, half readers: {signed(shown.against(found, dpo, 'mixed', 'SFT'), 3)} over the writer, "
        f"{percent(shown.harmless_rate(found, dpo, 'mixed'), 0)} harmless"
    )


def length() -> str:
    """The judge that counts words."""
    found, dpo = runs(LESSON), _dpo()
    before, after = (shown.words(found, dpo, name) for name in ("SFT", "length"))
    change = shown.against(found, dpo, "length", "SFT")
    assert after > before
    return f"Briefs grow from {before:.1f} to {after:.1f} words, and the true score changes by {signed(change, 3)} (one seed)"


def circle() -> str:
    """The judge's own verdict and the truth."""
    found, dpo = runs(LESSON), _dpo()
    own, truth = shown.judged_wins(found, "AI"), shown.true_wins(found, dpo, "AI")
    assert own.low < truth.value < own.high
    return (
        f"The judge prefers the policy that it has trained to the writer in {percent(own, 0)} of prompts; by the true score it wins in {percent(truth, 0)}. "
        "Here the two agree: this judge did not flatter its pupil"
    )


def outcome() -> str:
    """What became of the five expectations."""
    found, dpo = runs(LESSON), _dpo()
    seen = {c: shown.right(found, "one", c) for c in shown.CONDITIONS}
    gold, readers = shown.agreement(found, "one", "constitution", "gold"), shown.readers_agreement(found)
    assert seen["constitution"].low > max(seen["shuffled"].high, seen["deleted"].high)
    assert shown.turns(found).value > 0.1
    assert gold.value > readers.value > 0
    clean, score = (shown.against(found, dpo, "AI", "readers", field) for field in ("harmless", "scores"))
    assert clean.low > 0 and score.low > 0
    return (
        "The first two and the fourth came true. The third did not: the judge agrees with the truth *more* than the readers do. "
        "And the fifth is refuted: AI labels beat the readers' labels"
    )


CLAIMS = [
    real_policy,
    faults, controls, by_rule, own_of_two, kappa_truth, kappa_readers, kappa_controls, hype, place, undecided, swapped, one_or_two, shortcut, believed, ai_readers, ai_harmless, mixed,
    length, circle, outcome, real,
]  # fmt: skip
