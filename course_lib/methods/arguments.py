"""What every training function asks of its arguments, before anything is loaded: words that are known here, and values of their kind.

Other libraries have other words for the same thing. Each of them is answered with the word to use here; none is ignored.
"""

from __future__ import annotations

import difflib
import math
import numbers
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from ..base.errors import CourseError

# Word of another library → the word to use here.
WORDS = {
    "max_seq_length": "max_length",
    "model_max_length": "max_length",
    "num_train_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "per_device_train_batch_size": "batch_size",
    "train_batch_size": "batch_size",
    "steps": "max_steps",
    "num_steps": "max_steps",
    "lr": "learning_rate",
    "rate": "learning_rate",
    "peak_lr": "learning_rate",
    "train_dataset": "data, the first argument",
    "dataset": "data, the first argument",
    "processing_class": "tokenizer",
    "base_model": "model",
    "model_name": "model",
    "args": "each setting by its own name, such as batch_size=16",
    "lora_config": "peft_config",
    "config": "peft_config for an adapter, or each setting by its own name",
    "checkpoint_dir": "output_dir",
    "resume_from_checkpoint": "resume=True with output_dir",
    "random_seed": "seed",
    "warmup_ratio": "warmup_steps, which takes a share of the steps as well, such as 0.1",
    "group_by_length": "train_sampling_strategy='group_by_length'",
    "evaluation_strategy": "cl.evaluate(run, rows) after the training",
    "eval_strategy": "cl.evaluate(run, rows) after the training",
    "eval_steps": "cl.evaluate(run, rows) after the training",
    "eval_dataset": "cl.evaluate(run, rows) after the training",
    "compute_metrics": "cl.evaluate(run, rows) after the training",
    "report_to": "none: run.losses and run.history hold the log, and nothing is sent anywhere",
    "push_to_hub": "cl.save_adapter(run.model, folder): nothing is sent anywhere",
    "load_in_4bit": "cl.load_model(quantization='nf4'), whose model goes into train(model=…)",
    "load_in_8bit": "cl.load_model(quantization='nf4'), whose model goes into train(model=…)",
    "quantization_config": "cl.load_model(quantization='nf4'), whose model goes into train(model=…)",
    "quantization": "cl.load_model(quantization='nf4'), whose model goes into train(model=…)",
    "fp16": "none: float16 is used, with loss scaling, on a GPU without bfloat16; bf16=True or False chooses otherwise",
    "use_cpu": "none: the GPU is used where there is one",
    "no_cuda": "none: the GPU is used where there is one",
    "device": "none: the GPU is used where there is one",
    "device_map": "none: the GPU is used where there is one",
    "dataset_text_field": "the columns instruction, input and output",
    "formatting_func": "the columns instruction, input and output",
    "data_collator": "trl.SFTTrainer itself, with course_lib.methods.sft.sft_config for its settings",
    "callbacks": "trl.SFTTrainer itself, with course_lib.methods.sft.sft_config for its settings",
    "optimizers": "trl.SFTTrainer itself, with course_lib.methods.sft.sft_config for its settings",
}


def known_words(arguments: dict[str, Any], fields: Iterable[str] = ()) -> dict[str, Any]:
    """The arguments that go on to a trainer's configuration. `fields` are the names that it takes, if they are known.

    `gradient_checkpointing` goes by its newer name. A word of another library, or one that is in no `fields`, is a `CourseError`.
    """
    found = dict(arguments)
    if "gradient_checkpointing" in found:
        found["activation_checkpointing"] = found.pop("gradient_checkpointing")
    fields = set(fields)
    for word, value in found.items():
        off = value is None or value is False or (isinstance(value, str) and value in ("no", "none"))
        if word in WORDS and not off:
            raise CourseError(
                f"The argument {word}={_shown(value)} is not one of this function.",
                f"The word to use here is {WORDS[word]}.",
            )
        if fields and word not in fields:
            near = difflib.get_close_matches(word, fields | set(COMMON), 1)
            raise CourseError(
                f"There is no argument '{word}'.",
                f"Did you mean {near[0]}?" if near else "See help(cl.train), and the settings of trl.SFTConfig.",
            )
    return {word: value for word, value in found.items() if word not in WORDS}


