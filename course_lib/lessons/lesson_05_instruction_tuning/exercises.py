"""Exercises of lesson 05: a saving, a JSON check that does not trust its eyes, and the control that is missing."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import solutions

# (reply, keys, obeyed?, what a function that gets it wrong has overlooked)
REPLIES = (
    ('{"name": "Belwick Foods", "tone": "negative"}', ("name", "tone"), True, "that is an object with just these keys"),
    ('{"tone": "negative", "name": "Belwick Foods"}', ("name", "tone"), True, "the order of keys means nothing in JSON"),
    (' {"section": "town", "tone": "neutral"}\n', ("section", "tone"), True, "white space around JSON is allowed"),
    ("name: Belwick Foods, tone: negative", ("name", "tone"), False, "that mentions both keys and is no JSON"),
    ("{'name': 'Belwick Foods', 'tone': 'negative'}", ("name", "tone"), False, "single quotes are Python's, not JSON's"),
    ('Here it is: {"name": "A", "tone": "neutral"}', ("name", "tone"), False, "a program that reads replies chokes on the words before"),
    ('{"name": "Belwick Foods"}', ("name", "tone"), False, "one of the keys is missing"),
    ('{"name": "A", "tone": "neutral", "section": "town"}', ("name", "tone"), False, "nobody asked for a third key"),
    ('["name", "tone"]', ("name", "tone"), False, "that is JSON, and a list"),
    ('"name and tone"', ("name", "tone"), False, "that is JSON, and a string"),
    ('{"name": "A", "tone": "neutral"} I hope this helps.', ("name", "tone"), False, "a program that reads replies chokes on the words behind"),
    ('{"name": "A", "tone": "neu', ("name", "tone"), False, "it was cut off before the end"),
    ("", ("name", "tone"), False, "a model may reply with nothing at all"),
)  # fmt: skip


def judge_json(answer) -> str | None:
    """A function from a reply and the keys that were asked for to True or False, tried on the replies above."""
    cases = [
        ((reply, keys), _truth(wanted, why), f"the reply {reply!r} and the keys {keys}", f"{why}.")
        for reply, keys, wanted, why in REPLIES
    ]
    return checks.function(answer, "obeys", cases)


def _truth(wanted: bool, why: str):
    return lambda got: None if bool(got) == wanted else f"your function returns {got!r}: {why}."


# (curve from the base, curve from the instruct start, target, the saving, what a wrong function has overlooked)
CURVES = (
    ({8: 0.30, 32: 0.60, 128: 0.80, 512: 0.90}, {8: 0.60, 32: 0.82, 128: 0.88, 512: 0.91}, 0.80, 4.0, "128 examples against 32"),
    ({8: 0.30, 32: 0.60, 128: 0.80, 512: 0.90}, {8: 0.60, 32: 0.82, 128: 0.88, 512: 0.91}, 0.60, 4.0, "32 examples against 8"),
    ({8: 0.30, 32: 0.60, 128: 0.80, 512: 0.90}, {8: 0.60, 32: 0.82, 128: 0.88, 512: 0.91}, 0.90, 1.0, "both need 512"),
    ({8: 0.50, 32: 0.70, 128: 0.85}, {8: 0.40, 32: 0.60, 128: 0.71}, 0.70, 0.25, "a worse start is possible, and is a saving below one"),
    ({8: 0.30, 32: 0.40, 128: 0.50}, {8: 0.60, 32: 0.70, 128: 0.80}, 0.80, None, "the base start never gets there, so no factor is known"),
    ({8: 0.30, 32: 0.70, 128: 0.80}, {8: 0.40, 32: 0.50, 128: 0.60}, 0.80, None, "the instruct start never gets there, so no factor is known"),
    ({8: 0.30, 32: 0.40, 128: 0.50}, {8: 0.30, 32: 0.40, 128: 0.50}, 0.90, None, "neither gets there, so no factor is known"),
    ({8: 0.30, 32: 0.85, 128: 0.80}, {8: 0.90, 32: 0.90, 128: 0.90}, 0.85, 4.0, "32 examples are the first that reach it, though 128 fall back"),
    ({128: 0.80, 8: 0.30, 32: 0.60}, {128: 0.88, 32: 0.82, 8: 0.60}, 0.80, 4.0, "the sizes may come in any order"),
)  # fmt: skip


def judge_saving(answer) -> str | None:
    """A function of two curves and a target, tried on the curves above."""
    cases = [
        (
            (dict(base), dict(start), target),
            checks.equals(wanted, f"{why}."),
            f"base {base}, instruct {start}, target {target}",
            f"{why}.",
        )
        for base, start, target, wanted, why in CURVES
    ]
    return checks.function(answer, "saving", cases)


MISSING = {"A": "harmless", "B": "base", "C": "steps", "D": "wordings"}
CLUES = {
    "A": "what would a model score here that declines every letter?",
    "B": "a saving is a difference. Which curve stands beside this one?",
    "C": "two things differ between the two trainings. Count how often each of them updates its weights.",
    "D": "the names are new. What else could the model have learnt by heart, and still be right here?",
}


def judge_missing(answer) -> str | None:
    """The measurement that each of four reports lacks."""
    return checks.causes(answer, MISSING, CLUES)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_saving,
        (
            "For each curve find the smallest size whose accuracy is at least the target: min of a list, if it is not empty.",
            "How many times *fewer* examples: the base's size divided by the instruct start's. None when either list is empty.",
        ),
        solutions.saving,
        (
            "def saving(base, instruct, target):\n"
            "    reached = [[n for n, a in curve.items() if a >= target] for curve in (base, instruct)]\n"
            "    return min(reached[1]) / min(reached[0]) if all(reached) else None\n\n\n"
            "answer = saving",
            "def saving(base, instruct, target):\n"
            "    reached = [[n for n, a in curve.items() if a > target] for curve in (base, instruct)]\n"
            "    return min(reached[0]) / min(reached[1]) if all(reached) else None\n\n\n"
            "answer = saving",
            "def saving(base, instruct, target):\n"
            "    reached = [[n for n, a in curve.items() if a >= target] for curve in (base, instruct)]\n"
            "    return min(reached[0]) / min(reached[1])\n\n\n"
            "answer = saving",
            "def saving(base, instruct, target):\n"
            "    reached = [[n for n, a in curve.items() if a >= target] for curve in (base, instruct)]\n"
            "    return min(reached[0]) / min(reached[1]) if reached[0] else None\n\n\n"
            "answer = saving",
            "answer = lambda base, instruct, target: max(instruct.values()) / max(base.values())",
            "def saving(base, instruct, target):\n"
            "    reached = [[n for n, a in curve.items() if a < target] for curve in (base, instruct)]\n"
            "    return max(reached[0]) / max(reached[1]) if all(reached) else None\n\n\n"
            "answer = saving",
            "answer = 4",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_json,
        (
            "json.loads(reply) raises json.JSONDecodeError for anything that is no JSON; catch it and return False.",
            "A list and a string are JSON too: ask isinstance(found, dict) before you look at the keys, and compare them as sets.",
        ),
        solutions.obeys,
        (
            "answer = lambda reply, keys: all(key in reply for key in keys)",
            "import json\n\n\nanswer = lambda reply, keys: set(json.loads(reply)) == set(keys)",
            "import json\n\n\n"
            "def obeys(reply, keys):\n"
            "    try:\n"
            "        return set(json.loads(reply)) == set(keys)\n"
            "    except ValueError:\n"
            "        return False\n\n\n"
            "answer = obeys",
            "import json\n\n\n"
            "def obeys(reply, keys):\n"
            "    try:\n"
            "        return tuple(json.loads(reply)) == tuple(keys)\n"
            "    except ValueError:\n"
            "        return False\n\n\n"
            "answer = obeys",
            "import json\n\n\n"
            "def obeys(reply, keys):\n"
            "    try:\n"
            "        found, _ = json.JSONDecoder().raw_decode(reply.strip())\n"
            "    except ValueError:\n"
            "        return False\n"
            "    return isinstance(found, dict) and set(found) == set(keys)\n\n\n"
            "answer = obeys",
            "import ast\n\n\n"
            "def obeys(reply, keys):\n"
            "    try:\n"
            "        return set(ast.literal_eval(reply.strip())) == set(keys)\n"
            "    except (ValueError, SyntaxError):\n"
            "        return False\n\n\n"
            "answer = obeys",
            "answer = True",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_missing,
        (
            "Each is used once. For each report imagine a model that has learnt nothing of what is claimed and still gets this figure.",
            "Two of the reports compare two trainings, or claim to. What has to be equal, and what has to be there at all?",
        ),
        'answer = {"A": "harmless", "B": "base", "C": "steps", "D": "wordings"}',
        (
            'answer = {"A": "base", "B": "harmless", "C": "steps", "D": "wordings"}',
            'answer = {"A": "harmless", "B": "steps", "C": "base", "D": "wordings"}',
            'answer = {"A": "harmless", "B": "base", "C": "wordings", "D": "steps"}',
            'answer = {"A": "harmless", "B": "base", "C": "steps", "D": "names"}',
            'answer = "harmless"',
        ),
    ),
]
