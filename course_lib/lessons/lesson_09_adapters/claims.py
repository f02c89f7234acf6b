"""What lesson 09 says about its measurements, recomputed from its reference runs and from what its cells printed."""

from __future__ import annotations

import re

from ...measure.statistics import difference_interval, mean_interval
from .. import claims
from . import figures
from .experiments import LESSON, STEPS, chosen
from .figures import compared as of

SEEDS = {1: "one seed", 2: "two seeds", 3: "three seeds", 4: "four seeds", 5: "five seeds"}


def percent(method: str) -> str:
    """`64.2 % (60.1 to 68.3)`."""
    return claims.percent(mean_interval(of(method)), between=" to ")


def rates() -> str:
    """Which rate was best for each."""
    mine, lora, full = (chosen(m) for m in ("adapters", "LoRA", "full fine-tuning"))
    return f"The rates that won: {mine:g} for the adapters, {lora:g} for LoRA, {full:g} for full fine-tuning."


def headline() -> str:
    """Adapters and LoRA with as many parameters."""
    difference = difference_interval(of("adapters"), of("LoRA"))
    assert difference.value < -0.02, "the adapters are no longer behind LoRA"
    return (
        f"On question the adapters are right in {percent('adapters')}, LoRA with as many parameters in {percent('LoRA')}: "
        f"{claims.points(difference)}, over {SEEDS[len(of('adapters'))]} and the same thousand items."
    )


def certainty() -> str:
    """Whether the interval of that difference excludes zero."""
    assert difference_interval(of("adapters"), of("LoRA")).high < 0
    return (
        "The interval excludes zero: with as many parameters and steps, adapters learn this task less well than LoRA."
    )


def against_full() -> str:
    """LoRA and full fine-tuning, on the seeds that both have."""
    full = of("full fine-tuning")
    difference = difference_interval(of("LoRA")[: len(full)], full)
    assert difference.low < 0 < difference.high
    return f"LoRA and full fine-tuning are not told apart: {claims.points(difference)}, over {SEEDS[len(full)]}."


def said(pattern: str) -> tuple[float, ...]:
    """The figures that the committed notebook printed where `pattern` matches, one for each group."""
    match = re.search(pattern, claims.printed(LESSON))
    assert match, f"the notebook no longer prints {pattern}"
    return tuple(float(figure.replace(",", "")) for figure in match.groups())


def placement() -> str:
    """Pfeiffer's placement against Houlsby's, the notebook's own run."""
    value, low, high = said(r"Pfeiffer minus Houlsby, your run: (\S+) points \((\S+) to (\S+)\)")
    assert low < 0 < high
    return (
        f"Pfeiffer's placement comes out at {value:+.1f} points ({low:+.1f} to {high:+.1f}): the interval includes zero, so one seed "
        "and two hundred items do not tell the placements apart."
    )


def stack() -> str:
    """Two adapters that were trained apart, one after the other."""
    alone, before, behind = said(
        r"stack: adapters: tone (\d+) %.*?section then tone (\d+) %.*?tone then section (\d+) %"
    )
    assert alone > 50 + max(before, behind)
    return (
        f"Alone the tone adapter is right in {alone:.0f} %. With the section adapter before it {before:.0f} % are left, with it behind "
        f"{behind:.0f} %: two adapters that were trained apart do not add up."
    )


def far_start() -> str:
    """The loss on news before any training, by start."""
    base, tiny, papers, tenth, one = said(
        r"base model +(\d\S+) nats.*\nstart 0\.001 +(\S+) .*\nstart 0\.01 +(\S+) .*\nstart 0\.1 +(\S+) .*\nstart 1 +(\S+) "
    )
    assert tiny == papers == base and one > 7.62 > tenth > 2 * base
    return (
        f"With 0.001 and the paper's 0.01 the loss is the base model's, {base:.2f}. With 0.1 it is {tenth:.2f}, with 1 it is {one:.2f}, "
        "far worse than guessing."
    )


