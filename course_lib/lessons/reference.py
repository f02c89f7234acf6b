"""The course's own runs, in `data/reference/`, for lessons that show more seeds and settings than two minutes allow.

`sweep` runs the jobs of one lesson (`experiments.py` in its folder), one line of `data/reference/<lesson>.jsonl` a job; what an interrupted sweep had finished is not run again. `runs` reads them.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..base.errors import CourseError
from ..base.jsonl import read_jsonl, write_jsonl
from ..base.paths import home
from ..models.identity import base_sha256

SEEDS = (0, 1, 2)


def lessons() -> list[str]:
    """The lessons that have reference runs: those whose `experiments.py` has `jobs`, in order."""
    folder = Path(__file__).parent
    found = (path.parent.name for path in folder.glob("lesson_*/experiments.py"))
    return sorted(name.removeprefix("lesson_") for name in found if hasattr(experiments(name), "jobs"))


def experiments(lesson: str) -> ModuleType:
    """The module with the reference runs of `lesson_<name>`."""
    return importlib.import_module(f".{lesson}.experiments", __package__)


def runs_file(lesson: str) -> Path:
    """Where the reference runs of a lesson are kept (committed)."""
    return home() / "data" / "reference" / f"{lesson}.jsonl"


def runs(lesson: str, **wanted: Any) -> list[dict]:
    """The reference runs of a lesson, of those whose key holds all of `wanted`: dictionaries `key`, `metrics`, `base_sha256`, `seconds`.

    Raises `CourseError` when the lesson has none or a line is broken; that none of them holds `wanted` is no error.
    """
    path = runs_file(lesson)
    found = read_rows(path)
    if not found:
        raise CourseError(
            f"The reference runs of {lesson} are missing: {path}.",
            f"Restore them with: git checkout -- data/reference; or make them: course sweep {lesson}",
        )
    return [run for run in found if wanted.items() <= run["key"].items()]


def real(technique: str | None = None) -> str:
    """A technique on the real model beside the course's own, as a small table of text (`lessons.real`); all of them without a name."""
    return importlib.import_module(".real", __package__).real(technique)


def sweep(lesson: str, say: Callable[[str], None] = print, only: dict[str, Any] | None = None) -> Path:
    """Run every job of `course_lib.lessons.lesson_<lesson>.experiments` that the present base model has no line for; returns the file.

    Each finished job is written at once, so a killed sweep goes on where it stopped. Lines of another base model, and of
    settings that are no longer asked for, are dropped. `only` runs the jobs whose key holds all of it, and leaves every other line as
    it is. Raises `CourseError` for a lesson without a sweep, two equal keys, or an `only` that no job holds.
    """
    if lesson not in lessons():
        raise CourseError(f"{lesson} has no sweep.", f"These have one: {', '.join(lessons()) or 'none yet'}.")
    jobs = list(experiments(f"lesson_{lesson}").jobs())
    wanted = [_name(key) for key, _ in jobs]
    if len(set(wanted)) < len(wanted):
        twin = next(name for name in wanted if wanted.count(name) > 1)
        raise CourseError(f"The sweep of {lesson} has two jobs with the key {twin}.", "Give each job its own settings.")
    chosen = [(key, work) for key, work in jobs if (only or {}).items() <= key.items()]
    if not chosen:
        raise CourseError(f"No job of {lesson} has {only}.", f"Its keys look so: {wanted[0]}.")
    path, base = runs_file(lesson), base_sha256()

    def done() -> dict[str, dict]:  # read anew each time: a second sweep of other jobs may have written since
        rows = {_name(r["key"]): r for r in read_rows(path) if r["base_sha256"] == base}
        return rows if only else {name: rows[name] for name in wanted if name in rows}

    def write(found: dict[str, dict]) -> None:
        order = [name for name in wanted if name in found] + [name for name in found if name not in wanted]
        write_jsonl(path, [found[name] for name in order])

    before = done()
    say(f"{lesson}: {sum(_name(key) in before for key, _ in chosen)} of {len(chosen)} jobs done before")
    for number, (key, work) in enumerate(chosen, 1):
        if _name(key) in before or _name(key) in done():
            continue
        started = time.monotonic()
        metrics = work()
        seconds = round(time.monotonic() - started, 1)
        write(done() | {_name(key): {"key": key, "metrics": metrics, "base_sha256": base, "seconds": seconds}})
        said = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {str(v)[:60]}" for k, v in metrics.items())
        say(f"{number}/{len(chosen)} {_name(key)}: {said} ({seconds:.0f} s)")
    write(done())
    return path


def _name(key: dict) -> str:
    return json.dumps(key, sort_keys=True)


def read_rows(path: Path) -> list[dict]:
    """The lines of a file of reference runs; none where there is no file."""
    return read_jsonl(path, mend="Delete these lines; course sweep makes them again.") if path.exists() else []
