"""The offline judge: a small model that reads an item, one brief or two, and a rule, and answers in one word. A stand-in for a large one.

Asked of one brief it says right or wrong; asked of two, A or B. Two models, trained apart on the same briefs, each from the instruct
model of lesson 05 with all its weights. All rules are asked of one reading: item and briefs stand in front, each rule follows on a branch of its own that sees them and itself and no other rule. The mask does that, so the answers are those of six separate prompts, for a third of the tokens.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.errors import CourseError
from ...base.jsonl import write_text
from ...base.paths import home
from ...gazette.tasks import draw_item
from ...models.generation import chat_prompt
from .constitution import ANSWERS, RULES, briefs_with_faults, broken, judge_prompt, spoiled

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def contexts(split: str, count: int, seed: int = 0, together: bool = True) -> list[dict]:
    """Items with two briefs (`text`, `first`, `second`) and what is wrong with either (`faults`, two lists); the same for the same arguments.

    One of the two breaks a rule that the other keeps, each rule in its turn. With `together` faults are planted independently of
    each other, else one a brief at most.
    """
    rng = random.Random(f"judge {split} {seed} {together}")
    made: list[dict] = []
    while len(made) < count:
        item = draw_item(rng, split, more=rng.choice((0, 1, 1, 2)))
        if not item.record.get("who"):
            continue
        briefs = briefs_with_faults(rng, item)
        rule = list(RULES)[len(made) % len(RULES)]
        drawn = (
            [spoiled(rng, item, briefs) for _ in range(12)]
            if together
            else [(t, [f]) for f, t in sorted(briefs.items())]
        )
        breaks, keeps = ([d for d in drawn if (rule in broken(d[1])) == kind] for kind in (True, False))
        if not breaks or not keeps:
            continue
        both = [rng.choice(breaks), rng.choice(keeps)]
        rng.shuffle(both)
        made.append({"text": item.text, "first": both[0][0], "second": both[1][0], "faults": [both[0][1], both[1][1]]})
    return made


def target(faults: Sequence[Sequence[str]], rule: str) -> float:
    """How often A is the right answer under a rule: 1, 0, or one half where both briefs keep it or both break it."""
    found = [rule in broken(each) for each in faults]
    return 0.5 if found[0] == found[1] else float(found[1])


def branches(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """The tokens that all prompts begin with, and what follows in each; no branch is empty."""
    whole = [tokenizer(chat_prompt(tokenizer, text), add_special_tokens=False)["input_ids"] for text in prompts]
    shared = len(whole[0]) - 1 if len(whole) == 1 else 0
    while len(whole) > 1 and all(len(w) > shared + 1 and w[shared] == whole[0][shared] for w in whole):
        shared += 1
    return whole[0][:shared], [w[shared:] for w in whole]


def verdict_logits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[str]], rules: Sequence[str | None]) -> torch.Tensor:  # fmt: skip
    """log-odds of the first answer over the second, (rows, rules), in one pass; a row is an item's text with one brief or two.

    One brief: log-odds that it is right by the rule. Two briefs: log-odds of A over B.
    """
    import torch

    answers = ANSWERS["one" if len(rows[0]) == 2 else "pair"]
    letters = [tokenizer(" " + answer, add_special_tokens=False)["input_ids"][0] for answer in answers]
    trees = [branches(tokenizer, [judge_prompt(text, briefs, rule) for rule in rules]) for text, *briefs in rows]
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


def cases(rows: Sequence[dict], way: str) -> tuple[list[list[str]], list[list[float]]]:
    """What the judge reads of `contexts`, and the goal for each rule: two briefs a row ("pair"), or each brief by itself ("one")."""
    if way == "pair":
        read = [[r["text"], r["first"], r["second"]] for r in rows]
        return read, [[target(r["faults"], name) for name in RULES] for r in rows]
    alone = [
        (r["text"], r[side], fault) for r in rows for side, fault in zip(("first", "second"), r["faults"], strict=True)
    ]
    return [[text, brief] for text, brief, _ in alone], [[float(n not in broken(f)) for n in RULES] for *_, f in alone]


def train_judge(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], *, way: str, learning_rate: float,
    batch_size: int = 8, seed: int = 0, say=print,
) -> PreTrainedModel:  # fmt: skip
    """Fit the judge to the goals of `cases` for every rule at once, one pass over `rows`; binary cross-entropy on the log-odds."""
    import torch
    import torch.nn.functional as F

    read, goals = cases(rows, way)
    order = list(range(len(read)))
    random.Random(seed).shuffle(order)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=0.0, fused=True)
    steps = len(read) // batch_size
    model.train()
    right: list[bool] = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min((step + 1) / (0.1 * steps), 0.5 + 0.5 * math.cos(math.pi * step / steps))
        batch = order[step * batch_size : (step + 1) * batch_size]
        goal = torch.tensor([goals[i] for i in batch])
        with torch.autocast(model.device.type, torch.bfloat16):
            logits = verdict_logits(model, tokenizer, [read[i] for i in batch], list(RULES.values()))
        loss = F.binary_cross_entropy_with_logits(logits.cpu(), goal)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        decided = goal != 0.5
        right += ((logits.detach().cpu() > 0) == (goal > 0.5))[decided].tolist()
        if step % 20 == 19 or step == steps - 1:
            say(f"step {step + 1:4d}/{steps}   loss {loss:.3f}   right {100 * sum(right) / len(right):.1f} %")
            right = []
    return model.eval()


def judge_folder(name: str = "one") -> Path:
    """Where a judge is kept: "one", which reads one brief at a time, is committed; "pair" and "single" are made again by their runs."""
    return home() / ("data/reference" if name == "one" else "build") / "14_rlaif" / f"judge_{name}"


def start_of_judge() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The course's instruct model, to be trained whole; it has seen no brief of any model, no reader's choice and no score."""
    from ...models.instruct import load_instruct, reference_folder

    model, tokenizer = load_instruct(reference_folder())
    model.set_attn_implementation("eager")
    return model.requires_grad_(True), tokenizer


