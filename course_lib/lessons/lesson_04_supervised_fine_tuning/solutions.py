"""Solutions of lesson 04, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def counted(tokens):
    header = ["<|im_start|>", "ass", "ist", "ant", "\n"]
    values, inside = [], False
    for i, token in enumerate(tokens):
        if tokens[max(0, i - 5) : i] == header:
            inside = True
        values.append(inside)
        if token == "<|im_end|>":
            inside = False
    return values
