"""Reference runs of lesson 00: its scoreboard rows, and the picture on the README's first screen."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...base.run import Run
from ...data.instructions import load_in_the_wild, load_instructions
from ...measure import plots
from ...measure.evaluation import Result, evaluate, over_seeds
from ...measure.scoreboard import record
from ...methods.sft import train
from ...models.load import load_model
from ..reference import SEEDS, runs_file

if TYPE_CHECKING:
    from datasets import Dataset


LESSON, CONTROL = "00_start_here", "shuffled answers (control)"

LESSON_00_ROWS = 512


def run_all(say: Callable[[str], None] = print) -> None:
    """Lesson 00's reference rows, in order, and the picture on the README's first screen."""
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
    summary = plots.accuracies(results, chance=1 / 3, title=title, path=runs_file(LESSON).parent / "lesson_00.png")
    (runs_file(LESSON).parent / "lesson_00.txt").write_text(summary + "\n", encoding="utf-8")


def _seeds(prepare: Callable[[Dataset, int], Dataset], tone, wild, say) -> tuple[tuple[Result, Result], Run]:
    """Lesson 00's fine-tuning once a seed: test and in-the-wild results over the seeds, and the first run for its cost."""
    made: list[Run] = []
    test, in_wild = [], []
    for seed in SEEDS:
        rows = prepare(tone["train"].shuffle(seed).select(range(LESSON_00_ROWS)), seed)
        made.append(train(rows, epochs=2, seed=seed, quiet=True))
        test.append(evaluate(made[-1].model, made[-1].tokenizer, tone["test"]))
        in_wild.append(evaluate(made[-1].model, made[-1].tokenizer, wild))
        say(f"seed {seed}: {test[-1]}; in the wild {in_wild[-1]}")
    return (over_seeds(test), over_seeds(in_wild)), made[0]


def _shuffled(rows: Dataset, seed: int) -> Dataset:
    """The control: the same rows with their answers dealt out at random."""
    answers = list(rows["output"])
    random.Random(seed).shuffle(answers)
    return rows.remove_columns("output").add_column("output", answers)
