"""One `train()` for the course: TRL's trainers, with arguments that are right on this machine.

Nothing here trains anything itself. `train` chooses precision, batches and rates, hands the work to TRL, and undoes what the
trainer changed on the model. `run.trainer` stays open for a look: TRL's `SFTTrainer`, but for one hook (`_trainer_class`).
"""

from __future__ import annotations

import copy
import inspect
import math
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
RATES = {(True, False): 5e-4, (True, True): 1.5e-3, (False, False): 2e-5, (False, True): 2e-4}  # (small?, adapter?)


WARM_UP = 0.1  # share of the steps in which the rate rises; rounded down, since a run of one step must learn
WORTH = 0.1  # a batch is cut in two where that saves so large a share of its tokens
SAVES = 10  # checkpoints of a run that has an output_dir, unless save_steps says otherwise


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
    batch_size: int = 8,
    seed: int = 0,
    output_dir: str | os.PathLike | None = None,
    resume: bool = False,
    quiet: bool = False,
    **arguments: Any,
) -> Run:
    """Fine-tune on instruction rows with TRL's `SFTTrainer`; the loss counts the answer only.

    `model`: `None` or a name loads afresh, so no run can spoil another; a live model is trained *in place*. `peft_config`
    trains an adapter instead of all weights. `epochs`, or `max_steps` of `batch_size` rows if positive.
    `learning_rate=None` takes a rate that suits the model's size. `**arguments` go to `SFTConfig` as they are.

    With `output_dir` a checkpoint is saved ten times in a run (or every `save_steps`) and two are kept. `resume=True` goes on
    from the newest whole one, to the same weights, bit for bit, as a run that was never stopped; a finished run is returned
    as it is; without a checkpoint training begins. Checkpoints hold pickled optimizer state: resume from your own only.

    Raises `CourseError` for an empty dataset, missing columns, an unknown method, a `peft_config` on a model that already
    carries an adapter, `resume` without `output_dir` or with another run's checkpoints, a disk too full for checkpoints, or
    4-bit weights that are packed for reading only.
    """
    from . import checkpoints
    from .measure import parameters
    from .models import keep_unpacked, load_model, load_tokenizer

    with hushed():
        from transformers import PrinterCallback, TrainerState, set_seed

    if resume and not output_dir:
        raise CourseError(
            "There is nowhere to resume from: resume=True needs an output_dir.",
            "Give output_dir the folder that the stopped run was given, such as runs/my_run.",
        )
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
    keep_unpacked(model)
    rate = learning_rate or RATES[(parameters(model).total < SMALL, peft_config is not None)]
    folder = Path(output_dir) if output_dir else Path(mkdtemp(prefix="course-"))
    together = batch_size * arguments.get("gradient_accumulation_steps", 1)
    steps = max_steps if max_steps > 0 else epochs * math.ceil(len(data) / together)
    arguments.setdefault("warmup_steps", int(WARM_UP * steps))
    if output_dir:
        saving = {
            "save_strategy": "steps",
            "save_steps": max(1, int(steps / SAVES)),
            "save_total_limit": checkpoints.KEPT,
        }
        arguments = saving | arguments
    config = sft_config(
        folder,
        learning_rate=rate,
        num_train_epochs=epochs,
        max_steps=max_steps,
        per_device_train_batch_size=batch_size,
        seed=seed,
        **arguments,
    )
    saves = config.save_strategy != "no"
    mine = checkpoints.fingerprint(model, rows, peft_config, config.to_dict()) if saves or resume else {}
    forward = model.__dict__.get("forward")
    with hushed():
        trainer = _trainer_class()(
            model,
            args=config,
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=copy.deepcopy(peft_config),  # PEFT writes into it
            callbacks=[_progress(quiet)],
        )
    trainer.remove_callback(PrinterCallback)
    start = checkpoints.newest_whole(folder, mine) if resume else None
    done = start is not None and TrainerState.load_from_json(str(start / "trainer_state.json"))
    started = time.monotonic()
    if done and done.global_step >= done.max_steps:
        checkpoints.restore(trainer.model, start)
        trainer.state = done
    else:
        if saves:
            folder.mkdir(parents=True, exist_ok=True)
            size, there = checkpoints.estimate(trainer.model), len(list(folder.glob("checkpoint-*")))
            checkpoints.check_room(folder, size, max(1, (config.save_total_limit or 1) + 1 - there))
            trainer.add_callback(checkpoints.keeper(folder, mine, size))
        with hushed():
            trainer.train(resume_from_checkpoint=str(start) if start else None)
    seconds = time.monotonic() - started
    trained = trainer.model
    _restore(trained, forward)
    trained.eval()
    counts = parameters(trained)
    return Run(
        model=trained,
        tokenizer=tokenizer,
        trainer=trainer,
        seconds=seconds,
        rows=int(trainer.state.global_step * batch_size),
        tokens=int(trainer.state.num_input_tokens_seen),
        losses=[entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        trainable_parameters=counts.trainable,
        total_parameters=counts.total,
        learning_rate=rate,
        seed=seed,
    )


def sft_config(output_dir: str | os.PathLike, **arguments: Any):
    """`trl.SFTConfig` with every flag that matters on this machine said aloud; `arguments` override.

    TRL's defaults ask for bf16 on a GPU and for gradient checkpointing; a CPU has neither to gain. bf16 is used where
    it was measured to win (`course bench`), else where the processor has units for it. Rows come in random order: batches of
    like length pad less, but in a mixture they are batches of one task (measured, 1,500 rows of eleven tasks: names copied 0 and
    73 % of the time).
    """
    import torch

    with hushed():
        from trl import SFTConfig

    from .bench import bf16_wins
    from .pretrain import bf16_pays

    gpu = torch.cuda.is_available()
    settings = {
        "output_dir": str(output_dir),
        "use_cpu": not gpu,
        "bf16": bf16_pays("cuda") if gpu else bf16_wins(),
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
        "train_sampling_strategy": "random",
        "include_num_input_tokens_seen": "non_padding",
        "logging_steps": 5,
        "logging_first_step": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    return SFTConfig(**(settings | arguments))


def _trainer_class():
    """TRL's `SFTTrainer` with one hook: less is computed for the same loss."""
    import torch
    import torch.nn.functional as F

    with hushed():
        from trl import SFTTrainer

    from .evaluation import _has_virtual_tokens

    def answers_loss(model, ids, labels, mask) -> torch.Tensor:
        """Cross-entropy summed over the answers; the largest layer is asked about no other position."""
        counted = (labels[:, 1:] != -100).any(0)  # logits at a position are about the next one
        columns = counted.nonzero().flatten() - labels.shape[1]  # from the end: virtual tokens may stand in front
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=columns).logits
        targets = labels[:, columns + 1]
        kept = targets != -100
        return F.cross_entropy(logits[kept].float(), targets[kept], reduction="sum")

    class AnswerTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            """The same loss as TRL's, for less: prompts need no logits, and short rows need not be as long as the longest.

            Padding stands behind the text, where causal attention cannot look, so there the mask may go as well.
            """
            if return_outputs or not self._plain():
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            ids, labels, mask = inputs["input_ids"], inputs["labels"], inputs["attention_mask"]
            behind = not _has_virtual_tokens(model) and bool((mask[:, 1:] <= mask[:, :-1]).all())
            if behind:
                loss = sum(
                    answers_loss(model, ids[rows, :width], labels[rows, :width], None)
                    for rows, width in _two_groups(mask.sum(1).tolist())
                )
            else:
                loss = answers_loss(model, ids, labels, mask)
            count = (labels[:, 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
            return loss / torch.as_tensor(count).clamp(min=1)

        def _plain(self) -> bool:
            """Whether nothing is asked for that needs TRL's own loss: packing, other losses, experts, several processes."""
            forward = type(_inner(self.model)).forward
            return (
                self.args.loss_type == "nll"
                and self.compute_loss_func is None
                and self.label_smoother is None
                and not (self.padding_free or self.aux_loss_enabled)
                and self.accelerator.num_processes == 1
                and "logits_to_keep" in inspect.signature(forward).parameters
            )

    return AnswerTrainer


def _two_groups(lengths: list[int]) -> list[tuple[list[int], int]]:
    """A batch's rows as short ones and long ones, each with its width, cut where least padding is left; whole if that saves little."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    longest, whole = lengths[order[-1]], len(order) * lengths[order[-1]]
    tokens = [cut * lengths[order[cut - 1]] + (len(order) - cut) * longest for cut in range(1, len(order))]
    if not tokens or min(tokens) > (1 - WORTH) * whole:
        return [(list(range(len(lengths))), longest)]
    cut = tokens.index(min(tokens)) + 1
    return [(order[:cut], lengths[order[cut - 1]]), (order[cut:], longest)]


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

        def on_step_end(self, args, state, control, **kwargs):
            control.should_log = control.should_log or state.global_step == state.max_steps
            return control

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
