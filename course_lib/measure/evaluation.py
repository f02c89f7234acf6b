"""Score a model's replies, and say how sure the figure is."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.run import Run
from ..data.checks import SCORERS, check_rows, rows_of
from ..data.instructions import prompt_text
from ..models.generation import answer_part, context_of, encode_exchange, generate
from .statistics import mean_interval, wilson

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


DECLINES = re.compile(r"\b(cannot|does not|do not|can't) give\b.*\badvice\b", re.I)


def normalise(text: str) -> str:
    """First line, lower case, single spaces, no closing full stop. Replies and right answers are compared in this form, both."""
    lines = text.strip().splitlines()
    return re.sub(r"\s+", " ", lines[0]).strip().rstrip(".").lower() if lines else ""


def declines(reply: str) -> bool:
    """Whether a reply declines to give advice."""
    return bool(DECLINES.search(reply))


def word_overlap(reply: str, reference: str) -> float:
    """F1 of the words of two texts, as sets (ROUGE-1, Lin 2004, on word types)."""
    a, b = (set(re.findall(r"[a-z0-9]+", t.lower())) for t in (reply, reference))
    common = len(a & b)
    return 2 * common / (len(a) + len(b)) if common else 0.0


def score(row: dict, reply: str) -> bool:
    """Whether a reply is right, by the row's `scorer`. A block of reasoning before the answer does not count.

    `label`, `exact`: the first line equals the label or output. `overlap`: word F1 with the output at least 0.5.
    `facts`: one line of at most 25 words that names the label and gives no figure that the input lacks. `format`: the same
    JSON object, or exactly the one word. `refusal`: declines advice where the label is `refuse`, and only there.
    """
    reply, wanted = answer_part(reply), answer_part(row.get("output") or "")
    scorer, first = row.get("scorer") or "exact", normalise(reply)
    if scorer == "label":
        return bool(first) and first == normalise(row["label"])
    if scorer == "exact":
        return bool(first) and first == normalise(wanted)
    if scorer == "overlap":
        return word_overlap(first, wanted) >= 0.5
    if scorer == "facts":
        figures = set(re.findall(r"\d+", row["input"]))
        sound = all(figure in figures for figure in re.findall(r"\d+", reply))
        return row["label"] in reply and len(reply.split()) <= 25 and sound
    if scorer == "refusal":
        return bool(first) and declines(reply) == (row["label"] == "refuse")
    if scorer == "format":
        if row["label"] == "word":
            return reply.strip() == wanted.strip()
        try:
            return json.loads(reply) == json.loads(wanted)
        except json.JSONDecodeError:
            return False
    raise CourseError(f"Unknown scorer '{scorer}' in row {row.get('id')}.", f"Use one of {', '.join(SCORERS)}.")


def follows(row: dict, reply: str) -> bool | None:
    """Whether a reply has the *form* that the instruction asks for, right or wrong; `None` where none is asked for.

    A label task: one of the labels, and nothing else. One word: exactly one. JSON: an object with exactly the keys of
    the right answer.
    """
    reply = answer_part(reply)
    if row["scorer"] == "label":
        return len(reply.strip().splitlines()) == 1 and normalise(reply) in map(normalise, row["choices"])
    if row["scorer"] != "format":
        return None
    if row["label"] == "word":
        return len(reply.split()) == 1
    try:
        found = json.loads(reply)
    except json.JSONDecodeError:
        return False
    return isinstance(found, dict) and set(found) == set(json.loads(row["output"]))


@dataclass
class Result:
    """What `evaluate` found: accuracy with its 95 % interval, the replies, and the same per task."""

    value: float
    low: float
    high: float
    n: int
    right: list[bool] = field(repr=False)
    replies: list[str] = field(repr=False)
    by_task: dict[str, tuple[float, float, float, int]] = field(repr=False, default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{100 * self.value:.1f} % right (95 % interval {100 * self.low:.1f}–{100 * self.high:.1f}, n = {self.n:,})"
        )


def result(rows: Sequence[dict], replies: Sequence[str]) -> Result:
    """Score replies against their rows."""
    right = [score(row, reply) for row, reply in zip(rows, replies, strict=True)]
    groups: dict[str, list[bool]] = defaultdict(list)
    for row, ok in zip(rows, right, strict=True):
        groups[row.get("task") or "rows"].append(ok)
    by_task = {k: (sum(v) / len(v), *wilson(sum(v), len(v)), len(v)) for k, v in sorted(groups.items())}
    low, high = wilson(sum(right), len(right))
    return Result(sum(right) / len(right), low, high, len(right), right, list(replies), by_task)


def over_seeds(results: Sequence[Result]) -> Result:
    """One result over several seeds on the same rows: the mean, with an interval for other seeds and other rows."""
    value, low, high = mean_interval([result.right for result in results])
    return Result(value, max(0.0, low), min(1.0, high), results[0].n, [], [])


def evaluate(
    model: PreTrainedModel | Run,
    tokenizer: PreTrainedTokenizerBase | Dataset | None = None,
    data: Dataset | None = None,
    *,
    limit: int | None = None,
    max_new_tokens: int | None = None,
) -> Result:
    """Greedy replies to the rows of an instruction dataset, scored: `evaluate(run, data)` or `evaluate(model, tokenizer, data)`.

    `limit` keeps the first rows only. `max_new_tokens=None` follows the longest right answer. Rows without a `scorer` are right
    when the reply's first line equals the output. Everything about the rows is checked before anything is generated: `CourseError` for
    data of another kind, an empty dataset, and rows that cannot be scored, by number.
    """
    if isinstance(model, Run):
        if data is not None:
            raise CourseError("A run brings its own tokenizer.", "Call cl.evaluate(run, data).")
        model, tokenizer, data = model.model, model.tokenizer, tokenizer
    if data is None or tokenizer is None:
        raise CourseError(
            "There is no data to evaluate on.", "Call cl.evaluate(run, data) or cl.evaluate(model, tokenizer, data)."
        )
    rows = check_rows(rows_of(data, limit), scored=True)
    longest = max(rows, key=lambda row: len(tokenizer(row["output"])["input_ids"]))
    needed = len(encode_exchange(tokenizer, prompt_text(longest), longest["output"])[1])  # with its end mark
    options = {"max_new_tokens": max_new_tokens or min(needed + 7, context_of(model) // 2)}
    return result(rows, generate(model, tokenizer, [prompt_text(r) for r in rows], **options))
