"""What lesson 04 says about what its cells printed."""

from __future__ import annotations

import re

from ...measure.real_column import interval, runs
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


def _by_task() -> dict[str, int]:
    """Per cent right after the training, by task."""
    return {task: int(share) for task, share in re.findall(r"^(\w+) +\d+ → +(\d+) %", printed(LESSON), re.M)}


def _range(found: dict[str, int], tasks: tuple[str, ...]) -> str:
    shares = [found[task] for task in tasks]
    return f"{min(shares)} to {max(shares)} %"


def learnt_first() -> str:
    """Which tasks are learnt after so few rows, and which are not."""
    found, easy, hard = (
        _by_task(),
        ("entity", "number", "tone", "section", "urgency"),
        ("format", "headline", "question"),
    )
    assert min(found[task] for task in easy) > max(found[task] for task in found if task not in easy) > 0
    assert max(found[task] for task in hard) < min(found[task] for task in found if task not in hard)
    return (
        f"Names, figures and the labels of tone, section and urgency are right in {_range(found, easy)} after 480 rows; JSON and single "
        f"words, headlines and questions in {_range(found, hard)}."
    )


def form_before_content() -> str:
    """Replies in the form asked for, against replies that are right."""
    (formed,) = _found(r"in the form asked: 0 of 60 before, (\d+) of 60 after")
    (right,) = _found(r"right, after: +([\d.]+) %")
    assert formed / 60 > right / 100 + 0.15
    return f"The form comes before the content: {formed:.0f} of 60 replies have the form that was asked for, and {right:.1f} % of all replies are right."


def letters() -> str:
    """Letters: as many right as before, and none declined."""
    assert _by_task()["refusal"] == 50 and _found(r"letters declined: (\d+) of 12") == [0]
    return "Letters stay at 50 %, and not one of twelve is declined: that is still the score of a talker."


def three_of_five() -> str:
    """One item and five orders: three replies of another kind each, no JSON, no headline."""
    replies = re.findall(r"^  \S.{49} → (.*)$", printed(LESSON), re.M)
    assert len(replies) == 5 and replies[0] == "positive" and replies[1] == "health"
    assert replies[3] == "positive" and replies[4] == replies[2]
    return "It obeys three of five."


def lora_share() -> str:
    """What LoRA trains."""
    (share,) = _found(r"all tasks +LoRA +([\d.]+) % trained")
    return f"LoRA trains {share:.1f} % of the parameters"


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


def other_layouts() -> str:
    """Another family's layout, and none."""
    (own, low, _), (other, _, high), (none,) = (
        _found(r"as in training +([\d.]+) % right \(95 % interval ([\d.]+)–([\d.]+)"),
        _found(r"another family's layout +([\d.]+) % right \(95 % interval ([\d.]+)–([\d.]+)"),
        _found(r"no template at all +([\d.]+) %"),
    )
    assert other < own and high > low and none < 1 / 3 * 100
    return (
        f"another family's layout gives {other:.1f} % instead of {own:.1f} %, and with 40 items the two intervals overlap. "
        f"Without any template {none:.1f} % are right."
    )


def form_on_the_real_model() -> str:
    """The form on both models: whatever is right is exact."""
    shares = []
    for model in ("smollm2", "course"):
        rows = [row for row in runs(model, "LoRA") if row["key"]["rows"] == 1024]
        right, exact = (interval(rows, how=how).value for how in ("lenient", "exact"))
        assert right == exact
        shares.append(100 * right)
    return (
        f"The form is learnt completely on both models: whatever is right ({shares[0]:.1f} % on the real one, {shares[1]:.1f} % on ours) "
        "is the label and nothing else."
    )


CLAIMS = [
    nothing_in_form,
    learnt_first,
    form_before_content,
    letters,
    three_of_five,
    lora_share,
    other_layouts,
    form_on_the_real_model,
    mask_is_worth_it,
    answers_are_a_tenth,
    data_decide_what,
    lora_needs_steps,
    never_stops,
    line_break,
]
