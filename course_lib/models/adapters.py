"""Adapters as small files: PEFT's `save`, `load` and `merge`, with the checks that PEFT leaves to its user."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.quiet import hushed
from .four_bits import in_four_bits
from .identity import base_of, first_line
from .load import load_model, load_tokenizer

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


ADAPTER, ADAPTER_CONFIG, ADAPTER_BASE = "adapter_model.safetensors", "adapter_config.json", "base.json"


def save_adapter(model: PeftModel, folder: str | os.PathLike) -> Path:
    """Save the adapter of a PEFT model, without its base, as safetensors; returns the folder.

    Beside PEFT's two files, `base.json` names the base model and its checksum, so that `load_adapter` can refuse another.
    Raises `CourseError` for a model without an adapter.
    """
    if not hasattr(model, "peft_config"):
        raise CourseError(
            "This model carries no adapter, so there is nothing small to save.",
            "Train with a peft_config, or save the whole model with model.save_pretrained(folder).",
        )
    folder = Path(folder)
    with hushed():
        model.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's blank model card
    base = base_of(model)
    config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base["model"]  # no path of this machine
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / ADAPTER_BASE).write_text(json.dumps(base, indent=1) + "\n", encoding="utf-8")
    return folder


def load_adapter(
    folder: str | os.PathLike, model: PreTrainedModel | None = None
) -> tuple[PeftModel, PreTrainedTokenizerBase]:
    """A saved adapter on its base, in evaluation mode, and the tokenizer.

    Without `model` the base is loaded afresh; a given one (in four bits, say) gets the adapter put into it. Raises `CourseError`
    for an adapter that is incomplete, cut short or pickled, one of another base model, or a model that has an adapter.
    """
    folder = Path(folder)
    saved = _adapter_tensors(folder)
    if model is None:
        model, tokenizer = load_model()
    elif hasattr(model, "peft_config"):
        raise CourseError(
            "This model already carries an adapter.", "Leave model out to load the base afresh, or merge first."
        )
    else:
        tokenizer = load_tokenizer(model.config.name_or_path)
    mine, theirs = base_of(model), _json(folder / ADAPTER_BASE) if (folder / ADAPTER_BASE).exists() else None
    if theirs is not None and theirs != mine:
        raise CourseError(
            f"The adapter in {folder} was trained on another base: {theirs.get('model')} "
            f"({str(theirs.get('sha256'))[:12]}), not {mine['model']} ({str(mine['sha256'])[:12]}).",
            "Load it onto its own base (COURSE_MODEL, or the model argument), or train it again on this one.",
        )
    from peft import PeftModel, get_peft_model_state_dict

    try:
        with hushed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing keys are found below, and end in an error
            adapted = PeftModel.from_pretrained(model, str(folder))
            for config in adapted.peft_config.values():
                config.base_model_name_or_path = model.config.name_or_path
            state = get_peft_model_state_dict(adapted)
        wanted = {name: list(tensor.shape) for name, tensor in state.items()}
        fault = None if wanted == saved else "its tensors are not the ones that this model needs"
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        fault = first_line(error)
    if fault:
        raise CourseError(
            f"The adapter in {folder} does not fit this base model ({fault}).",
            "Load it onto the model that it was trained on.",
        )
    return adapted.eval(), tokenizer


def merge(model: PeftModel) -> PreTrainedModel:
    """Add an adapter into the weights of its base: an ordinary model, without PEFT. The PEFT model is used up.

    A base in four bits is unpacked first, and the result is as large as an unquantized model: added to 4-bit weights the
    update would be rounded to sixteen values again. Raises `CourseError` for a model without an adapter, and for adapters
    that cannot be added into weights, such as virtual tokens.
    """
    if not hasattr(model, "peft_config"):
        raise CourseError("This model carries no adapter to merge.", "Merge what cl.train(peft_config=…) returns.")
    kinds = sorted({str(c.peft_type.value) for c in model.peft_config.values()})
    if any(c.is_prompt_learning for c in model.peft_config.values()) or (in_four_bits(model) and kinds != ["LORA"]):
        raise CourseError(
            f"An adapter of the kind {', '.join(kinds)} cannot be merged into these weights.",
            "Keep the model as it is; LoRA can be merged, and virtual tokens belong to the prompt.",
        )
    if not in_four_bits(model):
        with hushed():
            return model.merge_and_unload().eval()
    from peft.tuners.lora import LoraLayer
    from transformers.integrations.bitsandbytes import dequantize_bnb_weight

    merged = {}
    for name, layer in model.get_base_model().named_modules():
        if isinstance(layer, LoraLayer):
            weight = dequantize_bnb_weight(layer.get_base_layer().weight)
            for adapter in layer.active_adapters:
                if adapter in layer.lora_variant:  # DoRA scales the sum, and knows how
                    weight = layer.lora_variant[adapter].merge_safe(layer, adapter, weight)
                elif adapter in layer.lora_A:
                    weight = weight + layer.get_delta_weight(adapter)
            merged[name] = weight.detach()
    with hushed():
        plain = model.unload().dequantize()
    plain.is_loaded_in_4bit = plain.is_quantized = False
    for name, weight in merged.items():
        layer = plain.get_submodule(name)
        layer.weight.data = weight.to(layer.weight.dtype)
    return plain.eval()


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CourseError(f"{path}, line {error.lineno}: not JSON.", "Save the adapter again.") from None


def _adapter_tensors(folder: Path) -> dict[str, list[int]]:
    """Names and shapes in an adapter's file, after checking that the folder is complete and readable (`CourseError`)."""
    from safetensors import SafetensorError, safe_open

    mend = "Save it again with cl.save_adapter, or restore the folder."
    for name in (ADAPTER_CONFIG, ADAPTER):
        if not (folder / name).exists():
            pickled = " Only a pickled one is, which could run code when opened." if list(folder.glob("*.bin")) else ""
            raise CourseError(f"There is no adapter in {folder}: {name} is missing.{pickled}", mend)
    _json(folder / ADAPTER_CONFIG)
    try:
        with safe_open(folder / ADAPTER, "pt") as file:
            return {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CourseError(
            f"The adapter {folder / ADAPTER} is damaged or cut short ({first_line(error)}).", mend
        ) from None
