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

from ..base.errors import CourseError
from ..base.hardware import note, processor_name
from ..base.quiet import hushed
from ..models.generation import ROW_TOKENS

if TYPE_CHECKING:
    from datasets import Dataset


BATCH, RATE, WARM_UP = 16, 5e-4, 0.1

SHAPES = {  # SmolLM2-135M's configuration; the rows are tokenized by the course's tokenizer
    "course": None,
    "135m": {
        "vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 2048, "tie_word_embeddings": True,
    },
}  # fmt: skip
NOTED = 1.05  # bf16 has to be so many times as fast as float32 to be chosen: less is noise


@dataclass
class Bench:
    """What was measured: speeds of each round, and (if asked for) accuracy on unseen rows after one pass."""

    rounds: dict[str, list[float]]
    processor: str = ""
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
        return json.dumps({"processor": self.processor, "tokens_per_second": speeds} | ratios, indent=1)

    def __str__(self) -> str:
        lines = []
        for name, speed in self.tokens_per_second.items():
            spread = f"{min(self.rounds[name]):,.0f}–{max(self.rounds[name]):,.0f}"
            lines.append(
                f"{name:<11} {speed:8,.0f} tokens/s   (rounds {spread})   {self.accuracy.get(name, '')}".rstrip()
            )
        told = f"{self.ratio('plain_loop'):.2f} × the plain loop, {self.ratio('trl'):.2f} × TRL with CPU flags"
        return "\n".join([*lines, f"cl.train: {told}", f"processor: {self.processor}"])


def run(
    *,
    rows: int = 512,
    rounds: int = 5,
    scored: int = 0,
    shape: str = "course",
    measure_bf16: bool = True,
    remember: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Bench:
    """Time the three on `rows` rows of the tone task, `rounds` times; `scored` test rows give the accuracy of the last round.

    `shape` is what is trained: `"course"`, all weights of the course's model, or `"135m"`, LoRA on random weights in the shape of
    SmolLM2-135M. Before that, bf16 is timed against float32 in `cl.train`, and eager attention against PyTorch's fused one. With `remember` later runs on this machine use the winner; without, nothing
    about them changes.
    """
    from ..base.hardware import bf16_pays
    from ..data.instructions import load_instructions
    from ..measure.evaluation import evaluate

    data = load_instructions("tone")
    picked = data["train"].select(range(rows))
    if measure_bf16 and bf16_pays():  # without units for it bf16 is emulated, many times as slow
        say(f"bf16 autocast: {compare_bf16(picked.select(range(min(rows, 8 * BATCH))), remember=remember)}")
        say(
            f"eager attention in bf16: {compare_attention(picked.select(range(min(rows, 8 * BATCH))), shape):.2f} × the fused one"
        )
    few = picked.select(range(min(rows, 2 * BATCH)))
    subject = {} if shape == "course" else {"shape": shape}
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    accuracy = {}
    for contend in CONTENDERS.values():
        contend(few, 0, **subject)  # imports and allocations are not what is compared
    for number in range(rounds):
        names = list(CONTENDERS)
        for name in names[number % 3 :] + names[: number % 3]:
            model, tokenizer, tokens, seconds = CONTENDERS[name](picked, number, **subject)
            speeds[name].append(tokens / seconds)
            say(f"round {number + 1}/{rounds}   {name:<11} {tokens / seconds:8,.0f} tokens/s")
            if scored and number == rounds - 1 and shape == "course":
                accuracy[name] = evaluate(model, tokenizer, data["test"], count=scored)
    return Bench(speeds, processor_name(), accuracy)


def subject_of(shape: str) -> tuple[Any, Any, Any]:
    """Model, tokenizer and PEFT configuration of a shape. Raises `CourseError` for an unknown one."""
    import torch
    from peft import LoraConfig
    from transformers import LlamaConfig, LlamaForCausalLM

    from ..models.load import load_model, load_tokenizer

    if shape not in SHAPES:
        raise CourseError(f"There is no shape '{shape}'.", f"Choose one of {', '.join(SHAPES)}.")
    if SHAPES[shape] is None:
        return *load_model(), None
    tokenizer = load_tokenizer()
    torch.manual_seed(0)
    marks = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model = LlamaForCausalLM(LlamaConfig(**SHAPES[shape], **marks))
    return model, tokenizer, LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")


def course(rows: Dataset, seed: int, shape: str = "course") -> tuple[Any, Any, int, float]:
    """`cl.train`, as everywhere in the course."""
    from ..methods.sft import train

    model, tokenizer, lora = subject_of(shape)
    options = {"learning_rate": RATE, "batch_size": BATCH, "seed": seed, "quiet": True}
    run = train(rows, model=model, tokenizer=tokenizer, peft_config=lora, **options)
    return run.model, run.tokenizer, run.tokens, run.seconds


def trl(rows: Dataset, seed: int, shape: str = "course") -> tuple[Any, Any, int, float]:
    """`SFTTrainer` in float32, with the flags without which it does not start or does worse on a CPU."""
    import torch

    with hushed():
        from transformers import PrinterCallback
        from trl import SFTConfig, SFTTrainer

    from ..data.instructions import to_messages

    model, tokenizer, lora = subject_of(shape)
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
            max_length=ROW_TOKENS,
            completion_only_loss=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=seed,
        )
        data = to_messages(rows)
        trainer = SFTTrainer(model, args=config, train_dataset=data, processing_class=tokenizer, peft_config=lora)
        trainer.remove_callback(PrinterCallback)
        tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
        started = time.monotonic()
        trainer.train()
    seconds = time.monotonic() - started
    model.__dict__.pop("forward", None)  # SFTTrainer leaves its own behind
    return model.eval(), tokenizer, tokens, seconds


