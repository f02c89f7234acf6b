"""Which precision wins on this machine: what `course bench --remember` noted, else what the processor has units for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .paths import home

if TYPE_CHECKING:
    pass


LONG = 512  # tokens
TENSOR_CORES = (7, 0)  # compute capability from which a card has fast float16 products (Volta)


def bf16_wins() -> bool:
    """Whether `cl.train` uses bf16 autocast on this CPU: as noted by `course bench --remember`, else where there are units for it."""

    try:
        return bool(json.loads(_memory().read_text(encoding="utf-8"))[_machine()])
    except (OSError, ValueError, KeyError, TypeError):
        return bf16_pays()


def precision() -> str:
    """In which precision `cl.train` computes here: `"bfloat16"`, `"float16"` or `"float32"`.

    On a GPU by what the card has units for: bfloat16 (Ampere and later), else float16 with loss scaling (Volta and Turing, such as
    Colab's T4, which would only emulate bfloat16), else float32 (before Volta). On a CPU `bf16_wins`.
    """
    import torch

    if not torch.cuda.is_available():
        return "bfloat16" if bf16_wins() else "float32"
    if bf16_pays("cuda"):
        return "bfloat16"
    return "float16" if torch.cuda.get_device_capability() >= TENSOR_CORES else "float32"


def note(wins: bool) -> None:
    """Write the finding into `build/bf16.json`; a folder that cannot be written to is no reason to stop."""
    path = _memory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({_machine(): wins}) + "\n", encoding="utf-8")
    except OSError:
        pass


def _memory() -> Path:
    return home() / "build" / "bf16.json"


def _machine() -> str:
    """What the finding depends on: the processor's units, the threads, the version of torch."""
    import torch

    return f"{torch.backends.cpu.get_cpu_capability()} {os.cpu_count()} {torch.get_num_threads()} {torch.__version__}"


def bf16_pays(device: str = "cpu") -> bool:
    """bf16 autocast helps on GPUs that have bf16 units and on CPUs with AVX512-BF16 or AMX."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def attention_for(bf16: bool, longest: int | None = None) -> str | None:
    """Which attention to *train* with on a CPU: `"eager"` with bf16 and short rows, else `"sdpa"`; `None` on a GPU: no opinion.

    The backward pass of PyTorch's fused attention is the largest single cost of a bf16 step on a CPU; in float32 it wins. Rows
    of more than `LONG` tokens want it too, since without it the scores grow with the square of the length.
    """
    import torch

    if torch.cuda.is_available():
        return None
    return "eager" if bf16 and (longest is None or longest <= LONG) else "sdpa"


def computed_on() -> str:
    """What a training computes on: the graphics card, else the processor."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()


def processor_name() -> str:
    """The processor with the number of cores, to stand beside every figure of speed."""
    return f"{processor()}, {os.cpu_count()} cores"


def processor() -> str:
    """The processor as its maker calls it."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
