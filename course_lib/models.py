"""Load a causal language model and its tokenizer: the course's own, a hub id, or a local folder; in four bits if asked.

One switch chooses for the whole course: the environment variable `COURSE_MODEL`. Weights and adapters are read from
safetensors only, and no code from a model repository is ever run. `save_adapter`, `load_adapter` and `merge` are PEFT's,
with the checks that PEFT leaves to its user.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CourseError
from .paths import home
from .quiet import hushed

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

QUANTIZATIONS = ("nf4", "fp4")
ADAPTER, ADAPTER_CONFIG, ADAPTER_BASE = "adapter_model.safetensors", "adapter_config.json", "base.json"
HUB_PATIENCE = 4.0  # seconds to wait for the hub before saying that it is out of reach

# For tokenizers that bring no chat template: plain words, so that no untrained marker is needed.
PLAIN_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] | capitalize + ':\n ' + message['content'] }}"
    "{{ eos_token + '\n' if message['role'] == 'assistant' else '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)


def base_model_folder() -> Path:
    """The folder of the course's own base model."""
    return home() / "data" / "base_model"


def model_name(name: str | os.PathLike | None = None) -> str:
    """What to load: `name`, else `COURSE_MODEL`, else the course's own model."""
    return str(name or os.environ.get("COURSE_MODEL") or base_model_folder())


def load_tokenizer(name: str | os.PathLike | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, with a pad token, a chat template, and padding on the right.

    A tokenizer without a chat template gets a plain-text one; one without a pad token gets an existing special token
    other than end-of-sequence where it has one, since a model whose padding is its end mark never learns to stop.
    Raises `CourseError` like `load_model`.
    """
    from transformers import AutoTokenizer

    where = _resolve(model_name(name))
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise CourseError(
            f"The tokenizer of '{where}' could not be read ({_first_line(error)}).", _mend(where)
        ) from None
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_CHAT_TEMPLATE
    if tokenizer.pad_token_id is None:
        spare = [t for t in tokenizer.all_special_tokens if t != tokenizer.eos_token]
        tokenizer.pad_token = spare[0] if spare else tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def load_model(
    name: str | os.PathLike | None = None,
    *,
    dtype: torch.dtype | str = "float32",
    seed: int | None = None,
    quantization: str | None = None,
    double_quant: bool = True,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal LM and its tokenizer, in evaluation mode, on the GPU where there is one.

    `name` is a hub id or a local folder; without it `COURSE_MODEL` decides, else the course's own model. `dtype`
    is the dtype of the weights in memory (`"float32"`, `"bfloat16"`, `"auto"` or a `torch.dtype`). `seed`, if given,
    seeds torch for reproducible sampling.

    `quantization` (`"nf4"`, `"fp4"`) keeps the linear layers in four bits, by bitsandbytes; embeddings, norms and the
    output layer stay in `dtype`. `double_quant` keeps the scales of the blocks in eight bits. See `compute_dtype` and
    `keep_unpacked` for what is decided on this machine.

    Raises `CourseError` for an unknown model, a hub out of reach (within five seconds), a course model that is
    missing or does not match its checksums, or an unknown quantization.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if quantization not in (None, *QUANTIZATIONS):
        raise CourseError(
            f"Unknown quantization {quantization!r}.", f"Choose one of {', '.join(QUANTIZATIONS)}, or None for none."
        )
    where = _resolve(model_name(name))
    if Path(where) == base_model_folder():
        verify_base_model()
    tokenizer = load_tokenizer(where)
    try:
        with hushed():
            model = AutoModelForCausalLM.from_pretrained(
                where,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                quantization_config=_four_bits(quantization, double_quant) if quantization else None,
            )
    except Exception as error:  # transformers raises many kinds here; each is the same to a student
        raise CourseError(f"The model '{where}' could not be loaded ({_first_line(error)}).", _mend(where)) from None
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    if seed is not None:
        torch.manual_seed(seed)
    if quantization:
        return keep_unpacked(model).eval(), tokenizer  # bitsandbytes has put it where it belongs
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), tokenizer


# ------------------------------------------------------------------ four bits


def _four_bits(kind: str, double_quant: bool):
    """transformers' `BitsAndBytesConfig` for the linear layers; the output layer is left out by default."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=double_quant,
        bnb_4bit_compute_dtype=compute_dtype(),
    )


