"""What is different when virtual tokens are trained: their rate, the room that they take, and what cannot be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..models.generation import ROW_TOKENS, context_of

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

# Measured with 20 virtual tokens on tone, 512 rows twice, by the loss on 300 held-back rows, one seed (reference runs of lesson 08).
RATES = {"PROMPT_TUNING": 0.1, "PREFIX_TUNING": 0.03, "P_TUNING": 0.003}


def prompt_config(model: PreTrainedModel, peft_config: PeftConfig | None = None) -> PeftConfig | None:
    """The configuration of the virtual tokens that a training will have, its own or the model's; `None` if there are none."""
    config = peft_config if peft_config is not None else getattr(model, "active_peft_config", None)
    return config if getattr(config, "is_prompt_learning", False) else None


def prompt_rate(model: PreTrainedModel, peft_config: PeftConfig | None = None) -> float | None:
    """The usual learning rate of these virtual tokens; `None` for any other training.

    They are few and far from where they must go, so it lies a hundred times above that of weights, whatever the model's size
    (PEFT's own benchmark and arXiv 2104.08691 use 1e-3 to 0.3 for billions of parameters).
    """
    config = prompt_config(model, peft_config)
    return None if config is None else RATES.get(config.peft_type.value, RATES["PROMPT_TUNING"])


def row_length(model: PreTrainedModel, peft_config: PeftConfig | None = None, wanted: int | None = None) -> int:
    """How many tokens of text a training row may have: `wanted`, or `ROW_TOKENS` where the context holds them, less the virtual tokens.

    Raises `CourseError` where `wanted` and the virtual tokens do not fit together into the model's positions.
    """
    new = prompt_config(model, peft_config) if peft_config is not None else None
    room = context_of(model) - (new.num_virtual_tokens if new is not None else 0)
    if room < 1 or (wanted is not None and wanted > room):
        config = prompt_config(model, peft_config)
        beside = f" beside {config.num_virtual_tokens} virtual tokens" if config is not None else ""
        raise CourseError(
            f"max_length={wanted or ROW_TOKENS} does not fit: the model's context holds {max(0, room)} tokens of text{beside}.",
            f"Leave max_length out, or give at most {room}." if room > 0 else "Give it fewer virtual tokens.",
        )
    return min(ROW_TOKENS, room) if wanted is None else wanted


def check_virtual(model: PreTrainedModel, peft_config: PeftConfig | None, resume: bool, packing: bool) -> None:
    """Refuse what virtual tokens cannot do (`CourseError`): a resumed P-tuning, and packed rows.

    PEFT saves the finished vectors of P-tuning, and of a prefix with a projection, not the network that makes them. Of several
    rows packed into one, only the first would stand behind the virtual tokens.
    """
    config = prompt_config(model, peft_config)
    if config is None:
        return
    if packing:
        raise CourseError(
            "Packed rows and virtual tokens do not go together: only the first row of a pack would stand behind them.",
            "Leave packing off.",
        )
    if resume and (config.peft_type.value == "P_TUNING" or getattr(config, "prefix_projection", False)):
        raise CourseError(
            f"A run of {config.peft_type.value} cannot be resumed: its checkpoints hold the finished vectors, and not the "
            "network that is trained to make them.",
            "Train it in one go, or use prompt tuning, whose vectors are themselves what is trained.",
        )
