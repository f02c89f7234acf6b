"""One kind of error for everything a student can fix: what happened, and what to do next."""

from __future__ import annotations


class CourseError(Exception):
    """An error with its fix. Shown as two sentences: `what` happened (and where), and what to do `next`."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(f"{what} {next}")
        self.what, self.next = what, next

    def _render_traceback_(self) -> list[str]:
        """Jupyter shows the message alone; a traceback through library code helps nobody here."""
        return [f"{type(self).__name__}: {self.what}", f"What to do: {self.next}"]


class NotOnThisModel(CourseError):
    """A lesson that cannot go on with the chosen model, and one sentence that says why. `course run` reports it, and it is no failure."""

    ADVICE = "Run this lesson on the course's own model: leave COURSE_MODEL unset."

    def __init__(self, why: str) -> None:
        super().__init__(why, self.ADVICE)
