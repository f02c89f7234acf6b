"""What lesson 13 says about its measurements, recomputed from the committed reference runs and from what its notebook printed."""

from __future__ import annotations

import math
import re

from ...measure.statistics import Interval, difference_interval, mean_interval
from ..claims import percent, printed, signed
from ..real.claims import dpo as real
from ..reference import runs
from . import shown
from .experiments import BETA, BETAS, LESSON, STEPS
from .findings import FINDINGS, reference, seeds_of


def rise() -> str:
    """The primary endpoint."""
    found = reference()
    gain, won, seeds = shown.gain(found, "DPO"), shown.wins(found, "DPO"), len(shown.arm(found, "DPO"))
    before, after = shown.mean(found, "SFT", "scores").value, shown.mean(found, "DPO", "scores").value
    assert gain.value > 0
    verdict = "an interval that excludes 0" if gain.low > 0 else "an interval that does not exclude 0"
    return (
        f"Over {seeds} seeds of {STEPS} steps the true score at temperature 1 goes from {before:.3f} to {after:.3f}, {signed(gain)}: {verdict}. "
        f"The new reply beats the writer's to the same prompt in {percent(won, 0)} of cases, ties counted as half"
    )


def coin() -> str:
    """The control."""
    found = reference()
    gain = shown.gain(found, "coin")
    assert gain.low <= 0, "labels by coin must not raise the true score beyond their interval"
    return f"With labels by coin the change is {signed(gain)}"


def fell() -> str:
    """The central finding."""
    found = reference()
    chosen, rejected, own = (shown.mean(found, "DPO", field) for field in ("chosen", "rejected", "own"))
    assert chosen.high < 0 < own.low and rejected.value < chosen.value
    return (
        f"In the reference runs the held-out chosen replies lose {chosen.scaled(-1):.1f} nats, the rejected ones {rejected.scaled(-1):.1f}, and the "
        f"replies that the trained policy writes itself stand at {own.value:+.1f}"
    )


def chosen_only() -> str:
    """Without a rejected reply: the chosen ones and the score."""
    found = reference()
    chosen, gain = shown.mean(found, "chosen only", "chosen"), shown.gain(found, "chosen only")
    assert abs(chosen.value) < abs(shown.mean(found, "DPO", "chosen").value)
    return f"Supervised fine-tuning on the chosen replies alone changes their held-out likelihood by {signed(chosen, 1)} nats and the true score by {signed(gain)} (one seed)"


def betas() -> str:
    """How far the policy goes with each beta."""
    found = shown.one_seed(reference())
    own = {b: shown.mean(found, "DPO", "own", b).value for b in sorted([BETA, *BETAS])}
    assert list(own.values()) == sorted(own.values(), reverse=True)
    told = ", ".join(f"{value:.1f} nats at β = {b:g}" for b, value in own.items())
    return f"The divergence of its own replies is {told}"


def swapped() -> str:
    """The trainer's log against the truth."""
    found = reference()
    gain = shown.gain(found, "swapped")
    assert gain.high < 0
    words = shown.arm(found, "swapped")[0]["words"]
    before = shown.arm(found, "SFT")[0]["words"]
    return f"Swapped labels change the true score by {signed(gain)}, and briefs grow from {before:.1f} to {words:.1f} words"


def beta_scores() -> str:
    """Whether the true score tells the betas apart."""
    found = shown.one_seed(reference())
    told = [f"{mean_of.value:.3f} ({mean_of.low:.3f} to {mean_of.high:.3f}) at β = {b:g}" for b in sorted([BETA, *BETAS]) for mean_of in [shown.mean(found, "DPO", "scores", b)]]  # fmt: skip
    return "The true score is " + ", ".join(told)


def implicit() -> str:
    """The implicit reward on held-out pairs, beside lesson 11's reward models on the same ones."""
    found = reference()
    seen, count = shown.picks(found), len(shown.arm(found, "DPO")[0]["chosen"])
    trained = []
    for pairs in (480, 1920):
        rows = runs("11_reward_model", part="reward", labels="reader", pairs=pairs)
        trained.append(mean_interval([[int(bit) for bit in r["metrics"]["right"][:count]] for r in rows]))
    assert trained[1].value > seen.value
    return (
        f"the implicit reward picks the readers' choice in {percent(seen, 0)} of the {count} held-out pairs, over {seeds_of(found, 'DPO')}. "
        f"On the same pairs lesson 11's reward model is right in {percent(trained[0], 0)} after 480 pairs and in "
        f"{percent(trained[1], 0)} after 1,920"
    )


def harmless() -> str:
    """The readers' bias, seen in the replies."""
    before, after = (100 * shown.harmless(reference(), name).value for name in ("SFT", "DPO"))
    assert after < before
    return f"Briefs that neither shout nor advise fall from {before:.0f} to {after:.0f} %"


def rate() -> str:
    """Half the rate."""
    found = reference()
    half, whole = shown.mean(found, "half the rate", "chosen").value, shown.mean(found, "DPO", "chosen").value
    assert whole < half < 0
    return f"At half the rate the chosen replies fall by {-half:.1f} nats instead of {-whole:.1f}, and the true score changes by {signed(shown.gain(found, 'half the rate'))}"


