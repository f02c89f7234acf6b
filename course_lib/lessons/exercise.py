"""Exercises: `lesson = cl.start("00_start_here")`, then `lesson.q1.check(answer)`, `.hint()`, `.solution()`.

Three outcomes: *correct*; *incorrect*, with the reason and not the answer; *not attempted yet*, when the cell still
holds its stub `...`. Nothing raises, so that Run All works with nothing solved. The exercises themselves stand in
`course_lib/lessons/`.
"""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import CourseError, NotOnThisModel
from ..base.jsonl import add_line
from ..base.paths import home
from ..models.identity import own_model

COLAB = Path(__file__).resolve().parents[1] / "workshop" / "colab.py"  # a script: it runs before anything is imported


@dataclass
class Exercise:
    """One question. `judge(answer)` returns `None` when right, else one sentence that says what is wrong."""

    name: str
    judge: Callable[[Any], str | None]
    hints: tuple[str, ...]
    answer: str | Callable  # a solution: a function, or source whose last statement assigns the variable `answer`
    wrong: tuple[str, ...]  # source of plausible wrong answers, for the tests
    shown: int = field(default=0, repr=False)

    def verdict(self, answer: Any) -> tuple[str, str]:
        """`("correct" | "incorrect" | "not attempted", message)`."""
        if answer is ... or answer is None:
            return "not attempted", f"{self.name}: not attempted yet. Replace the ... and run the cell again."
        try:
            reason = self.judge(answer)
        except Exception as error:  # a wrong type reaches the judge's own code; say so instead of a traceback
            reason = f"it could not be checked ({type(error).__name__}: {error}). Is it of the kind that the question asks for?"
        if reason is None:
            return "correct", f"{self.name}: correct."
        return "incorrect", f"{self.name}: incorrect: {reason}"

    def check(self, answer: Any = ...) -> None:
        """Print the verdict on an answer."""
        print(self.verdict(answer)[1])

    def hint(self) -> None:
        """Print the next hint; after the last, the first again."""
        print(
            f"Hint {self.shown % len(self.hints) + 1} of {len(self.hints)}: {self.hints[self.shown % len(self.hints)]}"
        )
        self.shown += 1

    def solution(self) -> None:
        """Print one solution."""
        print(self.source)

    @property
    def source(self) -> str:
        """The source of the solution, as it would stand in the student's cell."""
        return self.answer if isinstance(self.answer, str) else source_of(self.answer)


def source_of(function: Callable) -> str:
    """A function as it would stand in the student's cell, with `answer` set to it."""
    return f"{inspect.getsource(function).rstrip()}\n\n\nanswer = {function.__name__}"


class Lesson:
    """The exercises of a lesson as `q1`, `q2`, …, its predictions, and what it may expect of the model in use.

    `own_model` is whether that is the course's own. What *must* be equal, by hand and in the library, is asserted for every model;
    what a training *achieves* only for the course's own: `assert fell or not lesson.own_model`.
    """

    def __init__(self, name: str, exercises: list[Exercise]) -> None:
        self.name = name
        self.exercises = exercises
        for number, exercise in enumerate(exercises, 1):
            setattr(self, f"q{number}", exercise)

    @property
    def own_model(self) -> bool:
        """Whether the model in use is the course's own, and not one named in `COURSE_MODEL`."""
        return own_model()

    def needs(self, given: Any, why: str) -> None:
        """Stop here, with one sentence that says why, when the chosen model does not bring what the rest of the lesson needs.

        Raises `NotOnThisModel`, which `course run` reports without counting it as a failure.
        """
        if not given:
            raise NotOnThisModel(why)

    def __repr__(self) -> str:
        return f"Lesson {self.name}: {len(self.exercises)} exercises"

    def picture(self) -> str:
        """Draw the idea of the lesson, as on a whiteboard; returns its summary in one sentence.

        The drawing is `draw(axes)` in the lesson's `picture.py`. Raises `CourseError` for a lesson without one.
        """
        from ..measure.drawing import drawing

        try:
            module = importlib.import_module(f"course_lib.lessons.lesson_{self.name}.picture")
        except ModuleNotFoundError:
            raise CourseError(f"Lesson {self.name} has no picture.", "Go on without it.") from None
        return drawing(module.draw)

    def predict(self, question: str, guess: Any = ...) -> None:
        """Note a guess before the run; kept in `runs/predictions.jsonl` for the end of the course."""
        if guess is ...:
            print("No prediction yet: replace the ... with your guess, or go on without one.")
            return
        row = {"lesson": self.name, "question": question, "guess": guess, "time": time.strftime("%Y-%m-%dT%H:%M:%S")}
        try:
            add_line(home() / "runs" / "predictions.jsonl", row)
        except (
            CourseError,
            TypeError,
        ) as error:  # a guess that is no JSON value, or a folder that is not the student's
            print(f"Your guess {guess} was not kept ({error}); go on without.")
        else:
            print(f"Noted: {guess}. We shall see.")


def lesson_names() -> list[str]:
    """The lessons whose notebook exists, in order."""
    return sorted(path.stem for path in (home() / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def known_lessons() -> list[str]:
    """The lessons that have a notebook or code of their own, in order."""
    folders = {path.name.removeprefix("lesson_") for path in Path(__file__).parent.glob("lesson_*") if path.is_dir()}
    return sorted(folders | set(lesson_names()))


def start(name: str) -> Lesson:
    """Open a lesson: its exercises, bound to `q1`, `q2`, …; raises `CourseError` for an unknown name.

    In Colab it first installs what is still lacking, since the first cell may have been stopped between fetching and installing.
    """
    if "google.colab" in sys.modules:
        subprocess.run([sys.executable, os.fspath(COLAB)], check=True)
    try:
        module = importlib.import_module(f"course_lib.lessons.lesson_{name}.exercises")
    except ModuleNotFoundError as error:
        if error.name not in (f"course_lib.lessons.lesson_{name}", f"course_lib.lessons.lesson_{name}.exercises"):
            raise
        known = ", ".join(lesson_names())
        raise CourseError(f"There is no lesson '{name}'.", f"The lessons are: {known}.") from None
    return Lesson(name, module.EXERCISES)
