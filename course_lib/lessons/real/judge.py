"""A judge that reads a constitution: a language model sees an item, two briefs and the rules, and says A or B by its log-odds.

Asked as Lee et al. do (RLAIF, arXiv 2309.00267, §2.1 and §2.2): the rules stand in the prompt, the answer is read off the probabilities of
the two letters, and each pair is asked in both orders, since a small judge prefers a place.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...data.preferences import load_preferences
from ...models.generation import chat_prompt, encode_exchange, length_batches, padded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LETTERS = ("A", "B")


def judge_prompt(text: str, first: str, second: str, rules: Sequence[str]) -> str:
    """What the judge reads; without rules only which brief is better."""
    told = ("\n".join(["A good brief keeps these rules:", *rules]) + "\n\n") if rules else ""
    by = "keeps the rules better" if rules else "is better"
    return f"{told}News item: {text}\n\nBrief A: {first}\nBrief B: {second}\n\nWhich brief {by}? Answer with one letter, A or B."


def odds(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> list[float]:
    """The log-odds of the answer A over B to each prompt, a bare text, in the chat template."""
    import torch

    letters = [encode_exchange(tokenizer, "?", letter)[1][0] for letter in LETTERS]
    encoded = [tokenizer(chat_prompt(tokenizer, text), add_special_tokens=False)["input_ids"] for text in prompts]
    found, weights = [0.0] * len(encoded), model.get_output_embeddings().weight.float()
    model.eval()
    with torch.inference_mode():
        for batch in length_batches(encoded, equal=False):
            ids, mask = padded([encoded[i] for i in batch], tokenizer.pad_token_id, left=True)
            places = (mask.cumsum(1) - 1).clamp(min=0)
            told = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
            last = model.get_decoder()(**told, use_cache=False).last_hidden_state[:, -1].float()
            with torch.autocast(
                "cpu", enabled=False
            ):  # a logit in bf16 has three digits, and both orders nearly cancel
                values = last @ (weights[letters[0]] - weights[letters[1]])
            for i, value in zip(batch, values.tolist(), strict=True):
                found[i] = value
    return found


def both_orders(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], rules: Sequence[str]
) -> tuple[list[float], list[float]]:
    """The log-odds for the first brief of each row (`text`, `first`, `second`): shown as A, and shown as B."""
    as_a = [judge_prompt(row["text"], row["first"], row["second"], rules) for row in rows]
    as_b = [judge_prompt(row["text"], row["second"], row["first"], rules) for row in rows]
    return odds(model, tokenizer, as_a), [-value for value in odds(model, tokenizer, as_b)]


def choices(as_a: Sequence[float], as_b: Sequence[float]) -> list[str]:
    """Which brief the judge prefers, "first" or "second", both orders averaged."""
    return ["first" if a + b > 0 else "second" for a, b in zip(as_a, as_b, strict=True)]


def test_pairs(count: int) -> list[dict]:
    """The first test pairs of the preference data whose true scores differ: `id`, `text`, `first`, `second`, and what `gold` and `reader` prefer.

    A coin that knows only the pair's name says which brief comes first.
    """
    found = []
    for row in load_preferences()["test"]:
        if not row["gold"] or len(found) == count:
            continue
        order = ["chosen", "rejected"]
        if random.Random(f"side {row['id']}").random() < 0.5:
            order.reverse()
        places = dict(zip(order, ("first", "second"), strict=True))
        told = {places[side]: row[side] for side in order} | {who: places[row[who]] for who in ("gold", "reader")}
        found.append({"id": row["id"], "text": row["prompt"].rsplit("\n", 1)[0]} | told)
    return found
