"""Exercises of lesson 09: counting, the forward pass, a start that is exact and still learns, and four reports to tell apart."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import solutions

HIDDEN, LAYERS, WIDTH = 4096, 32, 64  # of exercise 1


def judge_count(answer) -> str | None:
    """Trained parameters of Houlsby adapters, bottleneck 64, in a model of the 7B kind."""
    value = float(answer)
    one = 2 * WIDTH * HIDDEN + HIDDEN + WIDTH
    right = 2 * LAYERS * one
    if value == right:
        return None
    reasons = {
        one: "that is one adapter. Count how many stand in a layer, and how many layers there are.",
        LAYERS * one: "that is one adapter a layer, which is Pfeiffer's placement. Houlsby's has two.",
        2 * one: "that is one layer, and the model has thirty-two.",
        2 * LAYERS * 2 * WIDTH * HIDDEN: "the biases are missing: d numbers after up, m numbers after down.",
        2
        * LAYERS
        * (2 * WIDTH * HIDDEN + 2 * HIDDEN): "one bias has d numbers, the other has m: it stands behind down.",
        2 * LAYERS * (WIDTH * HIDDEN + HIDDEN + WIDTH): "there are two matrices of m times d, down and up.",
        right / 1e6: "that is in millions. Give the number itself.",
    }
    return reasons.get(value, f"{value:,.0f} is not (2md + d + m), added up over the adapters of all layers.")


def judge_forward(answer) -> str | None:
    """A function `(h, down, a, up, b)`, tried with GELU, biases that are not zero and matrices that are not square."""
    import torch
    import torch.nn.functional as F

    if not callable(answer):
        return f"the answer is a function (answer = adapter), not a {type(answer).__name__}."
    draw = torch.Generator().manual_seed(0)
    d, m = 6, 4
    h, down, up = (torch.randn(*s, generator=draw) for s in ((3, 5, d), (m, d), (d, m)))
    a, b = torch.randn(m, generator=draw), torch.randn(d, generator=draw)
    kept = h.clone()
    try:
        got = answer(h, down, a, up, b)
    except Exception as error:
        return f"for h of shape (3, 5, {d}) your function raises {type(error).__name__}: {error}."
    if not torch.equal(h, kept):
        return "h itself was changed. The skip connection of the layer may still need it: return a new tensor."
    if not isinstance(got, torch.Tensor) or got.shape != h.shape:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        return f"what comes out has the shape of h, (3, 5, {d}); yours is {shape}."
    inside = h @ down.T + a
    wrong = {
        "h itself is missing. Without it a start near zero would silence the layer instead of leaving it as it is.": F.gelu(
            inside
        )
        @ up.T
        + b,
        "there is no non-linearity: two matrices in a row are one matrix of low rank.": h + inside @ up.T + b,
        "the non-linearity stands behind up; it belongs in the bottleneck, between the matrices.": h
        + F.gelu(inside @ up.T + b),
        "both biases are missing.": h + F.gelu(h @ down.T) @ up.T,
        "the bias behind up is missing.": h + F.gelu(inside) @ up.T,
        "the bias in the bottleneck is missing, or it is added behind the non-linearity.": h
        + F.gelu(h @ down.T) @ up.T
        + b,
        "that is ReLU; here the function is GELU.": h + F.relu(inside) @ up.T + b,
        "the sum is taken through the non-linearity as well; h is added last, untouched.": F.gelu(
            h + F.gelu(inside) @ up.T + b
        ),
    }
    if torch.allclose(got, h + F.gelu(inside) @ up.T + b, atol=1e-4):
        return None
    for reason, value in wrong.items():
        if torch.allclose(got, value, atol=1e-4):
            return reason
    return "the result is not h + up(GELU(down(h))), with down and up as linear layers with their biases."


def judge_start(answer) -> str | None:
    """A function that fills `down` and `up` (linear layers) so that the adapter is exactly the identity, and learns."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = start), not a {type(answer).__name__}."
    torch.manual_seed(0)
    d, m = 12, 4
    down, up = torch.nn.Linear(d, m), torch.nn.Linear(m, d)
    answer(down, up)
    if down.weight.shape != (m, d) or up.weight.shape != (d, m) or down.bias is None or up.bias is None:
        return "fill the weights and biases that are there; the layers keep their shapes and their biases."
    h, target = torch.randn(32, d), torch.randn(32, d)

    def output():
        return h + up(torch.nn.functional.gelu(down(h)))

    off = (output() - h).abs().max().item()
    if off > 0:
        few = "near the identity, which the paper has too, but not exactly it" if off < 0.1 else "far from the identity"
        return f"at the start the output differs from h by up to {off:.2g}: {few}."
    optimizer = torch.optim.Adam([*down.parameters(), *up.parameters()], lr=0.01)
    for step in range(2):
        optimizer.zero_grad()
        ((output() - target) ** 2).mean().backward()
        if step == 0 and not up.weight.grad.abs().max() > 0:
            return (
                "it is the identity, and it stays there: up's matrix has no gradient, since down gives it zeros only."
            )
        if step == 1 and not down.weight.grad.abs().max() > 0:
            return "down's matrix has no gradient after the first step either."
        optimizer.step()
    rows = down.weight.detach()
    if torch.linalg.matrix_rank(rows) < m:
        return "the rows of down are alike, so all of the bottleneck's units say the same. Draw them at random."
    return None