def save_judge(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Keep a judge as an ordinary folder, its weights in bfloat16, to be loaded in float32."""
    import torch

    small = copy.deepcopy(model).to(torch.bfloat16)
    small.save_pretrained(judge_folder(name))
    tokenizer.save_pretrained(judge_folder(name))
    config = json.loads((judge_folder(name) / "config.json").read_text(encoding="utf-8"))
    write_text(judge_folder(name) / "config.json", json.dumps(config | {"dtype": "float32"}, indent=2) + "\n")


def load_judge(name: str = "one") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A judge of the course, in evaluation mode. Raises `CourseError` when it is missing."""
    from ...models.load import load_model

    if not (judge_folder(name) / "model.safetensors").exists():
        raise CourseError(
            f"The judge is missing: {judge_folder(name)}.",
            "Restore it with: git checkout -- data/reference; or make it: course sweep 14_rlaif",
        )
    model, tokenizer = load_model(judge_folder(name))
    model.set_attn_implementation("eager")
    return model.eval(), tokenizer


def odds(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[str]], rules: Sequence[str | None]
) -> list[list[float]]:  # fmt: skip
    """`verdict_logits` of any number of rows, in batches of like length, without a gradient; in the rows' order."""
    import torch

    order = sorted(range(len(rows)), key=lambda i: sum(map(len, rows[i])))
    found: list[list[float]] = [[]] * len(rows)
    with torch.inference_mode():
        for start in range(0, len(order), 24):
            batch = order[start : start + 24]
            values = verdict_logits(model, tokenizer, [rows[i] for i in batch], rules)
            for i, row in zip(batch, values.tolist(), strict=True):
                found[i] = row
    return found
