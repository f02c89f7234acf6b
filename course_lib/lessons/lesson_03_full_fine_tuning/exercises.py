"""Exercises of lesson 03: a schedule that wastes no step, the loss of a batch from its parts, bytes for three optimizers."""

from __future__ import annotations

import math

from ..exercise import Exercise, source_of
from . import mistakes, solutions

# ------------------------------------------------------------------ exercise 1: a schedule

RUNS = ((10, 1.0, 2), (10, 1.0, 0), (25, 5e-4, 5))  # steps, peak, warm


def judge_schedule(answer) -> str | None:
    """A function `(step, steps, peak, warm) → rate`: stairs up to the peak, then a straight line down."""
    if not callable(answer):
        return f"the answer is a function (answer = straight), not a {type(answer).__name__}."
    for steps, peak, warm in RUNS:
        setting = f"for steps {steps}, peak {peak}, warm {warm}"
        try:
            rates = [float(answer(step, steps, peak, warm)) for step in range(steps)]
        except ZeroDivisionError:
            return f"{setting} it divides by zero; without warm-up the first step has the peak, so test for step < warm first."
        reason = _schedule_fault(rates, steps, peak, warm)
        if reason:
            return f"{setting}: {reason}"
    return None


def _schedule_fault(rates, steps, peak, warm) -> str | None:
    near = lambda a, b: math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)  # noqa: E731
    if near(rates[0], 0):
        return "step 0 has the rate 0, so the first batch would be computed for nothing."
    if warm and not near(rates[warm - 1], peak):
        return f"the last step of the warm-up, number {warm - 1}, has the rate {rates[warm - 1]:.3g}; there it should reach the peak."
    if warm and not near(rates[0], peak / warm):
        return f"step 0 has the rate {rates[0]:.3g}; {warm} equal stairs to the peak begin with peak / {warm}."
    for step in range(warm):
        if not near(rates[step], peak * (step + 1) / warm):
            return f"step {step} has the rate {rates[step]:.3g}; {warm} equal stairs to the peak have {peak * (step + 1) / warm:.3g} there."
    if not near(rates[warm], peak):
        return f"step {warm}, the first after the warm-up, has the rate {rates[warm]:.3g}; the line begins at the peak."
    if near(rates[-1], 0):
        return "the last step has the rate 0; the line reaches zero at step `steps`, which is never run."
    for step in range(warm, steps):
        wanted = peak * (steps - step) / (steps - warm)
        if not near(rates[step], wanted):
            return f"step {step} has the rate {rates[step]:.3g} where a straight line has {wanted:.3g}."
    return None


# ------------------------------------------------------------------ exercise 2: accumulation

PARTS = (
    ([2.0, 1.0], [10, 30]),
    ([1.0, 3.0, 2.0], [5, 5, 5]),
    ([0.5, 4.0, 1.0], [40, 2, 8]),
    ([2.0, math.nan, 1.0], [4, 0, 4]),
)


def judge_parts(answer) -> str | None:
    """A function `(means, counts) → loss` of the whole batch."""
    if not callable(answer):
        return f"the answer is a function (answer = whole), not a {type(answer).__name__}."
    for means, counts in PARTS:
        got = float(answer(list(means), list(counts)))
        known = [(mean, count) for mean, count in zip(means, counts, strict=True) if count]
        wanted = sum(mean * count for mean, count in known) / sum(counts)
        if math.isclose(got, wanted, rel_tol=1e-6):
            continue
        setting = f"for means {means} and counts {counts} it gives {got:.4g}: "
        if math.isnan(got):
            return (
                setting + "a part without a counted token has no mean (0 / 0); it must be left out, and 0 · nan is nan."
            )
        if math.isclose(got, sum(means) / len(means), rel_tol=1e-6):
            return (
                setting
                + "that is the mean of the means, in which a token of a small part weighs more than one of a large part."
            )
        if math.isclose(got, wanted * sum(counts), rel_tol=1e-6):
            return setting + "that is the sum over all counted tokens; the loss is per token."
        if math.isclose(got, wanted * sum(counts) / len(means), rel_tol=1e-6):
            return (
                setting
                + "the sum over all counted tokens, divided by the number of *parts*; divide by the number of tokens."
            )
        if math.isclose(got, sum(means), rel_tol=1e-6):
            return setting + "that is the sum of the means: it grows with the number of parts."
        return setting + "undo each part's division first (mean · count), add up, divide once by all counted tokens."
    return None


