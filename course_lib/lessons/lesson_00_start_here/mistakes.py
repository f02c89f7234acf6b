"""Plausible wrong answers to an exercise of lesson 00; the check must refuse each with its reason."""

from __future__ import annotations


def in_per_cent():
    from collections import Counter

    import course_lib as cl

    data = cl.load_instructions("tone")
    return 100 * max(Counter(data["test"]["label"]).values()) / len(data["test"])


def of_the_training_rows():
    from collections import Counter

    import course_lib as cl

    data = cl.load_instructions("tone")
    return max(Counter(data["train"]["label"]).values()) / len(data["train"])
