"""Every exercise of every lesson: the solution is accepted, the stub is 'not attempted', wrong answers get a reason."""

from __future__ import annotations

import importlib
import json

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.lessons.exercise import Exercise, lesson_names


def exercises():
    for name in lesson_names():
        module = importlib.import_module(f"course_lib.lessons.lesson_{name}.exercises")
        for number, exercise in enumerate(module.EXERCISES, 1):
            yield pytest.param(exercise, id=f"{name[:2]}-q{number}")


def run_source(source: str):
    """The value that a cell's source leaves in `answer`."""
    scope = {"cl": cl}
    exec(source, scope)
    return scope["answer"]


@pytest.mark.parametrize("exercise", exercises())
def test_the_stub_is_not_attempted(exercise):
    assert exercise.verdict(...)[0] == "not attempted"


@pytest.mark.parametrize("exercise", exercises())
def test_the_solution_is_accepted(exercise):
    assert exercise.verdict(run_source(exercise.source)) == ("correct", f"{exercise.name}: correct.")


@pytest.mark.parametrize("exercise", exercises())
def test_wrong_answers_are_refused_with_different_reasons(exercise):
    assert len(exercise.wrong) >= 3 and len(exercise.hints) >= 2
    verdicts = [exercise.verdict(run_source(source)) for source in exercise.wrong]
    assert [v[0] for v in verdicts] == ["incorrect"] * len(verdicts)
    assert len({v[1] for v in verdicts}) >= 3
    assert all(len(v[1]) > 40 for v in verdicts)


def test_handle_prints_hints_in_turn_and_the_solution(capsys):
    exercise = Exercise(
        "Exercise 1", lambda a: None if a == 1 else "it is not 1.", ("first", "second"), "answer = 1", ()
    )
    exercise.check()
    exercise.check(2)
    exercise.check(1)
    for _ in range(3):
        exercise.hint()
    exercise.solution()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Exercise 1: not attempted yet. Replace the ... and run the cell again.",
        "Exercise 1: incorrect: it is not 1.",
        "Exercise 1: correct.",
        "Hint 1 of 2: first",
        "Hint 2 of 2: second",
        "Hint 1 of 2: first",
        "answer = 1",
    ]


def test_a_judge_that_fails_gives_a_sentence_not_a_traceback():
    exercise = Exercise("Exercise 1", lambda a: None if float(a) else "", ("h",), "answer = 1", ())
    verdict, message = exercise.verdict("abc")
    assert verdict == "incorrect" and "could not be checked" in message


def test_unknown_lesson_lists_the_lessons():
    with pytest.raises(CourseError, match=r"no lesson '99_nothing'.*00_start_here"):
        cl.start("99_nothing")


def test_predictions_are_kept(monkeypatch, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    lesson = cl.start("00_start_here")
    lesson.predict("accuracy", ...)
    lesson.predict("accuracy", 40)
    kept = [json.loads(line) for line in (tmp_path / "runs" / "predictions.jsonl").read_text().splitlines()]
    assert [(k["lesson"], k["guess"]) for k in kept] == [("00_start_here", 40)]
    assert "No prediction yet" in capsys.readouterr().out
