"""Plausible wrong answers to an exercise of lesson 01; the check must refuse each with its reason."""

from __future__ import annotations


def first_word_only(reply):
    words = reply.lower().split()
    first = words[0].strip('.,:;!?"') if words else ""
    return first if first in ("positive", "negative", "neutral") else None


def first_label_found(reply):
    return next((label for label in ("positive", "negative", "neutral") if label in reply.lower()), None)


def without_not(reply):
    import re

    named = set(re.findall(r"\b(positive|negative|neutral)\b", reply.lower()))
    return named.pop() if len(named) == 1 else None


def parts_of_words(reply):
    text = reply.lower()
    named = [label for label in ("positive", "negative", "neutral") if label in text and f"not {label}" not in text]
    return named[0] if len(named) == 1 else None


def named_once_only(reply):
    import re

    found = re.findall(r"\b(not )?(positive|negative|neutral)\b", reply.lower())
    named = [label for no, label in found if not no]
    return named[0] if len(named) == 1 else None


def capitals_matter(reply):
    import re

    found = re.findall(r"\b(not )?(positive|negative|neutral)\b", reply)
    named = {label for no, label in found if not no}
    return named.pop() if len(named) == 1 else None


def fails_on_nothing(reply):
    import re

    found = re.findall(r"\b(not )?(positive|negative|neutral)\b", reply.lower())
    named = {label for no, label in found if not no}
    return max(named) if len(named) < 2 else None
