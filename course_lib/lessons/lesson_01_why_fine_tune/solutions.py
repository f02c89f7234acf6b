"""Solutions of lesson 01, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def label_of(reply):
    import re

    found = re.findall(r"\b(not )?(positive|negative|neutral)\b", reply.lower())
    named = {label for no, label in found if not no}
    return named.pop() if len(named) == 1 else None
