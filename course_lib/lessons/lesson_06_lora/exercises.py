"""Exercises of lesson 06: counting, a LoRA cut from a full update, the layer with its scaling, and four failures to tell apart."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import solutions

HIDDEN, BLOCKS, RANK = 4096, 32, 16  # of exercise 1


def judge_count(answer) -> str | None:
    """Trainable parameters of rank 16 on the query and value matrices of a model of the 7B kind."""
    value = float(answer)
    right = 2 * BLOCKS * RANK * (HIDDEN + HIDDEN)
    if value == right:
        return None
    reasons = {
        right / 2: "that is half of it: each of the two layers, query and value, has an A and a B.",
        right / BLOCKS: "that is one block of the model, and it has thirty-two.",
        2
        * BLOCKS
        * HIDDEN
        * HIDDEN: "that is how many numbers stand in the frozen matrices themselves; count A and B instead.",
        2
        * BLOCKS
        * RANK
        * HIDDEN
        * HIDDEN: "you multiplied the two sides of the matrix; A has r·in numbers and B has out·r.",
        2
        * BLOCKS
        * RANK
        * RANK: "A and B are long and thin, r by in and out by r. A square of side r appears nowhere.",
        right / 1e6: "that is in millions. Give the number itself.",
    }
    return reasons.get(value, f"{value:,.0f} is not r · (in + out), added up over the adapted matrices of all blocks.")


def judge_layer(answer) -> str | None:
    """A function `(x, W, A, B, alpha, r)`, tried with alpha ≠ r, B ≠ 0 and a matrix that is not square."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = lora_forward), not a {type(answer).__name__}."
    draw = torch.Generator().manual_seed(0)
    r, alpha, wide, high = 4, 24, 10, 6
    x, w = torch.randn(3, wide, generator=draw), torch.randn(high, wide, generator=draw)
    a, b = torch.randn(r, wide, generator=draw), torch.randn(high, r, generator=draw)
    try:
        got = answer(x, w, a, b, alpha, r)
    except Exception as error:
        return f"your function raises {type(error).__name__} on a matrix of {high} by {wide}: {error}."
    if not isinstance(got, torch.Tensor) or got.shape != (3, high):
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        return f"for three rows of x the result should have the shape (3, {high}); yours is {shape}."
    base, low = x @ w.T, x @ a.T @ b.T
    wrong = {
        "the frozen matrix itself is missing: the adapter is added to it.": alpha / r * low,
        "nothing is added to the frozen matrix, as if B were zero.": base,
        "the scaling alpha/r is missing. With alpha = r nobody would notice.": base + low,
        "the scaling is upside down: it is alpha/r, not r/alpha.": base + r / alpha * low,
        "that divides by the square root of r, which is rsLoRA's scaling.": base + alpha / r**0.5 * low,
        "that multiplies by alpha and never divides by r.": base + alpha * low,
        "the frozen matrix is scaled as well; only the added part is.": alpha / r * (base + low),
    }
    if torch.allclose(got, base + alpha / r * low, atol=1e-4):
        return None
    for reason, value in wrong.items():
        if torch.allclose(got, value, atol=1e-4):
            return reason
    return "with alpha = 24, r = 4 and B not zero the result is not x·(W + (alpha/r)·B·A)ᵀ."


