"""Exercises of lesson 09: counting, merging what can be merged, a start that is exact and still learns, and four reports to tell apart."""

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


def judge_merge(answer) -> str | None:
    """A function `(W, c, down, a, up, b)` that folds a bottleneck without a function in the middle into the linear layer before it."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = merge), not a {type(answer).__name__}."
    draw = torch.Generator().manual_seed(0)
    d, m, wide = 6, 4, 9
    sizes = ((d, wide), (d,), (m, d), (m,), (d, m), (d,))
    given = tuple(torch.randn(*size, generator=draw) for size in sizes)
    W, c, down, a, up, b = given
    try:
        got = answer(*(tensor.clone() for tensor in given))
    except Exception as error:
        return f"for W of shape ({d}, {wide}) and m = {m} your function raises {type(error).__name__}: {error}."
    if not isinstance(got, tuple) or len(got) != 2 or not all(isinstance(each, torch.Tensor) for each in got):
        return "it returns two tensors, the matrix and the bias of the merged layer."
    weight, bias = got
    if weight.shape != W.shape or bias.shape != c.shape:
        return f"the merged layer is as large as the old one, ({d}, {wide}) and ({d},); yours is {tuple(weight.shape)} and {tuple(bias.shape)}."
    both = torch.eye(d) + up @ down
    right, constant = both @ W, both @ c + up @ a + b
    if torch.allclose(weight, right, atol=1e-4) and torch.allclose(bias, constant, atol=1e-4):
        return None
    if torch.allclose(weight, up @ down @ W, atol=1e-4):
        return "h itself is missing: the bottleneck's output is added to what came in, it does not take its place."
    if torch.allclose(weight, W, atol=1e-4):
        return "the matrix does not hold what down and up make of W. LoRA adds B·A to W; here h = Wx + c goes through down and up."
    if not torch.allclose(weight, right, atol=1e-4):
        return "the matrix is not that of x ↦ h + up(down(h)) with h = Wx + c. Write it out for c = a = b = 0 first."
    missing = {
        "the bias is still the old one: c goes through down and up too, and so does a through up.": c,
        "the bias c goes through down and up as well, like the rest of h.": c + up @ a + b,
        "the bias a, behind down, goes through up before it comes out.": both @ c + b,
        "the bias b, behind up, is missing.": both @ c + up @ a,
        "the biases of the bottleneck are missing.": both @ c,
    }
    for reason, value in missing.items():
        if torch.allclose(bias, value, atol=1e-4):
            return reason
    return "the matrix is right and the bias is not: put x = 0 into the three layers, one after the other."


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
        judge_merge,
        (
            "Write h = Wx + c. What is down(h), and what does up make of it? Without a function in between everything is linear in x.",
            "Collect what stands before x: one part comes from h itself, one has passed down and up. Then put x = 0: what is left is the bias.",
        ),
        solutions.merge,
        (
            "answer = lambda W, c, down, a, up, b: (up @ down @ W, up @ down @ c + up @ a + b)",
            "answer = lambda W, c, down, a, up, b: (W + up @ down @ W, c)",
            "answer = lambda W, c, down, a, up, b: (W + up @ down @ W, c + up @ a + b)",
            "answer = lambda W, c, down, a, up, b: (W + up @ down @ W, c + up @ down @ c + b)",
            "answer = lambda W, c, down, a, up, b: (W + down @ up @ W, c + b)",
            "answer = lambda W, c, down, a, up, b: W + up @ down @ W",
            "answer = lambda W, c, down, a, up, b: (W, c + up @ a + b)",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_start,
        (
            "How does LoRA do it (lesson 06)? Which of its two matrices is zero at the start, and what would happen if both were?",
            "What has to come out of up, so that h + up(…) is h? Think of its bias too. torch.nn.init.zeros_ and normal_ fill a tensor in place.",
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
