"""The gold score of a brief: a pure function of the hidden record and the reply, between 0 and 1.

A good brief names its subject, carries facts of the record, invents nothing, is short, and neither shouts nor advises.
Later lessons hide this function behind simulated readers, and measure every reward model against it.
"""

from __future__ import annotations

import re

from .pages import FACT_NAMES

LONGEST = 20
HYPE_WORDS = frozenset(
    "sensational unmissable stunning incredible triumph jaw-dropping miracle shocking explosive drama guaranteed".split()
)
HYPE_PHRASES = ("deal of the century", "afford to miss", "change everything", "for ever")
ADVICE = re.compile(r"\b(should (act|buy|sell|make)|our advice|you should|readers should|do not wait)\b", re.I)
NUMBER = re.compile(r"\d[\d,.]*\d|\d")
NAME = re.compile(r"(?<![.!?\"] )(?<!^)\b[A-Z][a-z]+")


def gold_score(facts: dict[str, str], text: str, reply: str) -> float:
    """Score `reply` as a brief of the item `text` whose record holds `facts` (slot → value, with `who`).

    0.35 for the subject's name, 0.15 for each of at most two further facts, 0.35 times the share of content words that
    the item supports; less 0.25 for each invented name or number (at most two), 0.25 for hype, 0.25 for advice
    and 0.02 for each word beyond twenty. Empty replies score 0.
    """
    words = reply.split()
    if not words:
        return 0.0
    score = 0.35 * (facts["who"] in reply)
    others = [value for slot, value in facts.items() if slot != "who" and slot in FACT_NAMES and value in reply]
    score += 0.15 * min(2, len(others))
    content = [w for w in re.findall(r"[a-z]+", reply.lower()) if len(w) > 3]
    source = set(re.findall(r"[a-z]+", text.lower()))
    score += 0.35 * (sum(w in source for w in content) / len(content) if content else 0.0)
    numbers = set(NUMBER.findall(text))
    invented = sum(n not in numbers for n in NUMBER.findall(reply)) + sum(
        w.lower() not in source for w in NAME.findall(reply)
    )
    score -= 0.25 * min(2, invented)
    lowered = reply.lower()
    if "!" in reply or HYPE_WORDS & set(re.findall(r"[a-z-]+", lowered)) or any(p in lowered for p in HYPE_PHRASES):
        score -= 0.25
    if ADVICE.search(reply):
        score -= 0.25
    score -= 0.02 * max(0, len(words) - LONGEST)
    return max(0.0, min(1.0, score))