# ------------------------------------------------------------------ exercise 3: bytes

BYTES = {"AdamW": (4, 4, 8), "momentum": (4, 4, 4), "8-bit": (2, 2, 2)}  # weights, gradients, moments
BILLIONS = 3.0


def judge_bytes(answer) -> str | None:
    """A dict of gigabytes for three ways to train three billion parameters."""
    if not isinstance(answer, dict):
        return f"the answer is a dict with the keys {', '.join(map(repr, BYTES))}, not a {type(answer).__name__}."
    for name, (weights, gradients, moments) in BYTES.items():
        if name not in answer:
            return f"the key {name!r} is missing; the answer has the keys {', '.join(map(repr, BYTES))}."
        given, each = float(answer[name]), weights + gradients + moments
        if math.isclose(given, BILLIONS * each, rel_tol=0.01):
            continue
        stands = f"for {name!r} stands {given:g}: "
        if math.isclose(given, each, rel_tol=0.01):
            return (
                stands + "these are the bytes for one parameter; the question is gigabytes for three billion of them."
            )
        if name == "AdamW" and math.isclose(given, BILLIONS * 12, rel_tol=0.01):
            return stands + "four bytes a parameter are missing: its gradient, or the second of Adam's two moments."
        if math.isclose(given, BILLIONS * (each - moments), rel_tol=0.01):
            return stands + "the optimizer's moments are missing; they stay in memory from the first step to the last."
        if math.isclose(given, BILLIONS * (each + moments), rel_tol=0.01):
            return (
                stands
                + "the moments are counted twice; SGD with momentum keeps one, not two, and an 8-bit one takes one byte."
            )
        return (
            stands
            + "add bytes for the weight, its gradient and its moments (a float32 has 4, a bfloat16 2), times three."
        )
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_schedule,
        (
            "Two cases: step < warm, and the rest. In the first, which stair is step 0 on: number 0 or number 1?",
            "The line falls from peak to 0 in steps - warm steps; at `step` there are steps - step of them left.",
        ),
        solutions.straight,
        (
            *map(
                source_of,
                (
                    mistakes.first_step_wasted,
                    mistakes.stairs_over_all_steps,
                    mistakes.falls_like_a_cosine,
                    mistakes.zero_in_the_last_step,
                    mistakes.divides_by_warm,
                    mistakes.falls_from_the_start,
                    mistakes.one_stair,
                ),
            ),
            "answer = 5e-4",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_parts,
        (
            "A mean is a sum divided by a count. Which of the two can be added over parts?",
            "sum(mean * count) / sum(counts). What is the mean of a part in which nothing is counted?",
        ),
        solutions.whole,
        (
            "answer = lambda means, counts: sum(means) / len(means)",
            "answer = lambda means, counts: sum(m * c for m, c in zip(means, counts))",
            "answer = lambda means, counts: sum(m * c for m, c in zip(means, counts)) / len(means)",
            "answer = lambda means, counts: sum(m * c for m, c in zip(means, counts)) / sum(counts)",
            "answer = lambda means, counts: sum(means)",
            "answer = lambda means, counts: sum(means) / sum(counts)",
            "answer = 1.25",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_bytes,
        (
            "For each parameter: one weight, one gradient, and one number for each moment. Which have how many bytes?",
            "A billion parameters at one byte each are a gigabyte, so multiply the bytes of one parameter by three.",
        ),
        'answer = {"AdamW": 3 * (4 + 4 + 8), "momentum": 3 * (4 + 4 + 4), "8-bit": 3 * (2 + 2 + 2)}',
        (
            'answer = {"AdamW": 16, "momentum": 12, "8-bit": 6}',
            'answer = {"AdamW": 36, "momentum": 36, "8-bit": 18}',
            'answer = {"AdamW": 24, "momentum": 24, "8-bit": 12}',
            'answer = {"AdamW": 48, "momentum": 48, "8-bit": 18}',
            'answer = {"AdamW": 48, "momentum": 36, "8-bit": 12}',
            'answer = {"AdamW": 48, "momentum": 36}',
            "answer = 48",
        ),
    ),
]
