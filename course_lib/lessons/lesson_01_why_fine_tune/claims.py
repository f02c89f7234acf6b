"""What lesson 01 says about its reference runs and its committed outputs."""

from __future__ import annotations

import re

from ...measure.statistics import difference_interval, mean_interval
from ..claims import printed
from ..reference import runs

LESSON = "01_why_fine_tune"


def _of(part: str, **wanted) -> list[dict]:
    found = runs(LESSON, part=part, **wanted)
    return [r["metrics"] | r["key"] for r in found]


def _bits(text: str) -> list[int]:
    return [int(bit) for bit in text]


def _share(text: str) -> float:
    return 100 * text.count("1") / len(text)


def _over_seeds(count: int, name: str) -> tuple[float, float, float]:
    return tuple(100 * v for v in mean_interval([_bits(m[name]) for m in _of("trained", rows=count)]))


def twelve_prompts() -> str:
    """How many prompts do well, and how many do nothing."""
    shares = sorted(_share(m["bits"]) for m in _of("prompt"))
    nothing, well = [s for s in shares if s < 2], [s for s in shares if s > 85]
    assert len(nothing) + len(well) == len(shares) == 12
    return (
        f"Of twelve prompts {len(nothing)} give at most {max(nothing):.1f} %, and {len(well)} give {min(well):.0f} to "
        f"{max(well):.0f} %: there is nothing between."
    )


def prompt_beats_training() -> str:
    """The best prompt by the test against 512 rows over three seeds, on the same items."""
    best = max(_of("prompt"), key=lambda m: _share(m["bits"]))
    trained = [_bits(m["bits"]) for m in _of("trained", rows=512)]
    gap = [100 * v for v in difference_interval([_bits(best["bits"])] * len(trained), trained)]
    assert gap[1] > 0, gap
    value, low, high = _over_seeds(512, "bits")
    return (
        f"The best of them, “{best['prompt']}”, is right in {_share(best['bits']):.1f} % of 600 items, fine-tuning on 512 rows in "
        f"{value:.1f} % ({low:.1f} to {high:.1f}): {gap[0]:.1f} points less ({gap[1]:.1f} to {gap[2]:.1f})."
    )


def validation_cannot_choose() -> str:
    """Prompts at the ceiling of the validation split, and their spread on the test."""
    full = [_share(m["bits"]) for m in _of("prompt") if _share(m["validation"]) == 100]
    return (
        f"And the validation split could not have chosen: {len(full)} prompts reach 100 % there, and between {min(full):.0f} and "
        f"{max(full):.0f} % on the test."
    )


def locked_and_absent() -> str:
    """32 and 512 rows on ordinary items, and 512 ordinary rows on wool."""
    few, many, wool = _over_seeds(32, "bits"), _over_seeds(512, "bits"), _over_seeds(512, "wool")
    assert wool[2] < 40 and few[1] > 40
    return (
        f"thirty-two ordinary rows free the tone of {few[0]:.0f} % of ordinary items ({few[1]:.0f} to {few[2]:.0f}), 512 rows of "
        f"{many[0]:.0f} % ({many[1]:.0f} to {many[2]:.0f}), and of wool items 512 ordinary rows still only {wool[0]:.0f} % "
        f"({wool[1]:.0f} to {wool[2]:.0f}), which is chance."
    )


def taught_is_taught() -> str:
    """The committed run: wool rows teach wool."""
    shares = [float(re.search(rf"then {n} wool rows +wool +(\d+) %", printed(LESSON))[1]) for n in (32, 512)]
    assert 40 < shares[0] < shares[1] and shares[1] > 60
    return (
        "Only wool rows teach wool, and 512 of them more than 32: what was absent has to be taught, example by example."
    )


def dictionary_does_not_help() -> str:
    """Meanings put before the item."""
    (found,) = _of("glossary")
    gap = [100 * v for v in difference_interval(_bits(found["explained"]), _bits(found["bare"]))]
    assert gap[1] < 0 < gap[2]
    return (
        f"A dictionary before the item helps nothing ({_share(found['explained']):.1f} % against {_share(found['bare']):.1f} %): a "
        "model of this size does not look a word up."
    )


def comment_helps() -> str:
    """The same knowledge in the newspaper's own words, and another item's comment as the control."""
    (found,) = _of("comment")
    assert _share(found["misplaced"]) < 40
    return (
        f"The same knowledge as a comment in the newspaper's own words brings {_share(found['own']):.1f} %, and another item's comment, "
        f"the control, {_share(found['misplaced']):.1f} %."
    )


def terms_one_by_one() -> str:
    """The committed run: items with a term from the 32 rows, and items with none."""
    met, unmet = (
        [int(v) for v in re.search(rf"{name} +(\d+) of +(\d+) right", printed(LESSON)).groups()]
        for name in ("a term from the 32 rows", "none of them")
    )
    assert met[0] / met[1] > unmet[0] / unmet[1] + 0.1 and unmet[0] / unmet[1] < 0.5
    return "Items with a term from the 32 rows are answered better than items with none, which stay near chance"


def outside_the_prompt_wins() -> str:
    """The committed run: hand-written sentences under the desk note and after training."""
    note, trained = (
        [
            int(v)
            for v in re.search(rf"{name} +finance +(\d+) %.*?health +(\d+) %.*?law +(\d+) %", printed(LESSON)).groups()
        ]
        for name in (r"base model, desk note", r"512 ordinary rows")
    )
    assert sum(note) > sum(trained)
    return "The first line is the higher one"


CLAIMS = [
    twelve_prompts,
    prompt_beats_training,
    validation_cannot_choose,
    locked_and_absent,
    taught_is_taught,
    dictionary_does_not_help,
    comment_helps,
    terms_one_by_one,
    outside_the_prompt_wins,
]
