"""Exercises of lesson 04: the mask of a conversation, a saving, and a JSON check that does not trust its eyes."""

from __future__ import annotations

from ..exercises import Exercise

OPEN, END = "<|im_start|>", "<|im_end|>"


def _turn(role: str, *words: str) -> list[str]:
    return [OPEN, role, "\n", *words, END, "\n"]


# (name of the conversation, its tokens)
TALKS = (
    ("one question, one answer", _turn("user", " Tone", "?") + _turn("assistant", " negative")),
    (
        "two questions, two answers",
        _turn("user", " Tone", "?")
        + _turn("assistant", " negative")
        + _turn("user", " And", " the", " name", "?")
        + _turn("assistant", " Bel", "wick", " Foods"),
    ),
    ("no answer yet", _turn("user", " Tone", "?")),
    ("an answer of two lines", _turn("user", " List", ".") + _turn("assistant", " one", "\n", " two")),
    (
        "a question about an assistant",
        _turn("user", " Is", " the", "assistant", " right", "?") + _turn("assistant", " No"),
    ),
)


def right_mask(tokens: list[str]) -> list[bool]:
    """What the assistant writes: from after its header to its end mark."""
    counted, inside = [], False
    for i, token in enumerate(tokens):
        inside = inside or tokens[max(0, i - 3) : i] == [OPEN, "assistant", "\n"]
        counted.append(inside)
        inside = inside and token != END
    return counted


def judge_mask(answer) -> str | None:
    """A function from tokens to booleans, tried on the conversations above."""
    if not callable(answer):
        return f"the answer is a function (answer = counted), not a {type(answer).__name__}."
    for name, tokens in TALKS:
        got, wanted = list(answer(list(tokens))), right_mask(tokens)
        if len(got) != len(wanted):
            return f"for the conversation '{name}' of {len(wanted)} tokens your function returns {len(got)} values."
        for i, (mine, right) in enumerate(zip(got, wanted, strict=True)):
            if bool(mine) == right or (
                i and wanted[i - 1] and tokens[i - 1] == END
            ):  # the line break after the end mark may count
                continue
            if tokens[i] == END and right:
                return f"'{name}': the assistant's end mark must count, or the model never learns to stop."
            if tokens[i] in (OPEN, "assistant") or tokens[max(0, i - 2) : i] == [OPEN, "assistant"]:
                return f"'{name}', token {i} ({tokens[i]!r}): the header is given to the model; it does not write it."
            if right:
                return f"'{name}', token {i} ({tokens[i]!r}): the assistant writes it, and your mask leaves it out."
            return f"'{name}', token {i} ({tokens[i]!r}): the user wrote that, and your mask counts it."
    return None


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
    ('{"name": "A", "tone": "neu', ("name", "tone"), False, "it was cut off before the end"),
    ("", ("name", "tone"), False, "a model may reply with nothing at all"),
)  # fmt: skip


def judge_json(answer) -> str | None:
    """A function from a reply and the keys that were asked for to True or False, tried on the replies above."""
    if not callable(answer):
        return f"the answer is a function (answer = obeys), not a {type(answer).__name__}."
    for reply, keys, wanted, why in REPLIES:
        try:
            got = answer(reply, keys)
        except Exception as error:
            return f"for the reply {reply!r} your function raises {type(error).__name__}: {why}."
        if bool(got) != wanted:
            return f"for the reply {reply!r} and the keys {keys} your function returns {got!r}: {why}."
    return None


# (curve from the base, curve from the instruct start, target, the saving, what a wrong function has overlooked)
CURVES = (
    ({8: 0.30, 32: 0.60, 128: 0.80, 512: 0.90}, {8: 0.60, 32: 0.82, 128: 0.88, 512: 0.91}, 0.80, 4.0, "128 examples against 32"),
    ({8: 0.30, 32: 0.60, 128: 0.80, 512: 0.90}, {8: 0.60, 32: 0.82, 128: 0.88, 512: 0.91}, 0.60, 4.0, "32 examples against 8"),
    ({8: 0.30, 32: 0.60, 128: 0.80, 512: 0.90}, {8: 0.60, 32: 0.82, 128: 0.88, 512: 0.91}, 0.90, 1.0, "both need 512"),
    ({8: 0.50, 32: 0.70, 128: 0.85}, {8: 0.40, 32: 0.60, 128: 0.71}, 0.70, 0.25, "a worse start is possible, and is a saving below one"),
    ({8: 0.30, 32: 0.40, 128: 0.50}, {8: 0.60, 32: 0.70, 128: 0.80}, 0.80, None, "the base start never gets there, so no factor is known"),
    ({8: 0.30, 32: 0.85, 128: 0.80}, {8: 0.90, 32: 0.90, 128: 0.90}, 0.85, 4.0, "32 examples are the first that reach it, though 128 fall back"),
    ({128: 0.80, 8: 0.30, 32: 0.60}, {128: 0.88, 32: 0.82, 8: 0.60}, 0.80, 4.0, "the sizes may come in any order"),
)  # fmt: skip


