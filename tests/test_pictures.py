"""Every lesson draws its idea: the drawing works, says in a sentence what it shows, and stands in the notebook."""

from __future__ import annotations

import importlib

import pytest

from course_lib.lessons import claims
from course_lib.lessons.exercise import lesson_names
from course_lib.measure.drawing import drawing

LESSONS = lesson_names()


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_picture_of_a_lesson_is_drawn_and_says_what_it_shows(lesson, tmp_path):
    module = importlib.import_module(f"course_lib.lessons.lesson_{lesson}.picture")
    summary = drawing(module.draw, path=tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 8_000  # a blank field takes less
    assert len(summary.split()) >= 10 and "\n" not in summary and summary.endswith(".")


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_notebook_shows_it(lesson):
    cells = ["".join(c["source"]) for c in claims._cells(lesson) if c["cell_type"] == "code"]
    assert any("lesson.picture()" in source for source in cells)
