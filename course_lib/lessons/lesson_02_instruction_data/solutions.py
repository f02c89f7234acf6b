"""Solutions of lesson 02, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def example(prompt, answer, width, pad):
    filler = width - len(prompt) - len(answer)
    ids = prompt + answer + [pad] * filler
    labels = [-100] * len(prompt) + answer + [-100] * filler
    return ids, labels


def split(rows, share, seed):
    import random

    names = sorted({row["name"] for row in rows})
    random.Random(seed).shuffle(names)
    test = []
    for name in names:
        if len(test) >= share * len(rows):
            break
        test += [row for row in rows if row["name"] == name]
    held = {row["name"] for row in test}
    return [row for row in rows if row["name"] not in held], test
