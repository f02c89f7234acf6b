"""Adapters as small files, PEFT's and Houlsby's: `save`, `load` and `merge`, with the checks that PEFT leaves to its user."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.quiet import hushed
from .carriers import check_not_inside, check_not_used_up
from .identity import base_of, first_line
from .load import load_model, load_tokenizer
from .merging import merge

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


__all__ = ["load_adapter", "merge", "save_adapter"]

ADAPTER, ADAPTER_CONFIG, ADAPTER_BASE = "adapter_model.safetensors", "adapter_config.json", "base.json"


def save_adapter(model: PeftModel | PreTrainedModel, folder: str | os.PathLike, name: str | None = None) -> Path:
    """Save a model's adapter, without its base, as safetensors; returns the folder.

    Beside tensors and config, `base.json` names the base model and its checksum, so that `load_adapter` can refuse another. Of
    several Houlsby adapters `name` chooses one; without it the one that is switched on is meant. A README.md that lies in the folder stays
    as it is. Raises `CourseError` for a model without an adapter, the base inside a PEFT model, an adapter that was merged away, a folder
    that cannot be written to, and where it is not clear which adapter is meant.
    """
    from .houlsby import adapters_of

    check_not_inside(model)
    check_not_used_up(model)
    folder = Path(folder).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CourseError(
            f"The adapter cannot be saved in {folder} ({first_line(error)}).", "Choose another folder."
        ) from None
    if adapters_of(model):
        config = _save_houlsby(model, folder, name)
    elif hasattr(model, "peft_config"):
        card = folder / "README.md"
        mine = card.read_bytes() if card.exists() else None
        with hushed():
            model.save_pretrained(folder, safe_serialization=True)
        if mine is None:
            card.unlink(missing_ok=True)  # PEFT's blank model card
        else:
            card.write_bytes(mine)
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
    folder: str | os.PathLike, model: PreTrainedModel | None = None, name: str = "default", *, trainable: bool = False
) -> tuple[PeftModel | PreTrainedModel, PreTrainedTokenizerBase]:
    """A saved adapter on its base, in evaluation mode, and the tokenizer.

    Without `model` the base is loaded afresh; a given one (in four bits, say) gets the adapter put into it. With `trainable` it can be
    trained further by `cl.train(rows, model=model)`, else it is frozen. A model that has Houlsby adapters takes more of them under
    other names; the one loaded last is switched on. Raises `CourseError` for an adapter that is incomplete, cut short or pickled, one of
    another base model, or a model that has an adapter.
    """
    from .houlsby import TYPE, adapters_of

    folder = Path(folder).expanduser()
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
    adapted = _load_houlsby(folder, model, name, trainable) if houlsby else _load_peft(folder, model, saved, trainable)
    return adapted.eval(), tokenizer


def _load_houlsby(folder: Path, model: PreTrainedModel, name: str, trainable: bool) -> PreTrainedModel:
    """The model with the adapter in it; as it was where the adapter does not fit (`CourseError`)."""
    from safetensors.torch import load_file

    from .houlsby import HoulsbyConfig, add_adapter, put_tensors, remove_adapter

    add_adapter(model, HoulsbyConfig.from_dict(_json(folder / ADAPTER_CONFIG)), name, trainable=trainable)
    try:
        put_tensors(model, load_file(folder / ADAPTER), name)
    except CourseError:
        remove_adapter(model, name)
        raise
    return model


def _load_peft(folder: Path, model: PreTrainedModel, saved: dict[str, list[int]], trainable: bool) -> PeftModel:
    from peft import PeftModel, get_peft_model_state_dict

    try:
        with hushed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing keys are found below, and end in an error
            adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
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
