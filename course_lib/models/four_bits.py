"""Weights in four bits, by bitsandbytes: what to multiply in, and how to keep them trainable on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.hardware import precision

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


QUANTIZATIONS = ("nf4", "fp4")


def four_bits_config(kind: str, double_quant: bool):
    """transformers' `BitsAndBytesConfig` for the linear layers; the output layer is left out by default."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=double_quant,
        bnb_4bit_compute_dtype=compute_dtype(),
    )


def compute_dtype() -> torch.dtype:
    """In which dtype 4-bit weights are multiplied after they are unpacked: on a GPU what it has units for, else float32.

    On a CPU float32, also where bfloat16 would be to hand: it computes exactly what the unpacked weights say (tested), and at
    the size of models that a CPU can train unpacking costs more than the product. Under autocast the product is bfloat16 anyway.
    """
    import torch

    return getattr(torch, precision()) if torch.cuda.is_available() else torch.float32


def keep_unpacked(model: PreTrainedModel) -> PreTrainedModel:
    """Keep bitsandbytes from repacking 4-bit weights in evaluation; returns the model. Any other model is left alone.

    On processors with AVX512-BF16, `Linear4bit` rearranges its weights at the first evaluation or `generate()`, for a fast
    kernel that has no gradient, and never puts them back. Training afterwards goes wrong without a word: the
    gradient ends at the layer. Raises `CourseError` if that has happened to this model.
    """
    for name, module in model.named_modules():
        if not hasattr(module, "support_avx512bf16_for_cpu"):
            continue
        if getattr(getattr(module.weight, "quant_state", None), "packing_format_for_cpu", False):
            raise CourseError(
                f"The 4-bit weights of this model have been packed for reading only ({name}); it would train wrongly.",
                "Load it afresh with cl.load_model(quantization=…), which keeps them from being packed.",
            )
        module.support_avx512bf16_for_cpu = False
    return model


def in_four_bits(model: PreTrainedModel) -> bool:
    """Whether a model, or the model inside a PEFT model, keeps its linear layers in four bits."""
    return any(type(p).__name__ == "Params4bit" for p in model.parameters())


def count(model: PreTrainedModel) -> tuple[int, int]:
    """How many linear layers keep their weights in four bits, and how many linear layers there are, the output layer left out."""
    import torch

    end = model.get_output_embeddings()
    four = sum(type(m).__name__ == "Linear4bit" for m in model.modules())
    plain = sum(
        isinstance(m, torch.nn.Linear) and type(m).__name__ != "Linear4bit" and m is not end for m in model.modules()
    )
    return four, four + plain


def check_quantized(model: PreTrainedModel, where: str) -> None:
    """Say how many linear layers are in four bits where some are not. Raises `CourseError` when none is."""
    four, linear = count(model)
    if not four:
        raise CourseError(
            f"The model '{where}' has no linear layer that can be kept in four bits ({linear} of another kind).",
            "Load it without quantization, or choose another model.",
        )
    if four < linear:
        print(f"{four} of {linear} linear layers are in four bits; the others stay as they are.")
