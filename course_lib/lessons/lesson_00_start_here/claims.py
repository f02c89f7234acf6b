"""What lesson 00 says about its reference runs."""

from __future__ import annotations

from ...measure.real_column import PLAIN, interval
from ...measure.real_column import runs as real_runs
from ...measure.scoreboard import reference_file, rows
from .experiments import CONTROL, LESSON


def _of(technique: str) -> dict:
    return next(r["metrics"] for r in rows(reference_file(LESSON)) if r["technique"] == technique)


def _told(figure: dict) -> str:
    return f"{100 * figure['value']:.0f} % ({100 * figure['low']:.0f} to {100 * figure['high']:.0f})"


def none_of_a_thousand() -> str:
    """The base model, asked."""
    found = _of("base model")["accuracy"]
    assert found["value"] == 0 and found["n"] == 1000
    return "ours is right in none of 1,000 items"


def full_and_control() -> str:
    """Three seeds of both, with intervals over seeds and items."""
    full, control = _of("full fine-tuning")["accuracy"], _of(CONTROL)["accuracy"]
    assert full["low"] > control["value"] and control["low"] < 1 / 3 < full["low"]
    return f"Over three seeds fine-tuning is right in {_told(full)} of 1,000 items, the control in {_told(control)}: chance is a third."


def by_hand() -> str:
    """Sentences that no grammar made."""
    found = _of("full fine-tuning")
    assert found["in_the_wild"]["value"] < found["accuracy"]["value"]
    return f"Over three seeds {_told(found['in_the_wild'])} of the 342 hand-written sentences are right: fewer than of the Gazette's own."


def seeds_far_apart() -> str:
    """The width of the control's interval over seeds and items."""
    control = _of(CONTROL)["accuracy"]
    assert control["high"] > 1 / 3 + 0.2
    return f"The control's interval is {100 * (control['high'] - control['low']):.0f} points wide, since its seeds lie far apart"


def on_the_real_model() -> str:
    """The real model, asked plainly and after LoRA, and what it says when asked plainly."""
    (plain,) = real_runs("smollm2", PLAIN)
    trained = [r for r in real_runs("smollm2", "LoRA") if r["key"]["rows"] == 1024]
    before, after, said = interval([plain]), interval(trained), plain["metrics"]["in_the_wild"]["said"]
    assert before.low < 1 / 3 < before.high and after.low > 0.8
    return (
        f"Asked plainly, SmolLM2 is right in {100 * before.value:.1f} % of the sentences, which is chance, and after 1,024 rows in "
        f"{100 * after.value:.1f} %. It fails in another way than ours: it does name a label, and names “positive” for {said['positive']} of "
        f"{sum(said.values())} sentences, of which a third are."
    )


CLAIMS = [none_of_a_thousand, full_and_control, seeds_far_apart, by_hand, on_the_real_model]
