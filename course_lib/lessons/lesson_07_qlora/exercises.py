"""Exercises of lesson 07: a round trip through four bits, bits a parameter, what fits on a card, and who meets the trap."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise, source_of
from . import solutions

# ------------------------------------------------------------------ exercise 1


def _round_trip(values, book, block, *, scale="absmax", whole=False, keep=False):
    """The right answer and, by its keywords, the usual wrong ones."""
    import torch

    blocks = values.reshape(1, -1) if whole else values.reshape(-1, block)
    if scale == "max":
        scales = blocks.amax(1, keepdim=True)
    elif scale == "mean":
        scales = blocks.abs().mean(1, keepdim=True)
    else:
        scales = blocks.abs().amax(1, keepdim=True)
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    codes = (blocks / scales).unsqueeze(-1).sub(book).abs().argmin(-1)
    return (book[codes] if keep else book[codes] * scales).reshape(values.shape)


def judge_round_trip(answer) -> str | None:
    """A function `(values, book, block)`, tried on normal numbers, a negative extreme, an outlier and a block of zeros."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = round_trip), not a {type(answer).__name__}."
    draw = torch.Generator().manual_seed(0)
    book, block = torch.linspace(-1, 1, 15), 16
    plain = torch.randn(4, 32, generator=draw)
    plain[1, 3] = -6.0  # the extreme of its block, and negative
    plain[2, 5] = 40.0  # an outlier, which must not spoil other blocks
    try:
        got = answer(plain.clone(), book, block)
    except Exception as error:
        return f"your function raises {type(error).__name__} on a 4 × 32 matrix in blocks of 16: {error}."
    if not isinstance(got, torch.Tensor) or got.shape != plain.shape:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        return f"what comes back has the shape of what went in, (4, 32); yours is {shape}."
    known = {
        "one scale for all blocks: the outlier of 40 makes every other value zero or nearly so.": {"whole": True},
        "the scale is the largest *magnitude* of a block; you took the largest value, and -6 is cut off.": {
            "scale": "max"
        },
        "the scale is the largest magnitude of a block, not the mean one; large values are cut off.": {"scale": "mean"},
        "the codes are values between -1 and 1: multiply them by the block's scale on the way back.": {"keep": True},
    }
    right = _round_trip(plain, book, block)
    if not torch.allclose(got.float(), right, atol=1e-5):
        for reason, options in known.items():
            if torch.allclose(got.float(), _round_trip(plain, book, block, **options), atol=1e-5):
                return reason
        if torch.allclose(got.float(), plain, atol=1e-6):
            return "nothing was rounded: each scaled value goes to the nearest value of the book."
        return "the values differ from rounding each scaled value to the *nearest* of the book and scaling back."
    uneven = torch.tensor([-1.0, -0.6, -0.1, 0.0, 0.05, 0.3, 1.0])
    if not torch.allclose(answer(plain.clone(), uneven, block).float(), _round_trip(plain, uneven, block), atol=1e-5):
        return "with a book of uneven steps the values differ: round to the values of `book`, whatever they are."
    zeros = plain.clone()
    zeros[3, :16] = 0
    got = answer(zeros.clone(), book, block)
    if not torch.isfinite(got).all():
        return "a block of zeros has the scale 0, and dividing by it gives NaN; a layer may well hold such a block."
    if got[3, :16].any():
        return "a block of zeros comes back as something else; whatever its scale is, its values are 0."
    if not torch.allclose(got.float(), _round_trip(zeros, book, block), atol=1e-5):
        return "beside a block of zeros the other blocks come back changed; each block has its own scale."
    return None


ROUND_TRIP = source_of(solutions.round_trip)  # the wrong answers are this one, changed in one place

# ------------------------------------------------------------------ exercise 2

WEIGHTS, GROUP = 32, 256  # weights a block, scales a group, of exercise 2


def judge_bits(answer) -> str | None:
    """Bits a parameter in blocks of 32 with double quantization."""
    right = 4 + 8 / WEIGHTS + 32 / (WEIGHTS * GROUP)
    known = (
        (4 + 32 / WEIGHTS, "that keeps each scale in 32 bits, which is the count without double quantization."),
        (
            4 + 8 / WEIGHTS,
            "each group of 256 scales has a float32 scale of its own, and that is missing. It is little, not nothing.",
        ),
        (4 + 8 / 64 + 32 / (64 * 256), "that is the count for blocks of 64; the question asks for blocks of 32."),
        (
            4 + 8 / WEIGHTS + 32 / GROUP,
            "the second scale is shared by 256 *blocks* of 32 weights each, not by 256 weights.",
        ),
        (8 / WEIGHTS + 32 / (WEIGHTS * GROUP), "that counts the scales alone. The codes take four bits a weight."),
        (right / 8, "that is in bytes, and the question asks for bits."),
    )
    otherwise = (
        "add three things, each shared by as many weights as use it: the code, the 8-bit scale, the scale of scales."
    )
    return checks.number(answer, right, decimals=3, known=known, otherwise=otherwise)


# ------------------------------------------------------------------ exercise 3

CARD, KEPT, SHARE, BITS = 24, 6, 0.01, 4.127  # GB, GB, adapter as a share of the model, bits a frozen weight


