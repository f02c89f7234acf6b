"""Load instruction data: checked line by line, as `datasets.Dataset`, and formatted as chat messages.

Every file is JSONL with the columns of `COLUMNS`. A broken line is never skipped: all of them are counted, and the
first ones are named with file, line, column and reason.
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
    mend = f"Each line must be one JSON object with the columns {', '.join(wanted)}. Mend or delete these lines."
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
    task: str | Iterable[str] | None = None, *, domain: str | None = None, folder: str | Path | None = None
) -> DatasetDict:
    """The instruction data as `DatasetDict` with `train`, `validation` and `test`.

    `task` is one task, several, or `None` for the mixture of all; `domain` keeps one section (`business`, `health`,
    `courts`, `town`, or the withheld `wool`). `folder` holds other data of the same schema. Raises `CourseError` for an
    unknown task or domain, a broken file, or a choice that leaves no rows.
    """
    from datasets import Dataset, DatasetDict

    folder = Path(folder) if folder else home() / "data" / "instructions"
    wanted = {task} if isinstance(task, str) else set(task or ())
    unknown = wanted - set(TASKS)
    if unknown:
        raise CourseError(
            f"Unknown task {', '.join(map(repr, sorted(unknown)))}.", f"The tasks are: {', '.join(TASKS)}."
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


def to_messages(data: Any) -> Dataset:
    """Instruction rows (a `Dataset` or a list of dictionaries) → TRL's conversational prompt-completion rows.

    These have the columns `prompt` and `completion`, lists of messages. Raises `CourseError` for data of another kind, several splits,
    missing columns, and rows whose values are no text or that have no prompt or no answer; each is named.
    """
    from datasets import Dataset

    def one(row: dict) -> dict:
        return {
            "prompt": [{"role": "user", "content": prompt_text(row)}],
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
