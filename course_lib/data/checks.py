"""What every function that takes rows asks of them first: the right kind of data, the columns, and values that are text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base.errors import CourseError
from ..gazette.tasks.scoring import SCORERS

NEEDED = ("instruction", "input", "output")
SHOWN = 5  # how many bad rows an error names


def rows_of(data: Any, count: int | None = None) -> list[dict]:
    """The rows of a `Dataset` or of a list of dictionaries, the first `count` of them.

    Raises `CourseError` for anything else, with the way from there: several splits, columns instead of rows (which is what slicing a
    dataset gives), one row, a name, a stream, a table; and for no rows at all.
    """
    reason = _wrong_kind(data)
    if reason:
        raise CourseError(*reason)
    if hasattr(data, "column_names") and hasattr(data, "select"):
        data = data if count is None else data.select(range(min(count, len(data))))
    rows = list(data)[: count if count is not None else None]
    if not rows:
        raise CourseError("There are no rows: the dataset is empty.", "Check the filter that made it.")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise CourseError(
                f"Row {number} is a {type(row).__name__}, not a dictionary.",
                "Each row is a dictionary such as {'instruction': …, 'input': …, 'output': …}.",
            )
    return rows


def _wrong_kind(data: Any) -> tuple[str, str] | None:
    names = list(data) if isinstance(data, dict) else []
    if isinstance(data, dict) and names and all(hasattr(part, "column_names") for part in data.values()):
        chosen = "train" if "train" in names else names[0]
        return f"This holds several splits ({', '.join(map(str, names))}).", f"Take one, such as data['{chosen}']."
    if isinstance(data, dict) and all(isinstance(part, (list, tuple)) for part in data.values()) and names:
        count = max(map(len, data.values()))
        return (
            "These are columns, not rows: a dataset was sliced.",
            f"Use .select(range({count})) instead of [:{count}].",
        )
    if isinstance(data, dict):
        return "This is one row, not a dataset.", "Put it into a list: [row]."
    if isinstance(data, (str, bytes)) or hasattr(data, "__fspath__"):
        return (
            f"The data is a name ({str(data)[:60]!r}), not rows.",
            "Load it first: cl.load_instructions(folder=…)['train'].",
        )
    if hasattr(data, "iloc"):
        return "The data is a table of pandas.", "Make rows of it: datasets.Dataset.from_pandas(table)."
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        return (
            f"The data is a {type(data).__name__}, which has no length.",
            "Give a datasets.Dataset or a list of dictionaries.",
        )
    return None


def check_rows(rows: Sequence[dict], *, scored: bool = False) -> Sequence[dict]:
    """The same rows, if each can be trained on, or also be `scored`. Raises `CourseError` that counts and names the others."""
    missing = [name for name in NEEDED if any(name not in row for row in rows)]
    if missing:
        bare = next(row for row in rows if missing[0] not in row)
        raise CourseError(
            f"The data has no column {', '.join(missing)}.",
            f"Its columns are {', '.join(map(str, bare))}; rename them to the course's schema.",
        )
    bad = [(number, reason) for number, row in enumerate(rows, 1) if (reason := row_fault(row, scored))]
    if bad:
        named = "; ".join(f"row {number}: {reason}" for number, reason in bad[:SHOWN])
        rest = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise CourseError(
            f"{len(bad)} of {len(rows)} rows cannot be used: {named}{rest}.",
            "Fix these rows or leave them out; an input may be empty text.",
        )
    return rows


def row_fault(row: dict, scored: bool = False) -> str | None:
    """What is wrong with one row, in words, or `None`."""
    if scored and (row.get("scorer") or "exact") not in SCORERS:
        return f"unknown scorer '{row['scorer']}' (known: {', '.join(SCORERS)})"
    for name in (*NEEDED, *(("label",) if scored and row.get("scorer") not in (None, "", "exact", "overlap") else ())):
        if not isinstance(row.get(name), str):
            return f"{name} is {_told(row.get(name))}, not text"
    return empty_fault(row)


def empty_fault(row: dict) -> str | None:
    """What is empty in a row that must not be: the prompt as a whole, the answer, or the label that the answer is held against."""
    if not row["output"].strip():
        return "the output is empty, so there is no answer to learn or to compare with"
    if not (row["instruction"].strip() or row["input"].strip()):
        return "instruction and input are both empty, so nothing is asked"
    if row.get("scorer") == "label" and not str(row.get("label") or "").strip():
        return "the label is empty"
    return None


def _told(value: Any) -> str:
    return str(value) if value is None or value != value else f"{value!r} ({type(value).__name__})"
