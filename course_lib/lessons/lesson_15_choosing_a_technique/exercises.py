"""Exercises of lesson 15: the memory formula, what a search may cost, a technique for each of eight cases, and what one seed is worth."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import memory, scorecard

# ------------------------------------------------------------------ exercise 1


def step_bytes(total, trained, bits, activations):
    frozen = (total - trained) * bits / 8  # read, and nothing else
    training = trained * (2 + 2 + 4 + 8)  # weight, gradient, float32 master copy, two moments
    return frozen + training + activations


# total, trained, bits of a frozen number, activations: the words for it
CASES = (
    ((7_000_000_000, 7_000_000_000, 16, 900_000_000), "7 billion numbers, all trained"),
    ((7_040_000_000, 40_000_000, 16, 900_000_000), "LoRA: 40 million trained beside 7 billion in 16 bits"),
    ((7_040_000_000, 40_000_000, 4, 900_000_000), "QLoRA: the same in 4 bits"),
    ((1000, 0, 8, 5), "1,000 numbers in 8 bits, none trained"),
)


def _slips(total: int, trained: int, bits: int, kept: int) -> list[tuple[float, str]]:
    """The usual wrong totals, and what each has overlooked."""
    right = step_bytes(total, trained, bits, kept)
    return [
        (right - kept, "the activations are missing: what the forward pass keeps comes on top."),
        (right + trained * bits / 8, "the trained numbers are counted twice: total has them in it already."),
        (total * bits / 8 + kept, "that is inference: a trained number also needs its gradient, master copy and moments."),
        (right - 2 * trained, "one of the parts of a trained number is missing: 2 for the weight, 2 for the gradient, 4 and 8."),
        (right - 4 * trained, "the float32 master copy (4 bytes) is missing: the 16-bit weight is too coarse to add small steps to."),
        (right - 8 * trained, "AdamW's two moments are missing: 4 bytes each."),
        (right - 4 * trained - 2 * trained, "gradients and master copy are missing."),
        (16.0 * total + kept, "a frozen number has no gradient and no moments; only the trained ones cost sixteen bytes."),
        ((total - trained) * bits + 16 * trained + kept, "bits are not bytes: eight of them make one."),
    ]  # fmt: skip


def judge_memory(answer) -> str | None:
    """A function (total, trained, bits, activations), tried on four steps."""

    def fault(arguments):
        def told(got):
            right = step_bytes(*arguments)
            if not isinstance(got, (int, float)) or isinstance(got, bool):
                return f"your function returns {got!r}, which is no number of bytes."
            if abs(got - right) <= 1e-6 * right:
                return None
            for wrong, reason in _slips(*arguments):
                if abs(got - wrong) <= 1e-6 * max(wrong, 1):
                    return f"your function returns {got:,.0f} bytes: {reason}"
            return f"your function returns {got:,.0f} bytes and should return {right:,.0f}."

        return told

    cases = [(arguments, fault(arguments), words, "all four arguments are numbers.") for arguments, words in CASES]
    return checks.function(answer, "step_bytes", cases)


# ------------------------------------------------------------------ exercise 2

ROWS, TOKENS, EPOCHS, EXTRA, TIME, EXPECTED = 2000, 150, 2, 400, 0.9, 25_000
SAVED = EXPECTED * EXTRA  # tokens that are read, over all calls


def _runs(passes: float = 3 * TIME, epochs: int = EPOCHS) -> int:
    """Whole runs that the saved tokens pay for."""
    return int(SAVED / (passes * ROWS * TOKENS * epochs))


SEARCH = _runs() - 1  # one of them is the run that is used


def judge_search(answer) -> str | None:
    """The number of runs of the search that the expected calls still pay for."""
    known = (
        (SEARCH + 1, "so many runs are paid for in all. One of them is the training that you use; how many are left for the search?"),
        (_runs(passes=3) - 1, "that is full fine-tuning's time; a step of this LoRA takes 0.9 of it."),
        (_runs(epochs=1) - 1, "each run goes over the rows twice."),
        (_runs(passes=TIME) - 1, "a trained token is read forwards and backwards: three passes, where a call needs one."),
        (SAVED / (3 * TIME * ROWS * TOKENS * EPOCHS), "that is the number of runs in all, and not a whole one; the last run is not searched with."),
    )  # fmt: skip
    return checks.number(
        answer, SEARCH, tolerance=0.002, known=known,
        otherwise="25,000 calls save 400 tokens each. What does one run cost in tokens that are read (2,000 rows of 150, twice, three passes, 0.9), and how "
        "many whole runs is that?",
    )  # fmt: skip


# ------------------------------------------------------------------ exercise 3

OPTIONS = ("prompt", "retrieval", "LoRA", "QLoRA", "full", "DPO", "RLAIF", "RL")
RIGHT = {"A": "QLoRA", "B": "retrieval", "C": "full", "D": "LoRA", "E": "prompt", "F": "DPO", "G": "RL", "H": "RLAIF"}


def _gigabytes(way: str, size: str) -> str:
    return f"{memory.needed(way, memory.SHAPES[size])['total'] / 1e9:.1f} GB"


def _why_not(case: str, given: str) -> str:
    """What speaks against a choice, by numbers: the memory formula, and what the lessons measured."""
    lora, full = memory.WAYS[1], memory.WAYS[0]
    general = {
        "A": f"a step at 7B takes {_gigabytes(full, '7B')} in full, {_gigabytes(lora, '7B')} with LoRA and {_gigabytes('QLoRA', '7B')} with "
             "QLoRA; of 16 GB count on nine tenths.",
        "B": "a rate that changed this morning is in no weight. Every training would be a day late, and could not be corrected line by line.",
        "C": f"the base has not read these codes: {scorecard.new_knowledge().figures}. And a full step at 1B takes {_gigabytes(full, '1B')} of "
             "80 GB.",
        "D": f"thirty clinics are thirty files on one base, and a LoRA step at 7B takes {_gigabytes(lora, '7B')} of 24 GB.",
        "E": f"there is not one labelled row, and the base has read the answers in this very form. {scorecard.beats_prompting().figures}.",
        "F": f"nobody can say what is right, only which of two drafts is better. {scorecard.dpo_simpler().figures}.",
        "H": f"nobody compares drafts, and no program can score them; but the rules are written, and a judge that reads them agreed with the doctors. "
             f"{scorecard.ai_labels().figures}.",
        "G": f"the program scores any draft, so no reader has to stand in between. {scorecard.clean_rewards_help().figures}.",
    }[case]  # fmt: skip
    special = {
        ("A", "LoRA"): f"the LoRA step takes {_gigabytes(lora, '7B')}, and with a tenth left over 16 GB hold 14.4 GB. It is close: shorter rows "
        "would do it.",
        ("A", "prompt"): "a month of prompts is behind them, and 3,000 labelled rows are at hand.",
        ("C", "LoRA"): f"LoRA comes near at a higher rate, and is not what memory forces here: a full step at 1B takes {_gigabytes(full, '1B')} "
        f"of 80 GB. {scorecard.new_knowledge().figures}.",
        ("C", "prompt"): "a prompt brings out what was read. These codes were not: lesson 01's untaught section stays at chance.",
        ("D", "QLoRA"): f"LoRA fits ({_gigabytes(lora, '7B')} of 24 GB), and four bits cost accuracy: {scorecard.qlora_as_good().figures}.",
        ("D", "full"): f"thirty copies of 13 GB each, and a step of {_gigabytes(full, '7B')} on a card of 24.",
        ("F", "RL"): f"RL on pairs needs a reward model first, which is then exploited: {scorecard.preferences_help().figures}.",
        ("F", "RLAIF"): "the partners have compared already, and nobody has written down what they like.",
        ("H", "DPO"): "DPO comes second: it needs pairs with labels, and nobody has compared two drafts. Who will?",
        ("H", "RL"): "no program scores these drafts. A judge's score could stand in for one, and is exploited like a reward model (lesson 12).",
        ("G", "DPO"): "pairs would be made from the score, and lose by how much one draft is better than the other.",
    }  # fmt: skip
    return f"case {case}: {special.get((case, given), general)}"


def judge_cases(answer) -> str | None:
    """One of eight ways for each of eight cases, each used once."""
    return checks.choice(answer, RIGHT, OPTIONS, _why_not)


def _with(**changed: str) -> str:
    return f"answer = {RIGHT | changed!r}"


# ------------------------------------------------------------------ exercise 4


def wrong_share(first, second):
    ahead = sum(first) / len(first) >= sum(second) / len(second)
    wrong = 0
    for one in first:
        for other in second:
            wrong += 0.5 if one == other else (one < other) == ahead
    return wrong / (len(first) * len(second))


SEEDS = (
    (([90, 92, 94], [80, 81, 82]), 0.0, "methods that never touch: no pair of seeds is wrong."),
    (([90, 92, 94], [91, 91, 91]), 1 / 3, "of nine pairs three put the second ahead, which is behind by its mean."),
    (([91, 91], [90, 92, 94]), 1 / 3, "here the *second* is ahead over all seeds, and the seeds are not equally many."),
    (([90, 90], [90, 88]), 0.25, "a tie decides nothing: it is wrong half the time."),
)


def judge_wrong(answer) -> str | None:
    """A function (per cents of one method's seeds, of another's) → share of pairs in which the wrong one is ahead."""
    cases = [
        (arguments, checks.equals(wanted, why), f"{arguments[0]} and {arguments[1]}", why)
        for arguments, wanted, why in SEEDS
    ]
    return checks.function(answer, "wrong_share", cases)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_memory,
        (
            "Three terms: the frozen numbers, the trained ones, the activations. How many numbers are frozen?",
            "A trained number costs 2 + 2 + 4 + 8 bytes; a frozen one bits / 8.",
        ),
        step_bytes,
        (
            "answer = lambda total, trained, bits, activations: total * bits / 8 + 16 * trained + activations",
            "answer = lambda total, trained, bits, activations: 16 * total + activations",
            "answer = lambda total, trained, bits, activations: (total - trained) * bits / 8 + 16 * trained",
            "answer = lambda total, trained, bits, activations: (total - trained) * bits / 8 + 12 * trained + activations",
            "answer = lambda total, trained, bits, activations: (total - trained) * bits + 16 * trained + activations",
            "answer = 112_000_000_000",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_search,
        (
            "First what all the calls save, then the price of one run, both in tokens that are read.",
            "Only whole runs count, and the run that you use is one of them.",
        ),
        "one_run = 2_000 * 150 * 2 * 3 * 0.9\nanswer = 25_000 * 400 // one_run - 1",
        (
            "answer = 25_000 * 400 // (2_000 * 150 * 2 * 3 * 0.9)",
            "answer = 25_000 * 400 // (2_000 * 150 * 2 * 3) - 1",
            "answer = 25_000 * 400 // (2_000 * 150 * 3 * 0.9) - 1",
            "answer = 25_000 * 400 // (2_000 * 150 * 2 * 0.9) - 1",
            "answer = 25_000 * 400 / (2_000 * 150 * 2 * 3 * 0.9)",
            "answer = 42",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_cases,
        (
            "Begin with the cases in which nothing can be trained, or should not be: what is known, and since when?",
            "For the cards look at the table of the memory formula, and leave a tenth free.",
        ),
        f"answer = {RIGHT!r}",
        (
            _with(A="LoRA", D="QLoRA"),
            _with(A="full", C="QLoRA"),
            _with(C="LoRA", D="full"),
            _with(B="LoRA", D="retrieval"),
            _with(D="QLoRA", A="LoRA"),
            _with(F="RL", G="DPO"),
            _with(F="RLAIF", H="DPO"),
            _with(H="RL", G="RLAIF"),
            _with(E="few-shot"),
            _with(E="retrieval", B="prompt"),
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_wrong,
        (
            "Which one is ahead over all seeds? Then look at every pair of one seed of each.",
            "A pair is wrong where the one that is behind over all seeds is ahead in it; a tie counts one half.",
        ),
        wrong_share,
        (
            "answer = lambda first, second: sum(a < b for a, b in zip(first, second)) / len(first)",
            "answer = lambda first, second: sum(a < b for a in first for b in second) / len(first) / len(second)",
            "answer = lambda first, second: sum(a <= b for a in first for b in second) / len(first) / len(second)",
            "answer = lambda first, second: 0.0",
        ),
    ),
]  # fmt: skip
