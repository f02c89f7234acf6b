"""Exercises of lesson 10: count what a method trains, find the front, choose for a case, design a control."""

from __future__ import annotations

from ..exercise import Exercise

# ------------------------------------------------------------------ exercise 1

# (hidden width, MLP width, width of keys and of values, layers, size): the course's model, and one in which no two are alike
SHAPES = ((256, 704, 128, 6, 8), (96, 250, 32, 5, 7))
COUNTED = ("LoRA", "adapters", "IA3", "prefix tuning", "prompt tuning")


def count(method: str, d: int, f: int, kv: int, layers: int, size: int) -> int:
    """Trained parameters on a Llama: `size` is rank, bottleneck or number of virtual tokens; IA3 has none."""
    return {
        "LoRA": layers * size * (2 * (d + d) + 2 * (d + kv) + 3 * (d + f)),
        "adapters": layers * 2 * (2 * size * d + size + d),
        "IA3": layers * (2 * kv + f),
        "prefix tuning": layers * 2 * size * kv,
        "prompt tuning": size * d,
    }[method]


def _slips(method: str, d: int, f: int, kv: int, layers: int, size: int) -> list[tuple[int, str]]:
    """The usual wrong counts of a method, and what each has overlooked."""
    return {
        "LoRA": [
            (
                layers * size * (4 * (d + d) + 3 * (d + f)),
                "keys and values are narrower than the model: k_proj and v_proj go from d to kv.",
            ),
            (
                layers * size * (2 * (d + d) + 2 * (d + kv)),
                "the three matrices of the MLP are missing: gate and up go from d to f, down from f to d.",
            ),
            (
                size * (2 * (d + d) + 2 * (d + kv) + 3 * (d + f)),
                "that is one layer; each of the layers has its own matrices.",
            ),
            (
                layers * (2 * d * d + 2 * d * kv + 3 * d * f),
                "those are the frozen matrices themselves. A is r × in and B is out × r.",
            ),
        ],
        "adapters": [
            (
                layers * 2 * 2 * size * d,
                "both of its linear layers have a bias: m numbers on the way down, d on the way up.",
            ),
            (
                layers * (2 * size * d + size + d),
                "Houlsby's placement has two adapters in each layer, one after attention and one after the MLP.",
            ),
            (2 * (2 * size * d + size + d), "that is one layer; each of the layers has its own adapters."),
        ],
        "IA3": [
            (layers * (2 * d + f), "the vectors scale keys and values, which are kv wide, not d."),
            (layers * (kv + f), "keys and values have a vector each."),
            (layers * 2 * kv, "the third vector scales the inside of the MLP, which is f wide."),
            (
                layers * (2 * kv + d),
                "the MLP's vector stands before down_proj, inside the MLP: it is f wide.",
            ),
            (layers * size * (2 * kv + f), "IA3 has no size to choose: one vector each."),
        ],
        "prefix tuning": [
            (layers * size * kv, "a virtual token of a prefix has a key *and* a value in each layer."),
            (layers * 2 * size * d, "keys and values are kv wide here, not d: several query heads share them."),
            (2 * size * kv, "a prefix has its keys and values in every layer."),
            (size * d, "that is prompt tuning, which stands before the first layer only."),
        ],
        "prompt tuning": [
            (layers * size * d, "a soft prompt stands before the first layer only, as an embedding would."),
            (size * kv, "a virtual token is as wide as an embedding, d."),
            (2 * size * d, "one vector a virtual token: there is no key and value of its own."),
        ],
    }[method]


def judge_count(answer) -> str | None:
    """A function `(method, d, f, kv, layers, size)`, tried on two shapes and five methods."""
    if not callable(answer):
        return f"the answer is a function (answer = trainable), not a {type(answer).__name__}."
    for method in COUNTED:
        for shape in SHAPES[::-1]:  # first the one in which no two numbers are alike
            try:
                got = answer(method, *shape)
            except Exception as error:
                return f"for {method!r} your function raises {type(error).__name__}: {error}."
            right = count(method, *shape)
            if got == right:
                continue
            for wrong, reason in _slips(method, *shape):
                if got == wrong:
                    return f"{method}: {reason}"
            names = ("d", "f", "kv", "layers", "size")
            said = ", ".join(f"{n} {v}" for n, v in zip(names, shape, strict=True))
            return f"{method}: for {said} your function returns {got!r} and should return {right:,}."
    return None


COUNT = (
    "def trainable(method, d, f, kv, layers, size):\n"
    "    if method == 'LoRA':  # q and o, k and v, gate, up and down: size numbers for each row and each column\n"
    "        return layers * size * (2 * (d + d) + 2 * (d + kv) + 3 * (d + f))\n"
    "    if method == 'adapters':  # two a layer: down with its bias, up with its bias\n"
    "        return layers * 2 * (d * size + size + size * d + d)\n"
    "    if method == 'IA3':\n"
    "        return layers * (kv + kv + f)\n"
    "    if method == 'prefix tuning':\n"
    "        return layers * size * (kv + kv)\n"
    "    return size * d\n\n\n"
    "answer = trainable"
)


