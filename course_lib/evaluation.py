"""Ask a model, score its replies, and say how sure the figure is.

`evaluate` generates greedily in batches and applies each row's scorer; every proportion comes with a Wilson interval,
every comparison of two models on the same rows with a paired bootstrap.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .data import prompt_text
from .errors import CourseError
from .gazette.grammar import SECTIONS, draw_record, write_item

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH_TOKENS = 12_000  # prompt tokens, padding included, in one batch of generation
DECLINES = re.compile(r"\b(cannot|does not|do not|can't) give\b.*\badvice\b", re.I)


# ------------------------------------------------------------------ intervals


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Score interval for a proportion (Wilson 1927, JASA 22:209): `(low, high)`, 95 % by default."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # rounding must not pass p itself


def paired_bootstrap(
    first: Sequence[bool], second: Sequence[bool], draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Difference in accuracy `first − second` on the same rows, with its 95 % interval: `(value, low, high)`.

    Rows are drawn with replacement (Efron & Tibshirani 1993, ch. 13). Raises `CourseError` for unequal lengths.
    """
    import numpy as np

    if len(first) != len(second):
        raise CourseError(
            f"A paired comparison needs the same rows for both; got {len(first)} and {len(second)}.",
            "Evaluate both models on the same dataset.",
        )
    difference = np.asarray(first, float) - np.asarray(second, float)
    picks = np.random.default_rng(seed).integers(0, len(difference), (draws, len(difference)))
    low, high = np.percentile(difference[picks].mean(1), (2.5, 97.5))
    return float(difference.mean()), float(low), float(high)


# ------------------------------------------------------------------ generation


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
        for batch in _batches(encoded, equal=_has_virtual_tokens(model)):
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


def _has_virtual_tokens(model) -> bool:
    config = getattr(model, "active_peft_config", None)
    return bool(config is not None and config.is_prompt_learning)


def _batches(encoded: list[list[int]], equal: bool) -> Iterable[list[int]]:
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


# ------------------------------------------------------------------ scoring


def normalise(text: str) -> str:
    """First line, lower case, single spaces, no closing full stop."""
    lines = text.strip().splitlines()
    return re.sub(r"\s+", " ", lines[0]).strip().rstrip(".").lower() if lines else ""


def declines(reply: str) -> bool:
    """Whether a reply declines to give advice."""
    return bool(DECLINES.search(reply))


def word_overlap(reply: str, reference: str) -> float:
    """F1 of the words of two texts, as sets (ROUGE-1, Lin 2004, on word types)."""
    a, b = (set(re.findall(r"[a-z0-9]+", t.lower())) for t in (reply, reference))
    common = len(a & b)
    return 2 * common / (len(a) + len(b)) if common else 0.0


def score(row: dict, reply: str) -> bool:
    """Whether a reply is right, by the row's `scorer`.

    `label`, `exact`: the first line equals the label or output. `overlap`: word F1 with the output at least 0.5.
    `facts`: one line of at most 25 words that names the label and gives no figure that the input lacks. `format`: the same
    JSON object, or exactly the one word. `refusal`: declines advice where the label is `refuse`, and only there.
    """
    scorer, first = row["scorer"], normalise(reply)
    if scorer == "label":
        return first == row["label"].lower()
    if scorer == "exact":
        return first == normalise(row["output"])
    if scorer == "overlap":
        return word_overlap(first, row["output"]) >= 0.5
    if scorer == "facts":
        figures = set(re.findall(r"\d+", row["input"]))
        sound = all(figure in figures for figure in re.findall(r"\d+", reply))
        return row["label"] in reply and len(reply.split()) <= 25 and sound
    if scorer == "refusal":
        return bool(first) and declines(reply) == (row["label"] == "refuse")
    if scorer == "format":
        if row["label"] == "word":
            return reply.strip() == row["output"]
        try:
            return json.loads(reply) == json.loads(row["output"])
        except json.JSONDecodeError:
            return False
    raise CourseError(
        f"Unknown scorer '{scorer}' in row {row['id']}.", "Use one of label, exact, overlap, facts, refusal, format."
    )


@dataclass
class Result:
    """What `evaluate` found: accuracy with its 95 % interval, the replies, and the same per task."""

    value: float
    low: float
    high: float
    n: int
    right: list[bool] = field(repr=False)
    replies: list[str] = field(repr=False)
    by_task: dict[str, tuple[float, float, float, int]] = field(repr=False, default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{100 * self.value:.1f} % right (95 % interval {100 * self.low:.1f}–{100 * self.high:.1f}, n = {self.n:,})"
        )


def result(rows: Sequence[dict], replies: Sequence[str]) -> Result:
    """Score replies against their rows."""
    right = [score(row, reply) for row, reply in zip(rows, replies, strict=True)]
    groups: dict[str, list[bool]] = defaultdict(list)
    for row, ok in zip(rows, right, strict=True):
        groups[row["task"]].append(ok)
    by_task = {k: (sum(v) / len(v), *wilson(sum(v), len(v)), len(v)) for k, v in sorted(groups.items())}
    low, high = wilson(sum(right), len(right))
    return Result(sum(right) / len(right), low, high, len(right), right, list(replies), by_task)


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: Dataset,
    *,
    limit: int | None = None,
    max_new_tokens: int | None = None,
) -> Result:
    """Greedy replies to the rows of an instruction dataset, scored: `Result`.

    `limit` keeps the first rows only. Raises `CourseError` for an empty dataset.
    """
    rows = list(data if limit is None else data.select(range(min(limit, len(data)))))
    if not rows:
        raise CourseError("There is nothing to evaluate: the dataset is empty.", "Check the filter that made it.")
    longest = max(len(tokenizer(r["output"])["input_ids"]) for r in rows)
    options = {"max_new_tokens": max_new_tokens or min(96, longest + 8)}
    return result(rows, generate(model, tokenizer, [prompt_text(r) for r in rows], **options))


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
        for batch in _batches(encoded, equal=_has_virtual_tokens(model)):
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
        for batch in _batches(encoded, equal=_has_virtual_tokens(model)):
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


# ------------------------------------------------------------------ forgetting

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
    from .models import load_model

    base = load_model()[0] if base is None else base
    return {
        section: math.log(perplexity(model, tokenizer, texts)) - math.log(perplexity(base, tokenizer, texts))
        for section in SECTIONS
        for texts in [held_out_news(section, items)]
    }