CASES = {"A": "start", "B": "config", "C": "switched off", "D": "rate"}
CLUES = {
    "A": "the loss is far above the base model's *before the first step*. What stands in the layer that was not there before?",
    "B": "every tensor fits and nothing is missing, and yet it computes something else. What does no shape tell?",
    "C": "the same replies to the last letter as the base model's: the adapter takes no part at all.",
    "D": "it starts where the base does, and it does learn, slowly. What was copied from full fine-tuning?",
}


def judge_cases(answer) -> str | None:
    """One of four causes for each of the four reports."""
    return checks.causes(answer, CASES, CLUES)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_count,
        (
            "One adapter: two matrices of m times d, and two biases, one of m numbers and one of d.",
            "Houlsby's placement has an adapter behind attention and one behind the MLP, in every layer.",
        ),
        "answer = 2 * 32 * (2 * 64 * 4096 + 4096 + 64)",
        (
            "answer = 32 * (2 * 64 * 4096 + 4096 + 64)",
            "answer = 2 * 32 * 2 * 64 * 4096",
            "answer = 2 * (2 * 64 * 4096 + 4096 + 64)",
            "answer = 2 * 32 * (64 * 4096 + 4096 + 64)",
            "answer = 33.820672",
            "answer = 2 * 64 * 4096 + 4096 + 64",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_forward,
        (
            "A linear layer computes h @ W.T + bias. First down and its bias, then GELU, then up and its bias.",
            "torch.nn.functional.gelu is the function. What is added at the end?",
        ),
        solutions.adapter,
        (
            "import torch.nn.functional as F\nanswer = lambda h, down, a, up, b: F.gelu(h @ down.T + a) @ up.T + b",
            "answer = lambda h, down, a, up, b: h + (h @ down.T + a) @ up.T + b",
            "import torch.nn.functional as F\nanswer = lambda h, down, a, up, b: h + F.gelu((h @ down.T + a) @ up.T + b)",
            "import torch.nn.functional as F\nanswer = lambda h, down, a, up, b: h + F.gelu(h @ down.T) @ up.T",
            "import torch.nn.functional as F\nanswer = lambda h, down, a, up, b: h + F.relu(h @ down.T + a) @ up.T + b",
            "import torch.nn.functional as F\nanswer = lambda h, down, a, up, b: h.add_(F.gelu(h @ down.T + a) @ up.T + b)",
            "import torch.nn.functional as F\nanswer = lambda h, down, a, up, b: h + F.gelu(h @ down + a) @ up + b",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_start,
        (
            "The adapter is the identity when up gives zeros. Which of the two matrices may then be anything?",
            "torch.nn.init.zeros_ and torch.nn.init.normal_ fill a tensor in place. If both matrices are zero, neither has a gradient.",
        ),
        solutions.start,
        (
            "import torch\ndef start(down, up):\n    for p in (down.weight, down.bias, up.weight, up.bias):\n"
            "        torch.nn.init.zeros_(p)\nanswer = start",
            "import torch\ndef start(down, up):\n    for p in (down.weight, up.weight):\n        torch.nn.init.normal_(p, std=0.01)\n"
            "    for p in (down.bias, up.bias):\n        torch.nn.init.zeros_(p)\nanswer = start",
            "import torch\ndef start(down, up):\n    torch.nn.init.zeros_(down.weight)\n    torch.nn.init.zeros_(down.bias)\n"
            "    torch.nn.init.normal_(up.weight)\n    torch.nn.init.normal_(up.bias)\nanswer = start",
            "import torch\ndef start(down, up):\n    torch.nn.init.zeros_(up.weight)\nanswer = start",
            "import torch\ndef start(down, up):\n    torch.nn.init.ones_(down.weight)\n    torch.nn.init.zeros_(down.bias)\n"
            "    torch.nn.init.zeros_(up.weight)\n    torch.nn.init.zeros_(up.bias)\nanswer = start",
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_cases,
        (
            "Each cause is used once. Begin with the report in which the replies are exactly the base model's.",
            "Two of the reports differ in *when* it goes wrong: before any training, or only after the file was loaded.",
        ),
        'answer = {"A": "start", "B": "config", "C": "switched off", "D": "rate"}',
        (
            'answer = {"A": "rate", "B": "config", "C": "switched off", "D": "start"}',
            'answer = {"A": "start", "B": "switched off", "C": "config", "D": "rate"}',
            'answer = {"A": "start", "B": "config", "C": "rate", "D": "switched off"}',
            'answer = {"A": "start", "B": "config", "C": "switched off", "D": "bottleneck"}',
            'answer = "start"',
        ),
    ),
]
