"""Exercises of lesson 13: who falls at the optimum, the loss itself, a divergence read off two curves, and five logs to tell apart."""

from __future__ import annotations

import inspect
import math

from ..exercise import Exercise
from . import solutions

# ------------------------------------------------------------------ exercise 1

REWARDS, REFERENCE, BETA = (3.0, 2.0, 1.0, 0.0, -4.0), (0.1, 0.2, 0.4, 0.2, 0.1), 1.0


def falling(rewards=REWARDS, reference=REFERENCE, beta=BETA) -> set[int]:
    """The numbers (from 1) of the replies whose probability is smaller under the best policy than under the reference."""
    total = sum(p * math.exp(r / beta) for p, r in zip(reference, rewards, strict=True))
    return {n for n, r in enumerate(rewards, 1) if r < beta * math.log(total)}


def judge_falling(answer) -> str | None:
    """The set of replies that fall."""
    if isinstance(answer, (str, int, float)):
        return "the answer is a set of numbers such as {2, 5}."
    given = {int(number) for number in answer}
    if given - {1, 2, 3, 4, 5}:
        return "the replies are numbered from 1 to 5."
    if given == falling():
        return None
    mean = sum(p * r for p, r in zip(REFERENCE, REWARDS, strict=True))
    known = {
        frozenset(
            {5}
        ): "reply 5 does fall, but a reply need not have a negative reward to fall: all must add up to one.",
        frozenset(n for n, r in enumerate(REWARDS, 1) if r < mean): (
            "those are the replies below the mean reward. The border is β log Z, which lies above the mean."
        ),
        frozenset({1, 2, 3, 4, 5}) - falling(): "those are the replies that rise.",
        frozenset({2, 3, 4, 5}): "only the best reply would rise if β went to 0; here β is 1. Compute Z.",
    }
    reason = known.get(frozenset(given))
    return reason or "compute Z = Σ π_ref · exp(reward / β); a reply falls if its reward is below β · log Z."


FALLING = (
    "import math\n\n"
    "rewards, reference = [3, 2, 1, 0, -4], [0.1, 0.2, 0.4, 0.2, 0.1]\n"
    "Z = sum(p * math.exp(r) for p, r in zip(reference, rewards))\n"
    "answer = {n for n, r in enumerate(rewards, 1) if r < math.log(Z)}"
)

# ------------------------------------------------------------------ exercise 2


def _loss(pw, pl, rw, rl, beta, *, sign=1.0, reference=1.0, scale=True, form="mean"):
    """The right loss and, by its keywords, the usual wrong ones."""
    import torch.nn.functional as F

    margin = sign * ((pw - pl) - reference * (rw - rl)) * (beta if scale else 1.0)
    if form == "raw":
        return -margin.mean()
    losses = -F.logsigmoid(margin)
    return losses.sum() if form == "sum" else losses.mean()


