"""Exercises of lesson 01: a rule of scoring, locked against absent knowledge, and the memory of training."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise, source_of
from . import mistakes, solutions

# (reply, label that it names, what a function that gets it wrong has overlooked)
REPLIES = (
    (" positive", "positive", "a reply may be the label and nothing else"),
    ("Negative.", "negative", "a capital or a full stop does not make an answer wrong"),
    (" The tone of this report is neutral.", "neutral", "the label may stand anywhere in the reply, not only in front"),
    ("**Positive**", "positive", "the stars of emphasis are no part of the label"),
    (" neutral\nneutral\nneutral", "neutral", "the same label named three times is one label"),
    (
        " It is not positive but negative.",
        "negative",
        "a label right behind 'not' is denied, so one label is named there",
    ),
    (" This is not neutral.", None, "a label right behind 'not' is denied, so no label is named there"),
    (" Is it positive, negative or neutral?", None, "that reply hands the question back: it names three labels"),
    (" positive/negative", None, "two different labels are no answer"),
    (" Positively charged particles.", None, "'positively' begins like a label and is another word"),
    ("", None, "a model may reply with nothing at all"),
    (" Shares rose on Monday.", None, "that is a piece of news, no answer"),
)
BYTES, CARD, KEPT = 16, 80, 16  # bytes a parameter; GB on the card; GB kept for activations


def judge_scorer(answer) -> str | None:
    """A function from a reply to a label or `None`, tried on the replies above."""
    cases = [
        ((reply,), checks.equals(wanted, why + "."), f"the reply {reply!r}", why + ".")
        for reply, wanted, why in REPLIES
    ]
    return checks.function(answer, "label_of", cases)


VERDICTS = {"A": "locked", "B": "absent", "C": "absent", "D": "ready"}
MISTAKES = {
    "A": {
        "absent": "a probe finds the answers, so they are in the base model.",
        "ready": "almost no plain question is answered; a user without the probe gets nothing.",
    },
    "B": {
        "locked": "no way of asking and no number of examples gets beyond chance. What would be locked there?",
        "ready": "every figure is at chance or below.",
    },
    "C": {
        "locked": "no probe finds more than chance, and 32 examples free nothing. What 2,000 examples brought was taught.",
        "ready": "it always replies with a label, and with the same one; look at how many are right.",
    },
    "D": {
        "locked": "asked plainly it already answers nearly as well as the probe. There is nothing to unlock.",
        "absent": "it answers plain questions nearly always rightly.",
    },
}


def judge_diagnosis(answer) -> str | None:
    """One of three words for each of the four skills."""
    return checks.choice(
        answer, VERDICTS, ("locked", "absent", "ready"), lambda skill, given: f"skill {skill}: {MISTAKES[skill][given]}"
    )


def judge_size(answer) -> str | None:
    """Billions of parameters at sixteen bytes each in what the card has left."""
    free = CARD - KEPT
    known = (
        (free / BYTES * 1e9, "that is the number of parameters; the question asks for billions of them."),
        (CARD / BYTES, f"that fills the whole card; {KEPT} GB of it are kept for activations."),
        (
            free / 2,
            "that counts two-byte weights only, as for inference. Training keeps gradients, moments and a master copy too.",
        ),
        (free / 4, "that counts two-byte weights and gradients. AdamW's moments and the master copy are missing."),
        (free / 8, "that counts weights, gradients and the master copy. AdamW's two moments are missing."),
        (free / 12, "that counts twelve bytes a parameter. The four-byte master copy of the weights is missing."),
        (free / 18, "that is the count with four-byte gradients, 18 bytes; the question asks for the 16-byte count."),
        (free * BYTES, "you multiplied by the bytes a parameter; how many parameters fit is a division."),
    )
    otherwise = "divide the bytes that are left for the model by the bytes that each parameter takes."
    return checks.number(answer, free / BYTES, known=known, otherwise=otherwise)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_scorer,
        (
            "Collect the labels that are named into a set, then look how many there are: none, one, or more than one.",
            "A regular expression finds whole words: re.findall(r'\\b(positive|negative|neutral)\\b', text). How would you let it "
            "take a 'not ' in front along, so that you can leave such a label out?",
        ),
        solutions.label_of,
        (
            *map(
                source_of,
                (
                    mistakes.first_word_only,
                    mistakes.first_label_found,
                    mistakes.without_not,
                    mistakes.parts_of_words,
                    mistakes.named_once_only,
                    mistakes.capitals_matter,
                    mistakes.fails_on_nothing,
                ),
            ),
            "answer = 'positive'",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_diagnosis,
        (
            "Locked means: some way of asking the base model brings the knowledge out, and the plain question does not.",
            "For each skill compare the best probe with chance first, then the plain question with the probe. The last column "
            "says what can be taught, not what was there.",
        ),
        'answer = {"A": "locked", "B": "absent", "C": "absent", "D": "ready"}',
        (
            'answer = {"A": "locked", "B": "absent", "C": "locked", "D": "ready"}',
            'answer = {"A": "locked", "B": "absent", "C": "ready", "D": "ready"}',
            'answer = {"A": "absent", "B": "absent", "C": "absent", "D": "ready"}',
            'answer = {"A": "locked", "B": "locked", "C": "absent", "D": "ready"}',
            'answer = "locked"',
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_size,
        (
            "How many GB are left for weights and training state? A GB is 10⁹ bytes, a billion parameters are 10⁹ parameters.",
            "Each parameter takes 2 (weight) + 2 (gradient) + 4 (master copy) + 8 (moments) bytes.",
        ),
        "answer = (80 - 16) / (2 + 2 + 4 + 8)",
        (
            "answer = 80 / 16",
            "answer = (80 - 16) / 2",
            "answer = (80 - 16) / 4",
            "answer = (80 - 16) * 1e9 / 16",
            "answer = (80 - 16) / 18",
        ),
    ),
]
