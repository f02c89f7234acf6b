"""Measuring: scores and intervals, losses, memory, the scoreboard, figures. What a training costs is at hand here directly."""

from .memory import (
    Counts,
    activation_bytes,
    checkpoint_bytes,
    parameters,
    peak_memory,
    training_memory,
    weight_bytes,
)

__all__ = [
    "Counts",
    "activation_bytes",
    "checkpoint_bytes",
    "parameters",
    "peak_memory",
    "training_memory",
    "weight_bytes",
]
