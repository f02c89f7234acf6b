"""Rows and the limit on their length: which fit, which are cut, and which have no answer left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.quiet import hushed
from ..models.generation import encode_exchange, takes_system, turns

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SHOWN = 5  # how many rows a sentence names


def rows_that_fit(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, limit: int | None, truncation_mode: str = "keep_start"
) -> Dataset:
    """Prompt-completion rows without those that would have no token of their answer left within `limit` tokens.

    A printed sentence counts the rows that are dropped, and those whose answer is cut, which then teach no end mark, by number. Raises
    `CourseError` when no row is left. What a template writes behind the end mark is not counted.
    """
    if limit is None:
        return rows
    talks = [[*row["prompt"], *row["completion"]] for row in rows]
    texts = tokenizer.apply_chat_template(talks, tokenize=False)
    with hushed():  # a row that is too long is counted here, and need not be remarked upon
        lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    dropped, cut = [], []
    for number in (i for i, length in enumerate(lengths) if length > limit):
        prompt, answer = rows[number]["prompt"], rows[number]["completion"][-1]["content"]
        given, said = encode_exchange(tokenizer, prompt, answer)
        if truncation_mode != "keep_start":
            cut += [number] if len(given) + len(said) > limit else []
        elif len(given) >= limit:
            dropped.append(number)
        elif len(given) + len(said) > limit:
            cut.append(number)
    if len(dropped) == len(rows):
        raise CourseError(
            f"No row is left: all {len(rows)} prompts alone fill max_length={limit} tokens (the longest row has {max(lengths)}).",
            "Raise max_length, up to the model's context, or shorten the rows.",
        )
    if dropped or cut:
        loses = "lose their end mark" if truncation_mode == "keep_start" else "lose their beginning"
        told = f"{_named(dropped)} dropped, {_named(cut)} cut"
        print(f"max_length={limit}: of {len(rows)} rows {told}. Dropped rows have no answer left; cut ones {loses}.")
    return rows.select(sorted(set(range(len(rows))) - set(dropped))) if dropped else rows


def with_system_turns(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """The rows as the chat template takes them: one that knows no system turn gets its text at the beginning of the first user turn.

    A printed sentence counts such rows.
    """
    count = sum(row[0]["role"] == "system" for row in rows["prompt"])
    if not count or takes_system(tokenizer):
        return rows
    print(f"The chat template takes no system turn: in {count} rows its text begins the first user turn.")
    return rows.map(lambda row: {"prompt": turns(tokenizer, row["prompt"])})


def _named(numbers: list[int]) -> str:
    told = ", ".join(str(number + 1) for number in numbers[:SHOWN]) + ("…" if len(numbers) > SHOWN else "")
    return f"{len(numbers)} (row{'s' if len(numbers) > 1 else ''} {told})" if numbers else "0"
