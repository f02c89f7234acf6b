"""Score a model's replies, and say how sure the figure is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.run import Run
from ..data.checks import check_rows, rows_of
from ..data.instructions import asked
from ..gazette.tasks import scoring
from ..gazette.tasks.scoring import SCORERS, declines, normalise, word_overlap
from ..models.generation import answer_part, context_of, encode_exchange, generate
from .statistics import mean_interval, wilson

__all__ = ["Result", "declines", "evaluate", "follows", "normalise", "over_seeds", "result", "score", "word_overlap"]

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def score(row: dict, reply: str) -> bool:
    """Whether a reply is right, by the row's `scorer`, or else by its output. A block of reasoning before the answer does not count."""
    reply, kind = answer_part(reply), row.get("scorer") or "exact"
    if kind not in SCORERS:
        raise CourseError(f"Unknown scorer '{kind}' in row {row.get('id')}.", f"Use one of {', '.join(SCORERS)}.")
    wanted = answer_part(row.get("output") or "")
    return bool(normalise(reply)) and SCORERS[kind]({**row, "output": wanted}, reply)


def follows(row: dict, reply: str) -> bool | None:
    """Whether a reply, less a block of reasoning, has the form that its row asks for (`tasks.scoring.follows`)."""
    return scoring.follows(row, answer_part(reply))


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
    count: int | None = None,
    max_new_tokens: int | None = None,
) -> Result:
    """Greedy replies to the rows of an instruction dataset, scored: `evaluate(run, data)` or `evaluate(model, tokenizer, data)`.

    `count` keeps the first rows only. `max_new_tokens=None` follows the longest right answer. Rows without a `scorer` are right
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
    rows = check_rows(rows_of(data, count), scored=True)
    options = {"max_new_tokens": max_new_tokens or answer_room(model, tokenizer, rows)}
    return result(rows, generate(model, tokenizer, [asked(r) for r in rows], **options))


def answer_room(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict]) -> int:
    """How many new tokens a reply to these rows may take: those of the longest right answer with its end mark, and seven more."""
    longest = max(rows, key=lambda row: len(tokenizer(row["output"])["input_ids"]))
    needed = len(encode_exchange(tokenizer, asked(longest), longest["output"])[1])
    return min(needed + 7, context_of(model) // 2)
