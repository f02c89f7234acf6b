"""What lesson 04 says about what its cells printed."""

from __future__ import annotations

import re

from ..claims import printed

LESSON = "04_supervised_fine_tuning"


def _found(pattern: str) -> list[float]:
    """The figures in the groups of a pattern, in the committed outputs."""
    match = re.search(pattern, printed(LESSON))
    assert match, f"nothing printed like {pattern}"
    return [float(group) for group in match.groups()]


def nothing_in_form() -> str:
    """The base model's replies."""
    assert _found(r"in the form asked: (\d+) of 60 before")[0] == 0
    return "Nothing is in the form asked for."


def mask_is_worth_it() -> str:
    """The loss on the answer against the loss on everything."""
    (masked,), (unmasked,) = _found(r"loss on the answer: +([\d.]+) %"), _found(r"loss on everything: +([\d.]+) %")
    assert unmasked < masked / 2 and _found(r"answer − everything: \S+ points \(95 % interval ([+-][\d.]+)")[0] > 10
    return "With the loss on everything the model is right less than half as often after the same steps"


def answers_are_a_tenth() -> str:
    """The share of answer tokens."""
    assert 8 <= _found(r"of all tokens in 300 rows, answers are (\d+) %")[0] <= 12
    return "Nine tokens of ten are questions"


def data_decide_what() -> str:
    """The two models of tone alone on other tasks."""
    for weights in ("all weights", "LoRA"):
        assert _found(rf"tone alone +{weights} .*four other tasks +(\d+) %")[0] < 25, weights
    return "The models of tone alone fail at the other tasks with either kind of weights"


def lora_needs_steps() -> str:
    """LoRA against all weights, on tone alone and on all tasks."""
    tone = [_found(rf"tone alone +{w} .*tone +(\d+) %")[0] for w in ("LoRA", "all weights")]
    mixed = [_found(rf"all tasks +{w} .*four other tasks +(\d+) %")[0] for w in ("LoRA", "all weights")]
    assert tone[0] > tone[1] - 5 and mixed[0] < mixed[1] - 15, (tone, mixed)
    return "on tone alone LoRA is as good as all weights, on eleven tasks it is far behind after so few steps"


def never_stops() -> str:
    """The two models trained by hand."""
    assert _found(r"without it +begins with a label: (\d+) of 40; and stops there: (\d+)") == [40, 0]
    return "Without its end mark the model begins with a label just as often and never stops."


def line_break() -> str:
    """The layouts."""
    assert _found(r"no line break after the role +([\d.]+) %")[0] == 0
    assert _found(r"no space before the text +([\d.]+) %") == _found(r"as in training +([\d.]+) %")
    return "One missing line break costs everything: 0 %. A missing space costs nothing"


CLAIMS = [
    nothing_in_form,
    mask_is_worth_it,
    answers_are_a_tenth,
    data_decide_what,
    lora_needs_steps,
    never_stops,
    line_break,
]
