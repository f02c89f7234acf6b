"""Exercises of lesson 02: ids and labels of one example, what truncation leaves to learn, a split by name."""

from __future__ import annotations

import random

from ..exercise import Exercise, source_of
from . import mistakes, solutions

END, PAD, IGNORED = 2, 3, -100

# (prompt, answer, width, padding token): in the second case padding is done with the end mark itself, the third needs
# no padding, the fourth has an end mark inside the prompt
CASES = (
    ([1, 5, 6], [9, END], 7, PAD),
    ([1, 5, 6], [9, END], 7, END),
    ([1, 7], [8, 9, END], 5, PAD),
    ([1, 5, END, 1, 6], [9, 8, END], 10, PAD),
)


def judge_example(answer) -> str | None:
    """A function `(prompt, answer, width, pad) → (ids, labels)`, tried on the cases above."""
    if not callable(answer):
        return f"the answer is a function (answer = example), not a {type(answer).__name__}."
    for prompt, reply, width, pad in CASES:
        got = answer(list(prompt), list(reply), width, pad)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            return "the function returns two lists, ids and labels: return ids, labels."
        reason = _example_fault(prompt, reply, width, pad, list(got[0]), list(got[1]))
        if reason:
            return f"for prompt {prompt}, answer {reply}, width {width}, padding token {pad}: {reason}"
    return None


def _example_fault(prompt, reply, width, pad, ids, labels) -> str | None:
    filler, last = width - len(prompt) - len(reply), len(prompt) + len(reply)
    if len(ids) != width or len(labels) != width:
        return f"ids and labels have {len(ids)} and {len(labels)} places; both need {width}."
    if ids != [*prompt, *reply, *[pad] * filler]:
        return f"ids are {ids}: first the prompt, then the answer, then padding."
    wanted = [IGNORED] * len(prompt) + list(reply) + [IGNORED] * filler
    if labels == wanted:
        return None
    if labels == ids:
        return "every token is counted, the question and the padding too; only the answer should be."
    if labels[: last - 1] == wanted[1:last]:
        return "the labels are moved by one place. The model does that itself; a label stands at its own token."
    if labels[last - 1] == IGNORED:
        if pad == END:
            return "the end mark is lost. Padding is a question of the *place*, not of the token: here both are the same token."
        return "the end mark belongs to the answer; a model that is not trained on it does not learn to stop."
    if any(label != IGNORED for label in labels[: len(prompt)]):
        return "part of the prompt is counted. Its labels are all -100."
    if any(label != IGNORED for label in labels[last:]):
        return "the padding is counted; its labels are -100, whatever token it is made of."
    return f"the labels are {labels}; they keep the answer's ids at the answer's places and are -100 everywhere else."


LIMITS = {62: "answer and end", 61: "answer, no end", 60: "part of the answer", 58: "nothing"}
SIZES = "the prompt has 58 tokens, the answer 3, the end mark is token 62 and the line break token 63"


def judge_truncation(answer) -> str | None:
    """What is left to learn at four limits."""
    if not isinstance(answer, dict):
        return f"the answer is a dict with the keys 62, 61, 60 and 58, not a {type(answer).__name__}."
    for limit, wanted in LIMITS.items():
        given = answer.get(limit)
        if given not in LIMITS.values():
            return f"for {limit} stands {given!r}; each value is one of {', '.join(map(repr, LIMITS.values()))}."
        if given == wanted:
            continue
        if limit == 62:
            return "at 62 only the line break after the end mark is cut off; count again what comes before it."
        if limit == 61:
            return f"at 61 the cut falls right behind the answer's last token: {SIZES}."
        if limit == 60:
            return "at 60 some of the answer's three tokens are left, and some are not."
        return "at 58 the prompt fills the row to the last place. Which of the tokens that are left have a label?"
    return None


def sample_rows(seed: int = 0) -> list[dict]:
    """Some 240 rows about forty names, some names with many rows and some with few, in no order."""
    rng = random.Random(seed)
    rows = [{"name": f"name {n}", "input": f"item {n}-{k}"} for n in range(40) for k in range(2 + (5 * n) % 9)]
    rng.shuffle(rows)
    return rows


class _Name(str):
    """A name with another hash, as the same name has in the next session: a set of such names has another order."""

    def __hash__(self) -> int:
        return hash(self[::-1])


