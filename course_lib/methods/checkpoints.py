"""Checkpoints of `train`: sealed when whole, recognised as this run's own, and refused before the disk is full.

A checkpoint is the Trainer's folder `checkpoint-<step>`: weights as safetensors, and the optimizer's moments and the state of the
random generators as PyTorch's pickles, which transformers reads with `weights_only`. They are temporary files of this machine:
resume from your own only, and publish none. `SEAL` is written last. It names the run and holds the checksum of every
file, so that a folder that was cut short, by `kill -9` or by a full disk, is never taken for a checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.processes import is_first, wait
from ..models.identity import sha256

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, TrainerCallback


SEAL = "course_run.json"
BEGUN = f"{SEAL}.part"  # written first: a folder with it and without the seal was cut short
KEPT = 2  # checkpoints that stay on disk; the one before the newest is the fallback
SPARE = 20_000_000  # bytes beside weights and moments: the tokenizer, state and logs
NO_MATTER = (
    "output_dir",
    "logging",
    "save",
    "report_to",
    "disable_tqdm",
    "push",
    "hub",
    "run_name",
    "project",
    "trackio",
)


# ------------------------------------------------------------------ whose checkpoint


def fingerprint(
    model: PreTrainedModel, rows: Dataset, peft_config: PeftConfig | None, settings: dict
) -> dict[str, Any]:
    """What makes two runs the same: the weights at the start, the rows, the adapter, and the settings that change the result."""
    import torch

    base = hashlib.sha256()
    for name, parameter in model.named_parameters():
        base.update(f"{name} {tuple(parameter.shape)}".encode())
        base.update(parameter.data.cpu().contiguous().view(-1).view(torch.uint8).numpy())
    adapter = peft_config.to_dict() if peft_config is not None else {}
    told = {f"adapter {k}": v for k, v in adapter.items()} | {
        k: v for k, v in settings.items() if not k.startswith(NO_MATTER)
    }
    found = {"base model": base.hexdigest(), "rows": _hash(json.dumps(list(rows)).encode())} | told
    return json.loads(json.dumps(found, default=lambda v: sorted(map(str, v)) if isinstance(v, set) else str(v)))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------ whole or broken


def seal(folder: Path, mine: dict[str, Any], seconds: float = 0.0) -> None:
    """Declare a checkpoint whole: write down whose it is, how long it took so far, and the checksum of each file."""
    files = {f.name: sha256(f) for f in sorted(folder.iterdir()) if f.is_file() and f.name not in (SEAL, BEGUN)}
    unfinished = folder / BEGUN
    unfinished.write_text(
        json.dumps({"run": mine, "seconds": round(seconds, 2), "files": files}, indent=1) + "\n", encoding="utf-8"
    )
    os.replace(unfinished, folder / SEAL)


def seconds_of(folder: Path) -> float:
    """Seconds of training that a whole checkpoint holds."""
    return float(json.loads((folder / SEAL).read_text(encoding="utf-8")).get("seconds", 0.0))


def fault(folder: Path) -> str | None:
    """Why a checkpoint cannot be used, or `None` if it is whole."""
    try:
        files = json.loads((folder / SEAL).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return "it was never finished"
    except (ValueError, KeyError, TypeError):
        return f"{SEAL} in it cannot be read"
    for name, expected in files.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256(folder / name) != expected:
            return f"{name} was cut short or changed"
    return None


def newest_whole(output_dir: Path, mine: dict[str, Any]) -> Path | None:
    """The newest usable checkpoint of this run, or `None`; each broken one that is passed over is named in a printed sentence.

    Raises `CourseError` if the checkpoints belong to another run: another base, other rows, another adapter or other settings.
    """
    found = sorted(output_dir.glob("checkpoint-*"), key=_step, reverse=True)
    for place, folder in enumerate(found):
        reason = fault(folder)
        if reason is None:
            _same_run(json.loads((folder / SEAL).read_text(encoding="utf-8"))["run"], mine, folder)
            return folder
        then = "the one before it is tried" if place + 1 < len(found) else "training starts from the beginning"
        print(f"The checkpoint {folder} is not usable, since {reason}; {then}.")
    return None


def owner(folder: Path) -> dict[str, Any] | None:
    """The run that wrote a checkpoint, as far as it can be read; `None` for a folder that no training of the course has written."""
    for name in (SEAL, BEGUN):
        if (folder / name).exists():
            try:
                return dict(json.loads((folder / name).read_text(encoding="utf-8"))["run"])
            except (ValueError, KeyError, TypeError):
                return {}
    return None


def precision(output_dir: Path) -> str | None:
    """In which precision the run whose checkpoints lie in a folder computes; `None` without a checkpoint that says so."""
    for folder in sorted(output_dir.glob("checkpoint-*"), key=_step, reverse=True):
        said = owner(folder) or {}
        if isinstance(said.get("bf16"), bool):
            return "bfloat16" if said["bf16"] else "float16" if said.get("fp16") is True else "float32"
    return None


def check_folder(output_dir: Path, mine: dict[str, Any], resume: bool) -> None:
    """Raises `CourseError` unless all checkpoints in a folder are this run's own, and it is resumed: only those are ever removed."""
    for folder in sorted(output_dir.glob("checkpoint-*"), key=_step):
        theirs = owner(folder)
        if theirs is None:
            raise CourseError(
                f"{folder} was not written by this course, and a run removes older checkpoints from its folder.",
                "Give this run an output_dir of its own.",
            )
        if not resume:
            raise CourseError(
                f"{output_dir} holds checkpoints of an earlier run ({folder.name}).",
                "Give this run an output_dir of its own, or go on with that one: resume=True.",
            )
        if theirs:
            _same_run(theirs, mine, folder)


