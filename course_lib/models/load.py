"""Load a causal language model and its tokenizer: the course's own, a hub id, or a local folder; in four bits if asked.

One switch chooses for the whole course: the environment variable `COURSE_MODEL`. Weights and adapters are read from
safetensors only, and no code from a model repository is ever run. `save_adapter`, `load_adapter` and `merge` are PEFT's,
with the checks that PEFT leaves to its user.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.quiet import hushed
from .four_bits import QUANTIZATIONS, four_bits_config, keep_unpacked
from .identity import RESTORE, base_model_folder, first_line, model_name, verify_base_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


HUB_PATIENCE = 4.0  # seconds to wait for the hub before saying that it is out of reach

# For tokenizers that bring no chat template: plain words, so that no untrained marker is needed.
PLAIN_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '### ' + message['role'] | capitalize + ':\n ' + message['content'] }}"
    "{{ eos_token + '\n' if message['role'] == 'assistant' else '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)


def load_tokenizer(name: str | os.PathLike | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, with a pad token, a chat template, and padding on the right.

    A tokenizer without a chat template gets a plain-text one; one without a pad token gets an existing special token
    other than end-of-sequence where it has one, since a model whose padding is its end mark never learns to stop.
    Raises `CourseError` like `load_model`.
    """
    from transformers import AutoTokenizer

    where = resolve_name(model_name(name))
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise CourseError(f"The tokenizer of '{where}' could not be read ({first_line(error)}).", mend(where)) from None
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
    where = resolve_name(model_name(name))
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
                quantization_config=four_bits_config(quantization, double_quant) if quantization else None,
            )
    except Exception as error:  # transformers raises many kinds here; each is the same to a student
        raise CourseError(f"The model '{where}' could not be loaded ({first_line(error)}).", mend(where)) from None
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    if seed is not None:
        torch.manual_seed(seed)
    if quantization:
        return keep_unpacked(model).eval(), tokenizer  # bitsandbytes has put it where it belongs
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), tokenizer


def resolve_name(name: str) -> str:
    """A local folder as it is; a hub id after asking whether it is cached or can be reached."""
    if Path(name).is_dir():
        if not (Path(name) / "config.json").exists():
            raise CourseError(f"The folder {name} holds no model: config.json is missing.", mend(name))
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


def mend(where: str) -> str:
    if Path(where) == base_model_folder():
        return RESTORE
    return "Any causal language model with safetensors weights will do; leave COURSE_MODEL unset for the course's own."
