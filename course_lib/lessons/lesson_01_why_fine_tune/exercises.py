"""Exercises of lesson 01: a rule of scoring, locked against absent knowledge, and the memory of training."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import solutions

# (reply, label it answers with, what a function that gets it wrong has overlooked)
REPLIES = (
    (" positive", "positive", "the space before an answer belongs to the template and is no part of the label"),
    ("Negative.", "negative", "a capital or a full stop does not make an answer wrong"),
    (" neutral\nDesk note", "neutral", "what comes after the first word does not count"),
    (" positive, said the desk", "positive", "a comma may follow the label"),
    (' "Positive!"', "positive", "quotation marks and exclamation marks are punctuation too"),
    (" NEUTRAL: no change", "neutral", "a colon may follow the label, and all its letters may be capitals"),
    (
        " The board is positive that sales will rise.",
        None,
        "that reply mentions a label in passing and answers nothing",
    ),
    (" Is it positive, negative or neutral?", None, "that reply hands the question back"),
    (" Positively charged.", None, "'positively' begins like a label and is another word"),
    (" positive/negative", None, "two labels side by side are no answer; the first word there is neither of them"),
    (" not negative", None, "the first word there is 'not'"),
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
            "that counts two-byte weights only, as for reading. Training keeps gradients, moments and a master copy too.",
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
            "reply.lower().split() gives the words in small letters; for an empty reply the list is empty.",
            "Strip punctuation from the first word with .strip('.,:;!?\"'), then ask whether it is *equal* to a label.",
        ),
        solutions.label_of,
        (
            "answer = lambda reply: next((t for t in ('positive', 'negative', 'neutral') if t in reply.lower()), None)",
            "answer = lambda reply: reply.strip() if reply.strip() in ('positive', 'negative', 'neutral') else None",
            "def label_of(reply):\n"
            "    text = reply.strip().lower()\n"
            "    return next((t for t in ('positive', 'negative', 'neutral') if text.startswith(t)), None)\n\n\n"
            "answer = label_of",
            "def label_of(reply):\n"
            "    first = reply.lower().split()[0].strip('.,:;!?\"')\n"
            "    return first if first in ('positive', 'negative', 'neutral') else None\n\n\n"
            "answer = label_of",
            "import re\n\n\n"
            "def label_of(reply):\n"
            "    found = re.match(r'\\W*(positive|negative|neutral)\\b', reply.lower())\n"
            "    return found.group(1) if found else None\n\n\n"
            "answer = label_of",
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
