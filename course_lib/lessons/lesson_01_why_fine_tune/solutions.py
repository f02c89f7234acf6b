"""Solutions of lesson 01, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def label_of(reply):
    words = reply.lower().split()
    first = words[0].strip('.,:;!?"') if words else ""
    return first if first in ("positive", "negative", "neutral") else None
