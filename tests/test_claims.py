"""Every claim in a lesson's prose is computed again from the committed runs and outputs, and must stand there in those words."""

from __future__ import annotations

import pytest

from course_lib.lessons import claims

LESSONS = claims.lessons_with_claims()


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_claims_of_a_lesson_hold_and_stand_in_it(lesson):
    assert claims.claims_of(lesson), "a claims.py without claims"
    assert claims.missing(lesson) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_without_its_prose_is_caught(lesson):
    assert len(claims.missing(lesson, text="# Nothing is said here.")) == len(claims.claims_of(lesson))


def test_other_words_and_other_figures_are_caught():
    def grows():
        """A claim about a figure."""
        return "It grows by 3.8 points (2.5 to 5.0)"

    def fails():
        """A claim that does not hold."""
        assert 1 > 2, "1 is not above 2"
        return "One is more."

    text = (
        "As seen, it grows\nby **3.8** points (2.5 to 5.0). It grows by\n*3.8 points* (2.5 to 5.0), then. One is more."
    )
    assert claims.missing("", [grows], text.replace("it", "It")) == []
    assert claims.missing("", [grows], text.replace("3.8", "3.9"))[0].startswith("grows: the lesson does not say")
    assert claims.missing("", [fails], text)[0].startswith("fails no longer holds: 1 is not above 2")
