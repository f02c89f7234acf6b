"""The offline judge: a small model that reads an item, two briefs and one rule, and answers A or B. A stand-in for a large one.

All rules are asked of one reading: item and briefs stand in front, each rule follows on a branch of its own that sees them and
itself and no other rule. The mask does that, so the answers are those of six separate prompts, for a third of the tokens.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.paths import home
from ...gazette.tasks import draw_item
from ...models.adapters import load_adapter, merge, save_adapter
from ...models.generation import chat_prompt
from .constitution import ANSWERS, BROKEN, RULES, briefs_with_faults, judge_prompt

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def contexts(split: str, count: int, seed: int = 0) -> list[dict]:
    """Items with two briefs of different faults (`text`, `first`, `second`, `faults`), the same for the same arguments."""
    rng = random.Random(f"judge {split} {seed}")
    made: list[dict] = []
    while len(made) < count:
        item = draw_item(rng, split, more=rng.choice((0, 1, 1, 2)))
        if not item.record.get("who"):
            continue
        briefs = briefs_with_faults(rng, item)
        faults = rng.sample(sorted(briefs), 2)
        first, second = (briefs[f] for f in faults)
        made.append({"text": item.text, "first": first, "second": second, "faults": faults})
    return made


def target(faults: Sequence[str], rule: str) -> float:
    """How often A is the right answer under a rule: 1, 0, or one half where both briefs keep it or both break it."""
    broken = [rule in BROKEN[fault] for fault in faults]
    return 0.5 if broken[0] == broken[1] else float(broken[1])


def branches(tokenizer: PreTrainedTokenizerBase, text: str, first: str, second: str, rules: Sequence[str | None]) -> tuple[list[int], list[list[int]]]:  # fmt: skip
    """The tokens that all prompts about two briefs begin with, and what follows for each rule."""
    whole = [
        tokenizer(chat_prompt(tokenizer, judge_prompt(text, first, second, rule)), add_special_tokens=False)[
            "input_ids"
        ]
        for rule in rules
    ]
    common = len(tokenizer(chat_prompt(tokenizer, judge_prompt(text, first, second, "")), add_special_tokens=False)["input_ids"])  # fmt: skip
    shared = 0
    while shared < common and all(len(w) > shared + 1 and w[shared] == whole[0][shared] for w in whole):
        shared += 1
    return whole[0][:shared], [w[shared:] for w in whole]


def verdict_logits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], rules: Sequence[str | None]) -> torch.Tensor:  # fmt: skip
    """log-odds of A over B for each row (`text`, `first`, `second`) and each rule: (rows, rules). One pass for all of them."""
    import torch

    letters = [tokenizer(" " + answer, add_special_tokens=False)["input_ids"][0] for answer in ANSWERS]
    trees = [branches(tokenizer, r["text"], r["first"], r["second"], rules) for r in rows]
    width = max(len(trunk) + sum(map(len, leaves)) for trunk, leaves in trees)
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    places = torch.zeros((len(rows), width), dtype=torch.long)
    owner = torch.full((len(rows), width), -1)  # 0 for the trunk, 1, 2, … for the branches, -1 for padding
    ends = torch.zeros((len(rows), len(rules)), dtype=torch.long)
    for i, (trunk, leaves) in enumerate(trees):
        ids[i, : len(trunk)], owner[i, : len(trunk)] = torch.tensor(trunk), 0
        places[i, : len(trunk)] = torch.arange(len(trunk))
        start = len(trunk)
        for number, leaf in enumerate(leaves, 1):
            here = slice(start, start + len(leaf))
            ids[i, here], owner[i, here] = torch.tensor(leaf), number
            places[i, here] = len(trunk) + torch.arange(len(leaf))
            start += len(leaf)
            ends[i, number - 1] = start - 1
    sees = (owner[:, None, :] == owner[:, :, None]) | (owner[:, None, :] == 0)
    sees &= torch.ones(width, width, dtype=torch.bool).tril() & (owner >= 0)[:, None, :]
    sees |= torch.eye(width, dtype=torch.bool)
    mask = torch.zeros(sees.shape).masked_fill(~sees, torch.finfo(torch.float32).min)[:, None]
    device = model.device
    states = model.get_decoder()(
        input_ids=ids.to(device), position_ids=places.to(device), attention_mask=mask.to(device), use_cache=False
    ).last_hidden_state
    kept = states.gather(1, ends.to(device)[:, :, None].expand(-1, -1, states.shape[-1]))
    logits = model.get_output_embeddings()(kept)[..., letters].float()
    return logits[..., 0] - logits[..., 1]


def train_judge(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], *, learning_rate: float,
    batch_size: int = 12, seed: int = 0, say=print,
) -> PreTrainedModel:  # fmt: skip
    """Fit the judge to `target` for every rule at once, one pass over `rows`; binary cross-entropy on the log-odds of A."""
    import torch
    import torch.nn.functional as F

    names = list(RULES)
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0, fused=True)
    steps = len(rows) // batch_size
    model.train()
    right: list[bool] = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min((step + 1) / (0.1 * steps), 0.5 + 0.5 * math.cos(math.pi * step / steps))
        batch = [rows[i] for i in order[step * batch_size : (step + 1) * batch_size]]
        goal = torch.tensor([[target(r["faults"], name) for name in names] for r in batch])
        with torch.autocast(model.device.type, torch.bfloat16):
            odds = verdict_logits(model, tokenizer, batch, [RULES[name] for name in names])
        loss = F.binary_cross_entropy_with_logits(odds.cpu(), goal)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        decided = goal != 0.5
        right += ((odds.detach().cpu() > 0) == (goal > 0.5))[decided].tolist()
        if step % 20 == 19 or step == steps - 1:
            say(f"step {step + 1:4d}/{steps}   loss {loss:.3f}   right {100 * sum(right) / len(right):.1f} %")
            right = []
    return model.eval()


RANK = 16


def judge_folder() -> Path:
    """Where the judge's adapter is kept (committed)."""
    return home() / "data" / "reference" / "14_rlaif" / "judge"


def start_of_judge(seed: int = 0) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model with a fresh adapter; it has seen no brief of any model, no reader's choice and no score."""
    import torch
    from peft import LoraConfig, get_peft_model

    from ...models.load import load_model

    model, tokenizer = load_model()
    model.set_attn_implementation("eager")
    torch.manual_seed(seed)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, config), tokenizer


def save_judge(model: PreTrainedModel) -> None:
    """Keep the judge's adapter."""
    save_adapter(model, judge_folder())


def load_judge() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The course's judge, merged into the base, in evaluation mode."""
    model, tokenizer = load_adapter(judge_folder())
    merged = merge(model)
    merged.set_attn_implementation("eager")
    return merged.eval(), tokenizer
