"""What a model object carries: an adapter, the inside of one, or one that is used up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adapted_layers(model: PreTrainedModel) -> bool:
    """Whether PEFT's layers stand in a model: LoRA's and its kin, trained copies of modules, trained rows of embeddings."""
    kinds = {cls.__name__ for module in model.modules() for cls in type(module).__mro__}
    return not kinds.isdisjoint({"BaseTunerLayer", "AuxiliaryTrainingWrapper", "ModulesToSaveWrapper"})


def is_peft(model: Any) -> bool:
    """Whether this is PEFT's own object around a model."""
    return hasattr(model, "peft_config") and hasattr(model, "get_base_model")


def check_not_inside(model: PreTrainedModel, what: str = "model") -> None:
    """Raises `CourseError` for the base inside a PEFT model: PEFT has put its layers into it, so it is no base any more."""
    if not hasattr(model, "get_base_model") and adapted_layers(model):
        raise CourseError(
            f"This {what} is the base inside a PEFT model: the adapter's layers stand in it.",
            "Use run.model, the PEFT model itself; for the base as it was, load it afresh with cl.load_model().",
        )


def check_not_used_up(model: PreTrainedModel) -> None:
    """Raises `CourseError` for a PEFT model whose adapter was merged or taken out: nothing is left to save, merge or train."""
    if not is_peft(model) or any(config.is_prompt_learning for config in model.peft_config.values()):
        return
    if all(type(config).__module__.startswith("peft.") for config in model.peft_config.values()) and not adapted_layers(
        model
    ):
        raise CourseError(
            "This PEFT model is used up: its adapter was merged into the weights or taken out.",
            "Use what cl.merge returned; to save an adapter, save it before merging.",
        )
