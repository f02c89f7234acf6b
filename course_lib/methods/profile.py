"""Settings by the size of a model: what suits five million parameters destroys or starves one of a hundred million.

The small and the middle column were measured here (the course's base model; SmolLM2-135M in `data/reference/real/`). The large one is
what is published for billions: 2e-5 for all weights (TRL's default), 2e-4 for LoRA (QLoRA, arXiv 2305.14314, appendix B). Virtual
tokens have rates of their own, whatever the model's size (`virtual.RATES`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..measure.memory import parameters

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Profile:
    """Learning rates for all weights, for adapters in the layers and for IA3; rows a batch; rows enough for a task."""

    size: str
    full: float
    adapter: float
    ia3: float
    batch: int
    rows: int


PROFILES = (  # up to so many parameters
    (50_000_000, Profile("small", full=5e-4, adapter=1.5e-3, ia3=3e-2, batch=8, rows=512)),
    (1_000_000_000, Profile("middle", full=5e-5, adapter=1e-3, ia3=3e-2, batch=8, rows=512)),
    (float("inf"), Profile("large", full=2e-5, adapter=2e-4, ia3=5e-3, batch=8, rows=512)),
)


def profile_of(model: PreTrainedModel | int) -> Profile:
    """The profile for a model, or for a number of parameters."""
    count = model if isinstance(model, int) else parameters(model).total
    return next(profile for limit, profile in PROFILES if count < limit)
