"""Preference pairs as the trainers take them, checked row by row: with their turns for DPO, as bare text for a reward model.

Both name every row that cannot be used. A reward model reads any form that a file may have (`data.pairs`); DPO takes the three columns
as they are, since a conversation of several turns must reach the chat template turn by turn.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..data.pairs import Unusable, first_of, read_pair
from ..measure.statistics import wilson

if TYPE_CHECKING:
    from datasets import Dataset

PAIR = ("prompt", "chosen", "rejected")
SCORES = (
    ("gold_chosen", "gold_rejected"),
    ("score_chosen", "score_rejected"),
)  # columns that say which reply is better
EMPTY = ("There is nothing to train on: the dataset is empty.", "Check the filter that made it.")


def to_pairs(data: Dataset) -> Dataset:
    """Preference rows as the trainers want them: `prompt`, `chosen`, `rejected` as lists of messages, checked row by row.

    Raises `CourseError` for an empty dataset, missing columns, and rows whose replies are empty or equal: none is
    skipped silently. Where the rows carry scores (`gold_chosen` and `gold_rejected`, or `score_…`) that put the rejected
    reply first in significantly more than half of them, a warning asks whether the columns were swapped.
    """
    from datasets import Dataset

    if len(data) == 0:
        raise CourseError(*EMPTY)
    missing = [name for name in PAIR if name not in data.column_names]
    if missing:
        hint = (
            "cl.load_preferences(file) splits rows that hold the prompt inside both replies."
            if missing == ["prompt"]
            else "Rename the columns: data.rename_column(old, 'chosen')."
        )
        raise CourseError(
            f"A preference row needs the columns prompt, chosen, rejected; {', '.join(missing)} is missing "
            f"(there are: {', '.join(data.column_names)}).",
            hint,
        )
    prompts, chosen, rejected = (list(data[name]) for name in PAIR)
    faults = []
    for number, (prompt, first, second) in enumerate(zip(prompts, chosen, rejected, strict=True)):
        reason = _fault(prompt, first, second)
        if reason:
            faults.append(f"row {number}: {reason}")
    if faults:
        raise CourseError(
            f"{len(faults)} of {len(prompts)} pairs cannot be learnt from: {first_of(faults)}.",
            "Fix these rows, or drop them by name: data.filter(lambda row: row['chosen'] != row['rejected']).",
        )
    _look_for_swap(data)
    return Dataset.from_dict(
        {
            "prompt": [_turn("user", p) for p in prompts],
            "chosen": [_turn("assistant", c) for c in chosen],
            "rejected": [_turn("assistant", r) for r in rejected],
        }
    )


def _turn(role: str, content: str | list) -> list[dict[str, str]]:
    return [{"role": role, "content": content}] if isinstance(content, str) else content


def _text(content: object) -> str | None:
    """The bare text of a column's value; `None` if it is neither text nor a list of messages."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list) and all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in content):
        return "\n".join(m["content"].strip() for m in content)
    return None


def _fault(prompt: object, chosen: object, rejected: object) -> str | None:
    texts = dict(zip(PAIR, map(_text, (prompt, chosen, rejected)), strict=True))
    odd = [name for name, text in texts.items() if text is None]
    if odd:
        return f"{odd[0]} is neither text nor a list of messages"
    empty = [name for name, text in texts.items() if not text]
    if empty:
        return f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty"
    if texts["chosen"] == texts["rejected"]:
        return "chosen and rejected are equal"
    return None


def _look_for_swap(data: Dataset) -> None:
    for better, worse in SCORES:
        if better in data.column_names and worse in data.column_names:
            pairs = [(a, b) for a, b in zip(data[better], data[worse], strict=True) if a != b]
            wrong = sum(a < b for a, b in pairs)
            if pairs and wilson(wrong, len(pairs))[0] > 0.5:
                warnings.warn(
                    f"In {wrong} of {len(pairs)} rows {worse} is above {better}: are chosen and rejected swapped?",
                    stacklevel=3,
                )


def as_pairs(data: Any) -> list[dict[str, str]]:
    """Rows of any preference form as bare text. Raises `CourseError` that names the first rows that are no pairs."""
    columns = getattr(data, "column_names", None)
    if isinstance(columns, dict) or (columns is None and hasattr(data, "keys")):
        raise CourseError("This is a dictionary of splits, not a dataset.", "Take one split: data['train'].")
    if len(data) == 0:
        raise CourseError(*EMPTY)
    pairs, faults = [], []
    for number, row in enumerate(data):
        try:
            pairs.append(read_pair(dict(row)))
        except Unusable as reason:
            faults.append(f"row {number}: {reason}")
    if faults:
        raise CourseError(
            f"{len(faults)} of {len(data)} rows are no preference pairs: {first_of(faults)}.",
            "Each row needs prompt, chosen and rejected; load a file with cl.load_preferences(path).",
        )
    return pairs
