"""The one reader and the one writer of JSON lines.

Read: UTF-8 with or without a byte order mark, UTF-16 with one, any line ends, and one JSON array instead of lines. Written: UTF-8, Unix
line ends, whole or not at all: into a file beside it that then takes its place.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .errors import CourseError

SHOWN = 5  # how many bad lines an error names
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_jsonl(
    path: str | Path, fault: Callable[[Any], str | None] | None = None, mend: str = "Fix or delete these lines."
) -> list[dict]:
    """The objects of a file, in order. `fault(object)` says in words what is wrong with one, or `None`.

    Raises `CourseError`, with `mend` as what to do, that counts the bad lines and names the first five with line, column and reason;
    or that names the encoding of a file that is no UTF-8 or UTF-16 text.
    """
    path = Path(path)
    good: list[dict] = []
    bad: list[str] = []
    for place, found, reason in objects(path):
        if reason is None and not isinstance(found, dict):
            reason = f"a {type(found).__name__} instead of an object"
        if reason is None and fault is not None:
            reason = fault(found)
        if reason is None:
            good.append(found)
        else:
            bad.append(f"{place}{'' if reason.startswith(',') else ': '}{reason}")
    if bad:
        rest = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        count = f"{len(bad)} bad line{'s' if len(bad) > 1 else ''} of {len(bad) + len(good)}"
        raise CourseError(f"{path} has {count}: {'; '.join(bad[:SHOWN])}{rest}.", mend)
    return good


def objects(path: str | Path) -> Iterable[tuple[str, Any, str | None]]:
    """Place, object and what is wrong with it as JSON (or `None`), line by line. Raises `CourseError` for a file that is no text."""
    return _objects(content_of(path))


def content_of(path: str | Path) -> bytes:
    """The bytes of a file as UTF-8 without a mark. Raises `CourseError` for UTF-16 that is marked by nothing but its zeros."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}).", "Check the path and its permissions.") from None
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            try:
                return content[len(mark) :].decode(encoding).encode("utf-8") if encoding != "utf-8" else content[3:]
            except UnicodeDecodeError:
                raise CourseError(f"{path} begins as {encoding} and is cut short.", "Save it as UTF-8.") from None
    if b"\0" in content[:200]:
        raise CourseError(f"{path} is UTF-16 or binary, not UTF-8 text.", "Save it as UTF-8 and try again.")
    return content


def _objects(content: bytes) -> Iterable[tuple[str, Any, str | None]]:
    """Place, object and what is wrong with it, for each line that is not blank, or for each row of a JSON array."""
    if content.lstrip().startswith(b"["):
        whole, reason = _parsed(content)
        if isinstance(whole, list) and (not whole or any(isinstance(row, dict) for row in whole)):
            yield from ((f"row {number} of the array", row, None) for number, row in enumerate(whole, 1))
            return
        if (
            reason and _parsed(content.lstrip().split(b"\n", 1)[0])[1]
        ):  # no line of JSON either: an array that is broken somewhere
            place, said = reason
            yield place, None, f"{said}; the file is one JSON array, and nothing of it can be read"
            return
    for number, raw in enumerate(content.splitlines(), 1):
        if not raw.strip():
            continue
        found, fault = _parsed(raw)
        yield f"line {number}", found, fault and fault[1]


def _parsed(content: bytes) -> tuple[Any, tuple[str, str] | None]:
    """The object, or the line at which it is no JSON and what is wrong there."""
    try:
        return json.loads(content.decode("utf-8")), None
    except UnicodeDecodeError as error:
        line, column = content.count(b"\n", 0, error.start) + 1, error.start - content.rfind(b"\n", 0, error.start)
        return None, (f"line {line}", f", column {column}: not UTF-8 text")
    except json.JSONDecodeError as error:
        return None, (f"line {error.lineno}", f", column {error.colno}: not JSON ({error.msg.lower()})")


def write_jsonl(path: str | Path, rows: Iterable[dict]) -> None:
    """One object a line; a reader finds the old file or the new one, never half of one. Raises `CourseError` if it cannot be written."""
    write_text(path, "".join(map(as_line, rows)))


def as_line(row: dict) -> str:
    """One object as its line."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write_text(path: str | Path, text: str) -> None:
    """`text` as UTF-8 with Unix line ends, whole or not at all; folders that are missing are made. Raises `CourseError`."""
    path = Path(path)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(text.encode("utf-8"))
        os.replace(fresh, path)
    except OSError as error:
        raise CourseError(
            f"{path} cannot be written ({error.strerror}).", "Check that the folder is yours and the disk not full."
        ) from None
    finally:
        if fresh.exists():
            fresh.unlink()


def add_line(path: str | Path, row: dict) -> None:
    """One more object at the end of a file. Raises `CourseError` if it cannot be written."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                broken = file.read(1) != b"\n"  # a line that was cut short stays by itself
                file.write(b"\n" if broken else b"")
            file.write(as_line(row).encode("utf-8"))
    except OSError as error:
        raise CourseError(
            f"{path} cannot be written ({error.strerror}).", "Check that the folder is yours and the disk not full."
        ) from None
