"""Solutions of lesson 03, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def straight(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (steps - step) / (steps - warm)


def whole(means, counts):
    known = [(mean, count) for mean, count in zip(means, counts, strict=True) if count]
    return sum(mean * count for mean, count in known) / sum(counts)
