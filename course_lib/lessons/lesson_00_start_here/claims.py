"""What lesson 00 says about its reference runs."""

from __future__ import annotations

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


CLAIMS = [none_of_a_thousand, full_and_control, by_hand]
