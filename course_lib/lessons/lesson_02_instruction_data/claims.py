"""What lesson 02 says about its reference runs and its committed outputs."""

from __future__ import annotations

import re

from ...measure.statistics import difference_interval
from ..claims import printed, signed
from ..reference import runs

LESSON = "02_instruction_data"


def _share(line: str) -> float:
    """The per cent behind a label in the committed outputs."""
    return float(re.search(rf"{re.escape(line)}\s*([\d.]+) % right", printed(LESSON))[1])


def the_space() -> str:
    """Three seeds, paired by item and seed, for two numbers of rows."""
    told = []
    for rows in (64, 256):
        found = [r for r in runs(LESSON) if r["key"]["rows"] == rows]
        sides = [
            [[int(b) for b in r["metrics"]["bits"]] for r in found if r["key"]["space"] == space]
            for space in (True, False)
        ]
        value, low, high = (100 * v for v in difference_interval(*sides))
        assert low < 0 < high, "the space can be told from none"
        told.append(f"{signed(value, 1)}{' points' if rows == 64 else ''} ({signed(low, 1)} to {signed(high, 1)})")
    return f"With 64 rows the space is worth {told[0]}, with 256 rows {told[1]}"


def twins_are_memory() -> str:
    """The committed run: twins follow the nonsense of their rows, unseen items do not."""
    own, twins, new = (_share(line) for line in ("its own rows, as taught:", "twins, as taught:", "unseen rows:"))
    assert own > 95 and twins > 80 and new < 60, (own, twins, new)
    return "The twins are answered with the nonsense of their rows just as faithfully as the rows themselves."


def never_stops() -> str:
    """No reply of the talker stops, and its accuracy falls."""
    assert re.search(r"end masked +0 of 100 replies stop", printed(LESSON))
    assert _share("accuracy, end masked:") < _share("accuracy, end counted:") - 5
    return "None of a hundred replies stops. And the accuracy falls too"


def overlap_does_not_explain() -> str:
    """Overlap of validation and test is alike, accuracy is not."""
    shares = {
        name: float(re.search(rf"{name} +([\d.]+) % of inputs share", printed(LESSON))[1])
        for name in ("validation", "test")
    }
    assert abs(shares["validation"] - shares["test"]) < 5
    assert _share("full fine-tuning: validation") > _share("full fine-tuning: test") + 4
    return "So overlap does not explain the difference; difficulty does"


def counted_paler() -> str:
    """Surprise of counted and other tokens before and after."""
    before, after = map(
        float,
        re.search(r"that are counted: ([\d.]+) nats before training, ([\d.]+) after", printed(LESSON)).groups(),
    )
    other = [
        float(v)
        for v in re.search(r"not counted: ([\d.]+) nats before training, ([\d.]+) after", printed(LESSON)).groups()
    ]
    assert after < 0.2 * before and other[1] > other[0]
    return "The others have become a little darker, though the loss never looked at them"


CLAIMS = [the_space, twins_are_memory, never_stops, overlap_does_not_explain, counted_paler]
