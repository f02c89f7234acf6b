"""One protocol for every technique and both models: the same test items, the same scorers, the same text for forgetting.

Test items: the open half of the hand-written sentences (finance, health, law) and the first 300 of the Gazette's own. *Exact* counts a
reply that is the label and nothing else; *lenient* counts the first label word found in it, as a person would read "The sentiment
is positive." An untrained model is told apart from a wrong one only so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache

from ...base.hardware import bf16_wins
from ...base.paths import home
from ...data.instructions import load_in_the_wild, load_instructions, prompt_text
from ...gazette.tasks import TONES
from ...measure.evaluation import score

GAZETTE_ITEMS = 300
NEW_TOKENS = 8


@lru_cache(maxsize=1)
def test_items() -> dict[str, list[dict]]:
    """`in_the_wild` (342 hand-written sentences) and `gazette` (300 items), as instruction rows."""
    gazette = load_instructions("tone")["test"].select(range(GAZETTE_ITEMS))
    return {"in_the_wild": list(load_in_the_wild()), "gazette": list(gazette)}


@lru_cache(maxsize=1)
def common_english() -> list[str]:
    """Twelve paragraphs of everyday English, written for this; nothing in them is news."""
    return (home() / "data" / "real" / "common_english.txt").read_text(encoding="utf-8").splitlines()


def first_label(reply: str, labels: Sequence[str] = TONES) -> str:
    """The label word that stands first in a reply, in any case; empty if there is none."""
    found = re.search(rf"\b({'|'.join(labels)})\b", reply.lower())
    return found[1] if found else ""


def scored(rows: Sequence[dict], replies: Sequence[str]) -> dict:
    """Both scores with a bit an item, in the items' order, and how often each label was said."""
    exact = [score(row, reply) for row, reply in zip(rows, replies, strict=True)]
    lenient = [first_label(reply) == row["label"] for row, reply in zip(rows, replies, strict=True)]
    return {
        "n": len(rows),
        "exact": round(sum(exact) / len(rows), 4),
        "lenient": round(sum(lenient) / len(rows), 4),
        "exact_bits": _bits(exact),
        "lenient_bits": _bits(lenient),
        "said": dict(Counter(first_label(reply) or "none" for reply in replies)),
    }


def evaluated(model, tokenizer) -> dict:
    """Greedy replies to all test items, scored, and the cross-entropy of common English in nats per token."""
    import math

    from ...measure.losses import perplexity
    from ...models.generation import generate

    found = {}
    with precision():
        for name, rows in test_items().items():
            replies = generate(model, tokenizer, [prompt_text(row) for row in rows], max_new_tokens=NEW_TOKENS)
            found[name] = scored(rows, replies)
        found["common_english"] = round(math.log(perplexity(model, tokenizer, common_english())), 4)
    return found


def precision():
    """bf16 autocast where it wins on this machine: a pass over all items takes half the time."""
    import torch

    return torch.autocast("cpu", torch.bfloat16) if bf16_wins() and not torch.cuda.is_available() else nullcontext()


def _bits(right: Sequence[bool]) -> str:
    return "".join("1" if ok else "0" for ok in right)