def plain_loop(rows: Dataset, seed: int, shape: str = "course") -> tuple[Any, Any, int, float]:
    """The loop that everybody writes first: random batches, padding, float32, AdamW, all logits."""
    import torch
    from peft import get_peft_model
    from transformers import get_cosine_schedule_with_warmup

    model, tokenizer, lora = subject_of(shape)
    model = get_peft_model(model, lora) if lora else model
    examples = [encode(row, tokenizer) for row in rows]
    torch.manual_seed(seed)
    random.Random(seed).shuffle(examples)
    steps = math.ceil(len(examples) / BATCH)
    started = time.monotonic()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE, weight_decay=0.0)
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
    return whole[:ROW_TOKENS], ([-100] * n + whole[n:])[:ROW_TOKENS]


def padded(batch: list[tuple[list[int], list[int]]], pad: int) -> dict:
    """Tensors of a batch, filled up on the right."""
    import torch

    width = max(len(ids) for ids, _ in batch)
    return {
        "input_ids": torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in batch]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in batch]),
        "labels": torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in batch]),
    }


def compare_attention(rows: Dataset, shape: str = "course", rounds: int = 2) -> float:
    """How many times as fast a bf16 step is with eager attention as with PyTorch's fused one: a plain loop, in turns."""
    import torch

    seconds: dict[str, list[float]] = {"sdpa": [], "eager": []}
    for number in range(rounds + 1):
        for kind in seconds:
            model, tokenizer, _ = subject_of(shape)
            model.set_attn_implementation(kind)
            examples = [encode(row, tokenizer) for row in rows]
            started = time.monotonic()
            for place in range(0, len(examples), BATCH):
                inputs = padded(examples[place : place + BATCH], tokenizer.pad_token_id)
                with torch.autocast(model.device.type, torch.bfloat16):
                    loss = model(**{k: v.to(model.device) for k, v in inputs.items()}, use_cache=False).loss
                loss.backward()
            if number:  # the first is a warm-up
                seconds[kind].append(time.monotonic() - started)
    return median(seconds["sdpa"]) / median(seconds["eager"])


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
