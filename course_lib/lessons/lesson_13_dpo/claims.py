"""What lesson 13 says about its measurements, recomputed from the committed reference runs."""

from __future__ import annotations

from ...measure.statistics import Interval
from ..claims import percent
from ..reference import runs
from . import shown
from .experiments import BETA, BETAS, LESSON, STEPS


def _found() -> list[dict]:
    return runs(LESSON)


def _said(found: Interval, digits: int = 3) -> str:
    return f"{found:+.{digits}f}".replace("-", "−")


def rise() -> str:
    """The primary endpoint."""
    found = _found()
    gain, won, seeds = shown.gain(found, "DPO"), shown.wins(found, "DPO"), len(shown.arm(found, "DPO"))
    before, after = shown.mean(found, "SFT", "scores").value, shown.mean(found, "DPO", "scores").value
    assert gain.value > 0
    verdict = "an interval that excludes 0" if gain.low > 0 else "an interval that does not exclude 0"
    return (
        f"Over {seeds} seeds of {STEPS} steps the true score at temperature 1 goes from {before:.3f} to {after:.3f}, {_said(gain)}: {verdict}. "
        f"The new reply beats the writer's to the same prompt in {percent(won, 0)} of cases, ties counted as half"
    )


def coin() -> str:
    """The control."""
    found = _found()
    gain = shown.gain(found, "coin")
    assert gain.low <= 0, "labels by coin must not raise the true score beyond their interval"
    return f"With labels by coin the change is {_said(gain)}"


def fell() -> str:
    """The central finding."""
    found = _found()
    chosen, rejected, own = (shown.mean(found, "DPO", field) for field in ("chosen", "rejected", "own"))
    assert chosen.high < 0 < own.low and rejected.value < chosen.value
    return (
        f"In the reference runs the held-out chosen replies lose {chosen.scaled(-1):.1f} nats, the rejected ones {rejected.scaled(-1):.1f}, and the "
        f"replies that the trained policy writes itself stand at {own.value:+.1f}"
    )


def chosen_only() -> str:
    """Without a rejected reply: the chosen ones and the score."""
    found = _found()
    chosen, gain = shown.mean(found, "chosen only", "chosen"), shown.gain(found, "chosen only")
    assert abs(chosen.value) < abs(shown.mean(found, "DPO", "chosen").value)
    return f"Supervised fine-tuning on the chosen replies alone changes their held-out likelihood by {_said(chosen, 1)} nats and the true score by {_said(gain)} (one seed)"


def betas() -> str:
    """How far the policy goes with each beta."""
    found = _found()
    own = {b: shown.mean(found, "DPO", "own", b).value for b in sorted([BETA, *BETAS])}
    assert list(own.values()) == sorted(own.values(), reverse=True)
    told = ", ".join(f"{value:.1f} nats at β = {b:g}" for b, value in own.items())
    return f"The divergence of its own replies is {told}"


def swapped() -> str:
    """The trainer's log against the truth."""
    found = _found()
    gain = shown.gain(found, "swapped")
    assert gain.high < 0
    words = shown.arm(found, "swapped")[0]["words"]
    before = shown.arm(found, "SFT")[0]["words"]
    return (
        f"Swapped labels change the true score by {_said(gain)}, and briefs grow from {before:.1f} to {words:.1f} words"
    )


def beta_scores() -> str:
    """Whether the true score tells the betas apart."""
    found = _found()
    told = [f"{mean_of.value:.3f} ({mean_of.low:.3f} to {mean_of.high:.3f}) at β = {b:g}" for b in sorted([BETA, *BETAS]) for mean_of in [shown.mean(found, "DPO", "scores", b)]]  # fmt: skip
    return "The true score is " + ", ".join(told)


def implicit() -> str:
    """The implicit reward on held-out pairs."""
    found = _found()
    seen = [shown.accuracy(m) for m in shown.arm(found, "DPO")]
    return f"the implicit reward picks the readers' choice in {100 * sum(seen) / len(seen):.0f} % of the held-out pairs over {len(seen)} seeds"


def harmless() -> str:
    """The readers' bias, seen in the replies."""
    before, after = (100 * shown.harmless(_found(), name).value for name in ("SFT", "DPO"))
    assert after < before
    return f"Briefs that neither shout nor advise fall from {before:.0f} to {after:.0f} %"


def rate() -> str:
    """Half the rate."""
    found = _found()
    half, whole = shown.mean(found, "half the rate", "chosen").value, shown.mean(found, "DPO", "chosen").value
    assert whole < half < 0
    return f"At half the rate the chosen replies fall by {-half:.1f} nats instead of {-whole:.1f}, and the true score changes by {_said(shown.gain(found, 'half the rate'))}"


CLAIMS = [rise, coin, fell, chosen_only, betas, beta_scores, swapped, harmless, implicit, rate]