def judge_squeeze(answer) -> str | None:
    """A function `(change, r)` → `(B, A)` whose product is the best approximation of that rank (Eckart & Young 1936)."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = squeeze), not a {type(answer).__name__}."
    high, wide, r = 12, 20, 3
    change = torch.randn(high, wide, generator=torch.Generator().manual_seed(1))
    got = answer(change.clone(), r)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        return "the function returns two matrices, B and A, in this order."
    b, a = got
    if tuple(b.shape) == (r, wide) and tuple(a.shape) == (high, r):
        return "the two matrices have come in the wrong order: first B (out by r), then A (r by in)."
    if tuple(b.shape) != (high, r) or tuple(a.shape) != (r, wide):
        return f"B should be {high} by {r} and A {r} by {wide}; yours are {tuple(b.shape)} and {tuple(a.shape)}."
    u, s, v = torch.linalg.svd(change, full_matrices=False)
    best, error = (s[r:] ** 2).sum().sqrt().item(), (change - b @ a).norm().item()
    if error < best * 1.001:
        return None
    if torch.allclose(b @ a, u[:, :r] @ v[:r], atol=1e-4):
        return "the singular values are missing: the directions are right, their lengths are not."
    if torch.allclose(b @ a, u[:, -r:] * s[-r:] @ v[-r:], atol=1e-4):
        return "you kept the smallest singular values. They are sorted from large to small."
    if torch.allclose(b @ a, u[:, :r] * s[:r] ** 2 @ v[:r], atol=1e-4):
        return (
            "the singular values went in twice, once in B and once in A. Put them into one, or their roots into both."
        )
    return (
        f"the product misses the matrix by {error:.2f} (Frobenius norm); the best of rank {r} misses it by {best:.2f}."
    )


CASES = {"A": "zero", "B": "token", "C": "rate", "D": "scaling"}
CLUES = {
    "A": "a loss on the same rows that stays the same to the last digit means that no weight moved at all, at any rate.",
    "B": "the answers are right, so the matrices have learnt. What has the model never learnt to write?",
    "C": "the layer is the library's own, and the loss does fall, slowly. What was copied from full fine-tuning?",
    "D": "two settings agree and one does not. What differs between alpha 16 and alpha 64 at rank 16?",
}


def judge_cases(answer) -> str | None:
    """One of four causes for each of the four reports."""
    return checks.causes(answer, CASES, CLUES)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_count,
        (
            "For one matrix: A has r · in numbers, B has out · r.",
            "Then count matrices: two in each block (query and value), thirty-two blocks.",
        ),
        "answer = 2 * 32 * 16 * (4096 + 4096)",
        (
            "answer = 32 * 16 * (4096 + 4096)",
            "answer = 2 * 16 * (4096 + 4096)",
            "answer = 2 * 32 * 4096 * 4096",
            "answer = 2 * 32 * 16 * 4096 * 4096",
            "answer = 8.388608",
            "answer = 2 * 32 * 16 * 16",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_squeeze,
        (
            "torch.linalg.svd(change, full_matrices=False) gives U, S, V with change = U · diag(S) · V, the largest first.",
            "Keep r columns of U, r values of S, r rows of V. The values may go into B: U[:, :r] * S[:r].",
        ),
        solutions.squeeze,
        (
            "import torch\ndef squeeze(change, r):\n    U, S, V = torch.linalg.svd(change, full_matrices=False)\n"
            "    return U[:, :r], V[:r]\nanswer = squeeze",
            "import torch\ndef squeeze(change, r):\n    U, S, V = torch.linalg.svd(change, full_matrices=False)\n"
            "    return V[:r], U[:, :r] * S[:r]\nanswer = squeeze",
            "import torch\ndef squeeze(change, r):\n    U, S, V = torch.linalg.svd(change, full_matrices=False)\n"
            "    return U[:, -r:] * S[-r:], V[-r:]\nanswer = squeeze",
            "import torch\ndef squeeze(change, r):\n    U, S, V = torch.linalg.svd(change, full_matrices=False)\n"
            "    return U[:, :r] * S[:r], S[:r, None] * V[:r]\nanswer = squeeze",
            "import torch\ndef squeeze(change, r):\n    U, S, V = torch.linalg.svd(change, full_matrices=False)\n"
            "    return U[:, :r] * S[:r] @ V[:r]\nanswer = squeeze",
            "import torch\ndef squeeze(change, r):\n    return change[:, :r], torch.eye(r, change.shape[1])\nanswer = squeeze",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_layer,
        (
            "A linear layer computes x @ W.T. The low-rank part goes through A first, then through B.",
            "The low-rank part is multiplied by alpha / r before it is added; the frozen part is not.",
        ),
        solutions.lora_forward,
        (
            "answer = lambda x, W, A, B, alpha, r: x @ W.T + x @ A.T @ B.T",
            "answer = lambda x, W, A, B, alpha, r: x @ W.T + r / alpha * (x @ A.T @ B.T)",
            "answer = lambda x, W, A, B, alpha, r: alpha / r * (x @ A.T @ B.T)",
            "answer = lambda x, W, A, B, alpha, r: x @ W.T + alpha / r**0.5 * (x @ A.T @ B.T)",
            "answer = lambda x, W, A, B, alpha, r: x @ W.T + alpha * (x @ A.T @ B.T)",
            "answer = lambda x, W, A, B, alpha, r: alpha / r * (x @ (W + B @ A).T)",
            "answer = lambda x, W, A, B, alpha, r: x @ W.T",
            "answer = lambda x, W, A, B, alpha, r: x @ (W + A @ B).T",
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_cases,
        (
            "Each cause is used once. Begin with the report in which nothing moves at all.",
            "A loss that falls slowly is not a loss that stands still; and a right answer that does not end was learnt.",
        ),
        'answer = {"A": "zero", "B": "token", "C": "rate", "D": "scaling"}',
        (
            'answer = {"A": "rate", "B": "token", "C": "zero", "D": "scaling"}',
            'answer = {"A": "zero", "B": "scaling", "C": "rate", "D": "token"}',
            'answer = {"A": "zero", "B": "token", "C": "scaling", "D": "rate"}',
            'answer = {"A": "zero", "B": "token", "C": "rate", "D": "alpha"}',
            'answer = "zero"',
        ),
    ),
]
