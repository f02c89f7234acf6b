"""Solutions of lesson 05, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def obeys(reply, keys):
    import json

    try:
        found = json.loads(reply)
    except json.JSONDecodeError:
        return False
    return isinstance(found, dict) and set(found) == set(keys)
