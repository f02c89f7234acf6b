"""Ask a model: prompts in its chat template, batched by length, greedy unless a temperature is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


BATCH_TOKENS = 12_000  # prompt tokens, padding included, in one batch of generation


def chat_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """`text` as one user turn in the model's chat template, ready for the answer."""
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
    )


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    chat: bool = True,
    max_new_tokens: int = 32,
    temperature: float = 0.0,
    seed: int | None = None,
) -> list[str]:
    """Replies to `prompts`, in their order, without special tokens; greedy unless `temperature` > 0.

    `chat` puts each prompt into the chat template; without it the model continues the bare text. Prompts are batched by
    length with padding on the left; a model with virtual tokens gets batches of equal length, since padding between
    the virtual tokens and the text would change its answers.
    """
    import torch

    if not prompts:
        return []
    texts = [chat_prompt(tokenizer, p) if chat else p for p in prompts]
    bos = tokenizer.bos_token or ""
    texts = [t if chat else bos + t for t in texts]
    encoded = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
    limit = getattr(model.config, "max_position_embeddings", None) or 10**9
    stops = sorted({tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids([tokenizer.eos_token])})
    if not chat and tokenizer.bos_token_id is not None:
        stops.append(tokenizer.bos_token_id)
    options = {"do_sample": temperature > 0, "max_new_tokens": max_new_tokens, "eos_token_id": stops}
    options["pad_token_id"] = tokenizer.pad_token_id
    if temperature > 0:
        options |= {"temperature": temperature, "top_k": 0, "top_p": 1.0}
    if seed is not None:
        torch.manual_seed(seed)
    replies: list[str] = [""] * len(texts)
    model.eval()
    with torch.inference_mode():
        for batch in length_batches(encoded, equal=has_virtual_tokens(model)):
            width = min(max(len(encoded[i]) for i in batch), limit - max_new_tokens)
            ids = torch.full((len(batch), width), tokenizer.pad_token_id)
            mask = torch.zeros_like(ids)
            for row, i in enumerate(batch):
                tail = encoded[i][-width:]
                ids[row, width - len(tail) :] = torch.tensor(tail)
                mask[row, width - len(tail) :] = 1
            out = model.generate(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), **options)
            for row, i in enumerate(batch):
                replies[i] = tokenizer.decode(out[row, width:], skip_special_tokens=True)
    return replies


def has_virtual_tokens(model) -> bool:
    config = getattr(model, "active_peft_config", None)
    return bool(config is not None and config.is_prompt_learning)


def length_batches(encoded: list[list[int]], equal: bool) -> Iterable[list[int]]:
    """Indices sorted by length, cut where a padded batch would pass `BATCH_TOKENS`, or where the length changes."""
    batch: list[int] = []
    for i in sorted(range(len(encoded)), key=lambda i: len(encoded[i])):
        full = batch and (len(batch) + 1) * len(encoded[i]) > BATCH_TOKENS
        if full or (batch and equal and len(encoded[i]) != len(encoded[batch[0]])):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def ask(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, **options) -> str:
    """One instruction, one reply, with the space before it stripped. Options as for `generate`."""
    return generate(model, tokenizer, [text], **options)[0].strip()
