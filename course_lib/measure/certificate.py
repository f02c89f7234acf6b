"""Did it help? Before and after on the same items, what was forgotten, whether the adapter is active, and one verdict.

`cl.certify(run, test)` returns a `Certificate`; printed it is a report, `.markdown()` stands in a model card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.run import Run
from ..data.checks import check_rows, rows_of
from ..data.instructions import asked
from ..models.identity import base_of
from .audit import Check, active, audited, merged_equals, moved, replies_that_end, shift, without_adapter
from .evaluation import Result, answer_room, evaluate
from .losses import forgetting_texts, text_loss
from .statistics import Interval, paired_shares

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NOTHING, BROKEN, HELPED, HARMED, UNDECIDED = (
    "nothing changed", "not to be trusted", "it helped", "it did harm", "no difference shown",
)  # fmt: skip
STILL = 1e-3  # nats: a model whose answers moved by less says the same
SAMPLES = 3


@dataclass
class Certificate:
    """What `certify` found. `gain` is the paired difference of the shares of right answers, `forgot` the rise of the loss on other text.

    `checks` are things that must hold; `samples` the first test items with both replies; `verdict` one of five, with its `reason`.
    """

    model: str
    compared_with: str
    before: Result
    after: Result
    gain: Interval
    forgot: float | None
    forgot_on: str
    checks: list[Check]
    samples: list[dict[str, str]] = field(repr=False)
    verdict: str
    reason: str

    def __str__(self) -> str:
        found = [f"Verdict: {self.verdict}: {self.reason}", f"before: {self.before}", f"after:  {self.after}"]
        found.append(f"difference on the same items: {_points(self.gain)}; before is {self.compared_with}")
        found.append(self._forgotten())
        found += [f"{check.mark:<7} {check.name}: {check.said}" for check in self.checks]
        for sample in self.samples:
            found.append(
                "asked: {asked!r:.100}\n  right {right!r:.60}   before {before!r:.60}   after {after!r:.60}".format(
                    **sample
                )
            )
        return "\n".join(found)

    def _forgotten(self) -> str:
        if self.forgot is None:
            return "forgetting: not measured"
        return f"forgetting: {self.forgot:+.3f} nats a token on {self.forgot_on} (above 0: it reads worse than before)"

    def markdown(self) -> str:
        """The certificate as Markdown, without a heading above the second level."""
        rows = [f"| {name} | {100 * r.value:.1f} % | {100 * r.low:.1f}–{100 * r.high:.1f} | {r.n:,} |" for name, r in (("before", self.before), ("after", self.after))]  # fmt: skip
        checks = [f"| {check.name} | {check.mark} | {_cell(check.said)} |" for check in self.checks]
        samples = [f"| {' | '.join(_cell(s[name]) for name in ('asked', 'right', 'before', 'after'))} |" for s in self.samples]  # fmt: skip
        return "\n".join(
            [
                "## Did it help?",
                "",
                f"**{self.verdict.capitalize()}**: {self.reason}",
                "",
                "| | right | 95 % interval | items |",
                "|---|---:|---|---:|",
                *rows,
                "",
                f"Difference on the same items: {_points(self.gain)}. *Before* is {self.compared_with}. {self._forgotten()}.",
                "",
                "| check | | |",
                "|---|---|---|",
                *checks,
                "",
                f"The first {len(self.samples)} test items, unpicked:",
                "",
                "| asked | right | before | after |",
                "|---|---|---|---|",
                *samples,
            ]
        )


def certify(
    model: Run | PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | Dataset | None = None,
    test: Dataset | None = None,
    *,
    base: PreTrainedModel | None = None,
    count: int | None = None,
    texts: Sequence[str] | None = None,
) -> Certificate:
    """Whether a training helped: `certify(run, test)` or `certify(model, tokenizer, test)`; the model is left as it is.

    *Before* is the same model with its adapter switched off; of a model without an adapter it is `base`, or the model of its name, loaded
    afresh. `count` keeps the first test rows. `texts` are what forgetting is measured on: without them held-out news for the course's own
    model, common English for any other.

    A run brings its training rows: then mask, end marks, template and the overlap with the test are audited too. The verdict is *nothing
    changed* (no weight moved, or the adapter is off), *not to be trusted* (a check failed), or what the paired interval says: *it helped*,
    *it did harm*, *no difference shown*. Raises `CourseError` for rows that cannot be scored, a `base` that is the inside of a PEFT model,
    and a full model whose name leads nowhere.
    """
    trained = None
    if isinstance(model, Run):
        if test is not None:
            raise CourseError("A run brings its own tokenizer.", "Call cl.certify(run, test).")
        test, tokenizer, trained, model = tokenizer, model.tokenizer, model.trainer, model.model
    if test is None or tokenizer is None:
        raise CourseError(
            "There are no test rows.", "Call cl.certify(run, test) or cl.certify(model, tokenizer, test)."
        )
    rows = check_rows(rows_of(test, count), scored=True)
    texts, forgot_on = (list(texts), "the texts given") if texts is not None else forgetting_texts(model)
    room = answer_room(model, tokenizer, rows)
    state = active(model)

    def measured(which: PreTrainedModel) -> tuple[Result, float, list]:
        result = evaluate(which, tokenizer, rows, max_new_tokens=room)
        return result, text_loss(which, tokenizer, texts) if texts else 0.0, shift(which, tokenizer, rows)

    after, read_after, told_after = measured(model)
    same = merged_equals(model, tokenizer, rows, told_after) if state.holds is not False else Check("merged = unmerged", None, "not asked, since the adapter is off")  # fmt: skip
    with without_adapter(model, base) as (start, compared_with):
        before, read_before, told_before = measured(start)
        weights = moved(model, start, told_after, told_before)
    gain = paired_shares(after.right, before.right)
    checks = [state, weights, same, replies_that_end(after, tokenizer, room), *audited(trained, tokenizer, rows)]
    still = weights.value < STILL and before.replies == after.replies
    verdict, reason = _verdict(checks, gain, still, state, len(rows))
    samples = [
        {"asked": _text(asked(row)), "right": row["output"], "before": before.replies[i], "after": after.replies[i]}
        for i, row in enumerate(rows[:SAMPLES])
    ]
    forgot = read_after - read_before if texts else None
    return Certificate(
        base_of(model)["model"], compared_with, before, after, gain, forgot, forgot_on, checks, samples, verdict, reason
    )


def _verdict(checks: list[Check], gain: Interval, still: bool, state: Check, n: int) -> tuple[str, str]:
    """The verdict and its reason, a sentence."""
    if still:
        why = (
            state.said if state.holds is False else "no reply and no probability differs from the model before training"
        )
        return NOTHING, f"{why}."
    failed = "; ".join(f"{check.name}? No: {check.said}" for check in checks if check.holds is False)
    told = f"{_points(gain)} on the same {n} items"
    if gain.high < 0:  # no fault of a test makes harm look smaller than it is
        return HARMED, f"{told}, an interval below 0{'. ' + failed if failed else ''}."
    if failed:
        return BROKEN, f"{failed}."
    if gain.low > 0:
        return HELPED, f"{told}, an interval above 0."
    return UNDECIDED, f"{told}, an interval that holds 0."


def _points(gain: Interval) -> str:
    value, low, high = gain.scaled(100)
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")


def _text(prompt: str | list[dict]) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(f"{m['role']}: {m['content']}" for m in prompt)


def _cell(text: Any, most: int = 120) -> str:
    """A text that may stand in a cell of a Markdown table."""
    told = " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return told if len(told) <= most else told[: most - 1] + "…"
