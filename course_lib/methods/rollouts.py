"""One prompt, many replies: the prompt is read once, for sampling and for the log-probabilities of all its replies.

TRL reads each prompt once for every reply of its group, four times a step: to sample, and for the log-probabilities of the policy, of
the reference, and of the training pass. Here the keys and values of the different prompts of a batch are computed once, and each
reply attends to its prompt's. The numbers are the same but for the order of additions (tested), gradients included.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..models.adapters import merge
from ..models.generation import encode_exchange, has_virtual_tokens, padded
from .run import inner

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

TOGETHER = 128  # replies that a reward model reads at once
SPARED = 0.25  # finished replies are dropped from the batch when they are so large a share of it


class Prompts(NamedTuple):
    """The different prompts of a batch, read: what a reply needs to know of its own."""

    cache: DynamicCache
    logits: torch.Tensor  # (prompts, vocabulary), of the first token of a reply
    mask: torch.Tensor  # (prompts, width); the padding stands on the left


def can_share(model: PreTrainedModel) -> bool:
    """Whether a model's prompts can be read once for several replies: an ordinary causal model without virtual tokens."""
    known = inspect.signature(type(inner(model)).forward).parameters
    if has_virtual_tokens(model):
        return False
    return all(name in known for name in ("past_key_values", "position_ids", "logits_to_keep"))


def read_prompts(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> Prompts:
    """Run the model over prompts (prompts, width), padded on the left."""
    out = _read(model, ids, mask, logits_to_keep=1)
    return Prompts(out.past_key_values, out.logits[:, -1], mask)


def _read(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, **options):
    """The model's output for prompts padded on the left, with a cache of its keys and values."""
    from transformers import DynamicCache

    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    told = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    return model(**told, past_key_values=cache, use_cache=True, **options)


def log_probabilities(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, replies: int, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the last `replies` tokens of each row and the entropies there, both (rows, replies), in nats.

    `ids` and `mask` (rows, width) are prompts padded on the left and replies padded on the right. Rows with the same prompt share
    its keys and values, in whatever order they come. Logits are divided by `temperature`, as they were in sampling.
    """
    prompt = ids[:, :-replies], mask[:, :-replies]
    _, which = torch.unique(torch.cat(prompt, dim=1), dim=0, return_inverse=True)
    firsts = torch.zeros(int(which.max()) + 1, dtype=torch.long, device=ids.device)
    firsts[which] = torch.arange(len(which), device=ids.device)
    read = read_prompts(model, prompt[0][firsts], prompt[1][firsts])
    logits = read.logits[which].unsqueeze(1)
    if replies > 1:
        read.cache.batch_select_indices(which)
        positions = prompt[1].sum(1, keepdim=True) + torch.arange(replies - 1, device=ids.device)
        later = model(
            input_ids=ids[:, -replies:-1],
            attention_mask=mask[:, :-1],
            position_ids=positions,
            past_key_values=read.cache,
            use_cache=True,
        ).logits
        logits = torch.cat([logits, later], dim=1)
    everything = (logits.float() / temperature).log_softmax(-1)
    chosen = everything.gather(-1, ids[:, -replies:].unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        entropy = -(everything.exp() * everything).sum(-1)
    return chosen, entropy


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    prompts: list[list[int]],
    *,
    ends: list[int],
    pad: int,
    longest: int,
    temperature: float = 1.0,
) -> list[list[int]]:
    """One sampled reply for each prompt, as token ids, up to and with its end mark, at most `longest` tokens.

    Equal prompts are read once; a reply that has ended is dropped from the batch, so short replies cost little.
    """
    places = {p: number for number, p in enumerate(dict.fromkeys(map(tuple, prompts)))}
    ids, mask = padded(list(places), pad, left=True)
    device = model.device
    read = read_prompts(model, ids.to(device), mask.to(device))
    which = torch.tensor([places[tuple(p)] for p in prompts], device=device)
    cache, logits, mask = read.cache, read.logits[which], read.mask[which]
    cache.batch_select_indices(which)
    position = mask.sum(1, keepdim=True)
    replies: list[list[int]] = [[] for _ in prompts]
    rows = torch.arange(len(prompts), device=device)
    stop = torch.tensor(ends, device=device)
    alive = torch.ones_like(rows, dtype=torch.bool)
    for step in range(longest):
        token = torch.multinomial((logits.float() / temperature).softmax(-1), 1)
        for row, living, t in zip(rows.tolist(), alive.tolist(), token.flatten().tolist(), strict=True):
            if living:
                replies[row].append(t)
        alive &= ~torch.isin(token.flatten(), stop)
        if step + 1 == longest or not alive.any():
            break
        if alive.float().mean() <= 1 - SPARED:
            cache.batch_select_indices(alive.nonzero().flatten())
            token, mask, position, rows = token[alive], mask[alive], position[alive], rows[alive]
            alive = alive[alive]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        out = model(input_ids=token, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True)
        logits, position = out.logits[:, -1], position + 1
    return replies


def reward_from(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Callable[..., list[float]]:
    """A reward model as a reward for `cl.train_rl`: the numbers of `models.reward_model.reward_scores`, for a third of the work.

    An adapter is merged into a copy, and a prompt is read once for all its replies.
    """
    model = merge(copy.deepcopy(model)) if hasattr(model, "peft_config") else model
    body, pad = getattr(model, model.base_model_prefix), model.config.get_text_config().pad_token_id

    @torch.inference_mode()
    def some(pairs: list[tuple[list[int], list[int]]]) -> list[float]:
        places = {p: number for number, p in enumerate(dict.fromkeys(tuple(given) for given, _ in pairs))}
        ids, mask = padded(list(places), pad, left=True)
        which = torch.tensor([places[tuple(given)] for given, _ in pairs])
        said, kept = padded([reply for _, reply in pairs], pad)
        cache = _read(body, ids.to(model.device), mask.to(model.device)).past_key_values
        cache.batch_select_indices(which.to(model.device))
        seen = torch.cat([mask[which], kept], dim=1)
        positions = mask[which].sum(1, keepdim=True) + torch.arange(said.shape[1])
        told = {"input_ids": said, "attention_mask": seen, "position_ids": positions}
        out = body(**{name: t.to(model.device) for name, t in told.items()}, past_key_values=cache, use_cache=True)
        ends = (kept.sum(1) - 1).to(model.device)
        return model.score(out.last_hidden_state[torch.arange(len(ends)), ends]).float().squeeze(-1).tolist()

    def reward(prompts: Sequence[str], completions: Sequence[str], **_) -> list[float]:
        pairs = [encode_exchange(tokenizer, *pair) for pair in zip(prompts, completions, strict=True)]
        model.eval()
        return [score for start in range(0, len(pairs), TOGETHER) for score in some(pairs[start : start + TOGETHER])]

    return reward


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Within it the model is in evaluation mode: no dropout while sampling."""
    was = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was)
