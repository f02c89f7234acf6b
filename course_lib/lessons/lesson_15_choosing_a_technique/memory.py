"""Will it fit? The memory of one training step from the shape of a Llama, for full fine-tuning, LoRA and QLoRA: computed, not measured.

weights + gradients + optimizer states + activations. Bytes are bytes, a gigabyte (GB) is 10⁹ of them.
"""

from __future__ import annotations

from typing import NamedTuple

from .evidence import aligned

NF4 = 4.127 / 8  # bytes a weight with double quantization (QLoRA, arXiv 2305.14314, section 3)


class Shape(NamedTuple):
    """A Llama: width h, MLP width f, width of keys and values kv, layers, vocabulary, whether the head is the embedding, and the source."""

    h: int
    f: int
    kv: int
    layers: int
    vocabulary: int
    tied: bool
    source: str = ""


SHAPES = {
    "5M": Shape(256, 704, 128, 6, 2048, True, "data/base_model/config.json"),
    "135M": Shape(576, 1536, 192, 30, 49152, True, "SmolLM2, arXiv 2502.02737"),
    "1B": Shape(2048, 8192, 512, 16, 128256, True, "Llama 3.2 1B, its model card and config"),
    "7B": Shape(4096, 11008, 4096, 32, 32000, False, "Llama 2 7B, arXiv 2307.09288"),
    "70B": Shape(8192, 28672, 1024, 80, 32000, False, "Llama 2 70B, arXiv 2307.09288"),
}
PUBLISHED = {"135M": 134_515_008, "1B": 1_235_814_400, "7B": 6_738_415_616, "70B": 68_976_648_192}
WAYS = ("full fine-tuning", "LoRA", "QLoRA")


def inside(shape: Shape) -> int:
    """Weights of the linear layers: what LoRA goes beside and QLoRA rounds."""
    h, f, kv = shape.h, shape.f, shape.kv
    return shape.layers * (2 * h * h + 2 * h * kv + 3 * h * f)


def parameters(shape: Shape) -> int:
    """All parameters: the linear layers, two norms a layer and one at the end, the embedding, and the head where it is its own."""
    ends = shape.vocabulary * shape.h * (1 if shape.tied else 2)
    return inside(shape) + ends + shape.h * (2 * shape.layers + 1)


def lora_parameters(shape: Shape, r: int = 16) -> int:
    """Parameters of LoRA of rank r beside every linear layer: r × (in + out) each."""
    h, f, kv = shape.h, shape.f, shape.kv
    return shape.layers * r * (2 * (h + h) + 2 * (h + kv) + 3 * (h + f))


def activations(shape: Shape, batch: int, length: int, each: int = 2, checkpointing: bool = False) -> int:
    """Bytes that the forward pass keeps: per token and layer 6h + 4h + 4f numbers (`cl.measure.activation_bytes`), and three times the logits.

    With activation checkpointing each layer keeps its input alone, and one layer at a time is computed again (arXiv 1604.06174).
    """
    layer = 10 * shape.h + 4 * shape.f
    kept = shape.layers * shape.h + layer if checkpointing else shape.layers * layer
    return batch * length * each * (kept + 3 * shape.h) + 3 * batch * length * shape.vocabulary * 4


def needed(
    way: str, shape: Shape, batch: int = 1, length: int = 1024, r: int = 16, checkpointing: bool = True
) -> dict[str, float]:
    """Bytes by part and their `total`, as one trains on a GPU: 16-bit weights, or NF4 inside for QLoRA; bf16 activations.

    A trained number costs 16 bytes in all in mixed precision (ZeRO, arXiv 1910.02054, section 3.1): weight 2, gradient 2, float32 master
    copy 4, two moments 8. Raises `KeyError` for a way that is not in `WAYS`.
    """
    total, trained = parameters(shape), lora_parameters(shape, r)
    frozen = {
        "full fine-tuning": 0.0,
        "LoRA": 2.0 * total,
        "QLoRA": NF4 * inside(shape) + 2.0 * (total - inside(shape)),
    }[way]
    count = total if way == "full fine-tuning" else trained
    parts = {
        "weights": frozen + 2.0 * count,
        "gradients": 2.0 * count,
        "optimizer states": 12.0 * count,
        "activations": float(activations(shape, batch, length, checkpointing=checkpointing)),
    }
    return parts | {"total": sum(parts.values())}


def fits(way: str, size: str, gigabytes: float) -> bool:
    """Whether a step of one row of 1,024 tokens fits, with a tenth of the memory left for what is not counted (kernels, fragments)."""
    return needed(way, SHAPES[size])["total"] <= 0.9e9 * gigabytes


def fit_table(gpus: tuple[int, ...] = (16, 24, 80)) -> str:
    """The formula at 135M, 1B, 7B and 70B: computed, not measured."""
    lines = [
        (
            "size",
            "way",
            "weights, GB",
            "gradients, GB",
            "optimizer, GB",
            "activations, GB",
            "total, GB",
            f"fits {' · '.join(map(str, gpus))} GB",
        )
    ]
    for size in list(SHAPES)[1:]:
        for way in WAYS:
            parts = needed(way, SHAPES[size])
            told = " · ".join("yes" if fits(way, size, gpu) else "no" for gpu in gpus)
            lines.append((size, way, *(f"{parts[p] / 1e9:.2f}" for p in parts), told))
    return aligned(lines, left=(0, 1, 7))
