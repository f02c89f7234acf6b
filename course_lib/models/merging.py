"""Add an adapter into the weights of its base, also where these are in four bits or two layers share one tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.quiet import hushed
from .carriers import check_not_inside, check_not_used_up
from .four_bits import in_four_bits

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def merge(model: PeftModel) -> PreTrainedModel:
    """Add an adapter into the weights of its base: an ordinary model, without PEFT. The PEFT model is used up.

    A base in four bits is unpacked first, and the result is as large as an unquantized model: added to 4-bit weights the
    update would be rounded to sixteen values again. Where input and output embeddings are one tensor and only one of them has an
    adapter, they are parted first: the result has two. Raises `CourseError` for a model without an adapter, the base inside a PEFT model,
    an adapter that was merged before, and adapters that cannot be added into weights, such as virtual tokens or Houlsby's.
    """
    from .houlsby import adapters_of

    check_not_inside(model)
    check_not_used_up(model)
    if adapters_of(model):
        raise CourseError(
            "A Houlsby adapter cannot be merged: its non-linearity stands between its matrices, and no one matrix does the same.",
            "Keep it beside the base, as a small file (cl.save_adapter).",
        )
    if not hasattr(model, "peft_config"):
        raise CourseError("This model carries no adapter to merge.", "Merge what cl.train(peft_config=…) returns.")
    kinds = sorted({str(c.peft_type.value) for c in model.peft_config.values()})
    if any(c.is_prompt_learning for c in model.peft_config.values()) or (in_four_bits(model) and kinds != ["LORA"]):
        raise CourseError(
            f"An adapter of the kind {', '.join(kinds)} cannot be merged into these weights.",
            "Keep the model as it is; LoRA can be merged, and virtual tokens belong to the prompt.",
        )
    four_bits = in_four_bits(model)
    if four_bits and any(type(m).__name__ == "ParamWrapper" for m in model.modules()):
        raise CourseError(
            "An adapter on the experts of a mixture cannot be merged while the other weights are in four bits.",
            "Load the base without quantization, put the adapter on it with cl.load_adapter(folder, base), and merge that.",
        )
    _part_tied_embeddings(model)
    if not four_bits:
        with hushed():
            plain = model.merge_and_unload()
    else:
        plain = _merge_unpacked(model)
    if getattr(plain.config, "tie_word_embeddings", False) and not _tied(plain):
        plain.config.tie_word_embeddings = False  # else saving would keep one of the two
    return plain.requires_grad_(True).eval()  # PEFT leaves the base frozen


def _merge_unpacked(model: PeftModel) -> PreTrainedModel:
    """The weights of a base in four bits, unpacked, with a LoRA adapter added."""
    from peft.tuners.lora import LoraLayer
    from transformers.integrations.bitsandbytes import dequantize_bnb_weight

    merged = {}
    for name, layer in model.get_base_model().named_modules():
        if isinstance(layer, LoraLayer):
            weight = dequantize_bnb_weight(layer.get_base_layer().weight)
            for adapter in layer.active_adapters:
                if adapter in layer.lora_variant:  # DoRA scales the sum, and knows how
                    weight = layer.lora_variant[adapter].merge_safe(layer, adapter, weight)
                elif adapter in layer.lora_A or adapter in layer.lora_embedding_A:
                    weight = weight + layer.get_delta_weight(adapter)
            merged[name] = weight.detach()
    with hushed():
        plain = model.unload().dequantize()
    plain.is_loaded_in_4bit = plain.is_quantized = False
    for name, weight in merged.items():
        layer = plain.get_submodule(name)
        layer.weight.data = weight.to(layer.weight.dtype)
    return plain


def _ends(model: PreTrainedModel) -> tuple[Any, Any]:
    """The layers that hold the weights of the input and of the output embedding, PEFT's layers around them taken off."""
    bare = lambda layer: layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer  # noqa: E731
    return bare(model.get_input_embeddings()), bare(model.get_output_embeddings())


def _tied(model: PreTrainedModel) -> bool:
    first, last = _ends(model)
    return last is None or getattr(first, "weight", None) is getattr(last, "weight", None)


def _part_tied_embeddings(model: PeftModel) -> None:
    """Give the output layer weights of its own where an adapter on one end would, merged, change the other end too."""
    import torch

    inside = model.get_base_model()
    first, last = _ends(inside)
    changed = first is not inside.get_input_embeddings() or last is not inside.get_output_embeddings()
    if last is not None and changed and getattr(first, "weight", None) is getattr(last, "weight", 0):
        last.weight = torch.nn.Parameter(last.weight.detach().clone(), requires_grad=False)
