"""The reference runs of the real column, and the same on the course's own model: `sweep("smollm2")`, `sweep("course")`.

Every technique trains on the same rows of `tone`, one epoch, with a rate from `methods.profile`, and is scored by `protocol`. A finished run
is one line of `data/reference/real/runs.jsonl`; a stopped sweep goes on where it stopped. On two idle cores a run of the real model takes
five to ten minutes, one of the course's model half a minute.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.errors import CourseError
from ...base.hardware import attention_for, bf16_wins, processor
from ...base.jsonl import write_jsonl
from ...data.instructions import load_instructions
from ...measure.real_column import MODELS, interval, runs, runs_file
from ...models.identity import sha256
from ..reference import read_rows
from .prompts import PROMPTS, prompt, prompted
from .protocol import NEW_TOKENS, evaluated, precision, scored, test_items
from .show import draw
from .techniques import TECHNIQUES, where

if TYPE_CHECKING:
    from datasets import Dataset

HEADLINE, ROWS, SEEDS = 1024, 512, (0, 1)
PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes")
LAST = ("LoRA, a fifth of the rate", "IA3", "prefix tuning")  # what the rest of the column comes before
Job = tuple[dict, Callable[[], dict]]


def jobs(model: str) -> Iterator[Job]:
    """All runs of one model (`smollm2` or `course`), those that matter most first: key, and the work that returns the rest of the line."""
    yield {"technique": "base, asked plainly", "seed": 0}, partial(plain_job, model)
    for name in PROMPTS:
        yield {"technique": "base, prompted", "prompt": name, "seed": 0}, partial(prompt_job, model, name)
    for seed in SEEDS:
        yield {"technique": "LoRA", "rows": HEADLINE, "seed": seed}, partial(tuned_job, model, "LoRA", HEADLINE, seed)
    for technique in TECHNIQUES:
        yield {"technique": technique, "rows": ROWS, "seed": 0}, partial(tuned_job, model, technique, ROWS, 0)


def sweep(
    model: str = "smollm2",
    say: Callable[[str], None] = print,
    wanted: Iterable[Job] | None = None,
    only: dict[str, Any] | None = None,
) -> Path:
    """Run what `wanted` (`jobs(model)` unless given) lists and the file has no line for; returns the file. Other lines stay as they are.

    `only` runs the jobs whose key holds all of it. Raises `CourseError` for an unknown model, one that has not been fetched, or an
    `only` that no job holds.
    """
    if model not in MODELS:
        raise CourseError(f"There is no real column for '{model}'.", f"Choose one of {', '.join(MODELS)}.")
    base, listed = _checksum(model), list(jobs(model) if wanted is None else wanted)
    chosen = [(key, work) for key, work in listed if (only or {}).items() <= key.items()]
    if not chosen:
        raise CourseError(f"No run of the real column has {only}.", f"Its keys look so: {json.dumps(listed[0][0])}.")
    for key, work in chosen:
        key = {"model": model} | key
        rows = read_rows(runs_file())
        if any(row["key"] == key and row["base_sha256"] == base for row in rows):
            continue
        say(f"{key['technique']} {key.get('prompt', key.get('rows', key.get('pairs', '')))} …")
        started = time.monotonic()
        found = work()
        row = {"key": key, "model": MODELS[model], "base_sha256": base, **found}
        row |= {"seconds": round(time.monotonic() - started, 1), **_machine()}
        kept = [r for r in read_rows(runs_file()) if r["key"] != key]
        write_jsonl(runs_file(), [*kept, row])
        for name, r in found["metrics"].items():
            if isinstance(r, dict) and "exact" in r:
                say(f"  {name}: exact {100 * r['exact']:.1f} %, lenient {100 * r['lenient']:.1f} % of {r['n']}")
        say(f"  {row['seconds']:.0f} s")
    picture()
    return runs_file()


def repeat(technique: str = "LoRA", model: str = "smollm2", say: Callable[[str], None] = print) -> dict:
    """Run a technique once more, with rows and a seed that no committed run had, and say how it compares; nothing is written.

    Returns the run's line. Raises `CourseError` for a technique that has no committed run, or a model that is not here.
    """
    mine = [row for row in runs(model, technique) if "rows" in row["key"]]
    if not mine:
        raise CourseError(f"There is no run of '{technique}' to repeat.", f"Choose one of {', '.join(TECHNIQUES)}.")
    base, rows = _checksum(model), max(row["key"]["rows"] for row in mine)
    mine = [row for row in mine if row["key"]["rows"] == rows]
    seed = 1 + max(row["key"]["seed"] for row in mine)
    before = interval(mine)
    say(f"{technique} on {MODELS[model]}, {rows:,} rows, seed {seed}: five to fifteen minutes on two cores …")
    found = {"key": {"model": model, "technique": technique, "rows": rows, "seed": seed}, "base_sha256": base}
    found |= tuned_job(model, technique, rows, seed) | _machine()
    now = interval([found])
    within = "overlap" if now.low <= before.high and before.low <= now.high else "do not overlap"
    for name, r in (("committed", before), ("this run", now)):
        say(f"{name:<10} {100 * r.value:.1f} % ({100 * r.low:.1f}–{100 * r.high:.1f}) of the hand-written sentences")
    say(f"The 95 % intervals {within}.")
    return found


def picture() -> Path:
    """Draw both models into `both.png` beside the runs, with its one-sentence summary in `both.txt`."""
    path = runs_file().with_name("both.png")
    path.with_suffix(".txt").write_text(draw(path) + "\n", encoding="utf-8")
    return path


# ------------------------------------------------------------------ one run each


def plain_job(model: str) -> dict:
    """The untrained model, asked with the rows' own instructions."""
    from ...models.load import load_model

    loaded, tokenizer = load_model(where(model))
    settings = {"prompt": "the row's own instruction, chat", "evaluation": _evaluation(NEW_TOKENS)}
    return {"metrics": evaluated(loaded, tokenizer), "settings": settings, "cost": {"trainable_parameters": 0}}