def judge_split(answer) -> str | None:
    """A function `(rows, share, seed) → (train, test)` that keeps each name on one side."""
    if not callable(answer):
        return f"the answer is a function (answer = split), not a {type(answer).__name__}."
    for seed, share in ((0, 0.25), (1, 0.1), (0, 0.5), (2, 0.8)):
        rows = sample_rows(seed)
        got = answer(list(rows), share, seed)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            return "the function returns two lists of rows: return train, test."
        train, test = (list(part) for part in got)
        reason = _split_fault(rows, train, test, share)
        if reason:
            return reason
        if list(answer(list(rows), share, seed)[1]) != test:
            return "called twice with the same seed it gives two different splits; draw with random.Random(seed)."
    rows = sample_rows(0)
    first, *others = ({row["input"] for row in answer(list(rows), 0.25, seed)[1]} for seed in (0, 1, 2))
    if others == [first, first]:
        return "every seed gives the same split; draw the names with random.Random(seed)."
    tomorrow = answer([row | {"name": _Name(row["name"])} for row in rows], 0.25, 0)[1]
    if {row["input"] for row in tomorrow} != first:
        return "the order of a set changes from session to session; sort the names before you shuffle them."
    return None


def _split_fault(rows, train, test, wanted) -> str | None:
    key = lambda row: row["input"]  # noqa: E731
    if not test or not train:
        return f"one side is empty; with share {wanted} about that part of the rows belongs to the test side."
    both = {row["name"] for row in train} & {row["name"] for row in test}
    if both:
        return f"{len(both)} of 40 names stand on both sides, for example {min(both)!r}: the test rewards knowing them."
    if sorted(map(key, train + test)) != sorted(map(key, rows)):
        return f"{len(rows)} rows went in and {len(train) + len(test)} came out; each row belongs to exactly one side."
    share = len(test) / len(rows)
    if abs(share - wanted) > 0.15:
        return f"the test side has {100 * share:.0f} % of the rows; with share {wanted} it should be near {100 * wanted:.0f}."
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_example,
        (
            "How many places of padding are needed? width - len(prompt) - len(answer). Build both lists from three parts.",
            "Do not look at what a token *is*. A label depends on where it stands: prompt, answer or padding.",
        ),
        solutions.example,
        (
            *map(
                source_of,
                (
                    mistakes.everything_counted,
                    mistakes.padding_by_token,
                    mistakes.moved_by_one,
                    mistakes.end_forgotten,
                    mistakes.padding_counted,
                ),
            ),
            "answer = lambda prompt, answer, width, pad: (prompt + answer, [-100] * len(prompt) + answer)",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_truncation,
        (
            "max_length keeps the first so many tokens. Number them: the prompt is 1 to 58; what are 59, 60, 61, 62, 63?",
            "Only tokens of the answer, the end mark and the line break have a label. Which of them lie within the limit?",
        ),
        'answer = {62: "answer and end", 61: "answer, no end", 60: "part of the answer", 58: "nothing"}',
        (
            'answer = {62: "answer, no end", 61: "answer, no end", 60: "part of the answer", 58: "nothing"}',
            'answer = {62: "answer and end", 61: "answer and end", 60: "answer, no end", 58: "nothing"}',
            'answer = {62: "answer and end", 61: "answer, no end", 60: "nothing", 58: "nothing"}',
            'answer = {62: "answer and end", 61: "answer, no end", 60: "part of the answer", 58: "part of the answer"}',
            'answer = ["answer and end", "answer, no end", "part of the answer", "nothing"]',
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_split,
        (
            "Draw names, not rows: make a sorted list of the different names and shuffle it with random.Random(seed).",
            "Take names into the test side one by one until it holds enough *rows*; all rows of a name go with it.",
        ),
        solutions.split,
        (
            *map(
                source_of,
                (
                    mistakes.split_by_rows,
                    mistakes.rows_lost,
                    mistakes.nothing_held_out,
                    mistakes.one_name_held_out,
                    mistakes.always_fourteen_names,
                    mistakes.without_the_seed,
                    mistakes.the_first_names,
                    mistakes.order_of_a_set,
                ),
            ),
            "answer = 0.25",
        ),
    ),
]
