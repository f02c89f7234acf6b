"""What every training has in common: the model to begin with, the settings of this machine, and one way to run a trainer.

`cl.train`, `cl.train_reward`, `cl.train_dpo` and `cl.train_rl` choose a TRL trainer and its settings; `fit` runs it: in silence,
with progress, checkpoints and resume, and puts back what the trainer changed on the model, also when it is interrupted.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.hardware import attention_for
from ..base.processes import is_first, wait, world_size
from ..base.quiet import hushed
from ..base.run import Run
from ..measure.memory import parameters
from ..models.carriers import check_not_inside, check_not_used_up
from .arguments import check_peft_config, check_values, known_words
from .arguments import folder_for as folder_for
from .arguments import joined as joined
from .guard import (
    attend,
    built,
    check_something_to_learn,
    check_together,
    inner,
    left,
    say_filled_up,
    stop_when_not_finite,
    trained_in_float32,
)
from .guard import restore as _restore

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainingArguments

    from ..models.houlsby import HoulsbyConfig

WARM_UP = 0.1  # share of the steps in which the rate rises; rounded down, since a run of one step must learn
SAVES = 10  # checkpoints of a run that has an output_dir, unless save_steps says otherwise


def resolve(
    model: PreTrainedModel | str | os.PathLike | None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    peft_config: PeftConfig | HoulsbyConfig | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model to train and its tokenizer: `None` and names are loaded afresh, a live model is taken as it is.

    Raises `CourseError` for what is no model or no configuration, a `peft_config` on a model that already carries an adapter, the base
    inside a PEFT model, a PEFT model that is used up, and a model in which nothing can be trained.
    """
    from ..models.four_bits import in_four_bits, keep_unpacked
    from ..models.load import load_model, load_tokenizer

    check_peft_config(peft_config)
    if isinstance(model, (tuple, Run)):
        raise CourseError(
            f"model is a {type(model).__name__}, not a model.",
            "Take it apart: model, tokenizer = cl.load_model(); or give run.model and run.tokenizer.",
        )
    if model is None or isinstance(model, (str, os.PathLike)):
        model, own = load_model(model)
        tokenizer = own if tokenizer is None else tokenizer
    elif tokenizer is None:
        tokenizer = load_tokenizer(model.config.name_or_path)
    if peft_config is not None and has_adapter(model):
        raise CourseError(
            "This model already carries an adapter, and a second one on top would train both.",
            "Leave model out to load afresh, or merge the adapter first.",
        )
    check_not_inside(model)
    check_not_used_up(model)
    keep_unpacked(model)
    if peft_config is None and not has_adapter(model) and in_four_bits(model):
        raise CourseError(
            "This model's weights are in four bits, and those cannot be trained themselves.",
            "Train an adapter on it (peft_config=LoraConfig(…)), or load the model without quantization.",
        )
    if peft_config is None and not any(p.requires_grad for p in model.parameters()):
        raise CourseError(
            "Nothing in this model can be trained: all of its parameters are frozen.",
            "For an adapter that was saved: cl.load_adapter(folder, trainable=True); else give a peft_config.",
        )
    return model, tokenizer


def has_adapter(model: PreTrainedModel) -> bool:
    """Whether a model carries an adapter: one of PEFT, or one of Houlsby's."""
    from ..models.houlsby import adapters_of

    return hasattr(model, "peft_config") or bool(adapters_of(model))


def attach(model: PreTrainedModel, peft_config: PeftConfig | HoulsbyConfig | None) -> PeftConfig | None:
    """The `peft_config` that a TRL trainer gets: a copy, since PEFT writes into it; or `None` for a `HoulsbyConfig`.

    PEFT knows no Houlsby adapter, so that is put into the model here, with the base frozen. Call it where the trainer is built.
    """
    from ..models.houlsby import HoulsbyConfig, add_adapter

    if isinstance(peft_config, HoulsbyConfig):
        add_adapter(model, peft_config)
        return None
    return copy.deepcopy(peft_config)


