"""`course doctor`: can this machine run the course? One line a check, `[ok]` or `[fail]` with the fix."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata

from ..base.errors import CourseError
from ..base.paths import home

PYTHON = (3, 11)
NEEDED_GB = 3.0
PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes", "matplotlib", "jupyterlab", "nbval")  # fmt: skip
EDITOR = ("jupyterlab", "nbval")  # Colab brings its own


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> str:
    """Python is new enough."""
    if version[:2] < PYTHON:
        raise CourseError(
            f"Python {'.'.join(map(str, version))} is too old.",
            "Install Python 3.11 or newer and make a new environment.",
        )
    return f"Python {'.'.join(map(str, version))}"


def check_packages() -> str:
    """Every package is installed in the version of the tested lock."""
    lock = {}
    for line in (home() / "requirements.txt").read_text().splitlines():
        name, found, rest = line.partition("==")
        if found:
            lock[name.strip().lower()] = rest.split(";")[0].strip()
    missing, other = [], []
    colab = "google.colab" in sys.modules
    for name in PACKAGES:
        if colab and name in EDITOR:
            continue
        try:
            have = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if have.split("+")[0] != lock.get(name, have):
            other.append(f"{name} {have} (tested: {lock[name]})")
    if missing:
        mend = "Restart the session and run the first cell again." if colab else "Run: pip install -r requirements.txt"
        raise CourseError(f"Not installed: {', '.join(missing)}.", mend)
    return "packages" + (f"; not the tested versions: {', '.join(other)}" if other else " as in the tested lock")


def check_model() -> str:
    """The base model's files match their checksums."""
    from ..models.identity import verify_base_model

    return f"base model, {len(verify_base_model())} files with the right checksums"


def check_data() -> str:
    """The instruction data can be read."""
    from ..data.instructions import read_jsonl

    rows = read_jsonl(home() / "data" / "instructions" / "train.jsonl")
    return f"instruction data, {len(rows):,} training rows"


def check_disk(free: float | None = None) -> str:
    """There is room for checkpoints."""
    free = shutil.disk_usage(home()).free / 1e9 if free is None else free
    if free < NEEDED_GB:
        raise CourseError(
            f"Only {free:.1f} GB are free; the course's checkpoints need {NEEDED_GB:.0f} GB.",
            "Free some space, or run: course reset",
        )
    return f"{free:.0f} GB free"


def check_memory() -> str:
    """There is enough memory."""
    import psutil

    memory = psutil.virtual_memory().available / 1e9
    if memory < 4:
        raise CourseError(f"Only {memory:.1f} GB of memory are free; the course needs 4 GB.", "Close other programs.")
    return f"{memory:.0f} GB of memory free, {os.cpu_count()} cores"


def check_compute() -> str:
    """What the models will run on."""
    import torch

    from ..base.hardware import precision

    if not torch.cuda.is_available():
        return f"no GPU: none is needed; cl.train computes in {precision()}"
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    scaled = " with loss scaling, since it has no units for bfloat16" if precision() == "float16" else ""
    return f"GPU {torch.cuda.get_device_name()}, {memory:.0f} GiB; cl.train computes in {precision()}{scaled}"


CHECKS: tuple[Callable[[], str], ...] = (
    check_python, check_packages, check_model, check_data, check_disk, check_memory, check_compute,
)  # fmt: skip


def run(say: Callable[[str], None] = print) -> bool:
    """Run every check, print a line each, and return whether all passed."""
    fine = True
    for check in CHECKS:
        try:
            say(f"[ok]   {check()}")
        except CourseError as error:
            fine = False
            say(f"[fail] {error.what} {error.next}")
    return fine