def saving(base: dict[int, float], instruct: dict[int, float], target: float) -> float | None:
    """How many times fewer examples the instruct start needs to reach `target`; `None` where a curve never reaches it.

    A curve is accuracy by number of examples. The first size that reaches the target counts; nothing is interpolated.
    """
    reached = [[n for n, accuracy in curve.items() if accuracy >= target] for curve in (base, instruct)]
    return min(reached[0]) / min(reached[1]) if all(reached) else None


def judge_saving(answer) -> str | None:
    """A function of two curves and a target, tried on the curves above."""
    if not callable(answer):
        return f"the answer is a function (answer = saving), not a {type(answer).__name__}."
    for base, start, target, wanted, why in CURVES:
        case = f"base {base}, instruct {start}, target {target}"
        try:
            got = answer(dict(base), dict(start), target)
        except Exception as error:
            return f"for {case} your function raises {type(error).__name__}: {why}."
        if got is None or wanted is None:
            if got is not wanted:
                return f"for {case} your function returns {got!r}, and it should return {wanted!r}: {why}."
        elif abs(got - wanted) > 1e-6:
            return f"for {case} your function returns {got:g}, and it should return {wanted:g}: {why}."
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_mask,
        (
            "Walk through the tokens and remember whether you are inside an answer. An answer begins after the three tokens "
            "'<|im_start|>', 'assistant', '\\n'.",
            "The end mark itself still belongs to the answer: note the value for the token first, leave the answer afterwards.",
        ),
        "def counted(tokens):\n"
        "    values, inside = [], False\n"
        "    for i, token in enumerate(tokens):\n"
        "        if tokens[max(0, i - 3) : i] == ['<|im_start|>', 'assistant', '\\n']:\n"
        "            inside = True\n"
        "        values.append(inside)\n"
        "        if token == '<|im_end|>':\n"
        "            inside = False\n"
        "    return values\n\n\n"
        "answer = counted",
        (
            "answer = lambda tokens: [True] * len(tokens)",
            "def counted(tokens):\n"
            "    values, inside = [], False\n"
            "    for i, token in enumerate(tokens):\n"
            "        if token == '<|im_end|>':\n"
            "            inside = False\n"
            "        values.append(inside)\n"
            "        if tokens[max(0, i - 2) : i + 1] == ['<|im_start|>', 'assistant', '\\n']:\n"
            "            inside = True\n"
            "    return values\n\n\n"
            "answer = counted",
            "def counted(tokens):\n"
            "    values, inside = [], False\n"
            "    for token in tokens:\n"
            "        inside = inside or token == 'assistant'\n"
            "        values.append(inside)\n"
            "        inside = inside and token != '<|im_end|>'\n"
            "    return values\n\n\n"
            "answer = counted",
            "def counted(tokens):\n"
            "    if 'assistant' not in tokens:\n"
            "        return [False] * len(tokens)\n"
            "    last = len(tokens) - 1 - tokens[::-1].index('assistant')\n"
            "    return [i > last + 1 for i in range(len(tokens))]\n\n\n"
            "answer = counted",
            "answer = [True, False]",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_saving,
        (
            "For each curve find the smallest size whose accuracy is at least the target: min of a list, if it is not empty.",
            "How many times *fewer* examples: the base's size divided by the instruct start's. None when either list is empty.",
        ),
        "def saving(base, instruct, target):\n"
        "    reached = [[n for n, accuracy in curve.items() if accuracy >= target] for curve in (base, instruct)]\n"
        "    if not all(reached):\n"
        "        return None\n"
        "    return min(reached[0]) / min(reached[1])\n\n\n"
        "answer = saving",
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
            "answer = lambda base, instruct, target: max(instruct.values()) / max(base.values())",
            "def saving(base, instruct, target):\n"
            "    reached = [[n for n, a in curve.items() if a < target] for curve in (base, instruct)]\n"
            "    return max(reached[0]) / max(reached[1]) if all(reached) else None\n\n\n"
            "answer = saving",
            "answer = 4",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_json,
        (
            "json.loads(reply) raises json.JSONDecodeError for anything that is no JSON; catch it and return False.",
            "A list and a string are JSON too: ask isinstance(found, dict) before you look at the keys, and compare them as sets.",
        ),
        "import json\n\n\n"
        "def obeys(reply, keys):\n"
        "    try:\n"
        "        found = json.loads(reply)\n"
        "    except json.JSONDecodeError:\n"
        "        return False\n"
        "    return isinstance(found, dict) and set(found) == set(keys)\n\n\n"
        "answer = obeys",
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
]