def _with(method: str, formula: str) -> str:
    """The solution with another formula for one method, as a wrong answer."""
    changed = COUNT.replace("answer = trainable", "")
    return f"{changed}\ndef mine(method, d, f, kv, layers, size):\n    if method == {method!r}:\n        return {formula}\n    return trainable(method, d, f, kv, layers, size)\n\n\nanswer = mine"


# ------------------------------------------------------------------ exercise 2

RUNS = {"a": (5, 80), "b": (5, 84), "c": (20, 84), "d": (30, 91), "e": (240, 90), "f": (300, 95)}
ON_FRONT = ["b", "d", "f"]


def judge_front(answer) -> str | None:
    """A function from {name: (cost, accuracy)} to the names on the front, cheapest first."""
    if not callable(answer):
        return f"the answer is a function (answer = front), not a {type(answer).__name__}."
    got = answer(dict(RUNS))
    if not isinstance(got, (list, tuple)):
        return f"it should return a list of names, not a {type(got).__name__}."
    got = list(got)
    if got == ON_FRONT:
        again = list(answer({"x": (9, 50), "y": (1, 60)}))
        return None if again == ["y"] else f"for x (9, 50) and y (1, 60) it should return ['y'], not {again}."
    if "e" in got:
        return "e costs more than d and is right less often; nobody would choose it."
    if "c" in got:
        return "c is right as often as b and costs more: on a front something has to be gained for the price."
    if "a" in got:
        return "a costs as much as b and is right less often."
    if sorted(got) == sorted(ON_FRONT):
        return "those are the right three; put the cheapest first."
    if got == ["f"]:
        return "that is the most accurate only. Who cannot pay its price wants to know the best below it."
    if got == ["b"]:
        return "that is the cheapest only. Who can pay more wants to know what it buys."
    missing = [name for name in ON_FRONT if name not in got]
    return f"{', '.join(missing)} should be there: nothing that is as cheap or cheaper is as good."


FRONT = (
    "def front(runs):\n"
    "    names, best = [], float('-inf')\n"
    "    for name, (cost, accuracy) in sorted(runs.items(), key=lambda each: (each[1][0], -each[1][1])):\n"
    "        if accuracy > best:\n"
    "            names.append(name)\n"
    "            best = accuracy\n"
    "    return names\n\n\n"
    "answer = front"
)

# ------------------------------------------------------------------ exercise 3

CASES = {"A": "prompt", "B": "prompt tuning", "C": "QLoRA", "D": "LoRA", "E": "full"}
CHOICES = ("prompt", "prompt tuning", "QLoRA", "LoRA", "full")
WHY_NOT = {
    "A": {
        "": "there is nothing to train on in A: no example has an answer.",
    },
    "B": {
        "prompt": "each customer of B brings 50,000 examples of a task of their own. No wording holds what is in them; something has to be trained.",
        "QLoRA": "requests for different tasks in B share one batch, and every task brings at most 30 kB.",
        "LoRA": "a LoRA of rank 8 takes 0.9 MB here, and B allows 30 kB a task.",
        "full": "a full copy for each of 400 tasks is what B cannot store.",
    },
    "C": {
        "": "the base in 16 bits already fills the card in C, before any activation: the frozen weights have to become smaller.",
        "prompt": "C has a task that the base does not know from reading, and 20,000 examples of it.",
    },
    "D": {
        "": "D allows no added work at inference: the update has to vanish into the weights, and it is to be kept as a small file.",
        "full": "full fine-tuning adds nothing at inference either, but D wants to keep ten versions in 50 MB.",
        "QLoRA": "in D memory is no trouble, and a base in four bits would have to be unpacked before the update can be merged.",
    },
    "E": {
        "": "E brings a language with words that the base has never seen, millions of tokens of it, and memory to spare.",
    },
}


def judge_cases(answer) -> str | None:
    """One of five ways for each of five cases, each used once."""
    if not isinstance(answer, dict):
        return f"the answer is a dict with the keys A to E, not a {type(answer).__name__}."
    for case, right in CASES.items():
        given = answer.get(case)
        if given not in CHOICES:
            return f"for case {case} stands {given!r}; the ways are {', '.join(map(repr, CHOICES))}."
        if given != right:
            reasons = WHY_NOT[case]
            return f"case {case}: {reasons.get(given) or reasons.get('') or 'another way fits its limits better.'}"
    return None


# ------------------------------------------------------------------ exercise 4

CLAIMED = {"method": "IA3", "answers": "true", "steps": 96, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}
CONTROL = {**CLAIMED, "answers": "shuffled"}


