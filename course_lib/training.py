"""One `train()` for the course: TRL's trainers, with arguments that are right on this machine.

Nothing here trains anything itself. `train` chooses precision, batches and rates, hands the work to TRL, and undoes what the
trainer changed on the model. `run.trainer` stays open for a look.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from .data import to_messages
from .errors import CourseError
from .quiet import hushed

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMALL = 50_000_000  # parameters; below this the rates published for billions are far too low
RATES = {(True, False): 5e-4, (True, True): 5e-3, (False, False): 2e-5, (False, True): 2e-4}  # (small?, adapter?)


@dataclass
class Run:
    """A finished training: the model in evaluation mode, its tokenizer, the trainer, and what it took."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    trainer: Any = field(repr=False)
    seconds: float
    rows: int
    tokens: int
    losses: list[float] = field(repr=False)
    trainable_parameters: int
    total_parameters: int
    learning_rate: float
    seed: int

    def __str__(self) -> str:
        share = 100 * self.trainable_parameters / self.total_parameters
        return (
            f"{self.rows:,} rows, {self.tokens:,} tokens in {self.seconds:.0f} s; "
            f"{self.trainable_parameters:,} parameters trained ({share:.2f} %); loss {self.losses[0]:.2f} → {self.losses[-1]:.2f}"
        )


def train(
    data: Dataset,
    *,
    model: PreTrainedModel | str | os.PathLike | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    method: str = "sft",
    peft_config: PeftConfig | None = None,
    learning_rate: float | None = None,
    epochs: float = 1,
    max_steps: int = -1,
    batch_size: int = 16,
    seed: int = 0,
    output_dir: str | os.PathLike | None = None,
    quiet: bool = False,
    **arguments: Any,
) -> Run:
    """Fine-tune on instruction rows with TRL's `SFTTrainer`; the loss counts the answer only.

    `model`: `None` or a name loads afresh, so no run can spoil another; a live model is trained *in place*. `peft_config`
    trains an adapter instead of all weights. `epochs`, or `max_steps` of `batch_size` rows if positive.
    `learning_rate=None` takes a rate that suits the model's size. `**arguments` go to `SFTConfig` as they are.

    Raises `CourseError` for an empty dataset, missing columns, an unknown method, or a `peft_config` on a model that
    already carries an adapter.
    """
    from .models import load_model, load_tokenizer

    with hushed():
        from transformers import PrinterCallback, set_seed
        from trl import SFTTrainer

    if method != "sft":
        raise CourseError(f"Unknown method '{method}'.", "The methods are: sft.")
    if len(data) == 0:
        raise CourseError("There is nothing to train on: the dataset is empty.", "Check the filter that made it.")
    rows = to_messages(data)
    set_seed(seed)
    if model is None or isinstance(model, (str, os.PathLike)):
        model, tokenizer = load_model(model)
    elif tokenizer is None:
        tokenizer = load_tokenizer(model.config.name_or_path)
    if peft_config is not None and hasattr(model, "peft_config"):
        raise CourseError(
            "This model already carries an adapter, and a second one on top would train both.",
            "Leave model out to load afresh, or merge the adapter first.",
        )
    small = sum(p.numel() for p in model.parameters()) < SMALL
    rate = learning_rate or RATES[(small, peft_config is not None)]
    folder = Path(output_dir) if output_dir else Path(mkdtemp(prefix="course-"))
    config = sft_config(
        folder,
        learning_rate=rate,
        num_train_epochs=epochs,
        max_steps=max_steps,
        per_device_train_batch_size=batch_size,
        seed=seed,
        **arguments,
    )
    forward = model.__dict__.get("forward")
    with hushed():
        trainer = SFTTrainer(
            model,
            args=config,
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=peft_config,
            callbacks=[_progress(quiet)],
        )
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    with hushed():
        trainer.train()
    seconds = time.monotonic() - started
    trained = trainer.model
    _restore(trained, forward)
    trained.eval()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Run(
        model=trained,
        tokenizer=tokenizer,
        trainer=trainer,
        seconds=seconds,
        rows=int(trainer.state.global_step * batch_size),
        tokens=int(trainer.state.num_input_tokens_seen),
        losses=losses,
        trainable_parameters=sum(p.numel() for p in trained.parameters() if p.requires_grad),
        total_parameters=sum(p.numel() for p in trained.parameters()),
        learning_rate=rate,
        seed=seed,
    )


def sft_config(output_dir: str | os.PathLike, **arguments: Any):
    """`trl.SFTConfig` with every flag that matters on this machine said aloud; `arguments` override.

    TRL's defaults ask for bf16 on a GPU and for gradient checkpointing; a CPU has neither to gain. Rows are grouped by
    length, so that little is spent on padding.
    """
    import torch

    with hushed():
        from trl import SFTConfig

    from .pretrain import bf16_pays

    gpu = torch.cuda.is_available()
    settings = {
        "output_dir": str(output_dir),
        "use_cpu": not gpu,
        "bf16": bf16_pays("cuda" if gpu else "cpu"),
        "fp16": False,
        "activation_checkpointing": False,  # the new name of gradient_checkpointing, which TRL switches on
        "dataloader_pin_memory": gpu,
        "dataloader_num_workers": 0,
        "optim": "adamw_torch_fused",
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "weight_decay": 0.0,
        "max_length": 512,
        "packing": False,
        "completion_only_loss": True,
        "train_sampling_strategy": "group_by_length",
        "include_num_input_tokens_seen": "non_padding",
        "logging_steps": 5,
        "logging_first_step": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return SFTConfig(**(settings | arguments))


def _restore(model, forward) -> None:
    """Undo what SFTTrainer patched onto the instance; otherwise a deep copy computes with the original's weights."""
    for module in {id(m): m for m in (model, getattr(model, "base_model", model), _inner(model))}.values():
        if forward is None:
            module.__dict__.pop("forward", None)
        elif "forward" in module.__dict__:
            module.__dict__["forward"] = forward


def _inner(model):
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _progress(quiet: bool):
    """A callback that prints some eight lines over a run: step, loss, seconds left."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.started, self.printed = time.monotonic(), -1

        def on_log(self, args, state, control, logs=None, **kwargs):
            if quiet or "loss" not in (logs or {}):
                return
            slot = 8 * state.global_step // max(1, state.max_steps)
            if slot == self.printed and state.global_step < state.max_steps:
                return
            self.printed = slot
            taken = time.monotonic() - self.started
            left = taken / max(1, state.global_step) * (state.max_steps - state.global_step)
            print(f"step {state.global_step:4d}/{state.max_steps}   loss {logs['loss']:.3f}   {left:3.0f} s left")

    return Progress()
