"""Load a causal language model and its tokenizer: the course's own, a hub id, or a local folder; in four bits if asked.

One switch chooses for the whole course: the environment variable `COURSE_MODEL`. Weights and adapters are read from
safetensors only, and no code from a model repository is ever run. `save_adapter`, `load_adapter` and `merge` are PEFT's,
with the checks that PEFT leaves to its user.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.quiet import hushed
from .four_bits import QUANTIZATIONS, check_quantized, four_bits_config, keep_unpacked
from .generation import encode_exchange
from .identity import RESTORE, base_model_folder, first_line, model_name, verify_base_model
from .names import check_tokenizer_files, resolve_name

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


# For tokenizers that bring no chat template: plain words, so that no untrained marker is needed.
PLAIN_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] | capitalize + ':\n ' + message['content'] }}"
    "{{ eos_token + '\n' if message['role'] == 'assistant' else '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
START = "{{ bos_token }}"  # before it, for tokenizers that put a start mark before every text

# What load_model is asked for under the names of other libraries, and the word to use here.
WORDS = {
    "load_in_4bit": "quantization='nf4'",
    "load_in_8bit": "quantization='nf4' (8 bits are not offered)",
    "quantization_config": "quantization='nf4'",
    "torch_dtype": "dtype",
    "device_map": "nothing: the GPU is used where there is one",
    "device": "nothing: the GPU is used where there is one",
    "model": "name",
    "model_name": "name",
    "pretrained_model_name_or_path": "name",
    "token": "nothing: open models need no login",
    "trust_remote_code": "nothing: no code from a model repository is ever run",
}


def load_tokenizer(name: str | os.PathLike | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, with a pad token, a chat template, and padding on the right.

    A tokenizer without a chat template gets a plain-text one; one without a pad token gets an existing special token
    other than end-of-sequence where it has one, since a model whose padding is its end mark never learns to stop.
    Raises `CourseError` like `load_model`.
    """
    from transformers import AutoTokenizer

    where = resolve_name(model_name(name))
    check_tokenizer_files(where)
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    except Exception as error:  # many kinds from two libraries; each is the same to a student
        raise CourseError(f"The tokenizer of '{where}' could not be read ({first_line(error)}).", mend(where)) from None
    _check_end_mark(tokenizer, where)
    if tokenizer.chat_template is None:
        marked = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
        tokenizer.chat_template = (START if marked else "") + PLAIN_CHAT_TEMPLATE
    if tokenizer.pad_token_id is None:
        spare = [t for t in tokenizer.all_special_tokens if t != tokenizer.eos_token]
        tokenizer.pad_token = spare[0] if spare else tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def _check_end_mark(tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Raises `CourseError` for a tokenizer without an end mark of its own: no reply would ever end."""
    end, ident = tokenizer.eos_token, tokenizer.eos_token_id
    reason = None
    if not end:
        reason = "has no end mark"
    elif ident is None or (ident == tokenizer.unk_token_id and end != tokenizer.unk_token):
        reason = f"has the end mark {end!r}, which is not in its vocabulary"
    if reason:
        raise CourseError(
            f"The tokenizer of '{where}' {reason}, so no reply would ever end.",
            "Set tokenizer.eos_token to a token that the model was trained with, and save the tokenizer into a folder with the weights.",
        )


def _check_fit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Raises `CourseError` when the tokenizer writes marks that the model has no row for."""
    rows = model.get_input_embeddings().weight.shape[0]
    try:
        given, said = encode_exchange(tokenizer, "a", "b")
    except Exception as error:  # a template is a program of its own
        raise CourseError(
            f"The chat template of '{where}' cannot write a question and its answer ({first_line(error)}).",
            "Set tokenizer.chat_template to None or to another one, and save the tokenizer with the weights.",
        ) from None
    over = {i for i in [*given, *said, tokenizer.eos_token_id, tokenizer.pad_token_id] if i is not None and i >= rows}
    if over:
        names = ", ".join(map(repr, tokenizer.convert_ids_to_tokens(sorted(over))))
        raise CourseError(
            f"The tokenizer of '{where}' writes {names}, but the model has rows for {rows:,} tokens only.",
            "Use the tokenizer that the model was trained with, or model.resize_token_embeddings(len(tokenizer)) and save both.",
        )


def load_model(
    name: str | os.PathLike | None = None,
    *,
    dtype: torch.dtype | str = "float32",
    seed: int | None = None,
    quantization: str | None = None,
    double_quant: bool = True,
    **foreign: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal LM and its tokenizer, in evaluation mode, on the GPU where there is one.

    `name` is a hub id or a local folder; without it `COURSE_MODEL` decides, else the course's own model. `dtype`
    is the dtype of the weights in memory (`"float32"`, `"bfloat16"`, `"auto"` or a `torch.dtype`). `seed`, if given,
    seeds torch for reproducible sampling.

    `quantization` (`"nf4"`, `"fp4"`) keeps the linear layers in four bits, by bitsandbytes; embeddings, norms and the
    output layer stay in `dtype`. `double_quant` keeps the scales of the blocks in eight bits. See `compute_dtype` and
    `keep_unpacked` for what is decided on this machine. Where further linear layers stay as they are, a printed sentence says how many.

    Raises `CourseError` for an unknown model, a hub out of reach (within five seconds), a folder that holds something else, a model whose
    weights are not all there, a course model that does not match its checksums, an unknown quantization or one that reaches no
    layer, and a tokenizer without an end mark or with marks that the model does not have.
    """
    for word in foreign:
        raise CourseError(
            f"load_model has no argument '{word}'.", f"The word to use here is {WORDS.get(word, 'none of that kind')}."
        )
    import torch
    from transformers import AutoModelForCausalLM

    if quantization not in (None, *QUANTIZATIONS):
        raise CourseError(
            f"Unknown quantization {quantization!r}.", f"Choose one of {', '.join(QUANTIZATIONS)}, or None for none."
        )
    where = resolve_name(model_name(name))
    if Path(where) == base_model_folder():
        verify_base_model()
    tokenizer = load_tokenizer(where)
    saved_as = _quantization_saved(where)
    if saved_as and (quantization or saved_as != "bitsandbytes"):
        what = (
            "already quantized"
            if saved_as == "bitsandbytes"
            else f"quantized by {saved_as}, which the course does not read"
        )
        raise CourseError(f"The model '{where}' is {what}.", "Load the unquantized model, or leave quantization out.")
    # Left out where there is none: None would hide that the files themselves are in four bits.
    four_bits = {"quantization_config": four_bits_config(quantization, double_quant)} if quantization else {}
    try:
        with hushed():
            model, told = AutoModelForCausalLM.from_pretrained(
                where,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **four_bits,
            )
    except Exception as error:  # transformers raises many kinds here; each is the same to a student
        raise CourseError(f"The model '{where}' could not be loaded ({first_line(error)}).", mend(where)) from None
    _check_complete(where, told)
    _check_fit(model, tokenizer, where)
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    if seed is not None:
        torch.manual_seed(seed)
    if quantization or saved_as:
        check_quantized(model, where)
        return keep_unpacked(model).eval(), tokenizer  # bitsandbytes has put it where it belongs
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), tokenizer


def _check_complete(where: str, told: dict) -> None:
    """Raises `CourseError` when weights of the model are not in its files: transformers would fill them with random numbers."""
    missing, extra = sorted(told["missing_keys"]), sorted(told["unexpected_keys"])
    if not missing:
        return
    shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    if any("lora_" in name or "base_layer" in name for name in extra):
        mended = "It was saved from inside a PEFT model: save cl.merge(run.model), or the adapter with cl.save_adapter(run.model, folder)."
    else:
        mended = "Save the whole model again, or restore its files."
    raise CourseError(f"The model '{where}' is incomplete: its files hold no {shown}.", mended)


def _quantization_saved(where: str) -> str | None:
    """By which library the weights in a folder were quantized, if they were."""
    try:
        config = json.loads((Path(where) / "config.json").read_text(encoding="utf-8"))
        return config["quantization_config"].get("quant_method", "bitsandbytes")
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def mend(where: str) -> str:
    if Path(where) == base_model_folder():
        return RESTORE
    return "Any causal language model with safetensors weights will do; leave COURSE_MODEL unset for the course's own."