def judge_loss(answer) -> str | None:
    """A function of four tensors and beta, tried on three pairs, on equal models, on huge margins, and for its gradient."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = dpo_loss), not a {type(answer).__name__}."
    pw, pl = torch.tensor([-10.0, -20.0, -7.0]), torch.tensor([-12.0, -18.0, -30.0])
    rw, rl = torch.tensor([-11.0, -21.5, -7.5]), torch.tensor([-10.0, -20.0, -24.0])
    try:
        got = torch.as_tensor(answer(pw, pl, rw, rl, 0.5))
    except Exception as error:
        return f"your function raises {type(error).__name__} on three pairs: {error}."
    if got.numel() != 1:
        return f"the loss of a batch is one number, the mean over its pairs; yours has the shape {tuple(got.shape)}."
    right = _loss(pw, pl, rw, rl, 0.5)
    known = {
        "that falls when the *rejected* reply gains: the difference is the wrong way round.": {"sign": -1.0},
        "the reference is missing: compare log-ratios, log π − log π_ref, not log-likelihoods.": {"reference": 0.0},
        "beta is missing; with beta = 1 nobody would notice.": {"scale": False},
        "the reference has the wrong sign: its log-likelihoods are subtracted from the policy's.": {"reference": -1.0},
        "take the mean over the pairs, not the sum; else the rate depends on the batch size.": {"form": "sum"},
        "that is the bare margin. The loss is −log σ of it, which stops pulling once the margin is large.": {
            "form": "raw"
        },
    }
    if not torch.allclose(got.float(), right, atol=1e-4):
        for reason, options in known.items():
            if torch.allclose(got.float(), _loss(pw, pl, rw, rl, 0.5, **options), atol=1e-4):
                return reason
        return f"on the three pairs of the check the loss is {float(right):.4f}; yours is {float(got):.4f}."
    far = torch.tensor([-2000.0])
    if not torch.isfinite(torch.as_tensor(answer(far, far + 2000, far + 1000, far, 1.0))).all():
        return "with a margin of −3,000 your loss is not finite: log(sigmoid(x)) underflows. torch has F.logsigmoid."
    live = pw.clone().requires_grad_()
    loss = answer(live, pl, rw, rl, 0.5)
    if not getattr(loss, "requires_grad", False):
        return "no gradient reaches the policy's log-likelihoods; keep them as tensors."
    return None


LOSS = f"{inspect.getsource(solutions.dpo_loss)}\n\nanswer = dpo_loss"

# ------------------------------------------------------------------ exercise 3

FELL, MARGIN = 1.0, 8.0  # nats by which the chosen replies fell, and the margin, of exercise 3


def judge_divergence(answer) -> str | None:
    """KL(π_ref ‖ π) in nats, from the mean log-ratios of chosen and rejected."""
    value = float(answer)
    rejected = -FELL - MARGIN
    right = (FELL - rejected) / 2
    known = (
        (-right, "a divergence is never negative: it is *minus* the mean log-ratio of replies that the reference wrote."),
        (2 * right, "that is the sum over both replies of a pair; the divergence is the mean."),
        (MARGIN / 2, "that is half the margin, and says how far the two have moved apart. The divergence says how far both fell."),
        (MARGIN, "that is the margin. Find first by how much the rejected replies fell."),
        (-rejected, "that is how far the rejected replies fell; half of the reference's replies are chosen ones."),
        (FELL, "that is how far the chosen replies fell; half of the reference's replies are rejected ones."),
        ((MARGIN - FELL) / 2, "the chosen replies *fell* by 1, so the rejected ones fell by 1 + 8, not by 8 − 1."),
        (right / 10, "the curves are in nats already; beta does not enter."),
    )  # fmt: skip
    if abs(value - right) < 0.01:
        return None
    for wrong, reason in known:
        if abs(value - wrong) < 0.01:
            return reason
    return (
        "the mean of log π/π_ref over replies that the reference wrote, chosen and rejected alike, is −KL(π_ref ‖ π)."
    )


# ------------------------------------------------------------------ exercise 4

CAUSES = {1: "C", 2: "E", 3: "A", 4: "B", 5: "D"}
WHY = {
    1: "both log-ratios are 0 at every step: nothing but a reference that moves along with the policy does that.",
    2: "before the first step the two models agree and the loss is ln 2, whatever the data; this one begins elsewhere.",
    3: "the margin grows, both replies fall, and the briefs become better; that is what most healthy runs look like.",
    4: "the trainer is content, and the truth falls by as much as it should rise: it does what the labels say.",
    5: "a margin of 120 nats at β 0.1: the loss is 0 and nothing holds the policy any more.",
}


def judge_logs(answer) -> str | None:
    """Which cause stands behind which log: a dictionary from 1–5 to A–E."""
    if not isinstance(answer, dict):
        return f"the answer is a dictionary such as {{1: 'A', 2: 'B'}}, not a {type(answer).__name__}."
    given = {int(number): str(letter).upper() for number, letter in answer.items()}
    missing = sorted(set(CAUSES) - set(given))
    if missing:
        return f"log {', '.join(map(str, missing))} has no cause yet."
    for number, cause in CAUSES.items():
        if given[number] != cause:
            return f"log {number} is not {given[number]}: {WHY[number]}"
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_falling,
        (
            "The best policy is π_ref · exp(reward / β) / Z. When is that smaller than π_ref?",
            "Z is a sum over all five replies, each weighted by the reference. Compare it with exp(reward / β), reply by reply.",
        ),
        FALLING,
        ("answer = {5}", "answer = {4, 5}", "answer = {1, 2}", "answer = {2, 3, 4, 5}", "answer = 3"),
    ),
    Exercise(
        "Exercise 2",
        judge_loss,
        (
            "Two log-ratios, log π − log π_ref: one of the chosen reply, one of the rejected. The loss wants the first to be larger.",
            "F.logsigmoid(x) is log σ(x) without underflow. Do not forget beta, the minus sign, and the mean.",
        ),
        LOSS,
        (
            LOSS.replace("(chosen - rejected)", "(rejected - chosen)"),
            LOSS.replace("policy_chosen - reference_chosen", "policy_chosen").replace(
                "policy_rejected - reference_rejected", "policy_rejected"
            ),
            LOSS.replace("beta * (", "("),
            LOSS.replace(".mean()", ".sum()"),
            LOSS.replace("-F.logsigmoid(beta * (chosen - rejected))", "-(beta * (chosen - rejected)).sigmoid().log()"),
            LOSS.replace("-F.logsigmoid(beta * (chosen - rejected))", "-(beta * (chosen - rejected))"),
            LOSS.replace("policy_chosen -", "policy_chosen.detach() -").replace(
                "policy_rejected -", "policy_rejected.detach() -"
            ),
            "answer = 0.693",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_divergence,
        (
            "The margin is 8 and the chosen replies moved by −1. By how much did the rejected ones move?",
            "Reason 1 speaks of the mean over *both* columns. How does it hang together with the divergence?",
        ),
        "chosen, rejected = -1.0, -1.0 - 8.0\nanswer = -(chosen + rejected) / 2",
        ("answer = -5", "answer = 10", "answer = 4", "answer = 8", "answer = 9", "answer = 1"),
    ),
    Exercise(
        "Exercise 4",
        judge_logs,
        (
            "Begin with the first loss: which of the five cannot be ln 2 before the first step?",
            "Then the truth: in which log do the trainer and the truth disagree although nothing has grown out of bounds?",
        ),
        'answer = {1: "C", 2: "E", 3: "A", 4: "B", 5: "D"}',
        (
            'answer = {1: "C", 2: "E", 3: "B", 4: "A", 5: "D"}',
            'answer = {1: "E", 2: "C", 3: "A", 4: "B", 5: "D"}',
            'answer = {1: "C", 2: "E", 3: "D", 4: "B", 5: "A"}',
            'answer = {1: "C", 2: "E"}',
            'answer = "CEABD"',
        ),
    ),
]
