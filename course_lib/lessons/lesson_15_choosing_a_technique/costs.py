"""What a call costs after a prompt and after a training: tokens, and the number of calls from which training is the cheaper one."""

from __future__ import annotations

from math import ceil

from ..lesson_10_peft_compared import findings as ten
from ..reference import runs

BACKWARD = 2  # a backward pass costs two forward passes (Kaplan et al., arXiv 2001.08361, section 2.1: 6N a token in training, 2N in reading)


def break_even(training_tokens: float, extra_tokens: float, relative_time: float = 1.0, runs_made: int = 1) -> int:
    """Calls from which a training is paid for by the tokens that the prompt no longer needs.

    A trained token costs three read ones (forward and backward), times `relative_time` for a method that is cheaper than full
    fine-tuning; every run of the search counts. The longer prompt is read anew in every call: with a cache for a shared beginning
    it is not, and training never pays by tokens alone.
    """
    return ceil((1 + BACKWARD) * relative_time * runs_made * training_tokens / extra_tokens)


def measured(method: str = "LoRA") -> dict[str, float]:
    """From lesson 10's runs: tokens of one training, tokens of six solved examples, relative time, and runs of the search for a rate."""
    examples = runs("10_peft_compared", part="prompt", layout="examples")
    return {
        "training tokens": ten.mean("compare", "tokens", method=method),
        "extra tokens": sum(r["metrics"]["prompt_tokens"] for r in examples) / len(examples),
        "relative time": ten.cost(method)["relative_time"],
        "search runs": len(ten.runs("rate", method=method)),
    }
