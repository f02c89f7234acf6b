"""Exercises of lesson 12: leave-one-out advantages, the clipped objective, how far best-of-n reaches, and four runs to diagnose."""

from __future__ import annotations

import inspect
import math

from .. import checks
from ..exercise import Exercise
from . import solutions


def judge_leave_one_out(answer) -> str | None:
    """A function `(rewards)`, rewards (prompts, replies) → advantages of the same shape (Ahmadian et al., arXiv 2402.14740)."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = advantages), not a {type(answer).__name__}."
    rewards = torch.tensor([[1.0, 0.0, 0.0, 0.5], [3.0, 4.0, 2.0, 2.5], [0.2, 0.2, 0.2, 0.2]])
    try:
        got = answer(rewards.clone())
    except Exception as error:
        return f"your function raises {type(error).__name__} on three prompts with four replies each: {error}."
    if not isinstance(got, torch.Tensor) or got.shape != rewards.shape:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        return f"for rewards of the shape (3, 4) the advantages should have the same shape; yours: {shape}."
    n, total = rewards.shape[1], rewards.sum(1, keepdim=True)
    right = rewards - (total - rewards) / (n - 1)
    own = rewards - rewards.mean(1, keepdim=True)
    wrong = {
        "the baseline holds the reply's own reward: that is the mean of the group, and the gradient is too small by (n − 1)/n.": own,
        "the others' rewards are added up, but divided by n; there are n − 1 others.": rewards - (total - rewards) / n,
        "the baseline is taken over all prompts. An easy prompt then has only good replies; compare replies to one prompt.": rewards
        - rewards.mean(),
        "the sign is turned round: a reply that is better than the others must have a positive advantage.": -right,
        "that is the baseline itself; the advantage is what the reply's reward has above it.": (total - rewards)
        / (n - 1),
        "the advantages are divided by the spread of the group, which is GRPO (arXiv 2402.03300).": own
        / (rewards.std(1, keepdim=True) + 1e-4),
        "the others' rewards are subtracted without being averaged.": rewards - (total - rewards),
    }
    if torch.allclose(got, right, atol=1e-5):
        return None
    for reason, value in wrong.items():
        if torch.allclose(got, value, atol=1e-3, equal_nan=True):
            return reason
    return "with rewards 1, 0, 0 and 0.5 for one prompt, the first reply's advantage is 1 − (0 + 0 + 0.5)/3."


def judge_clipped(answer) -> str | None:
    """A function `(ratio, advantage, clip)` → what is maximised (Schulman et al., arXiv 1707.06347, equation 7)."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = clipped), not a {type(answer).__name__}."
    ratio = torch.tensor([0.5, 0.9, 1.0, 1.1, 1.5, 0.5, 0.9, 1.0, 1.1, 1.5])
    advantage = torch.tensor([2.0] * 5 + [-2.0] * 5)
    try:
        got = answer(ratio.clone(), advantage.clone(), 0.2)
    except Exception as error:
        return f"your function raises {type(error).__name__} on ten ratios and ten advantages: {error}."
    if not isinstance(got, torch.Tensor) or got.shape != ratio.shape:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        return f"for ten ratios there should be ten numbers; yours: {shape}."
    free, held = ratio * advantage, ratio.clamp(0.8, 1.2) * advantage
    right = torch.minimum(free, held)
    wrong = {
        "nothing is clipped: that is the plain ratio times the advantage.": free,
        "only the clipped term is there. Where a *bad* reply has become more likely (ratio 1.5, advantage −2) its gradient "
        "would vanish too, and nothing would bring it back.": held,
        "that takes the larger of the two; the objective is the more cautious, the smaller one.": torch.maximum(
            free, held
        ),
        "the sign is turned round: what is asked for is what is maximised, not the loss.": -right,
        "the product is clipped, not the ratio.": free.clamp(0.8, 1.2),
        "the log of the ratio is clipped; the interval from 1 − clip to 1 + clip is one of ratios.": torch.minimum(
            ratio.log() * advantage, ratio.log().clamp(-0.2, 0.2) * advantage
        ),
    }
    if torch.allclose(got, right, atol=1e-5):
        return None
    for reason, value in wrong.items():
        if torch.allclose(got, value, atol=1e-4):
            return reason
    return "at ratio 1.5 and advantage 2 it is 1.2 · 2 = 2.4; at ratio 1.5 and advantage −2 it is 1.5 · −2 = −3."