def judge_card(answer) -> str | None:
    """Billions of parameters under QLoRA on a 24 GB card."""
    free = CARD - KEPT
    right = free / (BITS / 8 + 16 * SHARE)
    known = (
        (right * 1e9, "that is the number of parameters; the question asks for billions of them."),
        (
            free / (BITS / 8),
            "the adapter is small, but each of its parameters takes sixteen bytes; here that is no trifle.",
        ),
        (CARD / (BITS / 8 + 16 * SHARE), f"that fills the whole card; {KEPT} GB of it are kept for the rest."),
        (free / (BITS + 16 * SHARE), "4.127 is in bits and the card in bytes: a byte has eight bits."),
        (free / (2 + 16 * SHARE), "that is LoRA over two-byte weights; under QLoRA they take 4.127 bits."),
        (
            free / (BITS / 8 + 16),
            "only one per cent of the parameters is trained; you gave all of them gradients and moments.",
        ),
        (
            free / (BITS / 8 + 2 * SHARE),
            "that counts the adapter's weights and not its gradients, moments and master copy.",
        ),
    )
    otherwise = "divide the GB that are left by the bytes that one parameter costs: its own 4.127 bits and its share of the adapter."
    return checks.number(answer, right, tolerance=0.01, known=known, otherwise=otherwise)


# ------------------------------------------------------------------ exercise 4

PROGRAMS = {
    "A": (False, "it evaluates only after the last training step, when no gradient is needed any more."),
    "B": (True, "its evaluation packs the weights, and then it trains on them."),
    "C": (True, "every evaluation step during training packs the weights; all steps after the first one are wrong."),
    "D": (False, "the packed model is thrown away, and the fresh one has never been evaluated."),
    "E": (False, "only the copy is evaluated and packed; a deep copy has weights of its own."),
    "F": (False, "model.eval() by itself computes nothing. The weights are packed in a forward pass."),
}


def judge_programs(answer) -> str | None:
    """The set of programs that train wrongly."""
    if isinstance(answer, str):
        answer = set(answer.replace(",", " ").split())
    if not isinstance(answer, (set, list, tuple, frozenset)):
        return f"the answer is a set of letters such as {{'A', 'D'}}, not a {type(answer).__name__}."
    given = {str(letter).upper() for letter in answer}
    if given - set(PROGRAMS):
        return f"there is no program {', '.join(sorted(given - set(PROGRAMS)))}; the letters are A to F."
    for letter, (wrong, reason) in PROGRAMS.items():
        if wrong != (letter in given):
            return f"program {letter} trains {'wrongly' if wrong else 'rightly'}: {reason}"
    return None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_round_trip,
        (
            "values.reshape(-1, block) puts each block on a row; .abs().amax(1, keepdim=True) is its scale.",
            "The nearest value of the book: (blocks / scales).unsqueeze(-1).sub(book).abs().argmin(-1) gives its index.",
            "A block of zeros must not divide by 0: .clamp(min=1e-38) on the scales. And give back the shape that came in.",
        ),
        solutions.round_trip,
        (
            ROUND_TRIP.replace("values.reshape(-1, block)", "values.reshape(1, -1)"),
            ROUND_TRIP.replace("blocks.abs().amax", "blocks.amax"),
            ROUND_TRIP.replace("book[nearest] * scales", "book[nearest]"),
            ROUND_TRIP.replace("blocks.abs().amax(1", "blocks.abs().mean(1"),
            "def round_trip(values, book, block):\n"
            "    blocks = values.reshape(-1, block)\n"
            "    scales = blocks.abs().amax(1, keepdim=True).clamp(min=1e-38)\n"
            "    return ((blocks / scales * 7).round() / 7 * scales).reshape(values.shape)\n\n\n"
            "answer = round_trip",
            ROUND_TRIP.replace("clamp(min=1e-38)", "clamp(min=1e-38)\n    empty = scales <= 1e-38").replace(
                "return (book[nearest] * scales)", "return torch.where(empty, book[0], book[nearest] * scales)"
            ),
            ROUND_TRIP.replace(".reshape(values.shape)", ""),
            "answer = 15",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_bits,
        (
            "A block of 32 weights has 32 codes of 4 bits and one scale of 8 bits.",
            "256 such scales, hence 256 · 32 weights, share one scale of 32 bits.",
        ),
        "answer = 4 + 8 / 32 + 32 / (32 * 256)",
        (
            "answer = 4 + 32 / 32",
            "answer = 4 + 8 / 32",
            "answer = 4.127",
            "answer = 4 + 8 / 32 + 32 / 256",
            "answer = (4 + 8 / 32 + 32 / (32 * 256)) / 8",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_card,
        (
            "How many GB are left? A billion parameters of one byte are one GB.",
            "One parameter costs 4.127 / 8 bytes for itself and 0.01 · 16 bytes for its share of the adapter.",
        ),
        "answer = (24 - 6) / (4.127 / 8 + 0.01 * 16)",
        (
            "answer = (24 - 6) / (4.127 / 8)",
            "answer = 24 / (4.127 / 8 + 0.01 * 16)",
            "answer = (24 - 6) / (4.127 + 0.01 * 16)",
            "answer = (24 - 6) / (2 + 0.01 * 16)",
            "answer = (24 - 6) / (4.127 / 8 + 16)",
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_programs,
        (
            "The weights are packed by the first *forward pass* in evaluation mode without a gradient. Which programs make one?",
            "Then ask of each: is this same model object trained afterwards?",
        ),
        'answer = {"B", "C"}',
        (
            'answer = {"B"}',
            'answer = {"A", "B", "C"}',
            'answer = {"B", "C", "D"}',
            'answer = {"B", "C", "E"}',
            'answer = {"B", "C", "F"}',
            "answer = 2",
        ),
    ),
]
