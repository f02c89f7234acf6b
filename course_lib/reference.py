"""The course's own runs, in `data/reference/`, for lessons that show more seeds and settings than two minutes allow.

`run_all` makes lesson 00's scoreboard rows and picture. `sweep` runs the jobs of one lesson (`course_lib/sweeps/`), one line
of `data/reference/<lesson>.jsonl` a job; what an interrupted sweep had finished is not run again. `runs` reads them.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import plots
from .data import load_in_the_wild, load_instructions
from .errors import CourseError
from .evaluation import Result, evaluate, wilson
from .models import load_model
from .paths import home
from .scoreboard import base_sha256, record, reference_file
from .training import Run, train

if TYPE_CHECKING:
    from datasets import Dataset

SEEDS = (0, 1, 2)
LESSON, CONTROL = "00_start_here", "shuffled answers (control)"
LESSON_00_ROWS = 512


# ------------------------------------------------------------------ sweeps


def lessons() -> list[str]:
    """The lessons that have a sweep, in order."""
    from . import sweeps

    return sorted(m.name.removeprefix("lesson_") for m in pkgutil.iter_modules(sweeps.__path__))


def runs_file(lesson: str) -> Path:
    """Where the reference runs of a lesson are kept (committed)."""
    return home() / "data" / "reference" / f"{lesson}.jsonl"


def runs(lesson: str) -> list[dict]:
    """The reference runs of a lesson: dictionaries `key`, `metrics`, `base_sha256`, `seconds`.

    Raises `CourseError` when they are missing or a line is broken.
    """
    path = runs_file(lesson)
    found = _read(path)
    if not found:
        raise CourseError(
            f"The reference runs of {lesson} are missing: {path}.",
            f"Restore them with: git checkout -- data/reference; or make them: course sweep {lesson}",
        )
    return found


def sweep(lesson: str, say: Callable[[str], None] = print) -> Path:
    """Run every job of `course_lib.sweeps.lesson_<lesson>` that the present base model has no line for; returns the file.

    Each finished job is written at once, so a killed sweep goes on where it stopped. Lines of another base model, and of
    settings that are no longer asked for, are dropped. Raises `CourseError` for a lesson without a sweep or two equal keys.
    """
    if lesson not in lessons():
        raise CourseError(f"{lesson} has no sweep.", f"These have one: {', '.join(lessons()) or 'none yet'}.")
    jobs = list(importlib.import_module(f".sweeps.lesson_{lesson}", __package__).jobs())
    wanted = [_name(key) for key, _ in jobs]
    if len(set(wanted)) < len(wanted):
        twin = next(name for name in wanted if wanted.count(name) > 1)
        raise CourseError(f"The sweep of {lesson} has two jobs with the key {twin}.", "Give each job its own settings.")
    path, base = runs_file(lesson), base_sha256()
    done = {_name(r["key"]): r for r in _read(path) if r["base_sha256"] == base and _name(r["key"]) in wanted}
    say(f"{lesson}: {len(done)} of {len(jobs)} jobs done before")
    for number, (key, work) in enumerate(jobs, 1):
        if _name(key) in done:
            continue
        started = time.monotonic()
        metrics = work()
        seconds = round(time.monotonic() - started, 1)
        done[_name(key)] = {"key": key, "metrics": metrics, "base_sha256": base, "seconds": seconds}
        _write(path, [done[name] for name in wanted if name in done])
        said = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in metrics.items())
        say(f"{number}/{len(jobs)} {_name(key)}: {said} ({seconds:.0f} s)")
    _write(path, [done[name] for name in wanted])
    return path


def _name(key: dict) -> str:
    return json.dumps(key, sort_keys=True)


def _read(path: Path) -> list[dict]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else [], 1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise CourseError(f"{path}, line {number}, column {error.colno}: not JSON.", "Delete that line.") from None
    return found


def _write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    fresh.replace(path)


# ------------------------------------------------------------------ lesson 00's rows


def pooled(results: list[Result]) -> Result:
    """One result over several seeds on the same rows: the mean, and an interval that covers rows and seeds.

    Seeds share their test rows, so counting all replies as independent would make the interval too narrow. It is the
    hull of the mean's Wilson interval for one seed's `n` and of each seed's own interval.
    """
    n = results[0].n
    value = sum(r.value for r in results) / len(results)
    low, high = wilson(round(value * n), n)
    return Result(value, min(low, *(r.low for r in results)), max(high, *(r.high for r in results)), n, [], [])


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
    summary = plots.accuracies(results, chance=1 / 3, title=title, path=reference_file().parent / "lesson_00.png")
    (reference_file().parent / "lesson_00.txt").write_text(summary + "\n", encoding="utf-8")


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
    return (pooled(test), pooled(in_wild)), made[0]


def _shuffled(rows: Dataset, seed: int) -> Dataset:
    """The control: the same rows with their answers dealt out at random."""
    answers = list(rows["output"])
    random.Random(seed).shuffle(answers)
    return rows.remove_columns("output").add_column("output", answers)
