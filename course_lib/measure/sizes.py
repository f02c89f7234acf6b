"""Which models can be trained on which card: computed from their shapes, not run.

The sum of `training_memory` (weights, gradients, moments) and `activation_bytes`, for one step of 8 rows of 512 tokens. What is left
out: the context of CUDA and what the allocator cannot use (`SPARE`), and what a library keeps for itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .memory import activation_bytes, training_memory

GIB = 2**30
SPARE = 1.5 * GIB
CARDS = {
    "T4": 14.7 * GIB,
    "L4": 22.0 * GIB,
    "A100 40 GB": 39.4 * GIB,
    "H100 80 GB": 79.1 * GIB,
}  # what PyTorch can use of them
NF4 = 0.516  # bytes a weight: four bits, and scales of blocks of 64 in eight bits (QLoRA, arXiv 2305.14314, section 3)
RANK = 16
LABEL = "computed, not run"


class Shape(NamedTuple):
    """The numbers of a model's `config.json` that its memory depends on."""

    hidden: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool

    def parameters(self) -> tuple[int, int]:
        """Weights in the layers' matrices, and in the embeddings and the output layer; norms are left out."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.width), self.vocabulary * self.hidden * (2 - self.tied)

    def lora(self, rank: int) -> int:
        """Parameters of a LoRA adapter on all linear layers: r · (in + out) each."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        ends = (self.hidden + q) * 2 + (self.hidden + kv) * 2 + 3 * (self.hidden + self.width)
        return rank * self.layers * ends


MODELS = {  # config.json of the models' repositories
    "SmolLM2-135M": Shape(576, 30, 1536, 9, 3, 64, 49152, True),
    "SmolLM2-1.7B": Shape(2048, 24, 8192, 32, 32, 64, 49152, True),
    "Llama-3.2-1B": Shape(2048, 16, 8192, 32, 8, 64, 128256, True),
    "Llama-3.2-3B": Shape(3072, 28, 8192, 24, 8, 128, 128256, True),
    "Mistral-7B-v0.3": Shape(4096, 32, 14336, 32, 8, 128, 32768, False),
    "Llama-3.1-8B": Shape(4096, 32, 14336, 32, 8, 128, 128256, False),
}
TECHNIQUES = ("full", "LoRA", "QLoRA")


def step_bytes(
    model: str | Shape, technique: str, *, batch: int = 8, length: int = 512, checkpointing: bool = False
) -> float:
    """Bytes of one training step on a GPU with half-precision products: `full`, `LoRA` (r 16, half-precision base) or `QLoRA` (NF4 base).

    Full fine-tuning keeps weights, gradients and AdamW's moments in float32, and a half-precision copy of the weights for autocast.
    `checkpointing` keeps one hidden state a layer and computes the layer again; the logits stay.
    """
    from transformers import LlamaConfig

    shape = MODELS[model] if isinstance(model, str) else model
    inside, ends = shape.parameters()
    if technique == "full":
        held = training_memory(inside + ends, inside + ends)["total"] + 2 * inside
    else:
        adapter = shape.lora(RANK)
        base = inside * (NF4 if technique == "QLoRA" else 2) + ends * 2
        held = base + training_memory(adapter, adapter)["total"]
    config = LlamaConfig(
        hidden_size=shape.hidden, intermediate_size=shape.width, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads, head_dim=shape.head_dim, vocab_size=shape.vocabulary,
    )  # fmt: skip
    kept = activation_bytes(config, batch, length, bytes_each=2)
    if checkpointing:
        one = batch * length * shape.hidden * 2
        kept["layers"] = kept["layers"] // shape.layers + one * shape.layers
    return held + kept["layers"] + kept["ends"] + kept["logits"] + SPARE


def fits(card: str = "T4", models: Iterable[str] | None = None, **options) -> list[dict[str, object]]:
    """For each model and technique the GiB of a step, and whether that fits the card: `model`, `technique`, `gib`, `fits`."""
    return [
        {"model": m, "technique": t, "gib": (need := step_bytes(m, t, **options)) / GIB, "fits": need <= CARDS[card]}
        for m in models or MODELS
        for t in TECHNIQUES
    ]


def table(card: str = "T4", **options) -> str:
    """A Markdown table of what fits a card, labelled as computed and not run."""
    found = fits(card, **options)
    lines = [f"| GiB a step ({LABEL}) | {' | '.join(TECHNIQUES)} |", "|---" * (1 + len(TECHNIQUES)) + "|"]
    for model in dict.fromkeys(row["model"] for row in found):
        cells = [f"{row['gib']:.1f}{'' if row['fits'] else ' (too large)'}" for row in found if row["model"] == model]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)
