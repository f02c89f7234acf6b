"""A user's file as records, one after the other, each with its place in the file: JSON lines, a JSON array, CSV, Parquet, a hub id.

What a record means is decided in `formats`; here nothing is dropped. A record that cannot be read is handed on with the reason.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..base import jsonl
from ..base.errors import CourseError
from ..base.hub import HUB_ID, reach_data_set

Record = tuple[str, Any, str | None]  # place, object, what is wrong with it

SPLITS = ("train", "validation", "test")
SUFFIXES = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet")
DELIMITERS = ",;\t|"
COLUMNS = {
    "instruction", "input", "output", "prompt", "completion", "response", "question", "answer", "messages", "conversations", "chosen",
    "rejected", "context", "system", "query",
}  # fmt: skip
NOT_READ = {
    (".xlsx", ".xls", ".ods"): ("is a workbook", "Open it and save the sheet as 'CSV UTF-8'."),
    (".gz", ".zip", ".zst", ".bz2", ".xz", ".7z"): ("is packed", "Unpack it first."),
    (".pkl", ".pickle", ".pt", ".pth", ".joblib"): (
        "is pickled, which could run code when opened",
        "Save it as JSONL, CSV or Parquet where you trust it.",
    ),
}


def split_files(source: str | Path) -> dict[str, str | Path]:
    """The splits of a source: a file or a hub id is `train`; a folder has train.*, and maybe validation.* and test.*.

    Raises `CourseError` for a path with nothing behind it, a folder without a train file or with two for one split, and what no reader takes.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        found: dict[str, list[Path]] = {
            split: sorted(p for p in path.iterdir() if p.stem == split and p.suffix.lower() in SUFFIXES)
            for split in SPLITS
        }
        double = next((files for files in found.values() if len(files) > 1), None)
        if double:
            raise CourseError(
                f"{path} holds {' and '.join(p.name for p in double)}.",
                "Keep one file a split, or name the file itself.",
            )
        if not found["train"]:
            raise CourseError(
                f"There is no training file in {path}.",
                f"Call it train.jsonl (or {', '.join(SUFFIXES[1:])}), or name the file itself.",
            )
        return {split: files[0] for split, files in found.items() if files}
    if path.is_file():
        for suffixes, (what, following) in NOT_READ.items():
            if path.suffix.lower() in suffixes:
                raise CourseError(f"{path} {what}.", following)
        return {"train": path}
    if HUB_ID.fullmatch(str(source)) and "/" in str(source) and path.suffix.lower() not in SUFFIXES:
        return {"train": str(source)}
    raise CourseError(f"There is no file {path}.", "Check the path; a data set of the hub has the form 'owner/name'.")


def records(source: str | Path) -> Iterator[Record]:
    """Place, object and what is wrong with it, for each record of a file or of a hub's data set. Raises `CourseError` for what is no text."""
    path = Path(source)
    if not path.is_file():
        yield from _from_hub(str(source))
    elif path.suffix.lower() == ".parquet" or _begins(path, b"PAR1"):
        yield from _parquet(path)
    elif path.suffix.lower() in (".csv", ".tsv"):
        yield from _table(path)
    else:
        yield from _json(path)


def _begins(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False


def _json(path: Path) -> Iterator[Record]:
    """JSON lines, an array, or one object that holds the array, as in {"data": [...]}."""
    content = jsonl.content_of(path)
    if content.lstrip().startswith(b"{"):
        try:
            whole = json.loads(content)
        except ValueError:
            whole = None
        held = {k: v for k, v in (whole or {}).items() if isinstance(v, list) and v and isinstance(v[0], dict)}
        if isinstance(whole, dict) and len(held) == 1 and not COLUMNS & set(whole):
            (name, rows) = next(iter(held.items()))
            yield from ((f"row {n} of '{name}'", row, None) for n, row in enumerate(rows, 1))
            return
    yield from jsonl.objects(path)


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        rows = (row for batch in table.iter_batches() for row in batch.to_pylist())
        yield from ((f"row {n}", row, None) for n, row in enumerate(rows, 1))
    except (pyarrow.ArrowException, OSError) as error:
        first = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise CourseError(f"{path} is no whole Parquet file ({first}).", "Write or download it again.") from None


# ------------------------------------------------------------------ CSV


def _table(path: Path) -> Iterator[Record]:
    """A CSV file as a spreadsheet or pandas writes it: any of four delimiters, quoted line breaks, a line `sep=;`. All cells stay text."""
    content = jsonl.content_of(path)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CourseError(
            f"{path} is not UTF-8 text: line {line} holds the byte {content[error.start]:#x} (an older Windows encoding, probably).",
            "Save it as 'CSV UTF-8' in the spreadsheet, or read and write it with encoding='cp1252' and 'utf-8'.",
        ) from None
    lines, skipped = text.splitlines(keepends=True), 0
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) <= 5:
        delimiter, skipped = lines[0].strip()[4:] or "\t", 1
    else:
        delimiter = _delimiter(lines[0] if lines else "")
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO("".join(lines[skipped:]), newline=""), delimiter=delimiter, strict=True)
    names = _names(path, next(reader, []))
    while True:
        place = f"line {reader.line_num + 1 + skipped}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield place, None, f"not CSV ({error}); nothing behind this line is read"
            return
        if not cells or (len(names) > 1 and [c.strip() for c in cells] == [""]):
            continue  # a blank line
        if len(cells) != len(names) and any(c.strip() for c in cells[len(names) :] or ["x"]):
            yield place, None, f"{len(cells)} cells instead of {len(names)} (a {delimiter!r} in a text needs quotes)"
            continue
        yield place, dict(zip(names, cells, strict=False)), None


def _delimiter(header: str) -> str:
    """The delimiter that brings most known column names to light; else the one that makes most columns."""

    def found(mark: str) -> tuple[int, int]:
        names = [name.strip().strip('"').lower() for name in header.split(mark)]
        return len(COLUMNS & set(names)), len(names)

    return max(DELIMITERS, key=found)


def _names(path: Path, cells: list[str]) -> list[str]:
    """Column names, trimmed; those that the course knows in lower case. Raises `CourseError` for none, and for twins."""
    names = [cell.strip() for cell in cells]
    names = [name.lower() if name.lower() in COLUMNS else name for name in names]
    twins = sorted({name for name in names if names.count(name) > 1 and name})
    if not any(names) or twins:
        what = f"names the column {', '.join(twins)} twice" if twins else "has no line with the names of its columns"
        raise CourseError(
            f"{path} {what}.", "Its first line must name each column once, such as instruction,input,output."
        )
    return names


# ------------------------------------------------------------------ the hub


def _from_hub(name: str) -> Iterator[Record]:
    """The `train` part of a data set of the hub, or its only part. Raises `CourseError`, within seconds, when it cannot be had."""
    reach_data_set(name)
    from datasets import load_dataset

    try:
        data = load_dataset(name)
    except Exception as error:  # many kinds from three libraries
        told = str(error).strip().splitlines()
        raise CourseError(
            f"The data set '{name}' could not be loaded ({type(error).__name__}: {told[0][:160] if told else ''}).",
            "Download one of its files (JSONL, CSV or Parquet) and name that.",
        ) from None
    part = "train" if "train" in data else next(iter(data))
    yield from ((f"row {n} of {part}", row, None) for n, row in enumerate(data[part], 1))


def is_missing(value: Any) -> bool:
    """Nothing, as JSON, pandas and Parquet write it: null, or a number that is none. The texts "NA" and "None" are texts."""
    return value is None or (isinstance(value, float) and math.isnan(value))