def compute_dtype() -> torch.dtype:
    """In which dtype 4-bit weights are multiplied after they are unpacked: bfloat16 on a GPU that has it, else float32.

    On a CPU float32, also where bfloat16 would be to hand: it computes exactly what the unpacked weights say (tested), and at
    the size of models that a CPU can train unpacking costs more than the product. Under autocast the product is bfloat16 anyway.
    """
    import torch

    gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if gpu else torch.float32


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


# ------------------------------------------------------------------ adapters


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
    base = _base_of(model)
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
    mine, theirs = _base_of(model), _json(folder / ADAPTER_BASE) if (folder / ADAPTER_BASE).exists() else None
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
        fault = _first_line(error)
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


def _base_of(model: PreTrainedModel) -> dict[str, str | None]:
    """Name and checksum of the files that a model was loaded from; a hub model has no checksum."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = str(inner.config.name_or_path)
    if Path(name) == base_model_folder():
        return {"model": "data/base_model", "sha256": sha256(base_model_folder() / "model.safetensors")}
    digests = [sha256(path) for path in sorted(Path(name).glob("*.safetensors"))] if Path(name).is_dir() else []
    return {"model": Path(name).name if digests else name, "sha256": "-".join(digests) or None}


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
            f"The adapter {folder / ADAPTER} is damaged or cut short ({_first_line(error)}).", mend
        ) from None


# ------------------------------------------------------------------ where a name leads


def _resolve(name: str) -> str:
    """A local folder as it is; a hub id after asking whether it is cached or can be reached."""
    if Path(name).is_dir():
        if not (Path(name) / "config.json").exists():
            raise CourseError(f"The folder {name} holds no model: config.json is missing.", _mend(name))
        return name
    if Path(name) == base_model_folder():
        raise CourseError(f"The course's base model is missing: there is no folder {name}.", RESTORE)
    if name.startswith((".", "/", "~")) or name.count("/") != 1 or "\\" in name:
        raise CourseError(
            f"There is no folder '{name}', and a hub id has the form 'owner/name'.",
            "Correct the name, or leave COURSE_MODEL unset to use the course's own model.",
        )
    from huggingface_hub import constants, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return name
    if constants.HF_HUB_OFFLINE:
        raise CourseError(
            f"The model '{name}' is not on this machine, and the hub is switched off (HF_HUB_OFFLINE=1).",
            f"Start again with COURSE_MODEL={name} set before course_lib is imported, which switches the hub on.",
        )
    _ask_hub(name)
    return name


def _ask_hub(name: str) -> None:
    """Raise `CourseError` unless the hub knows the model, within `HUB_PATIENCE` seconds."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(HfApi().model_info, name, timeout=HUB_PATIENCE).result(HUB_PATIENCE)
    except GatedRepoError:
        raise CourseError(
            f"The model '{name}' is gated.", "Choose an open one, such as HuggingFaceTB/SmolLM2-135M."
        ) from None
    except RepositoryNotFoundError:
        raise CourseError(
            f"The hub knows no model '{name}'.", "Check the spelling, or leave COURSE_MODEL unset for the course's own."
        ) from None
    except (Exception, NoAnswer):  # no route, no name service, a proxy's refusal, silence: one answer
        raise CourseError(
            f"The model '{name}' is not on this machine, and the hub is out of reach.",
            "Check the network, or leave COURSE_MODEL unset: the course's own model needs none.",
        ) from None
    finally:
        pool.shutdown(wait=False)


# ------------------------------------------------------------------ the course's own files

RESTORE = "Restore it with: git checkout -- data/base_model"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify_base_model(folder: Path | None = None) -> dict[str, str]:
    """Compare the base model's files with `checksums.json`; return the checksums or raise `CourseError`."""
    folder = folder or base_model_folder()
    listing = folder / "checksums.json"
    if not listing.exists():
        raise CourseError(f"The course's base model is missing or incomplete: {listing} is not there.", RESTORE)
    expected = json.loads(listing.read_text())
    for name, digest in expected.items():
        path = folder / name
        if not path.exists():
            raise CourseError(f"The course's base model is incomplete: {path} is missing.", RESTORE)
        if sha256(path) != digest:
            raise CourseError(
                f"The course's base model was altered or cut short: {path} has another checksum.", RESTORE
            )
    return expected


def _mend(where: str) -> str:
    if Path(where) == base_model_folder():
        return RESTORE
    return "Any causal language model with safetensors weights will do; leave COURSE_MODEL unset for the course's own."


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:160]}" if text else type(error).__name__
