"""What lesson 16 says about its files and measurements, recomputed from the files, the reference runs and the committed outputs."""

from __future__ import annotations

import re

from ...data.report import contradictions, duplicates, overlap, read_source
from ...measure import real_column
from ...measure.statistics import Interval, difference_interval, mean_interval
from ..claims import percent, points, printed
from ..reference import runs
from . import experiments as lab

LESSON = lab.LESSON


def bits(arm: str) -> list[list[int]]:
    """The items that were right, a row for each seed that all arms were run with."""
    found = {(run["key"]["arm"], run["key"]["seed"]): run["metrics"]["right"] for run in runs(LESSON)}
    seeds = [seed for seed in lab.SEEDS if all((name, seed) in found for name in lab.ARMS)]
    return [[int(bit) for bit in found[arm, seed]] for seed in seeds]


def share(arm: str) -> Interval:
    """The share of right answers of an arm, with its interval over seeds and items."""
    value, low, high = mean_interval(bits(arm))
    return Interval(value, max(0.0, low), min(1.0, high))


def change(arm: str) -> Interval:
    """The difference of an arm to the cleaned rows, paired by seed and item."""
    return difference_interval(bits(arm), bits("cleaned"))


def faults() -> str:
    """What the report finds in the training file."""
    splits = read_source(lab.files()).splits
    train, rows = splits["train"], splits["train"].rows
    twins = sum(len(group) - 1 for group in duplicates(rows))
    against, shared = len(contradictions(rows)), len(overlap(rows, splits["test"].rows))
    assert train.dropped and twins and against and shared
    return (
        f"Of {train.records} records {len(train.dropped)} cannot be used, {len(train.notes)} were changed, {twins} say the same as another, "
        f"{against} questions have two different answers, and {shared} of the {len(splits['test'].rows)} test questions stand in the training file"
    )


def removed() -> str:
    """What cleaning takes away."""
    splits = read_source(lab.files()).splits
    rows, test = splits["train"].rows, splits["test"].rows
    left = lab.cleaned(rows, test)
    told = _found(r"(\d+) of (\d+) rows are left")
    assert int(told[1]) == len(left) - 1 and int(told[2]) == len(rows)  # one more answer would not be read
    return told[0]


def _found(pattern: str) -> re.Match:
    found = re.search(pattern, printed(LESSON))
    assert found, f"the notebook prints no {pattern}"
    return found


def helped() -> str:
    """The verdict of the live run."""
    found = _found(r"Verdict: it helped: ([+−][\d.]+) points \(([+−][\d.]+) to ([+−][\d.]+)\) on the same (\d+) items")
    assert found[2].startswith("+")
    return f"{found[1]} points ({found[2]} to {found[3]}) on {found[4]} messages that it has never seen, in wordings that it has never seen"


def forgot() -> str:
    """What the live run forgot."""
    found = _found(r"forgetting: ([+−-][\d.]+) nats a token on held-out news")
    rise = float(found[1].replace("−", "-"))
    assert rise > 0
    return f"it reads the news worse than before by {rise:.3f} nats a token"


def _told(found: Interval) -> str:
    """A difference, and whether its interval holds 0."""
    shown = "an interval that holds 0" if found.low <= 0 <= found.high else "an interval that does not hold 0"
    return f"{points(found).replace('-', '−')}, {shown}"


def cleaning() -> str:
    """The file as it came, against the cleaned one."""
    clean = percent(share("cleaned"))
    return f"Over {len(bits('cleaned'))} seeds the cleaned rows bring {clean}. The file as it came differs from that by {_told(change('as it came'))}"


def spread() -> str:
    """The seeds of the file as it came."""
    right = sorted(sum(seed) for seed in bits("as it came"))
    between = max(sum(seed) for seed in bits("cleaned")) - min(sum(seed) for seed in bits("cleaned"))
    assert right[-1] - right[0] > 2 * between
    *first, last = map(str, right)
    return f"its {len(right)} seeds are right on {', '.join(first)} and {last} of the {len(bits('as it came')[0])} messages"


def contradicted() -> str:
    """Half of the labels contradicted."""
    return f"A second, wrong label for half of the messages changes the result by {_told(change('half contradicted'))}"


def losses() -> str:
    """The training loss at the end, which sees the contradictions."""
    mean = {name: sum(values) / len(values) for name in lab.ARMS for values in [_losses(name)]}
    assert min(_losses("half contradicted")) > 3 * max(_losses("cleaned"))
    return f"The training loss ends at {mean['cleaned']:.3f} on the cleaned rows and at {mean['half contradicted']:.2f} on the contradicted ones"


def _losses(arm: str) -> list[float]:
    return [run["metrics"]["loss"] for run in runs(LESSON, arm=arm)]


def on_the_real_model() -> str:
    """The real model's best prompt against its training."""
    prompted = real_column.interval([real_column.chosen_prompt("smollm2")])
    trained = real_column.interval([r for r in real_column.runs("smollm2", "LoRA") if r["key"]["rows"] == 1024])
    assert trained.low > prompted.high
    return f"On the real model the best of our prompts is right in {percent(prompted)}, and LoRA on 1,024 rows in {percent(trained)}"


CLAIMS = [faults, removed, helped, forgot, cleaning, spread, contradicted, losses, on_the_real_model]
