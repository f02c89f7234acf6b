"""The machine and the notebooks: `doctor` and `run`."""

from __future__ import annotations


def add(command) -> None:
    """Their options; `command(name, run, text)` makes the parser of one."""
    command("doctor", _doctor, "check this machine: one line a check, with the fix")

    sub = command(
        "run", _run, "execute the notebooks in order, into build/course/, with the scoreboard and an index.html"
    )
    sub.add_argument("notebooks", nargs="*", help="names such as 00_start_here (default: all)")
    sub.add_argument("--route", choices=["half-day"], help="only the lessons of a route")
    sub.add_argument("--in-place", action="store_true", help="write the outputs into notebooks/ (for a commit)")


def _doctor(options) -> int:
    from .. import doctor

    return 0 if doctor.run() else 1


def _run(options) -> int:
    from .. import notebooks

    names = options.notebooks or notebooks.route(options.route)
    return notebooks.run(names, in_place=options.in_place)