def common_settings(output_dir: str | os.PathLike) -> dict[str, Any]:
    """The settings that every TRL configuration needs on this machine, said aloud.

    TRL's defaults ask for bf16 on a GPU and for gradient checkpointing; a CPU has neither to gain. The precision is the one that wins on
    this machine (`base.hardware.precision`); a run that left checkpoints in `output_dir` goes on in the one that it began in, whatever was
    measured since.
    """
    import torch

    from ..base.hardware import precision
    from .checkpoints import precision as begun

    gpu = torch.cuda.is_available()
    kind = begun(Path(output_dir)) or precision()
    settings = {
        "output_dir": str(output_dir),
        "use_cpu": not gpu,
        "bf16": kind == "bfloat16",
        "fp16": kind == "float16",  # with loss scaling, which the Trainer does
        "activation_checkpointing": False,  # the new name of gradient_checkpointing, which TRL switches on
        "dataloader_pin_memory": gpu,
        "dataloader_num_workers": 0,
        "optim": "adamw_torch_fused",
        "lr_scheduler_type": "cosine",
        "weight_decay": 0.0,
        "include_num_input_tokens_seen": "non_padding",
        "logging_steps": 5,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # a loss that is not a number must show
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    if world_size() > 1:
        settings["ddp_find_unused_parameters"] = (
            False  # looking for them costs time, and only mixtures of experts have some
        )
    return settings


def schedule(
    count: int,
    *,
    batch_size: int,
    epochs: float,
    max_steps: int,
    output_dir: str | os.PathLike | None,
    **arguments: Any,
) -> dict[str, Any]:
    """`arguments` with warm-up and, where there is an `output_dir`, checkpoints: what follows from the number of steps.

    Raises `CourseError` for values of the wrong kind, and for words of other libraries, with the word to use here.
    """
    from .checkpoints import KEPT

    check_values(batch_size=batch_size, epochs=epochs, max_steps=max_steps, **arguments)
    arguments = known_words(arguments)
    together = batch_size * arguments.get("gradient_accumulation_steps", 1)
    steps = max_steps if max_steps > 0 else epochs * math.ceil(count / together)
    arguments.setdefault("warmup_steps", int(WARM_UP * steps))
    if output_dir:
        saving = {"save_strategy": "steps", "save_steps": max(1, int(steps / SAVES)), "save_total_limit": KEPT}
        arguments = saving | arguments
    return arguments


def fit(
    make: Callable[[list[TrainerCallback]], Any],
    *,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: Any,
    peft_config: PeftConfig | HoulsbyConfig | None,
    config: TrainingArguments,
    resume: bool = False,
    quiet: bool = False,
) -> Run:
    """Run the trainer that `make(callbacks)` builds around `model`, and return the record of it.

    `data` are the rows as the trainer gets them; with `model`, `peft_config` and `config` they make the fingerprint by which a
    checkpoint is recognised. Afterwards, also after an interruption, the model's own `forward` is back and it is in evaluation mode;
    an adapter that a stopped run had put into it is out again. Nothing in the folder is removed but older checkpoints of this run.
    Raises `CourseError` for checkpoints that are not this run's, a disk too full, a trainer that cannot be built, rows in which no
    token of an answer is left, and at the first loss that is not finite.
    """
    from . import checkpoints

    with hushed():
        from transformers import PrinterCallback, TrainerState
    folder = Path(config.output_dir)
    saves = config.save_strategy != "no"
    attention = attention_for(bool(config.bf16), getattr(config, "max_length", None))
    settings = config.to_dict() | {"attention": attention}
    mine = checkpoints.fingerprint(model, data, peft_config, settings) if saves or resume else {}
    forward, usual = model.__dict__.get("forward"), inner(model).config._attn_implementation
    start = checkpoints.newest_whole(folder, mine) if resume else None
    if saves:
        checkpoints.check_folder(folder, mine, resume)
    if start and not quiet:
        print(f"Going on from {start.resolve()}.")
    frozen = {name: p.requires_grad for name, p in model.named_parameters()}
    quiet = quiet or not is_first()
    progress = _progress(quiet)
    trainer, finished = None, False
    try:
        attend(model, usual, attention)
        with hushed():
            trainer = built(make, [progress], peft_config)
        check_together(trainer)
        trainer.remove_callback(PrinterCallback)
        trainer.create_model_card = lambda *args, **kwargs: None  # TRL's would take the place of a README.md
        check_something_to_learn(trainer)
        stop_when_not_finite(trainer)
        say_filled_up(len(trainer.train_dataset), config)
        if config.fp16:
            trained_in_float32(trainer.model)
        done = TrainerState.load_from_json(str(start / "trainer_state.json")) if start else None
        before = checkpoints.seconds_of(start) if start else 0.0
        started = time.monotonic()
        if done and done.global_step >= done.max_steps:
            checkpoints.restore(trainer.model, start)
            trainer.state = done
            seconds = before
        else:
            if saves:
                folder.mkdir(parents=True, exist_ok=True)
                wait()
                size, there = checkpoints.estimate(trainer.model), len(list(folder.glob("checkpoint-*")))
                checkpoints.check_room(folder, size, max(1, (config.save_total_limit or 1) + 1 - there))
                clock = lambda: before + time.monotonic() - started  # noqa: E731
                trainer.add_callback(checkpoints.keeper(folder, mine, size, clock))
            with hushed():
                trainer.train(resume_from_checkpoint=str(start) if start else None)
            seconds = before + time.monotonic() - started
        finished = True
    finally:
        trained = model if trainer is None else trainer.model
        _restore(trained, forward)
        attend(trained, inner(trained).config._attn_implementation, usual)
        trained.eval()
        if not finished:
            told = left(model, trained, trainer.state.global_step if trainer is not None else 0, frozen)
            if trainer is not None:
                print(told)
    counts = parameters(trained)
    return Run(
        model=trained,
        tokenizer=tokenizer,
        trainer=trainer,
        seconds=seconds,
        rows=_rows_read(trainer.state.global_step, len(trainer.train_dataset), config),
        tokens=int(trainer.state.num_input_tokens_seen),
        losses=[entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        trainable_parameters=counts.trainable,
        total_parameters=counts.total,
        learning_rate=config.learning_rate,
        seed=config.seed,
        history=list(trainer.state.log_history),
    )


def _rows_read(steps: int, count: int, config: TrainingArguments) -> int:
    """Rows that were trained on in so many steps: the last step of a pass may be short."""
    together = config.per_device_train_batch_size * config.gradient_accumulation_steps * world_size()
    if world_size() > 1:
        return steps * together  # Accelerate fills the last step up
    passes, rest = divmod(steps, math.ceil(count / together))
    return passes * count + min(count, rest * together)


def _progress(quiet: bool, measures: Sequence[str] = ("loss",)):
    """A callback that prints some eight lines over a run: step, what is measured, seconds left."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.started, self.printed, self.first = time.monotonic(), -1, state.global_step

        def on_step_end(self, args, state, control, **kwargs):
            control.should_log = control.should_log or state.global_step == state.max_steps
            return control

        def on_log(self, args, state, control, logs=None, **kwargs):
            if quiet or not any(name in (logs or {}) for name in measures):
                return
            slot = 8 * state.global_step // max(1, state.max_steps)
            if slot == self.printed and state.global_step < state.max_steps:
                return
            self.printed = slot
            taken = time.monotonic() - self.started
            left = taken / max(1, state.global_step - self.first) * (state.max_steps - state.global_step)
            told = "   ".join(f"{name} {logs[name]:.3f}" for name in measures if name in logs)
            print(f"step {state.global_step:4d}/{state.max_steps}   {told}   {left:3.0f} s left")

    return Progress()
