"""Exercises of lesson 14: kappa, a judge's two answers to one question, and comparisons that go round in a circle."""

from __future__ import annotations

import inspect

from ..exercise import Exercise

# ------------------------------------------------------------------ exercise 1


def _kappa(first, second, chance="marginals"):
    """The right kappa and, by its keyword, the usual wrong ones."""
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    kinds = set(first) | set(second)
    shares = [(list(first).count(k) / n, list(second).count(k) / n) for k in kinds]
    by_chance = {
        "marginals": sum(a * b for a, b in shares),
        "half": 0.5,
        "first only": sum(a * a for a, _ in shares),
        "none": 0.0,
    }[chance]
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def judge_kappa(answer) -> str | None:
    """A function of two lists of labels, tried on lopsided judges, on perfect and on chance agreement, and on constant judges."""
    if not callable(answer):
        return f"the answer is a function (answer = kappa), not a {type(answer).__name__}."
    first = ["A"] * 70 + ["B"] * 30
    second = ["A"] * 60 + ["B"] * 10 + ["A"] * 10 + ["B"] * 20
    try:
        got = float(answer(first, second))
    except Exception as error:
        return f"your function raises {type(error).__name__} on two lists of a hundred labels: {error}."
    right = _kappa(first, second)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / 100
    known = (
        (agreed, "that is plain agreement. Two judges who both say A seven times in ten agree often by chance alone."),
        (_kappa(first, second, "half"), "chance agreement is one half only if both judges say A half of the time; use their own shares."),
        (agreed - 0.58, "what is left after chance has to be divided by what was there to be won: 1 − chance."),
    )  # fmt: skip
    if abs(got - right) > 1e-6:
        for wrong, reason in known:
            if abs(got - wrong) < 1e-6:
                return reason
        return f"on the lists of the check kappa is {right:.3f}; yours is {got:.3f}."
    uneven = (["A"] * 50 + ["B"] * 50, ["A"] * 50 + ["A"] * 40 + ["B"] * 10)
    if abs(float(answer(*uneven)) - _kappa(*uneven)) > 1e-6:
        return "where the two judges have different shares of A, chance agreement is the product of *both* shares, summed over labels."
    three = (["A", "B", "tie", "tie"], ["A", "B", "tie", "A"])
    if abs(float(answer(*three)) - _kappa(*three)) > 1e-6:
        return "with a third label (tie) the values differ: sum chance agreement over all labels that occur."
    try:
        if float(answer(["A"] * 5, ["A"] * 5)) not in (0.0, 1.0):
            return "two judges who always say A: nothing can be won over chance; give 0."
    except ZeroDivisionError:
        return "two judges who always say A make chance agreement 1, and you divide by 1 − 1; give 0 there."
    return None


def kappa(first, second):
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    labels = set(first) | set(second)
    chance = sum(first.count(k) / n * second.count(k) / n for k in labels)
    return (agreed - chance) / (1 - chance) if chance < 1 else 0.0


KAPPA = f"{inspect.getsource(kappa)}\n\nanswer = kappa"

# ------------------------------------------------------------------ exercise 2

SHOWN, TURNED = 1.2, 0.4  # log-odds of A in the two orders


def judge_orders(answer) -> str | None:
    """The preference for the first brief with the position taken out."""
    value, right = float(answer), (SHOWN - TURNED) / 2
    known = (
        ((SHOWN + TURNED) / 2, "that is the *position bias*: what A gets whichever brief stands there."),
        (SHOWN - TURNED, "that adds both answers up; the preference is their mean."),
        (SHOWN + TURNED, "in the second order the first brief stands at B, so its log-odds there are the negative of A's."),
        (SHOWN, "that trusts the first order alone, and the place is in it."),
        (-right, "the sign: the first brief stood at A in the first order, and A won by more there."),
        (-TURNED, "that trusts the second order alone."),
    )  # fmt: skip
    if abs(value - right) < 1e-6:
        return None
    for wrong, reason in known:
        if abs(value - wrong) < 1e-6:
            return reason
    return "write both answers as log-odds of the *first brief*, +1.2 and −0.4, and take the mean."


# ------------------------------------------------------------------ exercise 3

COMPARISONS = {
    "A": (True, "the judge has written the labels and now counts the wins: it measures what it has taught."),
    "B": (False, "the true score has seen neither labels nor judge, and both arms have the same number of pairs."),
    "C": (True, "one arm has three times the pairs; whatever comes out, it is not the labels alone."),
    "D": (False, "different readers than those who labelled count the wins, and both arms have equal budgets."),
    "E": (True, "the constitution was chosen by the score on the test prompts, so these can no longer measure it."),
    "F": (
        True,
        "kappa with the readers says who agrees with the readers; where they are biased, agreeing is no merit.",
    ),
}


def judge_comparisons(answer) -> str | None:
    """The set of comparisons that cannot show what they claim."""
    if isinstance(answer, str):
        answer = answer.replace(",", " ").split()
    if not isinstance(answer, (set, list, tuple, frozenset)):
        return f"the answer is a set of letters such as {{'A', 'C'}}, not a {type(answer).__name__}."
    given = {str(letter).upper() for letter in answer}
    if given - set(COMPARISONS):
        return f"there is no comparison {', '.join(sorted(given - set(COMPARISONS)))}; the letters are A to F."
    for letter, (faulty, reason) in COMPARISONS.items():
        if faulty != (letter in given):
            return f"{letter} {'cannot show what it claims' if faulty else 'is sound'}: {reason}"
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_kappa,
        (
            "Agreement by chance: for each label, the share with which the one judge gives it times the share of the other, added up.",
            "kappa = (agreement − chance) / (1 − chance); and 0 where chance is 1.",
        ),
        kappa,
        (
            KAPPA.replace("(agreed - chance) / (1 - chance) if chance < 1 else 0.0", "agreed"),
            KAPPA.replace("sum(first.count(k) / n * second.count(k) / n for k in labels)", "0.5"),
            KAPPA.replace("(agreed - chance) / (1 - chance) if chance < 1 else 0.0", "agreed - chance"),
            KAPPA.replace("second.count(k) / n for", "first.count(k) / n for"),
            KAPPA.replace(" if chance < 1 else 0.0", ""),
            "answer = 0.5",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_orders,
        (
            "In the second order the first brief stands at B. What are its log-odds there, if A's are +0.4?",
            "−0.4. So the first brief gets +1.2 in the one place and −0.4 in the other.",
        ),
        "answer = (1.2 - 0.4) / 2",
        ("answer = 0.8", "answer = 1.6", "answer = 1.2", "answer = -0.4"),
    ),
    Exercise(
        "Exercise 3",
        judge_comparisons,
        (
            "Ask of each: who measures, and has that one had a hand in the training? Is anything else different between the arms?",
            "Four of the six cannot show what they claim.",
        ),
        'answer = {"A", "C", "E", "F"}',
        (
            'answer = {"A"}',
            'answer = {"A", "C", "F"}',
            'answer = {"A", "C", "D", "E", "F"}',
            'answer = {"A", "B", "C", "E", "F"}',
            "answer = 4",
        ),
    ),
]
