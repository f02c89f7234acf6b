"""How a reply is scored: one function a kind, `(row, reply) -> bool`, under the name that stands in the column `scorer`.

Each task says which of them is its own (`score`, `SCORER`); rows of one's own name them too. A reply is compared by its first line,
and an empty one is never right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

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


def label(row: dict, reply: str) -> bool:
    """The first line is the label."""
    return normalise(reply) == normalise(row["label"])


def exact(row: dict, reply: str) -> bool:
    """The first line is the output."""
    return normalise(reply) == normalise(row["output"])


def overlap(row: dict, reply: str) -> bool:
    """The words of the first line and of the output have an F1 of at least one half."""
    return word_overlap(normalise(reply), row["output"]) >= 0.5


def facts(row: dict, reply: str) -> bool:
    """At most 25 words that name the label and give no figure that the input lacks."""
    figures = set(re.findall(r"\d+", row["input"]))
    sound = all(figure in figures for figure in re.findall(r"\d+", reply))
    return row["label"].strip() in reply and len(reply.split()) <= 25 and sound


def refusal(row: dict, reply: str) -> bool:
    """Declines advice where the label is `refuse`, and only there."""
    return declines(reply) == (row["label"] == "refuse")


def form(row: dict, reply: str) -> bool:
    """The same JSON object, or exactly the one word."""
    if row["label"] == "word":
        return reply.strip() == row["output"].strip()
    try:
        return json.loads(reply) == json.loads(row["output"])
    except json.JSONDecodeError:
        return False


SCORERS: dict[str, Callable[[dict, str], bool]] = {
    "label": label,
    "exact": exact,
    "overlap": overlap,
    "facts": facts,
    "refusal": refusal,
    "format": form,
}


def follows(row: dict, reply: str) -> bool | None:
    """Whether a reply has the *form* that the instruction asks for, right or wrong; `None` where none is asked for.

    A label task: one of the labels, and nothing else. One word: exactly one. JSON: an object with exactly the keys of
    the right answer.
    """
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
