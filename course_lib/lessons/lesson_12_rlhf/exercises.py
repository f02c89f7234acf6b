"""Exercises of lesson 12: leave-one-out advantages, the clipped objective and the price of best-of-n."""

from __future__ import annotations

import math

from ..exercise import Exercise


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


BEST_OF = 16


def judge_price(answer) -> str | None:
    """The bound on the KL of best-of-16, in nats."""
    value, n = float(answer), BEST_OF
    right = math.log(n) - (n - 1) / n
    if abs(value - right) < 0.01:
        return None
    reasons = {
        math.log(n): "that is ln n alone; the second term is missing.",
        math.log2(n)
        - (n - 1) / n: "that is with the logarithm to base 2, which counts bits. Nats take the natural one.",
        math.log10(n) - (n - 1) / n: "that is with the logarithm to base 10. Nats take the natural one.",
        math.log(n) + (n - 1) / n: "the second term is subtracted, not added.",
        math.log(n) - (n - 1): "the second term is (n − 1)/n, not n − 1.",
        math.sqrt(right): "that is its square root, the place on the figure's axis. Give the nats themselves.",
        right * n: "that is the bound times n. Reading more replies costs time; the distance is one of distributions.",
    }
    for known, reason in reasons.items():
        if abs(value - known) < 0.01:
            return reason
    return f"{value:g} is not ln n − (n − 1)/n for n = {n}."


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_leave_one_out,
        (
            "rewards.sum(1, keepdim=True) has one sum a prompt. Taking a reply's own reward off leaves the sum of the others.",
            "There are n − 1 others, where n = rewards.shape[1]. The advantage is the reward minus the others' mean.",
        ),
        "def advantages(rewards):\n    others = rewards.sum(1, keepdim=True) - rewards\n"
        "    return rewards - others / (rewards.shape[1] - 1)\n\n\nanswer = advantages",
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
            "Two candidates: ratio · advantage, and the same with the ratio held between 1 − clip and 1 + clip.",
            "Of the two, element by element, the smaller one: torch.minimum. Try it with a negative advantage on paper.",
        ),
        "import torch\n\n\ndef clipped(ratio, advantage, clip):\n    held = ratio.clamp(1 - clip, 1 + clip)\n"
        "    return torch.minimum(ratio * advantage, held * advantage)\n\n\nanswer = clipped",
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
        judge_price,
        (
            "The bound is ln n − (n − 1)/n, with the natural logarithm.",
            "math.log(16) is 2.77; what is taken from it is a little less than one.",
        ),
        "import math\n\nanswer = math.log(16) - 15 / 16",
        (
            "import math\nanswer = math.log(16)",
            "import math\nanswer = math.log2(16) - 15 / 16",
            "import math\nanswer = math.log(16) + 15 / 16",
            "import math\nanswer = math.sqrt(math.log(16) - 15 / 16)",
            "import math\nanswer = math.log(16) - 15",
        ),
    ),
]
