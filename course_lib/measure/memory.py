"""What a training costs: parameters, bytes of a checkpoint, memory. Counted, predicted by formula, and observed.

Bytes are bytes; a megabyte (MB) is a million of them. Gradients, moments and activations are those of one process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from ..base.quiet import hushed

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from ..base.run import Run


class Counts(NamedTuple):
    """How many parameters a model has, and how many of them are trained."""

    total: int
    trainable: int


def parameters(model: PreTrainedModel) -> Counts:
    """Parameters in all and trainable ones. A tied weight counts once, two 4-bit weights share a byte and count as two."""
    sizes = [(_count(p), p.requires_grad) for p in model.parameters()]
    return Counts(sum(n for n, _ in sizes), sum(n for n, trained in sizes if trained))


def _count(parameter) -> int:
    state = getattr(parameter, "quant_state", None)  # bitsandbytes packs 4-bit weights two to a byte
    return state.shape.numel() if state is not None else parameter.numel()


def checkpoint_bytes(run_or_model: Run | PreTrainedModel) -> int:
    """Bytes of the weights that must be kept after training: observed, by saving them to a temporary folder.

    A PEFT model saves its adapter. A model whose parameters are partly frozen without PEFT need keep only the trained ones.
    """
    model = getattr(run_or_model, "model", None) if hasattr(run_or_model, "trainer") else run_or_model
    trained = [p.requires_grad for p in model.parameters()]
    if not hasattr(model, "peft_config") and any(trained) and not all(trained):
        return sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    with TemporaryDirectory(prefix="course-") as folder, hushed():
        model.save_pretrained(folder)
        return sum(f.stat().st_size for f in Path(folder).rglob("*.safetensors"))


def weight_bytes(model: PreTrainedModel) -> int:
    """Bytes that a model's parameters, buffers and quantization constants occupy in memory."""
    tensors = [*model.parameters(), *model.buffers()]
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        while state is not None:
            tensors += [t for t in (state.absmax, state.code) if t is not None]
            state = state.state2  # the second level of double quantization
    return sum({t.data_ptr(): t.numel() * t.element_size() for t in tensors}.values())


def peak_memory(step: Callable[[], None], model: PreTrainedModel | None = None) -> int:
    """Bytes allocated at the highest moment of two calls of `step`, above what stood allocated before the first.

    `step` is one whole training step: gradients to None, forward, backward, optimizer. The second call meets the optimizer's
    moments, which the first one made. With `model`, the weights, which stood there before, are added. On a CPU the
    allocator's own events are counted (`torch.profiler`), which repeats from run to run; resident memory (RSS) does not.
    """
    import torch

    weights = weight_bytes(model) if model is not None else 0
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(), step()
        return torch.cuda.max_memory_allocated() - before + weights
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profiler:
        step()
        step()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak + weights


def training_memory(
    parameters: int,
    trainable: int,
    *,
    bytes_weight: float = 4,
    bytes_gradient: float = 4,
    bytes_moments: float = 8,
    bytes_master: float = 0,
) -> dict[str, float]:
    """Bytes for weights, gradients, AdamW's two moments and master copy, and their `total`; activations come on top.

    Defaults: plain float32, 16 bytes per trained parameter. Mixed precision with a float32 master copy: `bytes_weight=2,
    bytes_gradient=2, bytes_master=4`, again 16 (ZeRO, arXiv 1910.02054, section 3.1). NF4 weights: `bytes_weight=0.516`.
    """
    parts = {
        "weights": parameters * bytes_weight,
        "gradients": trainable * bytes_gradient,
        "moments": trainable * bytes_moments,
        "master copy": trainable * bytes_master,
    }
    return parts | {"total": sum(parts.values())}


def activation_bytes(config: PretrainedConfig, batch: int, length: int, *, bytes_each: int = 4) -> dict[str, int]:
    """What the forward pass of a Llama keeps for the backward pass, in bytes: `layers`, `ends`, `logits`, `total`.

    Per token and layer, h = hidden, q = all query heads, f = MLP width: two RMSNorms keep their input, its normalised copy
    and their output (6h); attention keeps queries, repeated keys and values, and its output (4q, with SDPA no scores);
    SwiGLU keeps gate, activated gate, up and product (4f). `ends` is the last norm (3h). Logits of V entries stand three
    times at the peak of a plain loop: as such, as log-probabilities, as gradient; TRL's chunked head builds none.
    """
    h, f, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    q = heads * (getattr(config, "head_dim", None) or h // heads)
    tokens = batch * length * bytes_each
    parts = {
        "layers": tokens * config.num_hidden_layers * (6 * h + 4 * q + 4 * f),
        "ends": tokens * 3 * h,
        "logits": tokens * 3 * config.vocab_size,
    }
    return parts | {"total": sum(parts.values())}
