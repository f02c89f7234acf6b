"""Exercises of lesson 17: criteria that can fail, a verdict from plan and outcome, and a plan of one's own."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise

# ------------------------------------------------------------------ exercise 1

FAULTS = ("usable", "no number", "no baseline", "chosen on the test", "wrong rows", "many tries")
CRITERIA = {
    "A": "no number",
    "B": "usable",
    "C": "wrong rows",
    "D": "chosen on the test",
    "E": "many tries",
    "F": "no baseline",
}
LOOK = {
    "A": "who decides what 'clearly' is, and when? Two people can look at the same outcome of A and disagree.",
    "B": "B names the rows, the number, what it is held against, and an interval. Nothing in it can be bent afterwards.",
    "C": "look at where C measures: a model can be perfect on rows that it was trained on and useless on others.",
    "D": "in D the same items choose among the settings and judge the winner. Lesson 15 showed what that is worth.",
    "E": "of five figures one is likely to look good by luck alone. E takes whichever that is.",
    "F": "90 % in F says nothing while nobody knows what a prompt, or the most frequent answer, reaches.",
}


def judge_criteria(answer) -> str | None:
    """For each of six criteria what is wrong with it, or `usable`."""
    return checks.choice(answer, CRITERIA, FAULTS, lambda key, given: f"criterion {key} is not '{given}': {LOOK[key]}")


def _criteria(**changed: str) -> str:
    return f"answer = {CRITERIA | changed!r}"


# ------------------------------------------------------------------ exercise 2


def unmet(plan, outcome):
    value, low, _ = outcome["ahead"]
    missed = []
    if outcome["right"] < plan["at_least"]:
        missed.append("at_least")
    if value < plan["ahead"] or low <= 0:
        missed.append("ahead")
    if outcome["forgetting"] > plan["forgetting"]:
        missed.append("forgetting")
    return missed


PLAN = {"at_least": 50, "ahead": 10, "forgetting": 0.1}
OUTCOMES = (
    ({"right": 61.0, "ahead": (18.0, 11.0, 25.0), "forgetting": 0.04}, [], "everything is met here."),
    ({"right": 47.0, "ahead": (18.0, 11.0, 25.0), "forgetting": 0.04}, ["at_least"], "47 is less than 50, however far ahead it is."),
    ({"right": 61.0, "ahead": (12.0, -2.0, 26.0), "forgetting": 0.04}, ["ahead"], "the mean reaches 10, and the interval includes zero."),
    ({"right": 61.0, "ahead": (6.0, 2.0, 10.0), "forgetting": 0.04}, ["ahead"], "the interval excludes zero, and 6 points are not the 10 that were asked for."),
    ({"right": 61.0, "ahead": (18.0, 8.0, 28.0), "forgetting": 0.1}, [], "0.1 is allowed ('at most'), and the low end need only be above zero."),
    ({"right": 20.0, "ahead": (-3.0, -9.0, 3.0), "forgetting": 0.3}, ["at_least", "ahead", "forgetting"], "all three are missed; name them in the plan's order."),
)  # fmt: skip


def judge_unmet(answer) -> str | None:
    """A function (plan, outcome) → names of the criteria that are missed."""
    cases = [
        ((dict(PLAN), dict(o)), checks.equals(wanted, why), f"the outcome {o}", why) for o, wanted, why in OUTCOMES
    ]
    return checks.function(answer, "unmet", cases)


# ------------------------------------------------------------------ exercise 3

FIELDS = (
    "question",
    "train_rows",
    "validation_rows",
    "test_rows",
    "chosen_on",
    "baselines",
    "control",
    "at_least",
    "ahead",
    "forgetting",
)
GOOD = {
    "question": "Can a small model sort letters to a clinic by urgency?",
    "train_rows": 400, "validation_rows": 150, "test_rows": 600, "chosen_on": "validation",
    "baselines": ["most frequent answer", "best of four prompts"], "control": "shuffled answers",
    "at_least": 70, "ahead": 6, "forgetting": 0.1,
}  # fmt: skip


def half_width(items: int) -> float:
    """Points to either side of a paired difference on so many items, where the two differ on every third: 1.96 · √(1/3 / n)."""
    return 196 * (1 / 3 / items) ** 0.5


def judge_plan(answer) -> str | None:
    """A plan of one's own, judged by what can be computed before any run."""
    if not isinstance(answer, dict):
        return f"the answer is a dict with the fields {', '.join(FIELDS)}, not a {type(answer).__name__}."
    missing = [name for name in FIELDS if name not in answer]
    if missing:
        return f"your plan says nothing about {', '.join(missing)}. What is not written down before will be decided afterwards."
    counts = [
        answer[name] for name in ("train_rows", "validation_rows", "test_rows", "at_least", "ahead", "forgetting")
    ]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 for value in counts):
        return "rows, at_least, ahead and forgetting are numbers, none of them negative: a criterion without a number cannot fail."
    if not str(answer["question"]).strip().endswith("?") or len(str(answer["question"]).split()) < 4:
        return "the question should be a question, with a question mark, that can be answered by yes or no."
    if answer["chosen_on"] != "validation":
        return f"settings are chosen on {answer['chosen_on']!r}; then those rows can no longer judge the winner. Use validation rows."
    if answer["validation_rows"] < 50:
        return f"{answer['validation_rows']} validation rows cannot tell two settings apart: their interval is {half_width(max(answer['validation_rows'], 1)):.0f} points wide to either side."
    if not isinstance(answer["baselines"], (list, tuple)) or len(answer["baselines"]) < 2:
        return "name two baselines at least: something trivial (the most frequent answer, a rule), and the best prompt."
    if not str(answer["control"] or "").strip():
        return "a control is missing: a run that should fail, such as one with shuffled answers. Without it you do not know what you have measured."
    wide = half_width(max(answer["test_rows"], 1))
    if wide > answer["ahead"]:
        return (
            f"on {answer['test_rows']} test rows a difference is known to about ±{wide:.1f} points, and you want to see {answer['ahead']}: take more rows, or "
            "ask for more."
        )
    return None


