"""What the section "Beyond one machine" shares: start a script in several processes here, and compare what two runs logged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ...base.errors import CourseError
from ...base.jsonl import write_text
from ...base.paths import home

PLACE = "runs/16_real_models/beyond"
PATIENCE = 300  # seconds
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "{n}")  # what `torchrun` is
ACCELERATE = (
    "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "{n}", "--num_machines", "1", "--mixed_precision", "no",
    "--dynamo_backend", "no",
)  # fmt: skip


def place(fresh: bool = True) -> Path:
    """The section's own folder under `runs/`, emptied: nothing else ever writes there."""
    import shutil

    folder = home() / PLACE
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def script(name: str, text: str) -> Path:
    """Write a script into the section's folder, and return its path."""
    path = place(fresh=False) / name
    write_text(path, text)
    return path


def start(*words: str | Path, processes: int = 2, launcher: tuple[str, ...] = TORCHRUN) -> str:
    """Run a script, or `-m` and a module, in so many processes on this machine's CPU; returns what they printed.

    One thread each (`OMP_NUM_THREADS=1`): two processes of two threads on two cores take many times as long. Raises `CourseError` with the
    last lines of a start that fails.
    """
    told = [part.replace("{n}", str(processes)) for part in launcher]
    path = os.pathsep.join(p for p in (str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH")) if p)
    quiet = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TORCH_CPP_LOG_LEVEL": "ERROR", "HF_HUB_OFFLINE": "1"}
    if sys.platform == "win32":
        quiet["USE_LIBUV"] = "0"  # PyTorch for Windows is built without it
    command = [sys.executable, *told, *map(str, words)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "PYTHONPATH": path, **quiet}
        )
    except subprocess.TimeoutExpired:
        raise CourseError(
            f"{processes} processes did not end within {PATIENCE} seconds.",
            "Close other programs; two processes that wait for a third wait for ever.",
        ) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = next((line for line in lines if "Error" in line or "world size" in line), lines[-1] if lines else "")
        raise CourseError(
            f"{processes} processes ended with status {done.returncode}: {said[:300]}", "Run the command in a terminal."
        )
    return done.stdout


def record(folder: str | Path) -> dict:
    """What a recipe's run wrote down about itself."""
    return json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))


def largest_difference(first: str | Path, second: str | Path) -> float:
    """The largest difference between two saved adapters, over all their numbers. Raises `CourseError` where they are not alike."""
    from safetensors.torch import load_file

    a, b = (load_file(Path(folder) / "adapter" / "adapter_model.safetensors") for folder in (first, second))
    if a.keys() != b.keys():
        raise CourseError("The two adapters have other tensors.", "Train both with one peft_config.")
    return max((a[key] - b[key]).abs().max().item() for key in a)


def shard_script() -> Path:
    """The script that shards a small network with `fully_shard`."""
    return Path(__file__).with_name("shard.py")
