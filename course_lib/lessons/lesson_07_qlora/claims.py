"""What lesson 07 says about its reference runs."""

from __future__ import annotations

from ...measure.statistics import difference_interval
from ..claims import signed
from ..reference import runs
from .experiments import BLOCKS, HALF, KINDS

LESSON = "07_qlora"


def _reading(kind: str, block: int) -> float:
    return runs(LESSON, part="reading", kind=kind, block=block)[0]["metrics"]["perplexity"]


def _rise(kind: str, block: int = 64) -> float:
    return 100 * (_reading(kind, block) / _reading("float32", 0) - 1)


def _tuned(base: str) -> dict[int, dict]:
    return {r["key"]["seed"]: r["metrics"] for r in runs(LESSON, part="tuning", base=base)}


def _signed(points: float) -> str:
    return signed(points, 1)


def four_bits_read() -> str:
    """Perplexity in blocks of 64."""
    nf4, int4, fp4 = (_rise(kind) for kind in ("NF4", "INT4", "FP4"))
    assert nf4 < int4 < fp4 < 5
    return f"In blocks of 64 NF4 raises perplexity by {nf4:.1f} %, INT4 by {int4:.1f} %, FP4 by {fp4:.1f} %"


def same_order_at_every_size() -> str:
    """NF4, INT4, FP4 in this order at every size of block."""
    for block in BLOCKS:
        nf4, int4, fp4 = (_rise(kind, block) for kind in ("NF4", "INT4", "FP4"))
        assert nf4 < int4 < fp4, block
    assert set(KINDS) == {"NF4", "INT4", "FP4"}
    return "the order, NF4 before INT4, is the same here at every size of block. FP4 comes last here at every size"


def qlora_below_lora() -> str:
    """The headline: three seeds, four hundred items, paired."""
    nf4, full = ([[int(b) for b in m["bits"]] for m in _tuned(base).values()] for base in ("nf4", "float32"))
    found = [100 * v for v in difference_interval(nf4, full)]
    assert found[1] < 0 < found[2] and all(sum(a) < sum(b) for a, b in zip(nf4, full, strict=True))
    return f"QLoRA is {-found[0]:.1f} points below LoRA ({_signed(found[1])} to {_signed(found[2])}). In each of the three seeds it is the lower one"


def in_the_claim() -> str:
    """The same two figures in the lesson's claim."""
    nf4, full = ([sum(map(int, m["bits"])) / len(m["bits"]) for m in _tuned(b).values()] for b in ("nf4", "float32"))
    gap = 100 * (sum(full) - sum(nf4)) / len(full)
    return (
        f"It costs {_rise('NF4'):.1f} % of perplexity here before training, and {gap:.1f} points of accuracy after it"
    )


def fp4_and_the_control() -> str:
    """FP4 and the adapter in bfloat16, each against LoRA on the same items and seeds."""
    lora = _tuned("float32")
    gaps = {
        base: [100 * (m["right"] - lora[seed]["right"]) for seed, m in _tuned(base).items()] for base in ("fp4", HALF)
    }
    assert all(gap < -2 for gap in gaps["fp4"]) and all(abs(gap) < 1 for gap in gaps[HALF])
    first, second = ([_signed(gap) for gap in gaps[base]] for base in ("fp4", HALF))
    level = second[1].lstrip("+")
    return (
        f"FP4 costs more ({first[0]} and {first[1]} points on the same items). The adapter's bfloat16 costs nothing: that control "
        f"is level with LoRA ({second[0]} and {level} points)"
    )


def gradients_lost() -> str:
    """What one generate() leaves of the gradient, lowest and highest layer."""
    trap = next(r["metrics"] for r in runs(LESSON) if r["key"]["part"] == "trap")
    left = [value for key, value in trap.items() if key.startswith("left_")]
    assert left[0] == min(left) and left[-1] == max(left)
    assert abs(trap["loss_after"] - trap["loss_before"]) < 0.01
    return f"the lowest layer keeps {left[0]:.0f} % of its gradient, the highest {left[-1]:.0f} %"


CLAIMS = [
    four_bits_read,
    same_order_at_every_size,
    qlora_below_lora,
    in_the_claim,
    fp4_and_the_control,
    gradients_lost,
]
