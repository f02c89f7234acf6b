"""What lesson 01 says about its reference runs and its committed outputs."""

from __future__ import annotations

import re

from ...measure.real_column import PLAIN, PROMPTED, chosen_prompt, interval
from ...measure.real_column import runs as real_runs
from ...measure.statistics import difference_interval, mean_interval
from ..claims import printed
from ..reference import runs
from .experiments import items

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


def wordings_by_heart() -> str:
    """The committed perplexities of the three sections."""
    found = [
        [float(v) for v in re.search(rf"^{section} +([\d.]+) +([\d.]+) +([\d.]+)$", printed(LESSON), re.M).groups()]
        for section in ("business", "health", "courts")
    ]
    read, new, shuffled = (sorted(column) for column in zip(*found, strict=True))
    assert 10 * read[-1] < new[0] and new[-1] < 2048 < shuffled[0]
    return (
        f"In wordings that it has read the model hesitates among {read[0]:.1f} to {read[-1]:.1f} tokens, in new ones among {new[0]:.0f} to "
        f"{new[-1]:,.0f}: it has learnt wordings by heart."
    )


def examples_do_not_help() -> str:
    """The committed run: the plain layout with and without examples."""
    shares = [
        [
            int(v)
            for v in re.search(
                rf"{n} examples in the prompt .*? (\d+) % .*? (\d+) % .*? (\d+) %", printed(LESSON)
            ).groups()
        ]
        for n in (0, 6)
    ]
    assert sum(shares[1]) <= sum(shares[0]) + 3 and max(shares[1]) < 34
    return "Examples do not help"


def brittle() -> str:
    """The committed run: the note in five forms."""
    named = {
        form: float(re.search(rf"{form} +labels +\d+ % +([\d.]+) % right", printed(LESSON))[1])
        for form in ("as printed", "small letters", "no line break", "a space at the end", "another word")
    }
    usual, small, line, space, word = named.values()
    assert space == word == 0 and min(small, line) > usual - 3
    return (
        "Small letters and a missing line break change nothing; one space at the end, or another name for the note, and no reply is "
        "a label any more."
    )


def events_set_aside() -> str:
    """The best prompt on half of the kinds of event, and its share on the others."""
    kinds = sorted({row["source"] for row in items()})
    aside = [row["source"] in kinds[::2] for row in items()]
    shares = {}
    for m in _of("prompt"):
        bits = _bits(m["bits"])
        parts = [[b for b, first in zip(bits, aside, strict=True) if first == side] for side in (True, False)]
        shares[m["prompt"]] = [100 * sum(part) / len(part) for part in parts]
    best = max(shares, key=lambda name: shares[name][0])
    assert best == max(shares, key=lambda name: shares[name][1])
    first, rest = shares[best]
    return (
        f"There the five differ: “{best}” leads with {first:.1f} % of {sum(aside)} items, and keeps the lead on the other "
        f"events, with {rest:.1f} % of {len(aside) - sum(aside)}."
    )


def prompt_and_training() -> str:
    """Trained models under the desk note, and the untrained one beside them on the same items."""
    value, low, high = _over_seeds(512, "desk_note")
    asked = _over_seeds(512, "bits")
    (note,) = _of("prompt", prompt="desk note")
    few = [_bits(m["desk_note"]) for m in _of("trained", rows=32)]
    lost = difference_interval([_bits(note["bits"])] * len(few), few).scaled(100)
    assert low < asked[0] < high and value < _share(note["bits"]) and lost.low > 0
    return (
        f"Together they bring no more than either: after 512 rows the desk note is right in {value:.1f} % ({low:.1f} to {high:.1f}). "
        f"And 32 rows spoil the key: under the desk note the model they leave is {lost.value:.1f} points ({lost.low:.1f} to "
        f"{lost.high:.1f}) worse than the untrained one."
    )


def tokens_a_call() -> str:
    """The committed lengths of three kinds of prompt."""
    note, question, examples = (
        int(re.search(rf"{name} +(\d+) tokens a call", printed(LESSON))[1])
        for name in ("item and desk note", "question, chat template", "six examples")
    )
    assert note < question < examples
    return (
        f"Nor is the prompt the dearer way here: a call costs {note} tokens with the note and {question} with the question in its template. "
        f"It is examples in the prompt that cost, {examples} tokens at every call."
    )


def wool_is_not_known() -> str:
    """The committed run: the desk note under wool items."""
    share = int(re.search(r"desk note, wool items +wool +(\d+) %", printed(LESSON))[1])
    assert share < 34 and "wool replies that are a label: 180 of 180" in printed(LESSON)
    return "Every reply is a label, and no more than a third of them are right"


def real_prompts() -> str:
    """The real model: what it says when asked plainly, the best of the prompts to choose from, and that one with other examples."""
    (plain,) = real_runs("smollm2", PLAIN)
    said = plain["metrics"]["in_the_wild"]["said"]
    best = chosen_prompt("smollm2")
    tried = real_runs("smollm2", PROMPTED)
    again = [r for r in tried if r["key"]["prompt"].startswith(best["key"]["prompt"] + ", drawn again")]
    trained = interval([r for r in real_runs("smollm2", "LoRA") if r["key"]["rows"] == 1024])
    number = {6: "six"}[len([r for r in tried if "drawn again" not in r["key"]["prompt"]])]
    others = " and ".join(f"{100 * interval([r]).value:.1f}" for r in again)
    assert interval([plain]).low < 1 / 3 < interval([plain]).high and all(
        interval([r]).high < trained.low for r in tried
    )
    return (
        f"asked plainly the real model says “positive” to {said['positive']} of {sum(said.values())} sentences and is right as often as a "
        f"guess. Of {number} prompts the one with six examples is best on other rows; it brings {100 * interval([best]).value:.1f} %, and with "
        f"other examples drawn for it {others} %: brittle here, too. Training brings {100 * trained.value:.1f} %"
    )


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
    wordings_by_heart,
    examples_do_not_help,
    brittle,
    events_set_aside,
    prompt_and_training,
    tokens_a_call,
    wool_is_not_known,
    real_prompts,
]