def prompt_job(model: str, name: str) -> dict:
    """The untrained model, asked with one of `PROMPTS`: on validation items, to choose by, and on the hand-written ones."""
    from ...models.load import load_model

    loaded, tokenizer = load_model(where(model))
    metrics = {}
    for place, rows in (
        ("validation", list(load_instructions("tone")["validation"])),
        ("in_the_wild", test_items()["in_the_wild"]),
    ):
        with precision():
            metrics[place] = scored(rows, prompted(loaded, tokenizer, name, rows))
    kind, text = prompt(name, "{text}")
    settings = {"prompt": text, "kind": kind, "evaluation": _evaluation("16 (chat) or 6 (continuation)")}
    return {"metrics": metrics, "settings": settings, "cost": {"trainable_parameters": 0}}


def tuned_job(model: str, technique: str, count: int, seed: int, data: Dataset | None = None) -> dict:
    """One training and its evaluation, with what it cost; on rows of `tone` unless `data` are given."""
    from ...measure.memory import checkpoint_bytes, peak_memory
    from ...methods.profile import profile_of
    from ...methods.sft import train
    from ...models.load import load_model

    quantization = "nf4" if technique == "QLoRA" else None
    loaded, tokenizer = load_model(where(model), quantization=quantization)
    suits = profile_of(loaded)
    peft_config, rate = TECHNIQUES[technique](suits, where(model))
    if data is None:
        data = load_instructions("tone")["train"].shuffle(seed=seed).select(range(count))
    started = time.monotonic()
    run = train(
        data, model=loaded, tokenizer=tokenizer, peft_config=peft_config, learning_rate=rate, batch_size=suits.batch,
        seed=seed, quiet=True,
    )  # fmt: skip
    trained = time.monotonic()
    metrics = evaluated(run.model, tokenizer)
    cost = {
        "trainable_parameters": run.trainable_parameters,
        "total_parameters": run.total_parameters,
        "checkpoint_bytes": checkpoint_bytes(run),
        "peak_memory_bytes": peak_memory(_step(run.model, tokenizer, data, suits.batch), run.model),
        "train_seconds": round(trained - started, 1),
        "evaluation_seconds": round(time.monotonic() - trained, 1),
        "tokens": run.tokens,
        "tokens_per_second": round(run.tokens / run.seconds, 1),
    }
    settings = {
        "rows": count, "epochs": 1, "batch": suits.batch, "learning_rate": rate, **on_this_machine(),
        "evaluation": _evaluation(NEW_TOKENS),
    }  # fmt: skip
    if peft_config is not None:
        settings["peft"] = _told(peft_config)
    if quantization:
        settings["quantization"] = quantization
    return {"metrics": metrics, "cost": cost, "settings": settings, "losses": [round(x, 4) for x in run.losses]}


# ------------------------------------------------------------------ small things


def _step(model, tokenizer, data, batch: int) -> Callable[[], None]:
    """One training step on a fixed batch of `batch` rows cut or padded to 96 tokens, for `peak_memory`; it changes no weight."""
    import torch
    import torch.nn.functional as F

    from ...data.instructions import prompt_text
    from ...models.generation import chat_prompt

    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    texts = [chat_prompt(tokenizer, prompt_text(r)) + r["output"] for r in data.select(range(batch))]
    encoded = tokenizer(
        texts, add_special_tokens=False, max_length=96, truncation=True, padding="max_length", return_tensors="pt"
    )
    ids = encoded["input_ids"]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with precision():
            logits = model(input_ids=ids, use_cache=False, logits_to_keep=torch.arange(-6, 0)).logits
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, -5:].flatten())
        loss.backward()
        optimizer.step()

    return step


def _told(config) -> dict:
    """The fields of a PEFT config that were set, as JSON."""
    plain = json.loads(json.dumps(config.to_dict(), default=lambda o: sorted(o) if isinstance(o, set) else str(o)))
    left_out = ("base_model_name_or_path", "tokenizer_name_or_path", "peft_version", "auto_mapping")
    return {k: v for k, v in plain.items() if v not in (None, [], {}, False) and k not in left_out}


def on_this_machine() -> dict[str, str]:
    """The precision and attention of training here."""
    bf16 = bf16_wins()
    return {"precision": "bf16 autocast" if bf16 else "float32", "attention": attention_for(bf16)}


def _evaluation(new) -> str:
    return f"{'bf16 autocast' if bf16_wins() else 'float32'}, greedy, {new} new tokens"


def _checksum(model: str) -> str:
    weights = Path(where(model)) / "model.safetensors"
    if not weights.exists():
        raise CourseError(f"The model {model} is not on this machine.", f"Type: course fetch {model}")
    return sha256(weights)


def _machine() -> dict:
    import torch

    return {
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "versions": {name: version(name).partition("+")[0] for name in PACKAGES},
    }
