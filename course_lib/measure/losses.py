"""Readings of the log-probabilities that a model gives to text: answers, labels, perplexity, forgetting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.paths import home
from ..base.run import Run
from ..data.instructions import asked
from ..gazette.grammar import write_item
from ..gazette.reading import SECTIONS
from ..gazette.records import draw_record
from ..models.carriers import check_not_inside
from ..models.generation import (
    context_of,
    encode_exchange,
    has_virtual_tokens,
    length_batches,
    padded,
)
from ..models.identity import base_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def _logits_at_the_end(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[int]], keep: Sequence[int]
) -> Iterator[tuple[int, torch.Tensor]]:
    """For each row of token ids its index and the logits at its last `keep` places, (keep, vocabulary) in float32.

    Rows are batched by length and padded on the right, where a causal model cannot look; a model with virtual tokens gets
    batches of equal length. Places are counted from the end, since virtual tokens may stand in front.
    """
    import torch

    limit = context_of(model)
    for number, ids in enumerate(rows, 1):
        if not 0 < len(ids) <= limit:
            raise CourseError(
                f"Text {number} has {len(ids)} tokens, and the model's context holds {limit}.",
                "Shorten or split it." if ids else "Begin it with the start mark or a prompt.",
            )
    model.eval()
    with torch.inference_mode():
        for batch in length_batches(rows, equal=has_virtual_tokens(model)):
            ids, mask = padded([rows[i] for i in batch], tokenizer.pad_token_id)
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
            for row, i in enumerate(batch):
                end = logits.shape[1] - (ids.shape[1] - len(rows[i]))
                yield i, logits[row, end - keep[i] : end].float()


def token_log_probabilities(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> list[torch.Tensor]:
    """For each pair (token ids given, token ids that follow) the log-probability of each token that follows, in nats.

    Perplexity and the loss of answers are readings of this one function. Raises `CourseError` for a pair that does not fit
    into the context, or with nothing given.
    """
    import torch

    found: list[torch.Tensor] = [torch.empty(0)] * len(pairs)
    rows = [[*given, *said][:-1] if said else list(given) for given, said in pairs]
    for i, logits in _logits_at_the_end(model, tokenizer, rows, [len(said) for _, said in pairs]):
        chosen = torch.tensor(pairs[i][1], dtype=torch.long, device=logits.device)
        found[i] = logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0].cpu()
    return found


def label_offered(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], choices: Sequence[str]
) -> list[str]:
    """For each prompt (bare text, as given) the choice whose first token the model finds most likely.

    This measures what the model knows when the labels are put before it, not what it answers when asked. Choices must
    differ in their first token (with the space before it).
    """
    bos = tokenizer.bos_token_id
    first = [tokenizer(" " + c, add_special_tokens=False)["input_ids"][0] for c in choices]
    if len(set(first)) < len(first):
        raise CourseError("Two choices begin with the same token.", "Offer labels that differ from the first token on.")
    encoded = [tokenizer(p, add_special_tokens=False)["input_ids"] for p in prompts]
    encoded = [e if (e and e[0] == bos) or bos is None else [bos, *e] for e in encoded]
    picks = [""] * len(prompts)
    for i, logits in _logits_at_the_end(model, tokenizer, encoded, [1] * len(encoded)):
        picks[i] = choices[int(logits[0, first].argmax())]
    return picks


def answer_loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, data: Sequence[dict]) -> float:
    """Cross-entropy of the right answers and the end mark behind them, given the prompts: nats per token.

    A model that has diverged may return NaN; then the loss of guessing every token is returned, as for any worse one.
    """
    pairs = [encode_exchange(tokenizer, asked(row), row["output"]) for row in data]
    told = token_log_probabilities(model, tokenizer, pairs)
    total, count = -sum(float(p.sum()) for p in told), sum(len(p) for p in told)
    guessing = math.log(len(tokenizer))
    return round(min(total / count, guessing), 5) if math.isfinite(total) else round(guessing, 5)


def perplexity(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """exp of the mean negative log-likelihood per token, each text on its own after the start mark.

    A text longer than the context is read as far as it goes. Without a start mark the first token is given.
    """
    bos = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    encoded = [(bos + tokenizer(t, add_special_tokens=False)["input_ids"])[: context_of(model)] for t in texts]
    encoded = [e for e in encoded if len(e) > 1]
    if not encoded:
        raise CourseError("There is no text to measure perplexity on.", "Give at least one text of two tokens.")
    told = token_log_probabilities(model, tokenizer, [(ids[:1], ids[1:]) for ids in encoded])
    return math.exp(-sum(float(p.sum()) for p in told) / sum(len(p) for p in told))


UNSEEN = "held-out news"  # no document of the corpus is drawn with this seed


def held_out_news(section: str, count: int = 60) -> list[str]:
    """News items of one section that the base model has not read: the same grammar, other records."""
    import random

    rng = random.Random(f"{UNSEEN} {section}")
    return [write_item(draw_record(section, rng), more=2).text for _ in range(count)]


def forgetting(
    model: PreTrainedModel | Run,
    tokenizer: PreTrainedTokenizerBase | None = None,
    base: PreTrainedModel | None = None,
    *,
    count: int = 60,
) -> dict[str, float]:
    """How much worse a fine-tuned model reads the newspaper: section → rise of its cross-entropy, in nats per token.

    `forgetting(run)` or `forgetting(model, tokenizer)`. Measured on `count` held-out news items a section, against `base`; `None` loads the
    model that the training began with afresh, by the name that it was loaded from. Zero means that nothing was forgotten, a negative value
    that it reads better than before. Raises `CourseError` when that model cannot be found, or `base` is the inside of a PEFT model.
    """
    if isinstance(model, Run):
        model, tokenizer = model.model, model.tokenizer
    if base is None:
        base = begun_with(model)
    else:
        check_not_inside(base, "base")
    return {
        section: math.log(perplexity(model, tokenizer, texts)) - math.log(perplexity(base, tokenizer, texts))
        for section in SECTIONS
        for texts in [held_out_news(section, count)]
    }


def begun_with(model: PreTrainedModel) -> PreTrainedModel:
    """The model that a training began with, loaded afresh by its name. Raises `CourseError` for a model without one."""
    from ..models.load import load_model

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = str(getattr(inner.config, "name_or_path", "") or "")
    if not name:
        raise CourseError(
            "It is not known which model this one was made from: it has no name.",
            "Give it: cl.forgetting(model, tokenizer, base).",
        )
    return load_model(name)[0]


def forgetting_texts(model: PreTrainedModel) -> tuple[list[str], str]:
    """What forgetting is measured on, and its name: held-out news for the course's own model, common English for any other."""
    if base_of(model)["model"] == "data/base_model":
        return [text for section in SECTIONS for text in held_out_news(section, 15)], "held-out news"
    path = home() / "data" / "real" / "common_english.txt"
    return path.read_text(encoding="utf-8").splitlines(), "common English"


def text_loss(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """Cross-entropy of texts, in nats a token."""
    return math.log(perplexity(model, tokenizer, texts))
