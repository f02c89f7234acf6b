"""The repository's address, and what the student's own runs have left: `address` and `reset`."""

from __future__ import annotations

from pathlib import Path

from ...base.errors import CourseError


def add(command) -> None:
    """Their options; `command(name, run, text)` makes the parser of one."""
    sub = command(
        "address", _address, "write the repository's address where it is needed: pyproject, first cells, badges"
    )
    sub.add_argument("url", help="such as https://github.com/you/your-course")

    sub = command("reset", _reset, "delete the student's own runs and results, or those of one lesson")
    sub.add_argument("lesson", nargs="?", help="such as 00_start_here (default: all)")


def _address(options) -> None:
    from .. import notebooks

    for path in notebooks.set_address(options.url):
        print(f"changed {path}")


def _reset(options) -> None:
    from ...base.jsonl import write_jsonl
    from ...base.paths import home
    from ...lessons.exercise import known_lessons
    from ...measure.scoreboard import rows, student_file

    runs = home() / "runs"
    if options.lesson is None:
        print(
            "Deleted runs/: your results, predictions and checkpoints."
            if _delete(runs)
            else "There is no runs/ to delete."
        )
        return
    if options.lesson not in known_lessons():
        raise CourseError(
            f"There is no lesson '{options.lesson}', so nothing was deleted.",
            f"The lessons are: {', '.join(known_lessons())}.",
        )
    found = rows(student_file())
    kept = [row for row in found if row["lesson"] != options.lesson]
    if len(kept) < len(found):
        write_jsonl(student_file(), kept)
    if not _delete(runs / options.lesson) and len(kept) == len(found):
        print(f"You have no runs of {options.lesson}.")
        return
    print(
        f"Deleted your runs of {options.lesson}. The notebook itself: git checkout -- notebooks/{options.lesson}.ipynb"
    )


def _delete(folder: Path) -> bool:
    """Remove a folder; of a link the link alone. Returns whether there was one."""
    import shutil

    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
    else:
        return False
    return True
