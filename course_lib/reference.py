"""The course's own runs, kept in `data/reference/scoreboard.jsonl`, for lessons that show more seeds than a minute allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import plots
from .data import load_in_the_wild, load_instructions
from .evaluation import Result, evaluate, wilson
from .models import load_model
from .scoreboard import record, reference_file
from .training import Run, train

if TYPE_CHECKING:
    from datasets import Dataset

SEEDS = (0, 1, 2)
LESSON, CONTROL = "00_start_here", "shuffled answers (control)"
LESSON_00_ROWS = 512


def pooled(results: list[Result]) -> Result:
    """One result over several seeds on the same rows: the mean, and an interval that covers rows and seeds.

    Seeds share their test rows, so counting all replies as independent would make the interval too narrow. It is the
    hull of the mean's Wilson interval for one seed's `n` and of each seed's own interval.
    """
    n = results[0].n
    value = sum(r.value for r in results) / len(results)
    low, high = wilson(round(value * n), n)
    return Result(value, min(low, *(r.low for r in results)), max(high, *(r.high for r in results)), n, [], [])


def run_all(say=print) -> None:
    """All reference rows, in order, and the picture on the README's first screen."""
    tone, wild = load_instructions("tone"), load_in_the_wild()
    model, tokenizer = load_model()
    base = evaluate(model, tokenizer, tone["test"])
    wild_base = evaluate(model, tokenizer, wild)
    record("base model", None, base, lesson=LESSON, source="reference", in_the_wild=wild_base)
    say(f"base model: {base}")
    full, first = _seeds(lambda rows, seed: rows, tone, wild, say)
    record("full fine-tuning", first, full[0], lesson=LESSON, source="reference", seeds=SEEDS, in_the_wild=full[1])
    control, first = _seeds(_shuffled, tone, wild, say)
    record(CONTROL, first, control[0], lesson=LESSON, source="reference", seeds=SEEDS, in_the_wild=control[1])
    results = {"base model": base, CONTROL: control[0], "full fine-tuning": full[0]}
    title = f"Tone of {base.n:,} unseen items"
    summary = plots.accuracies(results, chance=1 / 3, title=title, path=reference_file().parent / "lesson_00.png")
    (reference_file().parent / "lesson_00.txt").write_text(summary + "\n", encoding="utf-8")


def _seeds(prepare: Callable[[Dataset, int], Dataset], tone, wild, say) -> tuple[tuple[Result, Result], Run]:
    """Lesson 00's fine-tuning once a seed: test and in-the-wild results over the seeds, and the first run for its cost."""
    runs: list[Run] = []
    test, in_wild = [], []
    for seed in SEEDS:
        rows = prepare(tone["train"].shuffle(seed).select(range(LESSON_00_ROWS)), seed)
        runs.append(train(rows, epochs=2, seed=seed, quiet=True))
        test.append(evaluate(runs[-1].model, runs[-1].tokenizer, tone["test"]))
        in_wild.append(evaluate(runs[-1].model, runs[-1].tokenizer, wild))
        say(f"seed {seed}: {test[-1]}; in the wild {in_wild[-1]}")
    return (pooled(test), pooled(in_wild)), runs[0]


def _shuffled(rows: Dataset, seed: int) -> Dataset:
    """The control: the same rows with their answers dealt out at random."""
    answers = list(rows["output"])
    random.Random(seed).shuffle(answers)
    return rows.remove_columns("output").add_column("output", answers)
