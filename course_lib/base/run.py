"""The record of a finished training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass
class Run:
    """A finished training: the model in evaluation mode, its tokenizer, the trainer, and what it took.

    `rows` and `tokens` count what was read, padding left out; `seconds` is training alone, over all stretches of a resumed run.
    `history` is what the trainer logged, one dictionary an entry, with `step`.
    """

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
    history: list[dict] = field(repr=False, default_factory=list)

    def __str__(self) -> str:
        share = 100 * self.trainable_parameters / self.total_parameters
        loss = f"loss {self.losses[0]:.2f} → {self.losses[-1]:.2f}" if self.losses else "no loss was logged"
        return (
            f"{self.rows:,} rows, {self.tokens:,} tokens in {self.seconds:.0f} s; "
            f"{self.trainable_parameters:,} parameters trained ({share:.2f} %); {loss}"
        )
