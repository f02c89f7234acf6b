"""Load instruction data: checked line by line, as `datasets.Dataset`, and formatted as chat messages.

The course's files are JSONL with the columns of `COLUMNS`; a user's own may have any form of `formats`. A broken line is never skipped in
silence: all of them are counted, and the first ones are named with file, line, column and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import jsonl
from ..base.errors import CourseError
from ..base.paths import home
from ..gazette.tasks import COLUMNS, SPLITS, TASKS
from .checks import check_rows, empty_fault, rows_of

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


WILD_COLUMNS = ("text", "label")


def read_jsonl(path: str | Path, columns: Iterable[str] = COLUMNS) -> list[dict]:
    """Read and check a JSONL file whose rows must have exactly `columns`.

    Raises `CourseError` that names the file and, for the first five bad lines, line, column and reason.
    """
    path, wanted = Path(path), list(columns)
    if not path.exists():
        raise CourseError(
            f"There is no file {path}.", "Check the path; the course's own data is restored with git checkout -- data"
        )
    mend = f"Each line must be one JSON object with the columns {', '.join(wanted)}. Fix or delete these lines."
    rows = jsonl.read_jsonl(path, lambda row: _row_fault(row, wanted), mend)
    if not rows:
        raise CourseError(f"{path} is empty.", "Give it at least one row, or point to another file.")
    return rows


def _row_fault(row: dict, wanted: list[str]) -> str | None:
    missing = [name for name in wanted if name not in row]
    extra = [name for name in row if name not in wanted]
    if missing or extra:
        parts = [f"column '{name}' is missing" for name in missing]
        parts += [f"column '{name}' is unknown" for name in extra]
        return " and ".join(parts)
    for name in wanted:
        kind = list if name == "choices" else str
        if not isinstance(row[name], kind):
            return f"column '{name}' holds a {type(row[name]).__name__}, not a {kind.__name__}"
    return empty_fault(row) if "output" in wanted else None


def load_instructions(
    task: str | Path | Iterable[str] | None = None,
    *,
    domain: str | None = None,
    folder: str | Path | None = None,
    skip: bool = False,
) -> DatasetDict:
    """The instruction data as `DatasetDict` with `train`, `validation` and `test`; or a user's own file.

    `task` is one task, several, or `None` for the mixture of all; `domain` keeps one section (`business`, `health`,
    `courts`, `town`, or the withheld `wool`). `folder` holds other data of the same schema.

    A path instead of a task (or as `folder`) is a file of one's own, a folder with train.* and maybe validation.* and test.*, or a data
    set of the hub: Alpaca, ShareGPT, chat messages, prompt and completion, as JSONL, JSON, CSV or Parquet. Its rows have `instruction`,
    `input`, `output`, their `place` in the file, and `before` where turns stand before the question. What was changed is printed; records
    that cannot be used raise one `CourseError` that counts them by reason and line, or with `skip=True` are left out, and printed.

    Raises `CourseError` for an unknown task or domain, a broken file, or a choice that leaves no rows.
    """
    from datasets import Dataset, DatasetDict

    own = task if is_path(task) else folder if folder and not _of_the_course(folder) else None
    if own is not None:
        return _own(own, skip)
    folder = Path(folder) if folder else home() / "data" / "instructions"
    wanted = {task} if isinstance(task, str) else set(task or ())
    unknown = wanted - set(TASKS)
    if unknown:
        raise CourseError(
            f"Unknown task {', '.join(map(repr, sorted(unknown)))}.",
            f"The tasks are: {', '.join(TASKS)}. A file of your own is named with its ending, such as 'mine.jsonl'.",
        )
    name = "wool" if domain == "wool" else ""
    splits = {}
    for split in SPLITS:
        rows = read_jsonl(folder / (f"wool_{split}.jsonl" if name else f"{split}.jsonl"))
        rows = [r for r in rows if (not wanted or r["task"] in wanted) and domain in (None, r["domain"])]
        if not rows:
            raise CourseError(
                f"No rows are left in {split} for task={task!r}, domain={domain!r}.",
                "Choose a domain that the task has: urgency is about health, outcome about courts.",
            )
        splits[split] = Dataset.from_list(rows)
    return DatasetDict(splits)


def is_path(name: object) -> bool:
    """Whether a name is that of a file, a folder or a data set of the hub, and not of a task."""
    if isinstance(name, str) and name not in TASKS:
        return "/" in name or "\\" in name or bool(Path(name).suffix) or Path(name).expanduser().exists()
    return isinstance(name, Path)


def _of_the_course(folder: str | Path) -> bool:
    """Whether a folder is read strictly: its training file is missing, unreadable as JSON, or written in the course's own schema."""
    file = Path(folder) / "train.jsonl"
    if not file.exists():
        return not Path(folder).is_file() and not any(Path(folder).glob("train.*"))
    first = next((found for _, found, reason in jsonl.objects(file) if reason is None), None)
    return not isinstance(first, dict) or bool({"scorer", "task", "choices"} & set(first))