def function_lost() -> str:
    """The same tensors under four functions."""
    gelu, relu, tanh, none = said(
        r"gelu +(\S+) % right.*\nrelu +(\S+) % right.*\ntanh +(\S+) % right.*\nidentity +(\S+) % right"
    )
    assert gelu >= relu > 10 + max(tanh, none)
    return (
        f"With GELU, as it was trained, {gelu:.1f} % are right. Tanh leaves {tanh:.1f} % and no function {none:.1f} %: that one notices. "
        f"ReLU, nearly the same curve, gives {relu:.1f} %: that one does not."
    )


def on_the_real_model() -> str:
    """The adapters of the real model."""
    right, low, high = said(r"hand-written, right +\S+ +(\S+) % \(([\d.]+)–([\d.]+)\)")
    (forgotten,) = said(r"forgetting, common English +\S+ +\+(\S+) nats")
    return (
        f"On the real model, 512 rows take the adapters to {right:.1f} % ({low:.1f} to {high:.1f}) of the hand-written sentences; they pay "
        f"for it with {forgotten:.1f} nats per token of common English."
    )


def expectations() -> str:
    """What came of the three expectations."""
    behind = 100 * difference_interval(of("adapters"), of("LoRA")).value
    full = of("full fine-tuning")
    ahead = 100 * difference_interval(full, of("LoRA")[: len(full)]).value
    placed = figures.pfeiffer()
    apart = difference_interval(placed, of("adapters")[: len(placed)])
    assert apart.low < 0 < apart.high
    assert -8 <= behind <= -2 and ahead > 0 and chosen("adapters") == chosen("LoRA")
    return (
        f"The first held: the adapters are {-behind:.1f} points behind LoRA, and full fine-tuning is ahead of both, of LoRA by {ahead:.1f} "
        f"points, which {SEEDS[len(full)]} cannot tell from none. Of the second {SEEDS[len(placed)]} cannot say: Pfeiffer minus Houlsby is {claims.points(apart)}. "
        "The third held by a tie."
    )


def placements() -> str:
    """Pfeiffer's placement over seeds."""
    placed = figures.pfeiffer()
    apart = difference_interval(placed, of("adapters")[: len(placed)])
    each = ", ".join(f"{100 * sum(row) / len(row):.1f}" for row in placed)
    assert apart.low < 0 < apart.high
    return (
        f"In the reference runs Pfeiffer's placement is right in {each} % over {SEEDS[len(placed)]}, {claims.points(apart)} from Houlsby's: "
        "the seeds differ more than the placements"
    )


def control() -> str:
    """Shuffled answers."""
    assert figures.control() < 0.05
    return f"The control, the same adapters trained on shuffled answers, is right in {100 * figures.control():.1f} %"


def starts_trained() -> str:
    """What a careless start costs after training."""
    found = {name: 100 * m["right"] for name, m in figures.settings().items()}
    usual, near, far, linear = found.values()
    assert far < 10 < linear < usual
    return (
        f"Training does not repair it: after the same {STEPS['question']} steps the start at 1 is right in {far:.1f} % of the validation items, the start at 0.01 in {usual:.1f} % "
        f"and the start at 0.001 in {near:.1f} %. Without a function in the middle {linear:.1f} % are left"
    )


def relatives() -> str:
    """How right the relatives are."""
    found = {name: 100 * f.value for name, f in figures.relatives().items()}
    return ", ".join(f"{name} {value:.1f} %" for name, value in found.items()) + " of 500 test items"


def summary() -> str:
    """The headline once more."""
    difference = difference_interval(of("adapters"), of("LoRA"))
    return f"On question, with as many parameters as LoRA of rank 8, it ends at {claims.points(difference)} from LoRA."


CLAIMS = [
    rates,
    headline,
    certainty,
    against_full,
    placement,
    placements,
    control,
    starts_trained,
    relatives,
    stack,
    far_start,
    function_lost,
    on_the_real_model,
    expectations,
    summary,
]
