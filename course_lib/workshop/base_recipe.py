"""Every number of the course's base model, and the schedule that follows from them."""

from __future__ import annotations

import bisect
import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Recipe:
    """Every number of the base model; sizes in tokens.

    A cycle is a number of tokens, the highest rate in it, and the tokens that a step reads; each begins with a warm-up of the rate
    (SGDR, arXiv 1608.03983) and fresh optimizers. Small steps come first: the more a model has learnt, the larger the batch that
    still pays (McCandlish et al., arXiv 1812.06162, §2). In each cycle rows are short at first (`shorter`) and reach `context` in
    the last seventh: short rows are faster, and what a note says of the text right above it is easier to find in them
    (sequence-length warm-up, Li et al., arXiv 2108.06084).
    """

    cycles: tuple[tuple[int, float, int], ...] = ((10_000_000, 4e-3, 4096), (190_000_000, 4e-3, 16_384))
    seed: int = 0
    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 704
    context: int = 512
    shorter: tuple[tuple[float, int], ...] = ((0.6, 128), (0.85, 256))  # (up to this share of the steps, row length)
    final_rate: float = 1e-4
    warmup: float = 0.02
    weight_decay: float = 0.1
    optimizer: str = "muon"

    @classmethod
    def of(cls, total: int, **others) -> Recipe:
        """The recipe for another number of tokens: one cycle, with the rate and the steps of the first."""
        return cls(cycles=((total, *cls.cycles[0][1:]),), **others)

    @property
    def tokens(self) -> int:
        return sum(tokens for tokens, *_ in self.cycles)

    @property
    def starts(self) -> list[int]:
        """The first step of each cycle, and the number of all steps."""
        return [0, *itertools.accumulate(self._lengths)]

    @property
    def _lengths(self) -> list[int]:
        return [max(1, tokens // size) for tokens, _, size in self.cycles]

    @property
    def steps(self) -> int:
        return self.starts[-1]

    def _cycle(self, step: int) -> tuple[int, int, float]:
        """The step within its cycle, that cycle's steps, and its highest rate."""
        starts = self.starts
        cycle = bisect.bisect_right(starts, step) - 1
        return step - starts[cycle], starts[cycle + 1] - starts[cycle], self.cycles[cycle][1]

    def reads(self, step: int) -> tuple[int, int]:
        """Where in the corpus a step begins to read, in tokens, and where it ends."""
        first = 0
        for length, (*_, size) in zip(self._lengths, self.cycles, strict=True):
            if step < length:
                return first + step * size, first + (step + 1) * size
            first, step = first + length * size, step - length
        return first, first  # behind the last step

    def row_length(self, step: int) -> int:
        """Tokens per row at a step."""
        step, steps, _ = self._cycle(step)
        return next((length for share, length in self.shorter if step < share * steps), self.context)

    def rate(self, step: int) -> float:
        """Linear warm-up, then a cosine from the cycle's highest rate to `final_rate` (SGDR, arXiv 1608.03983, §3)."""
        step, steps, highest = self._cycle(step)
        warm = max(1, int(self.warmup * steps))
        if step < warm:
            return highest * (step + 1) / warm
        progress = (step - warm) / max(1, steps - warm)
        return self.final_rate + 0.5 * (highest - self.final_rate) * (1 + math.cos(math.pi * progress))


def read_recipe(path: Path) -> Recipe:
    """A recipe as `asdict` wrote it."""
    fields = json.loads(path.read_text())
    for name in ("cycles", "shorter"):
        fields[name] = tuple(tuple(pair) for pair in fields[name])
    return Recipe(**fields)