def _own(source: str | Path, skip: bool) -> DatasetDict:
    """A user's data, with every change printed. Raises `CourseError` for records that cannot be used, unless they are to be skipped."""
    from datasets import Dataset, DatasetDict

    from .report import INSTRUCTIONS, by_reason, read_source, said_places

    report = read_source(source)
    if report.kind != INSTRUCTIONS:
        raise CourseError(f"{source} holds {report.kind}.", "Read it with cl.load_preferences.")
    told = []
    for split in report.splits.values():
        reasons = "; ".join(f"{reason}: {said_places(places)}" for reason, places in by_reason(split.dropped))
        if split.dropped and not (skip and split.rows):
            raise CourseError(
                f"{split.source} has {len(split.dropped)} of {split.records} records that cannot be used: {reasons}.",
                "Correct them, or leave them out with skip=True; cl.inspect_data(…) says all that is to be said of the file.",
            )
        left = f", {len(split.dropped)} left out: {reasons}" if split.dropped else ""
        told.append(f"{split.source}: {len(split.rows)} rows from {split.records} records{left}.")
        told += [f"  changed: {said}: {said_places(places)}" for said, places in by_reason(split.notes)]
        if split.unused:
            told.append(f"  columns not used: {', '.join(split.unused)}")
    print("\n".join(told))
    data = {name: Dataset.from_list(_even(split.rows)) for name, split in report.splits.items()}
    return DatasetDict(data)


def _even(rows: list[dict]) -> list[dict]:
    """Rows with the same columns; `before` only where some row has turns before its question."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not any(row.get("before") for row in rows):
        names = [name for name in names if name != "before"]
    return [{name: row.get(name) for name in names} for row in rows]


def load_in_the_wild(domain: str | None = None, *, locked: bool = False) -> Dataset:
    """Hand-written sentences with their tone, as instruction rows (task `tone`).

    `domain` is `finance`, `health` or `law`; `None` means all three. The open half (default) may be looked at as often
    as one likes; the locked half is scored once per release.
    """
    from datasets import Dataset

    from ..gazette.tasks import phrasings

    domains = [domain] if domain else ["finance", "health", "law"]
    half = "locked" if locked else "open"
    asked, rows = phrasings("tone", "test"), []
    for name in domains:
        path = home() / "data" / "in_the_wild" / f"{name}.{half}.jsonl"
        for number, row in enumerate(read_jsonl(path, WILD_COLUMNS)):
            rows.append(
                dict.fromkeys(COLUMNS, "")
                | {
                    "id": f"wild-{name}-{half}-{number:03d}",
                    "task": "tone",
                    "domain": name,
                    "instruction": asked[number % len(asked)],
                    "input": row["text"],
                    "output": row["label"],
                    "label": row["label"],
                    "choices": ["positive", "negative", "neutral"],
                    "scorer": "label",
                    "source": "written by hand",
                }
            )
    return Dataset.from_list(rows)


def prompt_text(row: dict) -> str:
    """What the user says: the input (if any), a line break, the instruction.

    The instruction stands last, next to the reply. Put first, the one word that tells two tasks apart lies fifty tokens back, and a
    model of this size often gives the other task's answer.
    """
    return f"{row['input']}\n{row['instruction']}" if row["input"] else row["instruction"]


def asked(row: dict) -> str | list[dict]:
    """What stands before the answer: the prompt as text; or messages, where the row has turns `before` its question."""
    if not row.get("before"):
        return prompt_text(row)
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in row["before"]]
    return [*turns, {"role": "user", "content": prompt_text(row)}]


def to_messages(data: Any) -> Dataset:
    """Instruction rows (a `Dataset` or a list of dictionaries) → TRL's conversational prompt-completion rows.

    These have the columns `prompt` and `completion`, lists of messages. Raises `CourseError` for data of another kind, several splits,
    missing columns, and rows whose values are no text or that have no prompt or no answer; each is named.
    """
    from datasets import Dataset

    def one(row: dict) -> dict:
        said = asked(row)
        return {
            "prompt": said if isinstance(said, list) else [{"role": "user", "content": said}],
            "completion": [{"role": "assistant", "content": row["output"]}],
        }

    return Dataset.from_list([one(row) for row in check_rows(rows_of(data))])


def pick(data: Dataset, wanted: Callable[[dict], bool], count: int | None = None) -> Dataset:
    """The first `count` rows for which `wanted(row)` holds; all of them without `count`."""
    return data.select([i for i, row in enumerate(data) if wanted(row)][:count])


def of_tasks(data: Dataset, tasks: tuple[str, ...], each: int) -> Dataset:
    """The first `each` rows of each task."""
    found = list(data["task"])
    return data.select([i for task in tasks for i in [j for j, other in enumerate(found) if other == task][:each]])