def _step(folder: Path) -> int:
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _same_run(theirs: dict[str, Any], mine: dict[str, Any], folder: Path) -> None:
    def shown(value: Any) -> str:
        return f"{value[:8]}…" if isinstance(value, str) and len(value) == 64 else str(value)

    names = [name for name in {**theirs, **mine} if theirs.get(name) != mine.get(name)]
    if names:
        told = [f"{name} (there {shown(theirs.get(name))}, here {shown(mine.get(name))})" for name in names[:4]]
        raise CourseError(
            f"The checkpoint {folder} belongs to another run; they differ in {', '.join(told)}.",
            "Give this run an output_dir of its own, or call it with the arguments, the rows and the model of that one.",
        )


# ------------------------------------------------------------------ room on the disk


def estimate(model: PreTrainedModel) -> int:
    """Bytes of one checkpoint: the weights that are saved (of an adapter its own), and two moments a trained weight."""
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    everything = sum(p.numel() * p.element_size() for p in model.parameters())
    return (trained if hasattr(model, "peft_config") else everything) + 2 * trained + SPARE


def check_room(output_dir: Path, one: int, checkpoints: int = 1) -> None:
    """Raises `CourseError` before anything is written if the disk does not hold so many checkpoints of `one` bytes."""
    free, needed = shutil.disk_usage(output_dir).free, checkpoints * one
    if free < needed:
        raise CourseError(
            f"The disk that holds {output_dir} is too full: {checkpoints} checkpoint{'s' if checkpoints > 1 else ''} of "
            f"{one / 1e6:,.0f} MB need {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free.",
            "Free some space, choose an output_dir on another disk, or save nothing with save_strategy='no'.",
        )


def keeper(output_dir: Path, mine: dict[str, Any], one: int, clock: Callable[[], float]) -> TrainerCallback:
    """A callback that clears the place of a checkpoint and checks the disk before it is written, and seals it afterwards.

    `clock()` are the seconds trained so far.
    """
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if control.should_save and is_first():
                place = output_dir / f"checkpoint-{state.global_step}"
                if place.exists() and owner(place) is None:
                    raise CourseError(
                        f"{place} was not written by this course.", "Give this run an output_dir of its own."
                    )
                shutil.rmtree(place, ignore_errors=True)
                check_room(output_dir, one)
                place.mkdir(parents=True)
                (place / BEGUN).write_text(json.dumps({"run": mine}) + "\n", encoding="utf-8")
            if control.should_save:
                wait()

        def on_save(self, args, state, control, **kwargs):
            wait()  # each process has written the state of its random generators
            if is_first():
                seal(output_dir / f"checkpoint-{state.global_step}", mine, clock())
            wait()

    return Keeper()


def restore(model: PreTrainedModel, folder: Path) -> None:
    """Put the weights of a checkpoint into the model of the same run."""
    from safetensors.torch import load_file

    if hasattr(model, "peft_config"):
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
    else:
        model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)  # tied weights are saved once
