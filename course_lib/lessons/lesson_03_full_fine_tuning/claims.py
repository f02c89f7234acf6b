"""What lesson 03 says about its reference runs and its committed outputs."""

from __future__ import annotations

import re

from ...measure.real_column import PLAIN, forgotten, interval
from ...measure.real_column import runs as real_runs
from ...measure.statistics import shares_interval
from ..claims import printed
from ..reference import runs
from .experiments import NARROW_STEPS, RATE, RATES, SECTION

LESSON = "03_full_fine_tuning"
GUESSING = 25 / 165  # 15 items of each task: 1/3 of urgency and tone, 1/4 of section and outcome, half of refusal


def _of(part: str, **wanted) -> list[dict]:
    found = runs(LESSON, part=part, **wanted)
    return [r["metrics"] for r in found]


def _mean(metrics: list[dict], name: str) -> float:
    return sum(m[name] for m in metrics) / len(metrics)


def full_over_seeds() -> str:
    """Three seeds at the usual rate, and the control."""
    found, control = _of("rate", learning_rate=RATE), _of("control")
    value, low, high = shares_interval([m["accuracy"] for m in found], found[0]["n"])
    shuffled = shares_interval([m["accuracy"] for m in control], control[0]["n"])
    assert shuffled.high < low and shuffled.low < GUESSING < shuffled.high
    return (
        f"Over three seeds full fine-tuning is right in {100 * value:.1f} % of the rows of eleven tasks "
        f"({100 * low:.0f} to {100 * high:.0f}), the control in {100 * shuffled.value:.1f} % "
        f"({100 * shuffled.low:.0f} to {100 * shuffled.high:.0f}), which includes the {100 * GUESSING:.0f} % of guessing."
    )


def usual_rate_is_best() -> str:
    """Lowest validation loss and highest accuracy over the rates; thirty times the rate."""
    table = {rate: _of("rate", learning_rate=rate) for rate in RATES}
    assert min(table, key=lambda r: _mean(table[r], "validation_loss")) == RATE
    assert max(table, key=lambda r: _mean(table[r], "accuracy")) == RATE
    low, high = (100 * _mean(table[r], "accuracy") for r in (min(RATES), max(RATES)))
    return (
        f"The usual rate has both the lowest validation loss and the most right answers; a tenth of it gives {low:.0f} %, thirty "
        f"times it {high:.0f} %."
    )


def forgetting_grows_first() -> str:
    """Forgetting at the usual rate and at three times it."""
    usual, thrice = (_of("rate", learning_rate=rate) for rate in (RATE, 3 * RATE))
    drop = 100 * (_mean(usual, "accuracy") - _mean(thrice, "accuracy"))
    first, second = _mean(usual, "forgetting"), _mean(thrice, "forgetting")
    assert second > 4 * first and drop < 15
    return (
        f"It grows much faster than the accuracy falls: at three times the usual rate accuracy is {drop:.0f} points lower, and forgetting "
        f"{second / first:.0f} times as large ({second:.1f} against {first:.1f} nats)."
    )


def narrow_forgets_no_more() -> str:
    """The narrow run against the mixture, at equal steps."""
    narrow, mixed = _mean(_of("narrow"), "forgetting"), _mean(_of("short mixture"), "forgetting")
    own = _mean(_of("narrow"), f"forgetting_{SECTION}")
    assert abs(narrow - mixed) < 0.05 and own > narrow - 0.01
    return (
        f"After {NARROW_STEPS} steps each the narrow training has forgotten {narrow:.2f} nats and the mixture {mixed:.2f}: it is not the "
        "narrowness that costs, but training at this rate. Nor is the trained section spared."
    )


def half_a_percent() -> str:
    """The dead numbers that the notebook counts, twice."""
    dead, still = (
        int(re.search(pattern, printed(LESSON))[1].replace(",", ""))
        for pattern in (r"zero on both sides: ([\d,]+) numbers", r"did not move: ([\d,]+)")
    )
    assert 0 <= still - dead < 100
    return "Half a per cent does not move, whatever the rate."


def epochs() -> str:
    """The committed run with six wrong labels."""
    found = re.search(r"lowest validation loss after epoch (\d+): ([\d.]+); after epoch 12: ([\d.]+)", printed(LESSON))
    epoch, lowest, last = int(found[1]), float(found[2]), float(found[3])
    assert epoch < 12 and last > 1.5 * lowest, (epoch, lowest, last)
    return "The training loss goes to zero; the loss on other rows is lowest early and rises from then on."


def late_is_wrong_too() -> str:
    """The committed run: accuracy of the last model against the one with the lowest validation loss."""
    found = re.search(
        r"last minus lowest loss: ([+-][\d.]+) points \(95 % interval \S+ to ([+-][\d.]+)\)", printed(LESSON)
    )
    assert float(found[2]) < 0
    return (
        f"the last model is right {-float(found[1]):.0f} points less often than the one with the lowest validation loss"
    )


def control_by_task() -> str:
    """The committed table: what the control gets right by task."""
    found = {
        task: round(0.15 * int(re.search(rf"^{task} +\d+ % +(\d+) %", printed(LESSON), re.M)[1]))
        for task in ("urgency", "section", "entity", "number")
    }
    assert found["section"] >= 8
    return (
        f"(Its {100 * found['urgency'] / 15:.0f} % of `urgency`, {found['urgency']} of 15, are what three labels give by luck.) A control on a "
        "task that the base knows is not at chance by itself; what it must not do is copy names and figures, and of thirty it gets "
        f"{found['entity'] + found['number']}."
    )


def one_is_false() -> str:
    """The committed list of expectations."""
    lines = re.findall(r"^(?:\d\.|  ) .* (True|False)$", printed(LESSON), re.M)
    assert lines == ["True", "True", "False", "True", "True", "True"], lines
    return "One is False, and it is the control"


def real_and_forgetting() -> str:
    """The real model: hand-written sentences and forgetting, full fine-tuning and LoRA on the same rows."""
    full, lora = (
        [r for r in real_runs("smollm2", name) if r["key"]["rows"] == 512] for name in ("full fine-tuning", "LoRA")
    )
    before, after = (100 * interval(r).value for r in (real_runs("smollm2", PLAIN), full))
    rates = [found[0]["settings"]["learning_rate"] for found in (full, lora)]
    lost = [forgotten(found, "smollm2") for found in (full, lora)]
    assert abs(rates[0] - RATE / 10) < 1e-9 and lost[1] > 5 * lost[0]
    return (
        f"512 rows take the real model from {before:.1f} to {after:.1f} % of the hand-written sentences. And it forgets next to nothing: "
        f"{lost[0]:.2f} nats per token of common English, at a tenth of our rate. LoRA on the same rows, at a rate {rates[1] / rates[0]:.0f} "
        f"times as high, forgets {lost[1]:.2f}"
    )


CLAIMS = [
    full_over_seeds,
    usual_rate_is_best,
    forgetting_grows_first,
    narrow_forgets_no_more,
    half_a_percent,
    epochs,
    late_is_wrong_too,
    control_by_task,
    one_is_false,
    real_and_forgetting,
]
