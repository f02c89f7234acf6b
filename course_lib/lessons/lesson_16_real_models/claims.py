"""What lesson 16 says about its files and measurements, recomputed from the files, the reference runs and the committed outputs."""

from __future__ import annotations

import re

from ...data.report import contradictions, duplicates, overlap, read_source
from ...measure import real_column, sizes
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
    mean = {name: last_loss(name) for name in lab.ARMS}
    assert min(_losses("half contradicted")) > 3 * max(_losses("cleaned"))
    return f"The training loss ends at {mean['cleaned']:.3f} on the cleaned rows and at {mean['half contradicted']:.2f} on the contradicted ones"


def last_loss(arm: str) -> float:
    """The last loss of an arm's trainings, mean over the seeds."""
    values = _losses(arm)
    return sum(values) / len(values)


def _losses(arm: str) -> list[float]:
    return [run["metrics"]["loss"] for run in runs(LESSON, arm=arm)]


def by_hand() -> str:
    """What the grouping by hand finds, in words."""
    splits = read_source(lab.files()).splits
    train, rows = splits["train"], splits["train"].rows
    found = (len(train.dropped), sum(len(group) - 1 for group in duplicates(rows)), len(contradictions(rows)))
    assert found == (2, 3, 4), found
    return "Two rows have no answer, three rows say the same as another, and four questions have two different answers."


def taken_out() -> str:
    """What each part of the rule takes away."""
    splits = read_source(lab.files()).splits
    rows, test = splits["train"].rows, splits["test"].rows
    against = sum(len(group) for group in contradictions(rows))
    second = sum(len(group) - 1 for group in duplicates(rows))
    left, shared = len(lab.cleaned(rows, test)), len(overlap(rows, test))
    assert left == len(rows) - against - second - shared
    return (
        f"{left - 1} of {len(rows)} rows are left: {against} that contradict each other are out, {second} second copies, {shared} questions "
        "of the test, and the thread."
    )


def leaked() -> str:
    """By how much the test questions in the file can lift the version as it came, at most."""
    splits = read_source(lab.files()).splits
    test = splits["test"].rows
    shared = len(overlap(splits["train"].rows, test))
    assert shared == 3
    return f"Three of these messages stand in the file as it came, which can lift that version by {100 * shared / len(test):.1f} points at most."


def every_seed() -> str:
    """The worst of all runs is above chance."""
    right = [sum(seed) for name in lab.ARMS for seed in bits(name)]
    items = len(bits("cleaned")[0])
    assert len(right) == 9 and min(right) > items / 3 + 20
    return f"the lowest of the nine is right on {min(right)} of {items}, and chance is {items // 3}"


def too_wide() -> str:
    """How wide the interval of cleaning is."""
    found = change("as it came").scaled(100)
    assert found.low < 0 < found.high
    return f"an interval of {found.high - found.low:.0f} points cannot tell"


def on_a_t4() -> str:
    """Which models fit a T4, by the formula."""
    found = {(row["model"], row["technique"]): row for row in sizes.fits("T4", checkpointing=True)}

    def largest(technique: str) -> list[str]:
        return [model for model, which in found if which == technique and found[model, which]["fits"]]

    def gib(model: str, technique: str) -> str:
        return f"{found[model, technique]['gib']:.1f}"

    (full,), lora = largest("full"), largest("LoRA")[-1]
    only = [model for model in largest("QLoRA") if model not in largest("LoRA")]
    assert len(only) == 2
    return (
        f"on a T4 {full} fits in full ({gib(full, 'full')} GiB), {lora} with LoRA ({gib(lora, 'LoRA')} GiB), and {' and '.join(only)} with QLoRA "
        f"only ({gib(only[0], 'QLoRA')} and {gib(only[1], 'QLoRA')} GiB)"
    )


def against_a_prompt() -> str:
    """The trained model beside what costs no training: one label for all, and the desk note of lesson 01."""
    same, noted, trained = (
        _found(rf"{name} +([\d.]+) % right")[1] for name in ("always 'neutral'", "untrained, desk note", "\ntrained")
    )
    found = _found(r"trained minus desk note, paired by item: (\S+) \((\S+) to (\S+)\) points")
    value, low, high = found.groups()
    seeds = share("cleaned").scaled(100)
    assert float(high) < 0 and seeds.low < float(noted) < seeds.high
    told = (
        f"One label for all is right in {same} %, the desk note in {noted} %, and the training in {trained} %: {value} points ({low} to {high}) against "
        f"the desk note, an interval below 0. That is this one seed; over three, further down, the training brings {percent(share('cleaned'))}, and "
        f"that interval holds the desk note's {noted} %."
    )
    return told.replace(" -", " −").replace("(-", "(−")


def on_the_real_model() -> str:
    """The real model's best prompt against its training."""
    prompted = real_column.interval([real_column.chosen_prompt("smollm2")])
    trained = real_column.interval([r for r in real_column.runs("smollm2", "LoRA") if r["key"]["rows"] == 1024])
    assert trained.low > prompted.high
    return f"On the real model the best of our prompts is right in {percent(prompted)}, and LoRA on 1,024 rows in {percent(trained)}"


CLAIMS = [
    by_hand, faults, removed, taken_out, helped, against_a_prompt, forgot, leaked, cleaning, spread, contradicted, losses, every_seed,
    too_wide, on_the_real_model, on_a_t4,
]  # fmt: skip
