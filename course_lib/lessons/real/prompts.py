"""How an untrained model is asked: six prompts, and two drawings more of the examples of one. Chosen on validation items, tested on others.

The tokens that all prompts share (the system turn, the examples) are computed once and kept as a cache, so that six examples
before each of 342 sentences cost little more than the sentences.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from ...base.errors import CourseError
from ...data.instructions import load_instructions
from ...gazette.tasks import TONES
from ...models.generation import chat_prompt, padded

SHORT = 130  # characters of an example, at most
NEW_IN_CHAT, NEW_BARE, TOGETHER = 16, 6, 64

PLAIN = "{text}\nIs the tone of this text positive, negative or neutral? Answer with one word."
DEFINED = (
    "Classify the text by what it means for the people in it. Good news is positive, bad news is negative, and news that is "
    "neither is neutral.\nText: {text}\nReply with one word: positive, negative or neutral."
)
IN_CHAT = "Give the tone of the last text in one word, as in the examples.\n\n{examples}Text: {text}\nTone:"
STATED = "Every text is followed by its tone, which is positive, negative or neutral.\n\nText: {text}\nTone:"
SHOWN = "{examples}Text: {text}\nTone:"

BY_HAND = "".join(
    f"Text: {text}\nTone: {tone}\n\n"
    for text, tone in (
        ("The shop sold twice as many coats as last winter.", "positive"),
        ("The council meets on Thursday to set the date of the hearing.", "neutral"),
        ("Two hundred people lost their work when the mill closed.", "negative"),
        ("After the operation she could walk again without pain.", "positive"),
        ("The ward has forty beds on two floors.", "neutral"),
        ("The judge sent him to prison for nine years.", "negative"),
    )
)

PROMPTS: dict[str, tuple[str, str, int]] = {  # name → kind, template, draw of the examples
    "chat, one word": ("chat", PLAIN, 0),
    "chat, labels defined": ("chat", DEFINED, 0),
    "chat, six examples": ("chat", IN_CHAT, 0),
    "continuation, no examples": ("bare", STATED, 0),
    "continuation, six examples": ("bare", SHOWN, 0),
    "continuation, six examples by hand": ("bare", BY_HAND + "Text: {text}\nTone:", 0),
    "continuation, six examples, drawn again (1)": ("bare", SHOWN, 1),
    "continuation, six examples, drawn again (2)": ("bare", SHOWN, 2),
}


@lru_cache(maxsize=3)
def examples(draw: int) -> str:
    """Two short training rows a label, in random order, as text."""
    rng = random.Random(draw)
    short = [row for row in load_instructions("tone")["train"] if len(row["input"]) <= SHORT]
    chosen = [row for label in TONES for row in rng.sample([r for r in short if r["label"] == label], 2)]
    rng.shuffle(chosen)
    return "".join(f"Text: {row['input']}\nTone: {row['label']}\n\n" for row in chosen)


def prompt(name: str, text: str) -> tuple[str, str]:
    """Kind (`chat` or `bare`) and wording of one prompt for one text."""
    kind, template, draw = PROMPTS[name]
    return kind, template.replace("{examples}", examples(draw)).replace("{text}", text)


def prompted(model, tokenizer, name: str, rows: Sequence[dict]) -> list[str]:
    """The model's replies to a prompt about each row's input."""
    made = [prompt(name, row["input"]) for row in rows]
    texts = [chat_prompt(tokenizer, text) if kind == "chat" else text for kind, text in made]
    return with_shared_prefix(model, tokenizer, texts, NEW_IN_CHAT if made[0][0] == "chat" else NEW_BARE)


def with_shared_prefix(model, tokenizer, texts: Sequence[str], new: int) -> list[str]:
    """Greedy continuations of complete prompts of at most `new` tokens; their common first tokens are read once.

    Not for models with virtual tokens. Raises `CourseError` for prompts that do not begin alike. Short prompts are padded between the shared part and their own, and the positions are
    counted without the padding, so nothing but rounding differs from `generate`.
    """
    import torch
    from transformers import DynamicCache

    encoded = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    shared, shortest = 0, min(map(len, encoded))
    while shared < shortest - 1 and all(e[shared] == encoded[0][shared] for e in encoded):
        shared += 1
    if not shared:
        raise CourseError("These prompts do not begin alike.", "Use cl.generate for prompts that share no first token.")
    stops, replies = {tokenizer.eos_token_id, tokenizer.pad_token_id}, [""] * len(texts)
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    with torch.inference_mode():
        first = model(input_ids=torch.tensor([encoded[0][:shared]]), use_cache=True).past_key_values
        for start in range(0, len(order), TOGETHER):
            part = order[start : start + TOGETHER]
            ids, mask = padded([encoded[i][shared:] for i in part], tokenizer.pad_token_id, left=True)
            mask = torch.cat([mask.new_ones(len(part), shared), mask], dim=1)
            many = len(part)
            cache = DynamicCache([(k.keys.repeat(many, 1, 1, 1), k.values.repeat(many, 1, 1, 1)) for k in first.layers])
            for i, tokens in zip(part, _greedy(model, ids, mask, cache, new, stops), strict=True):
                replies[i] = tokenizer.decode(tokens)
    return replies


def _greedy(model, ids, mask, cache, new: int, stops: set[int]) -> list[list[int]]:
    """The most likely next tokens of each row, until a stop."""
    import torch

    positions = (mask.cumsum(1) - 1)[:, -ids.shape[1] :].clamp(min=0)
    made, open_rows = [[] for _ in ids], set(range(len(ids)))
    for _ in range(new):
        out = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        chosen = out.logits[:, -1].argmax(-1)
        for row in sorted(open_rows):
            if int(chosen[row]) in stops:
                open_rows.discard(row)
            else:
                made[row].append(int(chosen[row]))
        if not open_rows:
            break
        ids, positions = chosen[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, torch.ones_like(ids)], 1)
    return made