def _plan(**changed) -> str:
    return f"answer = {GOOD | changed!r}"


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_criteria,
        (
            "Ask of each: could two honest people disagree, after the run, whether it was met?",
            "Then ask on which rows it is measured, how often one may try, and against what it is held. Each fault is there once.",
        ),
        _criteria(),
        (
            _criteria(A="usable"),
            _criteria(B="no baseline"),
            _criteria(C="usable", B="usable"),
            _criteria(D="many tries", E="chosen on the test"),
            _criteria(F="usable"),
            "answer = 'B'",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_unmet,
        (
            "Three comparisons, each on its own; collect the names of those that fail.",
            "'ahead' has two conditions: the mean reaches the number, and the low end of the interval is above zero.",
        ),
        unmet,
        (
            "answer = lambda plan, outcome: [] if outcome['right'] >= plan['at_least'] else ['at_least']",
            "def unmet(plan, outcome):\n    held = {'at_least': outcome['right'] >= plan['at_least'], 'ahead': outcome['ahead'][0] >= plan['ahead'], 'forgetting': outcome['forgetting'] <= plan['forgetting']}\n"
            "    return [name for name in held if not held[name]]\n\n\nanswer = unmet",
            "def unmet(plan, outcome):\n    held = {'at_least': outcome['right'] >= plan['at_least'], 'ahead': outcome['ahead'][1] > 0, 'forgetting': outcome['forgetting'] <= plan['forgetting']}\n"
            "    return [name for name in held if not held[name]]\n\n\nanswer = unmet",
            "def unmet(plan, outcome):\n    held = {'at_least': outcome['right'] >= plan['at_least'], 'ahead': outcome['ahead'][1] >= plan['ahead'], 'forgetting': outcome['forgetting'] < plan['forgetting']}\n"
            "    return [name for name in held if not held[name]]\n\n\nanswer = unmet",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_plan,
        (
            "Begin with the question, and with the smallest difference that would change what you do.",
            "Then the test rows: the more you want to see of a small difference, the more of them.",
        ),
        f"answer = {GOOD!r}",
        (
            _plan(test_rows=100, ahead=3),
            _plan(chosen_on="test"),
            _plan(control=""),
            _plan(baselines=["best of four prompts"]),
            _plan(validation_rows=20),
            _plan(at_least="good"),
            _plan(question="Urgency."),
            "answer = {'question': 'Can it sort letters by urgency?', 'at_least': 70}",
        ),
    ),
]  # fmt: skip
