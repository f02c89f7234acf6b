"""Exercises of lesson 11: the Bradley–Terry loss for shares of readers, what is possible under noise, and four broken reward models."""

from __future__ import annotations

import math

from .. import checks
from ..exercise import Exercise
from . import solutions


def judge_loss(answer) -> str | None:
    """A function `(first, second, share)` → scalar loss, tried on gaps of both signs, on shares of all kinds, and on very large gaps."""
    import torch
    import torch.nn.functional as F

    if not callable(answer):
        return f"the answer is a function (answer = preference_loss), not a {type(answer).__name__}."
    first, second = torch.tensor([1.0, -0.5, 2.0, 0.3]), torch.tensor([0.2, 0.7, 2.0, 0.9])
    share, gap = torch.tensor([0.9, 0.3, 1.0, 0.6]), first - second
    got = answer(first, second, share)
    if not isinstance(got, torch.Tensor) or got.numel() != 1:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        return f"the loss of a batch is one number, a mean over its pairs; yours is {shape}."
    yes, no = F.logsigmoid(gap), F.logsigmoid(-gap)
    right = -(share * yes + (1 - share) * no).mean()
    wrong = {
        "the shares are not used: this takes the first reply for everybody's choice.": -yes.mean(),
        "the readers who chose the second reply are forgotten. They made a choice too, with probability 1 − σ(gap).": -(
            share * yes
        ).mean(),
        "it is turned round: those who chose the first reply push the second one up.": -(
            share * no + (1 - share) * yes
        ).mean(),
        "the minus is missing: a loss is to be made small, and the logarithm is largest for the right shares.": -right,
        "that adds the pairs up; take the mean, or the loss grows with the batch.": right * len(gap),
        "that is the squared distance of two probabilities. The loss is a negative logarithm.": (
            (torch.sigmoid(gap) - share) ** 2
        ).mean(),
        "the share weighs the two logarithms, not the gap between the rewards.": -F.logsigmoid(
            (2 * share - 1) * gap
        ).mean(),
        "only the majority counts there: nine of ten and six of ten would be the same.": -F.logsigmoid(
            torch.sign(share - 0.5) * gap
        ).mean(),
    }
    if not torch.allclose(got, right, atol=1e-5):
        for reason, value in wrong.items():
            if torch.allclose(got.reshape(()), value, atol=1e-5):
                return reason
        return "for shares of 0.9, 0.3, 1 and 0.6 it is not the mean negative log-probability of one reader's choice."
    far = answer(torch.tensor([0.0]), torch.tensor([200.0]), torch.tensor([1.0]))
    if not torch.allclose(far, torch.tensor(200.0), atol=1.0):
        return f"for a gap of −200 and a share of 1 it is {far.item():g} and should be 200: σ rounds to 0 before the logarithm."
    return None


def judge_ceiling(answer) -> str | None:
    """A function of a list of probabilities → the best possible agreement."""
    if not callable(answer):
        return f"the answer is a function (answer = best_possible), not a {type(answer).__name__}."
    chances = [0.9, 0.5, 0.2, 0.35]
    right = (0.9 + 0.5 + 0.8 + 0.65) / 4
    got = float(answer(list(chances)))
    wrong = {
        sum(chances)
        / 4: "that is the mean probability of the first reply. Where it is below a half, one should guess the second.",
        1.0: "that would be possible if readers always chose alike. They choose by chance: with 0.9 they differ every tenth time.",
        0.75: "you counted a pair as foreseen or not. Each pair is foreseen with a probability.",
        0.5: "half is what a coin gets.",
        max(chances): "that is the easiest pair alone; take the mean over pairs.",
        sum(p * p + (1 - p) ** 2 for p in chances) / 4: "that is how often two readers agree with each other, "
        "or a guesser who draws by the same probabilities. Always naming the likelier reply is right more often.",
    }
    if math.isclose(got, right, abs_tol=1e-6):
        return None
    for value, reason in wrong.items():
        if math.isclose(got, value, abs_tol=1e-6):
            return reason
    return f"for the probabilities 0.9, 0.5, 0.2 and 0.35 it should be {right:.4f}; yours is {got:.4f}."


CASES = {"A": "padding", "B": "labels", "C": "overfitted", "D": "bias"}
CLUES = {
    "A": "the same reply, the same weights, another score as soon as a longer reply stands beside it. What else is in the batch then?",
    "B": "the loss falls below ln 2 and the order comes out worse than a coin's. No noise does that; what does?",
    "C": "on pairs that it has read it is almost always right, and beyond what the readers' own noise allows.",
    "D": "it agrees with its readers as well as is possible. Whom does it not agree with?",
}


def judge_cases(answer) -> str | None:
    """One of four causes for each of the four reports."""
    return checks.causes(answer, CASES, CLUES)


EXERCISES = [
    Exercise(
        name="The loss",
        judge=judge_loss,
        hints=(
            "Take one reader by chance. With which probability, by the model, does this reader choose the first reply, and the second?",
            "With `share` of the readers one of the two logarithms counts, with the rest the other. What is 1 − σ(x), written as a σ?",
        ),
        answer=solutions.preference_loss,
        wrong=(
            "import torch.nn.functional as F\nanswer = lambda a, b, share: -F.logsigmoid(a - b).mean()",
            "import torch.nn.functional as F\nanswer = lambda a, b, share: -(share * F.logsigmoid(a - b)).mean()",
            "import torch.nn.functional as F\nanswer = lambda a, b, share: -(share * F.logsigmoid(b - a) + (1 - share) * F.logsigmoid(a - b)).mean()",
            "import torch.nn.functional as F\nanswer = lambda a, b, share: -F.logsigmoid((2 * share - 1) * (a - b)).mean()",
            "import torch\nanswer = lambda a, b, share: ((torch.sigmoid(a - b) - share) ** 2).mean()",
            "import torch\nanswer = lambda a, b, share: -(share * torch.sigmoid(a - b).log() + (1 - share) * torch.sigmoid(b - a).log()).mean()",
        ),
    ),
    Exercise(
        name="The best possible",
        judge=judge_ceiling,
        hints=(
            "You know the probability p that readers prefer the first reply. Which reply do you name, and how often are you right?",
            "Name the likelier one: you are right with probability p or 1 − p, whichever is larger.",
        ),
        answer=solutions.best_possible,
        wrong=(
            "answer = lambda chances: sum(chances) / len(chances)",
            "answer = lambda chances: 1.0",
            "answer = lambda chances: sum(p * p + (1 - p) ** 2 for p in chances) / len(chances)",
            "answer = lambda chances: sum(p != 0.5 for p in chances) / len(chances)",
        ),
    ),
    Exercise(
        name="Four reports",
        judge=judge_cases,
        hints=(
            "Ask of each: are the *numbers* wrong, the *order* wrong, or is the order right and the readers wrong?",
            "One report is about where the score is read, one about columns, one about too many passes, one about whom was asked.",
        ),
        answer='answer = {"A": "padding", "B": "labels", "C": "overfitted", "D": "bias"}',
        wrong=(
            'answer = {"A": "overfitted", "B": "labels", "C": "padding", "D": "bias"}',
            'answer = {"A": "padding", "B": "bias", "C": "overfitted", "D": "labels"}',
            'answer = {"A": "padding", "B": "labels", "C": "bias", "D": "overfitted"}',
            'answer = "padding"',
        ),
    ),
]
