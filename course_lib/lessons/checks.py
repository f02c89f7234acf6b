"""Kinds of checks that exercises share: a number, a choice for each of several things, a function tried on cases.

Each returns `None` for a right answer, else one sentence that says what is wrong, and not what is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def number(
    answer: Any,
    right: float | Sequence[float],
    *,
    decimals: int | None = None,
    tolerance: float = 0.005,
    known: Iterable[tuple[float, str]] = (),
    otherwise: str,
) -> str | None:
    """A number. `right` may be several, each of them right.

    With `decimals` it must be right to so many decimals: a rounding of the exact value to as many or more. Without, it must lie within
    the relative `tolerance`. `known` are wrong values with what is wrong about each; `otherwise` answers every other value.
    """
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return f"the answer is a number, not {answer!r} (a {type(answer).__name__})."
    if not math.isfinite(value):
        return f"the answer is a number, and {value} is none."

    def hits(wanted: float) -> bool:
        if decimals is None:
            return abs(value - wanted) <= tolerance * abs(wanted)
        return any(abs(value - round(wanted, places)) < 1e-9 for places in range(decimals, 13)) or value == wanted

    rights = [right] if isinstance(right, (int, float)) else list(right)
    if any(hits(wanted) for wanted in rights):
        return None
    for wrong, reason in known:
        if hits(wrong):
            return reason
    near = min(rights, key=lambda wanted: abs(value - wanted))
    if decimals is not None and abs(value - near) < 2 * 10.0**-decimals:
        return f"that is close. Give at least {decimals} decimals, rounded from the exact value and not cut off."
    return otherwise


def choice(
    answer: Any, right: dict[Any, str], options: Sequence[str], mistakes: Callable[[Any, str], str]
) -> str | None:
    """A dictionary with one of `options` for each key of `right`; `mistakes(key, given)` says what a wrong one overlooks."""
    keys = ", ".join(map(str, right))
    if not isinstance(answer, dict):
        return f"the answer is a dict with the keys {keys}, not a {type(answer).__name__}."
    for key, wanted in right.items():
        given = answer.get(key)
        if given not in options:
            return f"for {key} stands {given!r}; each of {keys} is one of {', '.join(map(repr, options))}."
        if given != wanted:
            return mistakes(key, given)
    return None


def causes(answer: Any, right: dict[str, str], clues: dict[str, str], what: str = "report") -> str | None:
    """A cause for each of several reports, each cause used once; `clues` say where to look again, `what` the reports are called."""
    told = lambda report, given: f"{what} {report} is not explained by {given!r}: {clues[report]}"  # noqa: E731
    return choice(answer, right, sorted(right.values()), told)


def function(
    answer: Any, name: str, cases: Iterable[tuple[tuple, Callable[[Any], str | None], str, str]]
) -> str | None:
    """A function, called with each case's arguments. A case is (arguments, what is wrong with a result or `None`, how to call the case,
    why a function fails there). `name` is what the exercise calls the function. What it raises is told, not raised."""
    if not callable(answer):
        return f"the answer is a function (answer = {name}), not a {type(answer).__name__}."
    for arguments, fault, case, why in cases:
        try:
            got = answer(*arguments)
        except Exception as error:
            return f"for {case} your function raises {type(error).__name__}: {why}"
        reason = fault(got)
        if reason is not None:
            return f"for {case} {reason}"
    return None


def equals(wanted: Any, why: str) -> Callable[[Any], str | None]:
    """A result that must be equal to `wanted`, numbers to six digits; `why` is what a function overlooks that returns another one."""

    def fault(got: Any) -> str | None:
        if isinstance(wanted, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
            same = math.isclose(got, wanted, rel_tol=1e-6)
        else:
            same = type(got) is type(wanted) and got == wanted if isinstance(wanted, bool) else got == wanted
        return None if same else f"your function returns {got!r} and should return {wanted!r}: {why}"

    return fault
