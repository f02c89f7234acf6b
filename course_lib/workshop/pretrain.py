"""The training of the course's base model: corpus → tokenizer → a small Llama, from nothing.

    course corpus --documents 1000 --seed 0      look at what the model reads
    course pretrain --minutes 10                 a young model, in `build/pretrain/`
    course pretrain                               the committed one
    course pretrain --publish                    copy the finished model to `data/base_model`

Everything is checkpointed and goes on where it stopped. One lock file keeps two training commands from running
at once, since two of them on two cores are 5–12 times slower than one after the other.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from ..base.errors import CourseError
from ..base.hardware import bf16_pays
from ..base.paths import home
from .base_network import build_model, build_optimizers
from .base_recipe import Recipe, read_recipe
from .base_text import encode_corpus, train_tokenizer


def _save_checkpoint(folder: Path, model, optimizers: list, state: dict) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {f"model.{name}": value for name, value in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, slots in optimizer.state_dict()["state"].items():
            for key, value in slots.items():
                tensors[f"optimizer.{number}.{index}.{key}"] = torch.as_tensor(value)
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, fresh / "state.safetensors")
    (fresh / "state.json").write_text(json.dumps(state))
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _load_checkpoint(folder: Path, model, optimizers: list) -> dict | None:
    """Restore the newest readable checkpoint (`last`, else the one before, `last.old`); None when there is none."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if not candidate.exists():
            continue
        try:
            tensors = load_file(candidate / "state.safetensors")
            state = json.loads((candidate / "state.json").read_text())
        except (SafetensorError, FileNotFoundError, json.JSONDecodeError) as error:
            print(f"checkpoint {candidate} is damaged ({type(error).__name__}); trying the one before")
            continue
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        for number, optimizer in enumerate(optimizers):
            packed = optimizer.state_dict()
            slots: dict[int, dict] = {}
            for name, value in tensors.items():
                kind, *where = name.split(".", 3)
                if kind == "optimizer" and int(where[0]) == number:
                    slots.setdefault(int(where[1]), {})[where[2]] = value
            optimizer.load_state_dict({"state": slots, "param_groups": packed["param_groups"]})
        return state
    return None


def pretrain(
    recipe: Recipe,
    folder: Path | None = None,
    *,
    minutes: float | None = None,
    save_every: int = 200,
    compile_model: bool = True,
    progress=print,
) -> Path:
    """Train the base model from nothing, or go on from the last checkpoint, and return its folder.

    `minutes` sets the number of tokens from the speed of the first steps, so that the whole schedule fits. Raises
    `CourseError` when another training command holds the lock or when an earlier run used another recipe.
    """
    from filelock import FileLock, Timeout

    folder = folder or home() / "build" / "pretrain"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "recipe.json").exists() and any(path.name != "training.lock" for path in folder.iterdir()):
        raise CourseError(
            f"{folder} holds other things than a pretraining.", "Give an empty folder, or one that does not exist yet."
        )
    try:
        with FileLock(folder / "training.lock", timeout=0):
            return _pretrain(recipe, folder, minutes, save_every, compile_model, progress)
    except Timeout:
        raise CourseError(
            f"Another training command is running in {folder}.",
            "Wait for it to end; two at once on the same cores are many times slower than one after the other.",
        ) from None


