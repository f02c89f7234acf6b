"""Claims: what a lesson's prose says about its measurements, recomputed.

`claims.py` in a lesson's folder holds `CLAIMS`, functions without arguments. Each one computes from the committed reference runs
(`reference.runs`), or from what the committed notebook printed (`printed`), asserts the relation that it states, and returns the words
that stand in the lesson's Markdown. The tests call all of them: `missing` names the words that stand there no more.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from ..base.paths import home
from ..measure.statistics import Interval
from .exercise import lesson_names


def lessons_with_claims() -> list[str]:
    """The lessons that have a notebook and a `claims.py`, in order."""
    return [name for name in lesson_names() if (Path(__file__).parent / f"lesson_{name}" / "claims.py").exists()]


def claims_of(lesson: str) -> list[Callable[[], str]]:
    """The claims of a lesson."""
    return importlib.import_module(f".lesson_{lesson}.claims", __package__).CLAIMS


def missing(lesson: str, claims: list[Callable[[], str]] | None = None, text: str | None = None) -> list[str]:
    """What is wrong with the claims of a lesson: those that fail, and those whose words its Markdown lacks; one sentence each.

    `text` stands for the notebook's Markdown. White space and the stars of emphasis do not count.
    """
    prose = plain(markdown(lesson) if text is None else text)
    found = []
    for claim in claims_of(lesson) if claims is None else claims:
        try:
            words = claim()
        except AssertionError as error:
            found.append(f"{claim.__name__} no longer holds: {error}")
            continue
        if plain(words) not in prose:
            found.append(f"{claim.__name__}: the lesson does not say: {words}")
    return found


def plain(text: str) -> str:
    """Text without emphasis, and with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"\*+|(?<!\w)_|_(?!\w)", "", text)).strip()


def percent(found: Interval, digits: int = 1, between: str = "–") -> str:
    """A share with its interval, which ends at 0 and 100: `70.7 % (65.3–76.0)`."""
    value, low, high = found.scaled(100)
    return f"{value:.{digits}f} % ({max(0.0, low):.{digits}f}{between}{min(100.0, high):.{digits}f})"


def signed(found: Interval | float, digits: int = 3) -> str:
    """A difference, with its interval where it has one, and true minus signs: `+0.031 (−0.002 to +0.064)`."""
    return f"{found:+.{digits}f}".replace("-", "−")


def points(found: Interval) -> str:
    """A difference of shares with its interval: `+1.2 points (-0.3 to +2.7)`."""
    value, bounds = f"{found.scaled(100):+.1f}".split(" ", 1)
    return f"{value} points {bounds}"


def markdown(lesson: str) -> str:
    """All the Markdown of a lesson."""
    return "\n\n".join("".join(c["source"]) for c in _cells(lesson) if c["cell_type"] == "markdown")


def printed(lesson: str) -> str:
    """All that the cells of the committed notebook printed."""
    outputs = [o for c in _cells(lesson) for o in c.get("outputs", [])]
    return "".join("".join(o.get("text", "")) for o in outputs)


@functools.lru_cache(maxsize=4)
def _cells(lesson: str) -> list[dict]:
    path = home() / "notebooks" / f"{lesson}.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))["cells"]
