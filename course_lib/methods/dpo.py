"""Direct preference optimization: `train_dpo`, over TRL's `DPOTrainer`, with a reference that really is the policy's start.

Rafailov et al., arXiv 2305.18290: instead of a reward model and reinforcement learning, one classification loss on pairs,
-log σ(β · (log π/π_ref of the chosen reply - log π/π_ref of the rejected one)) (equation 7). IPO is arXiv 2310.12036.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.processes import share_of
from ..base.quiet import hushed
from ..measure.memory import parameters
from ..models.generation import ROW_TOKENS
from .arguments import check_values
from .guard import dropout_off
from .pairs import to_pairs
from .run import attach, common_settings, fit, folder_for, has_adapter, joined, resolve, schedule

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..base.run import Run
    from ..models.houlsby import HoulsbyConfig

SMALL = 50_000_000  # parameters; below this the rates published for billions are far too low
RATES = {(True, False): 5e-5, (True, True): 5e-4, (False, False): 1e-6, (False, True): 1e-5}  # (small?, adapter?)
LOSSES = (
    "sigmoid",
    "ipo",
    "hinge",
    "robust",
    "sft",
    "apo_zero",
    "apo_down",
    "sigmoid_norm",
)  # those of TRL that we tried
KEPT = ("loss", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected")  # fmt: skip


def train_dpo(
    data: Dataset,
    *,
    model: PreTrainedModel | str | os.PathLike | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    peft_config: PeftConfig | HoulsbyConfig | None = None,
    learning_rate: float | None = None,
    epochs: float = 1,
    max_steps: int = -1,
    batch_size: int = 16,
    beta: float = 0.1,
    loss_type: str | Sequence[str] = "sigmoid",
    reference: PreTrainedModel | None = None,
    seed: int = 0,
    output_dir: str | os.PathLike | None = None,
    resume: bool = False,
    quiet: bool = False,
    **arguments: Any,
) -> Run:
    """Train on preference pairs with TRL's `DPOTrainer`; `data` has the columns `prompt`, `chosen`, `rejected`.

    The words mean what they mean in `cl.train`; `batch_size` counts pairs. Columns hold bare text, which the model's chat
    template wraps, or lists of messages. `beta` is the weight of the KL divergence from the reference. `loss_type` is one
    of `LOSSES` or several, to be added (`["sigmoid", "sft"]`, weighted by `loss_weights=[1.0, 0.1]`).

    `reference=None` takes the policy as it is before the first step: a frozen copy, or, with a `peft_config`, the base
    under the adapter, which costs no memory. (TRL alone would load the reference afresh by the model's *name*; for a model
    that was fine-tuned and merged since, that is another model.) Dropout is off during the training,
    so policy and reference agree at step 0 and the loss there is ln 2. `**arguments` go to `DPOConfig` as they are.

    The returned `Run` has `history`: for each logged step the loss, `rewards/chosen`, `rewards/rejected` (β times the
    log-ratio, in nats), `rewards/margins`, `rewards/accuracies`, `logps/chosen`, `logps/rejected` (nats, summed over a reply).

    Raises `CourseError` for missing columns, empty or equal replies (each named by its row), pairs longer than
    `max_length` tokens, an unknown loss, a `reference` that is the policy itself, and whatever `cl.train` refuses.
    """
    with hushed():
        from transformers import set_seed

    check_values(
        learning_rate=learning_rate, epochs=epochs, max_steps=max_steps, batch_size=batch_size, seed=seed, quiet=quiet
    )
    folder = folder_for(output_dir, resume)
    rows = to_pairs(data)
    losses = [loss_type] if isinstance(loss_type, str) else list(loss_type)
    unknown = [name for name in losses if name not in LOSSES]
    if unknown:
        raise CourseError(f"Unknown loss {', '.join(map(repr, unknown))}.", f"The losses are: {', '.join(LOSSES)}.")
    if beta <= 0:
        raise CourseError(f"beta is {beta}; with no pull towards the reference the loss has no scale.", "Try beta=0.1.")
    set_seed(seed)
    model, tokenizer = resolve(model, tokenizer, peft_config)
    if reference is not None and reference is model:
        raise CourseError(
            "The reference is the very model that is trained, so every log-ratio would stay 0 and the loss at ln 2.",
            "Leave reference out to compare with the policy's start, or give another model object.",
        )
    usual = RATES[parameters(model).total < SMALL, peft_config is not None or has_adapter(model)]
    config = dpo_config(
        folder,
        learning_rate=usual if learning_rate is None else learning_rate,
        num_train_epochs=epochs,
        max_steps=max_steps,
        per_device_train_batch_size=share_of(batch_size),
        beta=beta,
        loss_type=losses,
        seed=seed,
        **schedule(
            len(rows), batch_size=batch_size, epochs=epochs, max_steps=max_steps, output_dir=output_dir, **arguments
        ),
    )
    frozen = reference
    of_peft = hasattr(model, "peft_config") or isinstance(
        peft_config, _peft_base()
    )  # TRL finds the start below the adapter
    if frozen is None and not of_peft and not config.precompute_ref_log_probs:
        frozen = copy.deepcopy(model)  # before TRL patches the policy's forward
    forward = frozen.__dict__.get("forward") if frozen is not None else None

    def make(callbacks: list):
        from trl import DPOTrainer

        trainer = DPOTrainer(
            model,
            ref_model=frozen,
            args=config,
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=attach(model, peft_config),
            callbacks=callbacks,
        )
        _check_lengths(trainer, len(rows), config.max_length)
        return trainer

    try:
        with dropout_off(model):
            run = fit(
                make,
                model=model,
                tokenizer=tokenizer,
                data=rows,
                peft_config=peft_config,
                config=config,
                resume=resume,
                quiet=quiet,
            )
    finally:
        if frozen is not None:
            _restore(frozen, forward)
    if hasattr(run.model, "peft_config") and "ref" in run.model.peft_config:  # TRL's frozen twin of an adapter
        run.model.delete_adapter("ref")
        counts = parameters(run.model)
        run.trainable_parameters, run.total_parameters = counts.trainable, counts.total
    run.history = history(run.trainer)
    return run


def _peft_base() -> type:
    from peft import PeftConfig

    return PeftConfig


def dpo_config(output_dir: str | os.PathLike, **arguments: Any):
    """`trl.DPOConfig` with every flag that matters on this machine said aloud; `arguments` override."""
    with hushed():
        from trl import DPOConfig

    settings = common_settings(output_dir) | {
        "warmup_steps": 0.1,
        "max_length": ROW_TOKENS,
        "disable_dropout": True,
        "logging_steps": 1,
        "logging_first_step": True,
    }
    try:
        return DPOConfig(**joined(settings, arguments))
    except TypeError as error:
        raise CourseError(f"DPOConfig refuses an argument ({error}).", "See the arguments of trl.DPOConfig.") from None


def history(trainer) -> list[dict[str, float]]:
    """The training log of a preference trainer: one dictionary a logged step, with `step` and the entries of `KEPT`."""
    log = [entry for entry in trainer.state.log_history if "rewards/chosen" in entry and "loss" in entry]
    return [{"step": e["step"]} | {name: e[name] for name in KEPT if name in e} for e in log]


def _check_lengths(trainer, count: int, limit: int | None) -> None:
    """TRL drops pairs whose prompt fills `max_length` and cuts longer ones, without a word; here both are an error."""
    ready = trainer.train_dataset
    if limit is None or "prompt_ids" not in ready.column_names:
        return
    lengths = [
        len(p) + max(len(c), len(r))
        for p, c, r in zip(ready["prompt_ids"], ready["chosen_ids"], ready["rejected_ids"], strict=True)
    ]
    cut = [number for number, length in enumerate(lengths) if length > limit]
    if cut or len(ready) < count:
        where = f", the first in row {cut[0]}" if cut and len(ready) == count else ""
        raise CourseError(
            f"{len(cut) + count - len(ready)} of {count} pairs are longer than max_length = {limit} tokens{where}; they would be cut.",
            "Shorten them, or give max_length=… if the model reads more.",
        )


def _restore(model: PreTrainedModel, forward) -> None:
    """Undo TRL's patch on the frozen reference, so that it can be used and copied afterwards."""
    if forward is None:
        model.__dict__.pop("forward", None)
    else:
        model.__dict__["forward"] = forward