def _pretrain(recipe, folder, minutes, save_every, compile_model, progress) -> Path:
    import numpy as np
    import torch
    from transformers import AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    saved = folder / "recipe.json"
    if saved.exists():
        earlier = read_recipe(saved)
        if minutes is None and earlier != recipe:
            raise CourseError(
                f"{folder} holds a run with another recipe.",
                "Give the same options to resume it, or delete the folder to start anew.",
            )
        recipe = earlier
    elif minutes is not None:
        recipe = Recipe.of(_tokens_for(recipe, minutes, device, progress), seed=recipe.seed)
    saved.write_text(json.dumps(asdict(recipe), indent=1))

    if (folder / "tokenizer.json").exists():
        tokenizer = AutoTokenizer.from_pretrained(folder)
    else:
        tokenizer = train_tokenizer(folder, recipe)
    encode_corpus(folder / "corpus.bin", tokenizer, recipe, progress)
    tokens = np.memmap(folder / "corpus.bin", dtype=np.uint16, mode="r")

    model = build_model(recipe, tokenizer).to(device)
    optimizers = build_optimizers(model, recipe)
    state = _load_checkpoint(folder / "last", model, optimizers) or {"step": 0, "seconds": 0.0, "log": []}
    forward = torch.compile(model, dynamic=False) if compile_model else model
    use_bf16 = bf16_pays(device)
    started, first, starts = time.monotonic(), state["step"], recipe.starts[1:]
    running: list[torch.Tensor] = []
    model.train()
    for step in range(first, recipe.steps):
        if step in starts:
            optimizers = build_optimizers(model, recipe)
        begins, ends = recipe.reads(step)
        rows = np.asarray(tokens[begins:ends], dtype=np.int64)
        batch = torch.from_numpy(rows).view(-1, recipe.row_length(step))
        batch = batch.pin_memory().to(device, non_blocking=True) if device == "cuda" else batch
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step)
        with torch.autocast(device, torch.bfloat16, enabled=use_bf16):
            loss = forward(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        running.append(loss.detach())
        done = step + 1
        if done % 20 == 0 or done == recipe.steps:
            seconds = time.monotonic() - started
            speed = (ends - recipe.reads(first)[0]) / seconds
            value = float(torch.stack(running).mean())
            running.clear()
            state["log"].append({"tokens": ends, "loss": round(value, 4)})
            left = (recipe.tokens - ends) / speed / 60
            progress(f"step {done:,}/{recipe.steps:,}  loss {value:.3f}  {speed:,.0f} tokens/s  {left:.0f} min left")
        if done % save_every == 0 or done == recipe.steps:
            record = {**state, "step": done, "seconds": state["seconds"] + time.monotonic() - started}
            _save_checkpoint(folder / "last", model, optimizers, record)
    final = json.loads((folder / "last" / "state.json").read_text())
    return _export(folder, model, tokenizer, recipe, final)


def _tokens_for(recipe: Recipe, minutes: float, device: str, progress) -> int:
    """How many tokens fit into `minutes` on this machine, from twelve timed steps, less a tenth."""
    import torch

    class Ends:
        bos_token_id, eos_token_id, pad_token_id = 0, 2, 3

    model = build_model(recipe, Ends).to(device)
    optimizers = build_optimizers(model, recipe)
    size = recipe.cycles[0][2]
    batch = torch.randint(4, recipe.vocabulary, (size // recipe.context, recipe.context), device=device)
    for step in range(12):
        if step == 2:
            started = time.monotonic()
        with torch.autocast(device, torch.bfloat16, enabled=bf16_pays(device)):
            model(input_ids=batch, labels=batch, use_cache=False).loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    speed = 10 * batch.numel() / (time.monotonic() - started)
    progress(f"measured {speed:,.0f} tokens/s; planning {minutes:g} minutes")
    return int(0.9 * speed * minutes * 60)


def _export(folder: Path, model, tokenizer, recipe: Recipe, state: dict) -> Path:
    """The finished model as Hugging Face files: bf16 on disk, a config that says float32, so that it loads as float32."""
    import copy

    import torch

    target = folder / "model"
    shutil.rmtree(target, ignore_errors=True)
    out = copy.deepcopy(model).to("cpu", torch.bfloat16)
    out.generation_config.update(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    out.save_pretrained(target)
    config = json.loads((target / "config.json").read_text())
    config["dtype"] = "float32"
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save_pretrained(target)
    log = {
        "recipe": asdict(recipe),
        "seconds": round(state["seconds"]),
        "hardware": _hardware(),
        "log": state["log"],
    }
    (target / "training_log.json").write_text(json.dumps(log) + "\n")
    return target


def _hardware() -> str:
    import platform

    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads ({platform.machine()})"
