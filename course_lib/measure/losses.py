"""Readings of the log-probabilities that a model gives to text: answers, labels, perplexity, forgetting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..data.instructions import prompt_text
from ..gazette.grammar import SECTIONS, draw_record, write_item
from ..models.generation import chat_prompt, has_virtual_tokens, length_batches

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def label_offered(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], choices: Sequence[str]
) -> list[str]:
    """For each prompt (bare text, as given) the choice whose first token the model finds most likely.

    This measures what the model knows when the labels are put before it, not what it answers when asked. Choices must
    differ in their first token (with the space before it).
    """
    import torch

    bos = tokenizer.bos_token_id
    first = [tokenizer(" " + c, add_special_tokens=False)["input_ids"][0] for c in choices]
    if len(set(first)) < len(first):
        raise CourseError("Two choices begin with the same token.", "Offer labels that differ from the first token on.")
    chosen = []
    encoded = [tokenizer(p, add_special_tokens=False)["input_ids"] for p in prompts]
    encoded = [e if not e or e[0] == bos or bos is None else [bos, *e] for e in encoded]
    picks: dict[int, str] = {}
    with torch.inference_mode():
        for batch in length_batches(encoded, equal=has_virtual_tokens(model)):
            width = max(len(encoded[i]) for i in batch)
            ids = torch.full((len(batch), width), tokenizer.pad_token_id)
            mask = torch.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, : len(encoded[i])] = torch.tensor(encoded[i])
                mask[row, : len(encoded[i])] = 1
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
            for row, i in enumerate(batch):
                last = logits[row, len(encoded[i]) - 1 - width, first]
                picks[i] = choices[int(last.argmax())]
    chosen.extend(picks[i] for i in range(len(prompts)))
    return chosen


def answer_loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, data: Sequence[dict]) -> float:
    """Cross-entropy of the right answers and the end mark behind them, given the prompts: nats per token.

    A model that has diverged may return NaN; then the loss of guessing every token is returned, as for any worse one.
    """
    import torch
    import torch.nn.functional as F

    end = tokenizer.eos_token_id
    pairs = []
    for row in data:
        prompt = tokenizer(chat_prompt(tokenizer, prompt_text(row)), add_special_tokens=False)["input_ids"]
        answer = tokenizer(" " + row["output"], add_special_tokens=False)["input_ids"]
        pairs.append((prompt, [*answer, end]))
    pairs.sort(key=lambda pair: len(pair[0]))
    total = count = 0
    with torch.inference_mode():
        for start in range(0, len(pairs), 64):
            batch = pairs[start : start + 64]
            width = max(len(p) + len(a) for p, a in batch)
            ids = torch.full((len(batch), width), tokenizer.pad_token_id)
            labels = torch.full((len(batch), width), -100)
            for i, (prompt, answer) in enumerate(batch):
                ids[i, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
                labels[i, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
            # Padding stands on the right, behind everything that counts, so a causal model needs no mask.
            logits = model(input_ids=ids.to(model.device)).logits[:, :-1].float().cpu()
            total += F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), reduction="sum").item()
            count += int((labels[:, 1:] != -100).sum())
    guessing = math.log(len(tokenizer))
    return round(min(total / count, guessing), 5) if math.isfinite(total) else round(guessing, 5)


def perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """exp of the mean negative log-likelihood per token, each text on its own after the start mark."""
    import torch
    import torch.nn.functional as F

    total, count = 0.0, 0
    bos = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    limit = getattr(model.config, "max_position_embeddings", None) or 10**9
    encoded = [(bos + tokenizer(t, add_special_tokens=False)["input_ids"])[:limit] for t in texts]
    encoded = [e for e in encoded if len(e) > 1]
    if not encoded:
        raise CourseError("There is no text to measure perplexity on.", "Give at least one text of two tokens.")
    with torch.inference_mode():
        for batch in length_batches(encoded, equal=has_virtual_tokens(model)):
            width = max(len(encoded[i]) for i in batch)
            ids = torch.full((len(batch), width), tokenizer.pad_token_id)
            labels = torch.full((len(batch), width), -100)
            mask = torch.zeros_like(ids)
            for row, i in enumerate(batch):
                n = len(encoded[i])
                ids[row, :n] = labels[row, :n] = torch.tensor(encoded[i])
                mask[row, :n] = 1
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
            targets = labels[:, 1:].to(model.device)
            logits = logits[:, -width:][:, :-1]
            total += F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum").item()
            count += int((targets != -100).sum())
    return math.exp(total / count)


UNSEEN = "held-out news"  # no document of the corpus is drawn with this seed


def held_out_news(section: str, items: int = 60) -> list[str]:
    """News items of one section that the base model has not read: the same grammar, other records."""
    import random

    rng = random.Random(f"{UNSEEN} {section}")
    return [write_item(draw_record(section, rng), more=2).text for _ in range(items)]


def forgetting(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, base: PreTrainedModel | None = None, *, items: int = 60
) -> dict[str, float]:
    """How much worse a fine-tuned model reads the newspaper: section → rise of its cross-entropy, in nats per token.

    Measured on `items` held-out news items a section, against `base` (`None` loads the base model afresh). Zero means that
    nothing was forgotten, a negative value that it reads better than before.
    """
    from ..models.load import load_model

    base = load_model()[0] if base is None else base
    return {
        section: math.log(perplexity(model, tokenizer, texts)) - math.log(perplexity(base, tokenizer, texts))
        for section in SECTIONS
        for texts in [held_out_news(section, items)]
    }