FAR = 6.0  # nats


def judge_reach(answer) -> str | None:
    """How many replies best-of-n must choose from to go as far as `FAR` nats."""
    known = (
        (math.exp(FAR), "that is e to the nats: ln n = 6. The second term takes almost one nat away again."),
        (2**FAR, "that is 2 to the nats. Nats go with the natural logarithm."),
        (2 ** (FAR + 1), "that has the second term right, and the logarithm to base 2. Nats go with the natural one."),
        (math.exp(FAR - 1), "the second term has the wrong sign: it makes the bound smaller, so n must be larger."),
        (10**FAR, "that is 10 to the nats. Nats go with the natural logarithm."),
        (FAR, "that is the distance itself. How many replies does it take to get there?"),
        (math.log(FAR) - (FAR - 1) / FAR, "that is the bound for n = 6. Here the bound is given and n is asked for."),
    )
    otherwise = f"put your number into ln n − (n − 1)/n: it does not give {FAR:g}."
    return checks.number(answer, solutions.reach(FAR), tolerance=0.01, known=known, otherwise=otherwise)


CAUSES = {"A": "hacked", "B": "rate", "C": "leash", "D": "cut"}
CLUES = {
    "A": "look at its proxy and its true score together, from the first step to the last. Which of the two would you have seen in practice?",
    "B": "compare how far it is from its start in the middle of the run with how far the others ever get.",
    "C": "compare how far it gets from its start, and how much its proxy gains, with the others.",
    "D": "look at the two lowest lines of its log: at what place do its replies end, and do they end by themselves?",
}


def judge_causes(answer) -> str | None:
    """One of four causes for each of the four runs."""
    return checks.causes(answer, CAUSES, CLUES, "run")


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_leave_one_out,
        (
            "rewards.sum(1, keepdim=True) has one sum a prompt. What must be taken off it, so that only the others are left?",
            "How many others are there? Try your function on one prompt with rewards 1, 0 by hand: the advantages are 1 and −1.",
        ),
        solutions.advantages,
        (
            "answer = lambda rewards: rewards - rewards.mean(1, keepdim=True)",
            "answer = lambda rewards: rewards - (rewards.sum(1, keepdim=True) - rewards) / rewards.shape[1]",
            "answer = lambda rewards: rewards - rewards.mean()",
            "answer = lambda rewards: (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1) - rewards",
            "answer = lambda rewards: (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_clipped,
        (
            "Two candidates: ratio · advantage, and the same with the ratio held between 1 − clip and 1 + clip (torch has clamp).",
            "Write both down for ratio 1.5 with advantage 2 and with advantage −2. Which of the two keeps a gradient where one is wanted?",
        ),
        solutions.clipped,
        (
            "answer = lambda ratio, advantage, clip: ratio.clamp(1 - clip, 1 + clip) * advantage",
            "import torch\nanswer = lambda ratio, advantage, clip: torch.maximum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)",
            "import torch\nanswer = lambda ratio, advantage, clip: -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)",
            "answer = lambda ratio, advantage, clip: (ratio * advantage).clamp(1 - clip, 1 + clip)",
            "answer = lambda ratio, advantage, clip: ratio * advantage",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_reach,
        (
            "For a large n the second term, (n − 1)/n, is almost a number that you know.",
            "Then ln n must make up for it. Check your n by putting it into the bound.",
        ),
        f"{inspect.getsource(solutions.reach)}\n\nanswer = reach()",
        (
            "import math\nanswer = math.exp(6)",
            "answer = 64",
            "answer = 2**7",
            "import math\nanswer = round(math.exp(5))",
            "import math\nanswer = math.log(6) - 5 / 6",
            "answer = 6",
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_causes,
        (
            "Compare the KL of the four at the same number of steps: whose is far larger than a healthy run's, whose far smaller?",
            "Proxies alone do not tell the other two apart. Read the remaining lines of each log, not only the first.",
        ),
        'answer = {"A": "hacked", "B": "rate", "C": "leash", "D": "cut"}',
        (
            'answer = {"A": "rate", "B": "hacked", "C": "leash", "D": "cut"}',
            'answer = {"A": "hacked", "B": "rate", "C": "cut", "D": "leash"}',
            'answer = {"A": "hacked", "B": "cut", "C": "leash", "D": "rate"}',
            'answer = {"A": "hacked", "B": "rate", "C": "leash"}',
            'answer = "A is hacked"',
        ),
    ),
]
