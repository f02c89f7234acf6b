"""Solutions of lesson 05, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def saving(base, instruct, target):
    reached = [[n for n, accuracy in curve.items() if accuracy >= target] for curve in (base, instruct)]
    if not all(reached):
        return None
    return min(reached[0]) / min(reached[1])


def obeys(reply, keys):
    import json

    try:
        found = json.loads(reply)
    except json.JSONDecodeError:
        return False
    return isinstance(found, dict) and set(found) == set(keys)