COMMON = ("learning_rate", "epochs", "max_steps", "batch_size", "seed", "output_dir", "resume", "quiet")


def check_values(**given: Any) -> None:
    """Raises `CourseError` for one of the arguments that all training functions share whose value is of the wrong kind or size."""
    checks = {
        "learning_rate": (None, _is_number, lambda v: v >= 0, "a number of 0 or more, such as 2e-4"),
        "epochs": ((), _is_number, lambda v: v > 0, "a number above 0"),
        "max_steps": ((-1,), _is_whole, lambda v: v > 0, "a whole number of 1 or more, or -1 for all epochs"),
        "batch_size": ((), _is_whole, lambda v: v > 0, "a whole number of 1 or more"),
        "gradient_accumulation_steps": ((), _is_whole, lambda v: v > 0, "a whole number of 1 or more"),
        "max_length": (None, _is_whole, lambda v: v > 1, "a whole number of tokens, 2 or more"),
        "seed": ((), _is_whole, lambda v: 0 <= v < 2**32, "a whole number of 0 or more"),
    }
    for name, value in given.items():
        if name in ("resume", "quiet") and not isinstance(value, bool):
            raise CourseError(f"{name}={_shown(value)} is a {type(value).__name__}.", "Give True or False.")
        if name == "output_dir" and not isinstance(value, (str, os.PathLike, type(None))):
            raise CourseError(f"output_dir={_shown(value)} is a {type(value).__name__}.", "Give the name of a folder.")
        if name not in checks:
            continue
        special, kind, holds, wanted = checks[name]
        if value in (special or ()) or (special is None and value is None):
            continue
        if not kind(value) or not holds(value):
            raise CourseError(f"{name}={_shown(value)} cannot be used.", f"Give {wanted}.")


def folder_for(output_dir: str | os.PathLike | None, resume: bool = False) -> Path:
    """Where a run may write. Raises `CourseError` for `resume` without an `output_dir`, or a place that cannot be written to."""
    check_values(output_dir=output_dir, resume=resume)
    if resume and not output_dir:
        raise CourseError(
            "There is nowhere to resume from: resume=True needs an output_dir.",
            "Give output_dir the folder that the stopped run was given, such as runs/my_run.",
        )
    if not output_dir:
        return Path(mkdtemp(prefix="course-"))
    folder = Path(output_dir).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".course_can_write").touch()
        (folder / ".course_can_write").unlink(missing_ok=True)  # another process may have been here
    except OSError as error:
        raise CourseError(
            f"Nothing can be written to {folder} ({error.strerror}).",
            "Choose an output_dir that is yours, such as runs/my_run.",
        ) from None
    return folder


def joined(settings: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """`settings`, overridden by `arguments`; who says `bf16` has chosen the precision, and float16 is out."""
    return settings | ({"fp16": False} if "bf16" in arguments else {}) | arguments


def check_peft_config(peft_config: Any) -> None:
    """Raises `CourseError` for a `peft_config` that is no configuration of an adapter."""
    if peft_config is None or hasattr(peft_config, "peft_type"):
        return
    if isinstance(peft_config, dict):
        told = ", ".join(f"{name}={_shown(value)}" for name, value in peft_config.items())
        raise CourseError("peft_config is a dict.", f"Make a configuration of it: peft.LoraConfig({told}).")
    raise CourseError(
        f"peft_config is a {type(peft_config).__name__}, not a configuration.",
        "Give one of PEFT's, such as peft.LoraConfig(r=8, target_modules='all-linear'), or None to train all weights.",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{type(value).__name__}(…)"
