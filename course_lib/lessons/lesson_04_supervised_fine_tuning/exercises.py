"""Exercises of lesson 04: the mask of a conversation, and four reports to tell apart."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import solutions

OPEN, END = "<|im_start|>", "<|im_end|>"
ROLES = {"user": ["us", "er"], "assistant": ["ass", "ist", "ant"]}  # as the course's tokenizer cuts them
HEADER = [OPEN, *ROLES["assistant"], "\n"]


def _turn(role: str, *words: str) -> list[str]:
    return [OPEN, *ROLES[role], "\n", *words, END, "\n"]


# (name of the conversation, its tokens)
TALKS = (
    ("one question, one answer", _turn("user", " Tone", "?") + _turn("assistant", " negative")),
    (
        "two questions, two answers",
        _turn("user", " Tone", "?")
        + _turn("assistant", " negative")
        + _turn("user", " A", "nd", " the", " name", "?")
        + _turn("assistant", " B", "el", "wick", " F", "oods"),
    ),
    ("no answer yet", _turn("user", " Tone", "?")),
    ("an answer of two lines", _turn("user", " L", "ist", ".") + _turn("assistant", " one", "\n", " two")),
    (
        "a question about an assistant",
        _turn("user", " I", "s", " the", " ass", "ist", "ant", " right", "?") + _turn("assistant", " No"),
    ),
    (
        "a user who writes 'assistant' on a line of its own",
        _turn("user", " W", "r", "ite", ":", "\n", "ass", "ist", "ant", "\n", " positive")
        + _turn("assistant", " positive"),
    ),
)


def right_mask(tokens: list[str]) -> list[bool]:
    """What the assistant writes: from after its header to its end mark."""
    counted, inside = [], False
    for i, token in enumerate(tokens):
        inside = inside or tokens[max(0, i - len(HEADER)) : i] == HEADER
        counted.append(inside)
        inside = inside and token != END
    return counted


def judge_mask(answer) -> str | None:
    """A function from tokens to booleans, tried on the conversations above."""
    if not callable(answer):
        return f"the answer is a function (answer = counted), not a {type(answer).__name__}."
    for name, tokens in TALKS:
        got, wanted = list(answer(list(tokens))), right_mask(tokens)
        if len(got) != len(wanted):
            return f"for the conversation '{name}' of {len(wanted)} tokens your function returns {len(got)} values."
        for i, (mine, right) in enumerate(zip(got, wanted, strict=True)):
            if bool(mine) == right or (
                i and wanted[i - 1] and tokens[i - 1] == END
            ):  # the line break after the end mark may count
                continue
            if tokens[i] == END and right:
                return f"'{name}': the assistant's end mark must count, or the model never learns to stop."
            header = any(tokens[j : j + len(HEADER)] == HEADER for j in range(max(0, i - len(HEADER) + 1), i + 1))
            if header:
                return f"'{name}', token {i} ({tokens[i]!r}): the header is given to the model; it does not write it."
            if right:
                return f"'{name}', token {i} ({tokens[i]!r}): the assistant writes it, and your mask leaves it out."
            return f"'{name}', token {i} ({tokens[i]!r}): the user wrote that, and your mask counts it. Only {OPEN!r} begins a turn."
    return None


CASES = {"A": "end mark", "B": "template", "C": "mask", "D": "packing"}
CLUES = {
    "A": "the answers themselves are right, so they were learnt. Which token did the loss never ask for?",
    "B": "the same weights are right in one program and wrong in another. What does a program put around the question?",
    "C": "it writes what it was never meant to write, and it writes that well. Which tokens did the loss count?",
    "D": "each row taken alone is as it should be. What can a row see that stands behind another one?",
}


def judge_cases(answer) -> str | None:
    """One of four causes for each of the four reports."""
    return checks.causes(answer, CASES, CLUES)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_mask,
        (
            "Walk through the tokens and remember whether you are inside an answer. An answer begins after the header, which is five "
            "tokens here, as the cell above shows: '<|im_start|>', 'ass', 'ist', 'ant', '\\n'.",
            "The end mark itself still belongs to the answer: note the value for the token first, leave the answer afterwards.",
        ),
        solutions.counted,
        (
            "answer = lambda tokens: [True] * len(tokens)",
            "def counted(tokens):\n"
            "    values, inside = [], False\n"
            "    for i, token in enumerate(tokens):\n"
            "        if token == '<|im_end|>':\n"
            "            inside = False\n"
            "        values.append(inside)\n"
            "        if tokens[max(0, i - 4) : i + 1] == ['<|im_start|>', 'ass', 'ist', 'ant', '\\n']:\n"
            "            inside = True\n"
            "    return values\n\n\n"
            "answer = counted",
            "def counted(tokens):\n"
            "    values, inside = [], False\n"
            "    for i, token in enumerate(tokens):\n"
            "        inside = inside or tokens[max(0, i - 4) : i] == ['ass', 'ist', 'ant', '\\n']\n"
            "        values.append(inside)\n"
            "        inside = inside and token != '<|im_end|>'\n"
            "    return values\n\n\n"
            "answer = counted",
            "def counted(tokens):\n"
            "    values, inside = [], False\n"
            "    for token in tokens:\n"
            "        inside = inside or token == 'ass'\n"
            "        values.append(inside)\n"
            "        inside = inside and token != '<|im_end|>'\n"
            "    return values\n\n\n"
            "answer = counted",
            "def counted(tokens):\n"
            "    if 'ant' not in tokens:\n"
            "        return [False] * len(tokens)\n"
            "    last = len(tokens) - 1 - tokens[::-1].index('ant')\n"
            "    return [i > last + 1 for i in range(len(tokens))]\n\n\n"
            "answer = counted",
            "answer = [True, False]",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_cases,
        (
            "Each cause is used once. Begin with the report in which the training program is the right one and another one is not.",
            "Then ask which tokens a loss counts: too few (a mark is missing), or too many (the questions are among them)?",
        ),
        'answer = {"A": "end mark", "B": "template", "C": "mask", "D": "packing"}',
        (
            'answer = {"A": "template", "B": "end mark", "C": "mask", "D": "packing"}',
            'answer = {"A": "end mark", "B": "template", "C": "packing", "D": "mask"}',
            'answer = {"A": "end mark", "B": "packing", "C": "mask", "D": "template"}',
            'answer = {"A": "end mark", "B": "template", "C": "mask", "D": "padding"}',
            'answer = "mask"',
        ),
    ),
]
