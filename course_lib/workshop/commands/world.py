"""What is written anew from the invented world: `corpus`, `data`, `preferences`."""

from __future__ import annotations

import sys
from pathlib import Path

from ...base.errors import CourseError


def add(command) -> None:
    """Their options; `command(name, run, text)` makes the parser of one."""
    sub = command("corpus", _corpus, "write documents of the Gazette: the same bytes for the same seed")
    sub.add_argument("--documents", type=int, default=1000)
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--out", type=Path, help="a file (default: standard output)")

    command("data", _data, "regenerate data/instructions from the world")

    sub = command("preferences", _preferences, "make the preference pairs again from the committed samples")
    sub.add_argument("--sample", action="store_true", help="sample anew from the brief writer first (some minutes)")


def _corpus(options) -> None:
    from ...gazette.corpus import documents
    from ...gazette.pages import END_OF_DOCUMENT

    out = _new_file(options.out) if options.out else sys.stdout
    for text in documents(options.documents, options.seed):
        out.write(f"{text}\n{END_OF_DOCUMENT}\n")
    if options.out:
        out.close()


def _data(options) -> None:
    from ..build_data import build

    build()


def _preferences(options) -> None:
    from .. import build_preferences

    if options.sample:
        build_preferences.sample()
    build_preferences.build()


def _new_file(path: Path):
    """A file to write into; one that is there already, or whose folder is not, is a `CourseError`."""
    try:
        return path.open("x", encoding="ascii", newline="\n")
    except FileExistsError:
        raise CourseError(f"{path} exists already.", "Delete it, or choose another name.") from None
    except FileNotFoundError:
        raise CourseError(f"There is no folder {path.parent}.", "Make it first, or choose another place.") from None
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror}).", "Choose a place that is yours.") from None
