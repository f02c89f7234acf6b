"""What lesson 02 says about its reference runs and its committed outputs."""

from __future__ import annotations

import re

from ...measure.real_column import PLAIN, interval
from ...measure.real_column import runs as real_runs
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


def set_aside() -> str:
    """The committed run: the model on two disjoint halves of the kinds of event, and on the validation split."""
    found = [
        re.search(rf"{side} +([\d.]+) % right \(([\d.]+)–([\d.]+), n = (\d+)\)", printed(LESSON))
        for side in ("set aside, to choose by", "the rest, to report")
    ]
    (first, low, high, n), (rest, _, _, m) = (map(float, match.groups()) for match in found)
    assert low < rest < high and _share("full fine-tuning: validation") > max(first, rest) + 3
    return (
        f"The events set aside are as hard as the rest, {first:.1f} % of {n:.0f} items against {rest:.1f} % of {m:.0f}, and unlike the "
        "validation split they leave room to choose."
    )


def rows_are_not_the_limit() -> str:
    """The committed run: all tone rows beside the first 512."""
    match = re.search(
        r"1,200 rows, one pass: ([\d.]+) % right \(95 % interval ([\d.]+)–([\d.]+), n = 300\)", printed(LESSON)
    )
    value, low, high = map(float, match.groups())
    few = _share("512 rows, one pass:  ")
    assert low < 90 < high and low < few < high and value <= few
    return (
        f"{value:.1f} % ({low:.1f} to {high:.1f}), far above chance; whether it is more than 90 %, three hundred items cannot decide. "
        f"And 1,200 rows are no better than the first 512, which brought {few:.1f} %"
    )


def three_of_fifty_six() -> str:
    """The committed mask of the first row."""
    counted, total = re.search(r"(\d+) of (\d+) tokens are counted", printed(LESSON)).groups()
    return f"{counted} of {total}"


def real_replies_stop() -> str:
    """The real model before and after training: the label named, and the label alone."""
    before, after = real_runs("smollm2", PLAIN), real_runs("smollm2", "full fine-tuning")
    named, alone = (100 * interval(before, how=how).value for how in ("lenient", "exact"))
    both = [100 * interval(after, how=how).value for how in ("lenient", "exact")]
    assert both[0] == both[1] and alone < named / 2
    return (
        f"Untrained, the real model names the right label in {named:.1f} % and replies with nothing else in {alone:.1f} %: mostly "
        f"something stands around it. After 512 rows both are {both[0]:.1f} %"
    )


CLAIMS = [
    the_space,
    twins_are_memory,
    never_stops,
    overlap_does_not_explain,
    counted_paler,
    set_aside,
    rows_are_not_the_limit,
    three_of_fifty_six,
    real_replies_stop,
]