def judge_control(answer) -> str | None:
    """The settings of a run that differs from `CLAIMED` in the one thing that the claim is about."""
    if not isinstance(answer, dict):
        return f"the answer is a dict of settings like the claimed run's, not a {type(answer).__name__}."
    wrong = sorted(set(CLAIMED) ^ set(answer))
    if wrong:
        return f"the control has the same settings as the claimed run, with other values; look at {', '.join(wrong)}."
    changed = [name for name in CLAIMED if answer[name] != CLAIMED[name]]
    if not changed:
        return "that is the claimed run again. It will succeed, whatever it has learnt from: it cannot fail."
    reasons = {
        "method": "another method is a comparison of methods. The claim is about what *this* one has learnt from.",
        "steps": "with fewer or no steps it has not learnt the form of an answer either, so its failing shows nothing.",
        "rate": "another rate makes a worse run of the same kind: it still sees which answer belongs to which item.",
        "items": "on other items the two are no longer compared on the same ground.",
        "seeds": "other seeds are a repetition, and another rate of luck; they are no control.",
    }
    if changed != ["answers"]:
        extra = [name for name in changed if name != "answers"]
        if "answers" in changed:
            return (
                f"two things differ at once ({', '.join(changed)}): if it fails, you cannot tell which of them did it."
            )
        return reasons[extra[0]]
    if answer["answers"] != "shuffled":
        return (
            "the control's answers must be the same words in the same numbers, so that it can learn their form, and no longer "
            "belong to their items: 'shuffled'."
        )
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_count,
        (
            "Go through the picture from left to right. Which matrices or vectors does the method add, and how wide is each side?",
            "LoRA has size × (in + out) for each matrix; q and o are d to d, k and v are d to kv, gate and up are d to f, down is f to d.",
        ),
        COUNT,
        (
            _with("LoRA", "layers * size * (4 * (d + d) + 3 * (d + f))"),
            _with("LoRA", "layers * size * (2 * (d + d) + 2 * (d + kv))"),
            _with("adapters", "layers * 4 * size * d"),
            _with("adapters", "layers * (2 * size * d + size + d)"),
            _with("IA3", "layers * (2 * d + f)"),
            _with("prefix tuning", "layers * size * kv"),
            _with("prefix tuning", "size * d"),
            _with("prompt tuning", "layers * size * d"),
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_front,
        (
            "Walk through the runs from the cheapest to the dearest. When is it worth to go on to the next?",
            "A run is on the front if its accuracy is higher than that of every run that costs as much or less.",
        ),
        FRONT,
        (
            "answer = lambda runs: sorted(runs, key=lambda name: runs[name][0])",
            "answer = lambda runs: [max(runs, key=lambda name: runs[name][1])]",
            "def front(runs):\n    names, best = [], 0\n    for name, (cost, accuracy) in sorted(runs.items(), key=lambda each: each[1][0]):\n"
            "        if accuracy >= best:\n            names.append(name)\n            best = accuracy\n    return names\n\n\nanswer = front",
            "answer = lambda runs: sorted((n for n, (c, a) in runs.items() if not any(x < c and y > a for x, y in runs.values())), key=lambda n: runs[n][0])",
            "answer = ['b', 'd', 'f']",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_cases,
        (
            "Begin with the case that forbids training, and then with the one in which even the frozen weights do not fit.",
            "Of the three that are left one needs tiny files, one needs an update that can be merged, one needs all the room there is to learn.",
        ),
        'answer = {"A": "prompt", "B": "prompt tuning", "C": "QLoRA", "D": "LoRA", "E": "full"}',
        (
            'answer = {"A": "prompt tuning", "B": "prompt", "C": "QLoRA", "D": "LoRA", "E": "full"}',
            'answer = {"A": "prompt", "B": "LoRA", "C": "QLoRA", "D": "prompt tuning", "E": "full"}',
            'answer = {"A": "prompt", "B": "prompt tuning", "C": "LoRA", "D": "QLoRA", "E": "full"}',
            'answer = {"A": "prompt", "B": "prompt tuning", "C": "QLoRA", "D": "full", "E": "LoRA"}',
            'answer = {"A": "prompt", "B": "prompt tuning", "C": "QLoRA", "D": "LoRA", "E": "few-shot"}',
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_control,
        (
            "The claim is that the run learnt *which answer belongs to which item*. What else could it have learnt from these rows?",
            "Change one thing only, so that the form can still be learnt and the tie between item and answer cannot.",
        ),
        'answer = {"method": "IA3", "answers": "shuffled", "steps": 96, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}',
        (
            'answer = {"method": "IA3", "answers": "true", "steps": 96, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}',
            'answer = {"method": "IA3", "answers": "true", "steps": 0, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}',
            'answer = {"method": "LoRA", "answers": "true", "steps": 96, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}',
            'answer = {"method": "IA3", "answers": "shuffled", "steps": 12, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}',
            'answer = {"method": "IA3", "answers": "none", "steps": 96, "rate": 0.01, "items": "test", "seeds": (1, 2, 3)}',
            'answer = {"method": "IA3", "answers": "shuffled"}',
        ),
    ),
]
