"""What lesson 07 says about its reference runs and its printed output."""

from __future__ import annotations

import re

from ...measure.real_column import bits as bits_of
from ...measure.real_column import runs as real_runs
from ...measure.statistics import difference_interval
from ..claims import printed, signed
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


def _found(pattern: str) -> list[float]:
    """The figures in the groups of a pattern, in the committed outputs."""
    match = re.search(pattern, printed(LESSON), re.M)
    assert match, f"nothing printed like {pattern}"
    return [float(group.replace(",", "")) for group in match.groups()]


def four_bits_read() -> str:
    """Perplexity in blocks of 64, as printed, and in this order in the reference runs too."""
    int4, fp4, nf4 = _found(r"INT4 \+([\d.]+) %, FP4 \+([\d.]+) %, NF4 \+([\d.]+) %")
    assert nf4 < int4 < fp4 < 5 and _rise("NF4") < _rise("INT4") < _rise("FP4") < 5
    return f"In blocks of 64 NF4 raises perplexity by {nf4:.1f} %, INT4 by {int4:.1f} %, FP4 by {fp4:.1f} %"


def rounding_error() -> str:
    """Root mean square errors on our weights and on normal numbers."""
    errors = [
        _found(rf"^{kind} .* weights +([\d.]+) % +on normal numbers +([\d.]+) %") for kind in ("NF4", "INT4", "FP4")
    ]
    assert all(a < b for a, b in zip(errors[0], errors[1], strict=True))
    assert all(a < b for a, b in zip(errors[1], errors[2], strict=True))
    return "NF4 rounds best, and FP4 worst, behind INT4 even on normal numbers"


def outliers() -> str:
    """One outlier in each matrix: alone, with blocks, with one scale."""
    plain, alone = _found(r"^no rounding +([\d.]+) +([\d,.]+)$")
    _, blocks = _found(r"^NF4, blocks of 64 +([\d.]+) +([\d,.]+)$")
    single, both = _found(r"^NF4, one scale +([\d.]+) +([\d,.]+)$")
    assert plain * 2 < single and alone < blocks < 2 * alone and both > 1e6 * blocks
    return (
        f"Without an outlier one scale for a whole matrix takes perplexity from {plain:.2f} to {single:.2f}. The outliers alone, unrounded, take it to "
        f"{alone:.0f}; rounded in blocks it is {blocks:.0f}, and with one scale it is a number of {len(f'{both:.0f}')} digits."
    )


def peaks() -> str:
    """Peaks and saving, predicted and measured."""
    told = [_found(rf"^{name} +weights .* predicted +([\d.]+) +measured +([\d.]+) MB") for name in ("LoRA", "QLoRA")]
    saved = _found(r"^saved: predicted ([\d.]+) MB, measured ([\d.]+) MB")
    off = [100 * (predicted / measured - 1) for predicted, measured in told]
    assert abs(saved[0] - saved[1]) <= 0.2 and max(off) - min(off) < 2
    return f"The saving is predicted to a tenth of a megabyte, but both peaks are predicted some {sum(off) / 2:.0f} % too high"


def takes_longer() -> str:
    """Seconds with four bits over seconds without."""
    lora, four = _found(r"^training took ([\d.]+) s with LoRA and ([\d.]+) s with QLoRA")
    assert four > 1.05 * lora
    return "so a step takes longer"


def merges() -> str:
    """Three ways to merge, on the task: only one is what was trained."""
    trained, unpacked = (
        _found(rf"^{way} +(\d+) of 100 right") for way in ("as it was trained", "merged into the unpacked base")
    )
    assert trained == unpacked
    return "Into the unpacked base nothing changes, on the task as in the logits"


def outcome() -> str:
    """How many expectations held, as printed."""
    lines = re.findall(r"^(\d)\. .* (True|False)$", printed(LESSON), re.M)
    assert len(lines) == 6 and [number for number, held in lines if held == "False"] == ["1", "5"]
    return "Four of six held."


def on_hand_written() -> str:
    """QLoRA and LoRA on the same 512 rows, hand-written sentences, both models, paired by item."""
    told = []
    for model in ("smollm2", "course"):
        sides = [
            [
                bits_of(row["metrics"]["in_the_wild"]["lenient_bits"])
                for row in real_runs(model, method)
                if row["key"]["rows"] == 512
            ]
            for method in ("QLoRA", "LoRA")
        ]
        found = difference_interval(*sides).scaled(100)
        assert found.high < 0
        told.append(f"{_signed(found.value)} points ({_signed(found.low)} to {_signed(found.high)})")
    return f"On the same 512 rows QLoRA is {told[0]} from LoRA on the hand-written sentences with the real model, and {told[1]} with ours."


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


def planner() -> str:
    """What the planner says of 70B."""
    (needed,) = _found(r"Llama 2 70B +full .*\n +LoRA .*\n +QLoRA +([\d.]+)")
    return f"The planner gives {needed:.0f} GB for 70B"


def gradients_lost() -> str:
    """What one generate() leaves of the gradient, lowest and highest layer."""
    trap = next(r["metrics"] for r in runs(LESSON) if r["key"]["part"] == "trap")
    left = [value for key, value in trap.items() if key.startswith("left_")]
    assert left[0] == min(left) and left[-1] == max(left)
    assert abs(trap["loss_after"] - trap["loss_before"]) < 0.01
    return f"the lowest layer keeps {left[0]:.0f} % of its gradient, the highest {left[-1]:.0f} %"


CLAIMS = [
    four_bits_read,
    rounding_error,
    outliers,
    planner,
    peaks,
    takes_longer,
    merges,
    outcome,
    on_hand_written,
    same_order_at_every_size,
    qlora_below_lora,
    in_the_claim,
    fp4_and_the_control,
    gradients_lost,
]
