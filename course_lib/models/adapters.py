"""Adapters as small files, PEFT's and Houlsby's: `save`, `load` and `merge`, with the checks that PEFT leaves to its user."""

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


def save_adapter(model: PeftModel | PreTrainedModel, folder: str | os.PathLike, name: str | None = None) -> Path:
    """Save a model's adapter, without its base, as safetensors; returns the folder.

    Beside tensors and config, `base.json` names the base model and its checksum, so that `load_adapter` can refuse another. Of
    several Houlsby adapters `name` chooses one; without it the one that is switched on is meant. Raises `CourseError` for a
    model without an adapter, and where it is not clear which one is meant.
    """
    from .houlsby import adapters_of

    folder = Path(folder)
    if adapters_of(model):
        config = _save_houlsby(model, folder, name)
    elif hasattr(model, "peft_config"):
        with hushed():
            model.save_pretrained(folder, safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's blank model card
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    else:
        raise CourseError(
            "This model carries no adapter, so there is nothing small to save.",
            "Train with a peft_config, or save the whole model with model.save_pretrained(folder).",
        )
    base = base_of(model)
    config["base_model_name_or_path"] = base["model"]  # no path of this machine
    if config.get("tokenizer_name_or_path"):  # of the text that a soft prompt began with
        config["tokenizer_name_or_path"] = base["model"]
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / ADAPTER_BASE).write_text(json.dumps(base, indent=1) + "\n", encoding="utf-8")
    return folder


def _save_houlsby(model: PreTrainedModel, folder: Path, name: str | None) -> dict:
    """Write the tensors of one Houlsby adapter; returns its config."""
    from safetensors.torch import save_file

    from .houlsby import active_adapters, adapter_tensors, adapters_of

    chosen = [name] if name else active_adapters(model)
    if len(chosen) != 1 or chosen[0] not in adapters_of(model):
        raise CourseError(
            f"It is not clear which adapter to save: {', '.join(map(repr, chosen)) or 'none'} of {', '.join(adapters_of(model))}.",
            "Say which: cl.save_adapter(model, folder, name).",
        )
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: tensor.detach().contiguous().cpu() for key, tensor in adapter_tensors(model, chosen[0]).items()}
    save_file(tensors, folder / ADAPTER, metadata={"format": "pt"})
    return adapters_of(model)[chosen[0]].to_dict()


def load_adapter(
    folder: str | os.PathLike, model: PreTrainedModel | None = None, name: str = "default"
) -> tuple[PeftModel | PreTrainedModel, PreTrainedTokenizerBase]:
    """A saved adapter on its base, in evaluation mode, and the tokenizer.

    Without `model` the base is loaded afresh; a given one (in four bits, say) gets the adapter put into it. A model that has
    Houlsby adapters takes more of them under other names; the one loaded last is switched on. Raises `CourseError` for an
    adapter that is incomplete, cut short or pickled, one of another base model, or a model that has an adapter.
    """
    from .houlsby import TYPE, adapters_of

    folder = Path(folder)
    saved = _adapter_tensors(folder)
    houlsby = _json(folder / ADAPTER_CONFIG).get("peft_type") == TYPE
    if model is None:
        model, tokenizer = load_model()
    elif hasattr(model, "peft_config") or (adapters_of(model) and not houlsby):
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
    adapted = _load_houlsby(folder, model, name) if houlsby else _load_peft(folder, model, saved)
    return adapted.eval(), tokenizer


def _load_houlsby(folder: Path, model: PreTrainedModel, name: str) -> PreTrainedModel:
    """The model with the adapter in it; as it was where the adapter does not fit (`CourseError`)."""
    from safetensors.torch import load_file

    from .houlsby import HoulsbyConfig, add_adapter, put_tensors, remove_adapter

    add_adapter(model, HoulsbyConfig.from_dict(_json(folder / ADAPTER_CONFIG)), name, trainable=False)
    try:
        put_tensors(model, load_file(folder / ADAPTER), name)
    except CourseError:
        remove_adapter(model, name)
        raise
    return model


def _load_peft(folder: Path, model: PreTrainedModel, saved: dict[str, list[int]]) -> PeftModel:
    from peft import PeftModel, get_peft_model_state_dict

    try:
        with hushed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing keys are found below, and end in an error
            adapted = PeftModel.from_pretrained(model, str(folder))
            for config in adapted.peft_config.values():
                config.base_model_name_or_path = model.config.name_or_path
            state = get_peft_model_state_dict(adapted)
        wanted = {key: list(tensor.shape) for key, tensor in state.items()}
        fault = None if wanted == saved else "its tensors are not the ones that this model needs"
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        fault = first_line(error)
    if fault:
        raise CourseError(
            f"The adapter in {folder} does not fit this base model ({fault}).",
            "Load it onto the model that it was trained on.",
        )
    return adapted


def merge(model: PeftModel) -> PreTrainedModel:
    """Add an adapter into the weights of its base: an ordinary model, without PEFT. The PEFT model is used up.

    A base in four bits is unpacked first, and the result is as large as an unquantized model: added to 4-bit weights the
    update would be rounded to sixteen values again. Raises `CourseError` for a model without an adapter, and for adapters
    that cannot be added into weights, such as virtual tokens or Houlsby's.
    """
    from .houlsby import adapters_of

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
