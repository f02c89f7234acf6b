"""How fast this machine trains on short rows, three ways in turns: `course bench`.

`course_lib` is `cl.train`; `plain_loop` is the loop of a first tutorial, in float32 and random order; `trl` is `SFTTrainer` with
the flags that a CPU needs and nothing else. All three see the same model, rows, batches' size, rate and schedule, in one process, one
after another, over several rounds: what else the machine does meets all of them alike. Speed is tokens that are not padding,
per second of training alone; the median of the rounds is reported.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..base.hardware import note
from ..base.quiet import hushed

if TYPE_CHECKING:
    from datasets import Dataset


BATCH, RATE, WARM_UP = 16, 5e-4, 0.1

NOTED = 1.05  # bf16 has to be so many times as fast as float32 to be chosen: less is noise


@dataclass
class Bench:
    """What was measured: speeds of each round, and (if asked for) accuracy on unseen rows after one pass."""

    rounds: dict[str, list[float]]
    accuracy: dict[str, Any] = field(default_factory=dict)

    @property
    def tokens_per_second(self) -> dict[str, float]:
        return {name: median(speeds) for name, speeds in self.rounds.items()}

    def ratio(self, other: str) -> float:
        """How many times as fast as `other` `cl.train` is."""
        return self.tokens_per_second["course_lib"] / self.tokens_per_second[other]

    def as_json(self) -> str:
        """The figures alone, for a program to read."""
        speeds = {name: round(speed, 1) for name, speed in self.tokens_per_second.items()}
        ratios = {f"ratio_to_{name}": round(self.ratio(name), 3) for name in ("plain_loop", "trl")}
        return json.dumps({"tokens_per_second": speeds} | ratios, indent=1)

    def __str__(self) -> str:
        lines = []
        for name, speed in self.tokens_per_second.items():
            spread = f"{min(self.rounds[name]):,.0f}–{max(self.rounds[name]):,.0f}"
            lines.append(
                f"{name:<11} {speed:8,.0f} tokens/s   (rounds {spread})   {self.accuracy.get(name, '')}".rstrip()
            )
        told = f"{self.ratio('plain_loop'):.2f} × the plain loop, {self.ratio('trl'):.2f} × TRL with CPU flags"
        return "\n".join([*lines, f"cl.train: {told}"])


def run(
    *,
    rows: int = 512,
    rounds: int = 5,
    scored: int = 0,
    measure_bf16: bool = True,
    remember: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Bench:
    """Time the three on `rows` rows of the tone task, `rounds` times; `scored` test rows give the accuracy of the last round.

    Before that, bf16 is timed against float32 in `cl.train`. With `remember` later runs on this machine use the winner; without, nothing
    about them changes.
    """
    from ..base.hardware import bf16_pays
    from ..data.instructions import load_instructions
    from ..measure.evaluation import evaluate

    data = load_instructions("tone")
    picked = data["train"].select(range(rows))
    if measure_bf16 and bf16_pays():  # without units for it bf16 is emulated, many times as slow
        say(f"bf16 autocast: {compare_bf16(picked.select(range(min(rows, 8 * BATCH))), remember=remember)}")
    few = picked.select(range(min(rows, 2 * BATCH)))
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    accuracy = {}
    for contend in CONTENDERS.values():
        contend(few, 0)  # imports and allocations are not what is compared
    for number in range(rounds):
        names = list(CONTENDERS)
        for name in names[number % 3 :] + names[: number % 3]:
            model, tokenizer, tokens, seconds = CONTENDERS[name](picked, number)
            speeds[name].append(tokens / seconds)
            say(f"round {number + 1}/{rounds}   {name:<11} {tokens / seconds:8,.0f} tokens/s")
            if scored and number == rounds - 1:
                accuracy[name] = evaluate(model, tokenizer, data["test"], limit=scored)
    return Bench(speeds, accuracy)


def course(rows: Dataset, seed: int) -> tuple[Any, Any, int, float]:
    """`cl.train`, as everywhere in the course."""
    from ..methods.sft import train

    run = train(rows, learning_rate=RATE, batch_size=BATCH, seed=seed, quiet=True)
    return run.model, run.tokenizer, run.tokens, run.seconds


def trl(rows: Dataset, seed: int) -> tuple[Any, Any, int, float]:
    """`SFTTrainer` in float32, with the flags without which it does not start or does worse on a CPU."""
    import torch

    with hushed():
        from transformers import PrinterCallback
        from trl import SFTConfig, SFTTrainer

    from ..data.instructions import to_messages
    from ..models.load import load_model

    model, tokenizer = load_model()
    with TemporaryDirectory(prefix="course-") as folder, hushed():
        config = SFTConfig(
            output_dir=folder,
            use_cpu=not torch.cuda.is_available(),
            bf16=False,
            fp16=False,
            activation_checkpointing=False,
            dataloader_pin_memory=False,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            learning_rate=RATE,
            lr_scheduler_type="cosine",
            warmup_steps=int(WARM_UP * math.ceil(len(rows) / BATCH)),
            weight_decay=0.0,
            max_length=512,
            completion_only_loss=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=seed,
        )
        trainer = SFTTrainer(model, args=config, train_dataset=to_messages(rows), processing_class=tokenizer)
        trainer.remove_callback(PrinterCallback)
        tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
        started = time.monotonic()
        trainer.train()
    seconds = time.monotonic() - started
    model.__dict__.pop("forward", None)  # SFTTrainer leaves its own behind
    return model.eval(), tokenizer, tokens, seconds


def plain_loop(rows: Dataset, seed: int) -> tuple[Any, Any, int, float]:
    """The loop that everybody writes first: random batches, padding, float32, AdamW, all logits."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    from ..models.load import load_model

    model, tokenizer = load_model()
    examples = [encode(row, tokenizer) for row in rows]
    torch.manual_seed(seed)
    random.Random(seed).shuffle(examples)
    steps = math.ceil(len(examples) / BATCH)
    started = time.monotonic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimizer, int(WARM_UP * steps), steps)
    model.train()
    for step in range(steps):
        batch = examples[step * BATCH : (step + 1) * BATCH]
        inputs = {name: tensor.to(model.device) for name, tensor in padded(batch, tokenizer.pad_token_id).items()}
        model(**inputs, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    seconds = time.monotonic() - started
    return model.eval(), tokenizer, sum(len(ids) for ids, _ in examples), seconds


CONTENDERS = {"course_lib": course, "plain_loop": plain_loop, "trl": trl}


def encode(row: dict, tokenizer) -> tuple[list[int], list[int]]:
    """Token ids of prompt and answer in the chat template, and labels that are −100 on the prompt."""
    from ..data.instructions import prompt_text
    from ..models.generation import chat_prompt

    asked = chat_prompt(tokenizer, prompt_text(row))
    turns = [{"role": "user", "content": prompt_text(row)}, {"role": "assistant", "content": row["output"]}]
    whole = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"]
    n = len(tokenizer(asked, add_special_tokens=False)["input_ids"])
    return whole[:512], ([-100] * n + whole[n:])[:512]


def padded(batch: list[tuple[list[int], list[int]]], pad: int) -> dict:
    """Tensors of a batch, filled up on the right."""
    import torch

    width = max(len(ids) for ids, _ in batch)
    return {
        "input_ids": torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in batch]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in batch]),
        "labels": torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in batch]),
    }


def compare_bf16(rows: Dataset, rounds: int = 3, *, remember: bool = False) -> str:
    """Time `cl.train` in bf16 and in float32, in turns; returns a sentence. With `remember` the winner is noted for this machine."""
    from ..base.hardware import bf16_wins
    from ..methods.sft import train

    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds + 1):
        for bf16 in (True, False):
            run = train(rows, learning_rate=RATE, batch_size=BATCH, quiet=True, bf16=bf16)
            if number:  # the first is a warm-up
                seconds[bf16].append(run.seconds)
    ratio = median(seconds[False]) / median(seconds[True])
    wins = ratio >= NOTED
    told = f"{ratio:.2f} × the speed of float32 here"
    if remember:
        note(wins)
        return f"{told}, so from now on it is {'used' if wins else 'not used'}"
    used = bf16_wins()
    advice = "" if used == wins else "; to change that: course bench --remember"
    return f"{told}; cl.train {'uses' if used else 'does not use'} it{advice}"
