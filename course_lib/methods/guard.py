"""Around a trainer: what must not begin, what must stop, and what must not be left behind on the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.processes import is_first, world_size

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, TrainerCallback


def built(
    make: Callable[[list[TrainerCallback]], Any], callbacks: list[TrainerCallback], peft_config: PeftConfig | None
) -> Any:
    """The trainer; an adapter that does not go with the model is a `CourseError`, not one of PEFT's many kinds."""
    try:
        return make(callbacks)
    except (ValueError, TypeError, AttributeError, RuntimeError, NotImplementedError, ImportError) as error:
        if peft_config is None:
            raise
        text = str(error).strip().splitlines()
        raise CourseError(
            f"This adapter cannot be put on this model ({type(error).__name__}: {text[0][:200] if text else ''}).",
            "Name layers that the model has in target_modules (print(model) shows them), or choose another kind of adapter.",
        ) from error


def check_something_to_learn(trainer: Any) -> None:
    """Raises `CourseError` when the trainer's rows hold no token that counts: a model that learns nothing would show a loss of 0."""
    rows = trainer.train_dataset
    masks = [
        name for name in ("completion_mask", "assistant_masks") if name in (getattr(rows, "column_names", None) or [])
    ]
    if masks and not any(any(mask) for mask in rows[masks[0]]):
        raise CourseError(
            f"There is nothing to learn in these {len(rows)} rows: no token of an answer is left in them.",
            "Raise max_length, shorten the rows, or look at what the tokenizer makes of an answer.",
        )


def left(model: PreTrainedModel, trained: PreTrainedModel, steps: int, frozen: dict[str, bool]) -> str:
    """What a model holds after a run that was stopped, in a sentence; an adapter that the run had put on is taken off first."""
    from ..models.houlsby import BANK, adapters_of, remove_adapter

    fresh = [name for name in adapters_of(model) if not any(f"{BANK}.{name}." in key for key in frozen)]
    for name in fresh:
        remove_adapter(model, name)
    if trained is model and not fresh:
        return f"The run was stopped: the model holds the weights after {steps} steps."
    if hasattr(trained, "unload") and not any(c.is_prompt_learning for c in trained.peft_config.values()):
        trained.unload()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(frozen.get(name, parameter.requires_grad))
    return f"The run was stopped after {steps} steps: its adapter is taken off, and the model is as it was before."


def check_together(trainer: Any) -> None:
    """Raises `CourseError` when the trainer does not see the processes among which the rows of a step are shared out, or shards the weights."""
    if getattr(trainer, "is_fsdp_enabled", False) or getattr(trainer, "is_deepspeed_enabled", False):
        raise CourseError(
            "The launcher asks for sharded weights (FSDP or DeepSpeed); the course trains with whole weights in each process.",
            "Launch with torchrun, or with data/recipes/accelerate/two_nodes.yaml; for sharding use TRL's trainer itself.",
        )
    seen = trainer.accelerator.num_processes
    if seen != world_size():
        raise CourseError(
            f"A launcher started {world_size()} processes, and the trainer knows of {seen}: each would train alone.",
            "Start them with torchrun, and make no Accelerator or PartialState before the training.",
        )


def say_filled_up(count: int, config: Any) -> None:
    """A printed sentence where the rows do not fill the last step of several processes: then it is not the step of one process."""
    together = config.per_device_train_batch_size * config.gradient_accumulation_steps * world_size()
    if is_first() and world_size() > 1 and count % together:
        print(
            f"{count} rows do not fill steps of {together}: the last step of each pass is filled up with {-count % together} rows that were "
            f"read before, so it differs from that of one process."
        )


def stop_when_not_finite(trainer) -> None:
    """Raise at the first loss that is not a finite number; training on would destroy the model in silence."""
    step = trainer.training_step

    def checked(*args, **kwargs):
        loss = step(*args, **kwargs)
        if not math.isfinite(float(loss)):
            raise CourseError(
                f"The loss is {float(loss)} in step {trainer.state.global_step + 1}, at a learning rate of "
                f"{trainer.args.learning_rate:g}: the model is destroyed.",
                "Load it afresh and lower the learning rate; if the rate is small, look for rows or weights that are not numbers.",
            )
        return loss

    trainer.training_step = checked


@contextmanager
def dropout_off(model: PreTrainedModel) -> Iterator[None]:
    """Within it every dropout rate of a model is 0: two readings of the same text must agree where they are compared.

    TRL does so for dropout *modules*; the rate of attention is a plain number in most architectures, and it leaves that alone.
    """
    import torch

    found = []
    for module in model.modules():
        rates = ["p"] if isinstance(module, torch.nn.Dropout) else [n for n in vars(module) if "dropout" in n]
        found += [(module, n, getattr(module, n)) for n in rates if isinstance(getattr(module, n), float)]
    try:
        for module, name, _ in found:
            setattr(module, name, 0.0)
        yield
    finally:
        for module, name, value in found:
            setattr(module, name, value)


def trained_in_float32(model: PreTrainedModel) -> None:
    """Keep what is trained in float32: float16 gradients are scaled, and PyTorch unscales none that are themselves of half precision.

    TRL casts an adapter on 4-bit weights to bfloat16 on every card.
    """
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.element_size() < 4:
            parameter.data = parameter.data.float()


def inner(model: PreTrainedModel) -> PreTrainedModel:
    """The model inside a PEFT model; any other as it is."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def attend(model: PreTrainedModel, now: str, wanted: str | None) -> None:
    """Change the attention from one of the two that PyTorch computes to the other; any other choice is the caller's own."""
    if now != wanted and {now, wanted} <= {"sdpa", "eager"}:
        try:
            inner(model).set_attn_implementation(wanted)
        except (ValueError, NotImplementedError):  # an architecture that has only one
            return


def restore(model, forward) -> None:
    """Undo what SFTTrainer patched onto the instance; otherwise a deep copy computes with the original's weights."""
    for module in {id(m): m for m in (model, getattr(model, "base_model", model), inner(model))}.values():
        if forward is None:
            module.__dict__.pop("forward", None)
        elif "forward" in module.__dict__:
            module.__dict__["forward"] = forward