def loss_hardly_falls() -> str:
    """Why the student's progress lines look as if nothing were learnt."""
    last = [sum(m["losses"][-10:]) / 10 for m in shown.arm(reference(), "DPO")]
    batches = [loss for m in shown.arm(reference(), "DPO") for loss in m["losses"][-10:]]
    assert sum(last) / len(last) < math.log(2) and max(batches) > math.log(2)
    return (
        f"in the reference runs the last ten steps have {sum(last) / len(last):.3f} on average, and single ones of them "
        f"{min(batches):.2f} to {max(batches):.2f}"
    )


def live_run() -> str:
    """The student's own run."""
    line = re.search(r"true score: .* difference (-?[\d.]+) \((-?[\d.]+) to (-?[\d.]+)\)", printed(LESSON))
    found = Interval(*map(float, line.groups()))
    verdict = "shows a rise" if found.low > 0 else "does not show a rise"
    return f"This one run {verdict}: {signed(found)}"


def identity() -> str:
    """The two estimates of one divergence."""
    paired, fresh = (
        Interval(*map(float, values))
        for values in re.findall(
            r"^−KL\(π_ref ‖ π\), from .*: +(-?[\d.]+) \((-?[\d.]+) to (-?[\d.]+)\)", printed(LESSON), re.M
        )
    )
    assert paired.high > fresh.low and fresh.high > paired.low and max(paired.high, fresh.high) < 0
    return f"They agree within their intervals: {paired.value:.1f} and {fresh.value:.1f} nats".replace("-", "−")


def poor_ones_fall() -> str:
    """The chosen replies with the highest true scores against the others, over the seeds."""
    from .experiments import held_out

    rows, arms = held_out(), shown.arm(reference(), "DPO")
    order = sorted(range(len(rows)), key=lambda i: rows[i]["gold_chosen"])
    third = len(order) // 3
    best, others = (mean_interval([[m["chosen"][i] for i in places] for m in arms]) for places in (order[-third:], order[:-third]))  # fmt: skip
    assert others.high < best.low
    return (
        f"Over {seeds_of(reference(), 'DPO')} the chosen replies in the highest third move by {signed(best, 1)} nats, those in the other two "
        f"thirds by {signed(others, 1)}"
    )


def no_overlap() -> str:
    """Reason 3 on the writer's first batch."""
    cosine = float(re.search(r"u·v .* cosine (-?[\d.]+)", printed(LESSON))[1])
    assert abs(cosine) < 0.1
    return f"the two directions hardly overlap (cosine {cosine:.2f})".replace("-", "−")


def fell_with_any_labels() -> str:
    """The chosen replies' likelihood tells nothing about the labels."""
    found = reference()
    dpo, coin, swapped = (shown.mean(found, name, "chosen").value for name in ("DPO", "coin", "swapped"))
    assert max(dpo, coin, swapped) < 0
    return (
        f"The held-out chosen replies fall by {-dpo:.1f} nats with the readers' labels, by {-coin:.1f} with a coin's and by "
        f"{-swapped:.1f} with swapped ones"
    )


def betas_apart() -> str:
    """The betas on the same prompts and seed."""
    found = reference()
    middle = [m["scores"] for m in shown.arm(found, "DPO")][:1]
    low, high = ([m["scores"] for m in shown.arm(found, "DPO", b)] for b in BETAS)
    small, large = difference_interval(middle, low), difference_interval(middle, high)
    assert small.low <= 0 <= small.high and large.low > 0
    return (
        f"On the same prompts β = {BETA:g} is better than β = {BETAS[1]:g}, by {signed(large)}, and cannot be told from β = {BETAS[0]:g}: "
        f"{signed(small)} (one seed)"
    )


def length() -> str:
    """Length and margin on the held-out pairs of the student's run."""
    out = printed(LESSON)
    longer = float(re.search(r"the chosen reply is longer by (-?[\d.]+) tokens", out)[1])
    tied = float(re.search(r"correlation of the margin with that difference: (-?[\d.]+)", out)[1])
    before, after = map(float, re.search(r"words a brief: ([\d.]+) before, ([\d.]+) after", out).groups())
    assert longer > 0 and tied < -0.2 and after <= before
    return (
        f"The chosen reply is the longer one, by {longer:.1f} tokens on average, and the more so, the smaller is the margin (correlation "
        f"{tied:.2f}): a longer reply has more nats to lose. The policy's own briefs have not become longer: {before:.1f} words before, "
        f"{after:.1f} after"
    ).replace("(correlation -", "(correlation −")


CLAIMS = [
    real,
    rise, coin, fell, chosen_only, betas, beta_scores, betas_apart, swapped, harmless, implicit, rate, loss_hardly_falls, live_run,
    identity, poor_ones_fall, no_overlap, fell_with_any_labels, length, *FINDINGS,
]  # fmt: skip
