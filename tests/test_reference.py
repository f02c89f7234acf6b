"""Sweeps: every finished job is kept, none is run twice, lines of another base are dropped."""

from __future__ import annotations

import json
import types

import pytest

from course_lib.base.errors import CourseError
from course_lib.lessons import reference


@pytest.fixture
def sweep_of(monkeypatch, tmp_path):
    """A lesson `99_test` whose jobs the test sets; returns the list of seeds that were really run."""
    ran: list[int] = []

    def set_jobs(seeds, fail_at=None):
        def work(seed):
            if seed == fail_at:
                raise KeyboardInterrupt
            ran.append(seed)
            return {"accuracy": seed / 10}

        module = types.ModuleType("course_lib.lessons.lesson_99_test.experiments")
        module.jobs = lambda: (({"seed": seed}, lambda seed=seed: work(seed)) for seed in seeds)
        monkeypatch.setattr(reference, "experiments", lambda lesson: module)
        return ran

    monkeypatch.setattr(reference, "lessons", lambda: ["99_test"])
    monkeypatch.setattr(reference, "runs_file", lambda lesson: tmp_path / f"{lesson}.jsonl")
    return set_jobs


def quiet(text):
    pass


def test_an_interrupted_sweep_goes_on_where_it_stopped(sweep_of):
    sweep_of([0, 1, 2], fail_at=1)
    with pytest.raises(KeyboardInterrupt):
        reference.sweep("99_test", quiet)
    assert [r["key"] for r in reference.runs("99_test")] == [{"seed": 0}]
    ran = sweep_of([0, 1, 2])
    reference.sweep("99_test", quiet)
    assert ran == [0, 1, 2]
    assert [r["metrics"]["accuracy"] for r in reference.runs("99_test")] == [0.0, 0.1, 0.2]


def test_lines_of_another_base_and_unwanted_settings_are_dropped(sweep_of):
    ran = sweep_of([0, 1])
    path = reference.sweep("99_test", quiet)
    stale = [r | {"base_sha256": "other"} for r in reference.runs("99_test")]
    path.write_text("".join(json.dumps(r) + "\n" for r in stale))
    sweep_of([1])
    reference.sweep("99_test", quiet)
    assert ran == [0, 1, 1]
    assert [r["key"] for r in reference.runs("99_test")] == [{"seed": 1}]


def test_a_sweep_of_some_jobs_keeps_the_lines_of_all_others(sweep_of):
    sweep_of([0, 1, 2])
    reference.sweep("99_test", quiet, only={"seed": 2})
    ran = sweep_of([1, 2])
    reference.sweep("99_test", quiet, only={"seed": 1})
    assert ran == [2, 1]
    assert [r["key"]["seed"] for r in reference.runs("99_test")] == [1, 2]
    sweep_of([1])  # a setting that is no longer asked for stays while only some are run, and goes with a whole sweep
    reference.sweep("99_test", quiet, only={"seed": 1})
    assert [r["key"]["seed"] for r in reference.runs("99_test")] == [1, 2]
    reference.sweep("99_test", quiet)
    assert [r["key"]["seed"] for r in reference.runs("99_test")] == [1]
    with pytest.raises(CourseError, match="No job"):
        reference.sweep("99_test", quiet, only={"seed": 7})


def test_missing_runs_unknown_lessons_twins_and_broken_lines_say_what_to_do(sweep_of):
    with pytest.raises(CourseError, match="course sweep 99_test"):
        reference.runs("99_test")
    with pytest.raises(CourseError, match="has no sweep"):
        reference.sweep("98_none", quiet)
    sweep_of([3, 3])
    with pytest.raises(CourseError, match="two jobs"):
        reference.sweep("99_test", quiet)
    reference.runs_file("99_test").write_text('{"key": \n')
    with pytest.raises(CourseError, match="line 1, column"):
        reference.runs("99_test")
