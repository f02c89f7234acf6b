"""What lesson 17 says about its own run, read from what the committed notebook printed; whole sentences, whoever wins."""

from __future__ import annotations

import re

from ..claims import printed

LESSON = "17_capstone"


def _said(pattern: str) -> tuple[str, ...]:
    match = re.search(pattern, printed(LESSON), re.M)
    assert match, f"the notebook no longer prints {pattern}"
    return match.groups()


def splits() -> str:
    """Ways of asking that the splits share."""
    (many, shared, trained) = _said(
        r"^test: texts also in train \d+; ways of asking (\d+), of them also in train (\d+) \(train has (\d+)\)"
    )
    none = "none" if shared == "0" else shared
    return f"The test asks in {many} ways, and {none} of them stands among the {trained} of training."


def baselines() -> str:
    """The rule and the prompts on validation."""
    (rule,) = _said(r"^the rule: ([\d.]+) %")
    prompts = {
        name: float(v) for name, v in re.findall(r"^(plain|begun|five examples) +([\d.]+) % of", printed(LESSON), re.M)
    }
    best = max(prompts, key=prompts.get)
    told = (
        "no prompt gets a single row right"
        if prompts[best] == 0
        else f"the best prompt, “{best}”, {prompts[best]:.1f} %"
    )
    return f"On validation the rule is right in {rule} %, and {told}."


def two_settings() -> str:
    """Both settings, and whether validation tells them apart."""
    right = {m: _said(rf"^{m} +validation ([\d.]+) % right")[0] for m in ("LoRA", "full fine-tuning")}
    chosen, value, low, high = _said(
        r"^chosen on validation: (.*?); LoRA minus full fine-tuning (\S+) \((\S+) to (\S+)\) points"
    )
    apart = float(low) > 0 or float(high) < 0
    told = "an interval that excludes zero" if apart else "an interval that includes zero"
    return (
        f"On validation LoRA is right in {right['LoRA']} % and full fine-tuning in {right['full fine-tuning']} %: {value} points ({low} to {high}), {told}. "
        f"The plan takes the higher one, {chosen}."
    )


def control() -> str:
    """The control against the run."""
    (failed,) = _said(r"^control +validation ([\d.]+) % right")
    return f"With shuffled answers {failed} % of the validation rows are right."


def outcome() -> str:
    """The test."""
    chosen, right, low, high = _said(r"^(LoRA|full fine-tuning): ([\d.]+) % right \(95 % interval ([\d.]+)–([\d.]+)")
    name, before = _said(r"^(the rule|the prompt '.*?'): ([\d.]+) % of the same rows")
    value, least, most = _said(r"^ahead by (\S+) \((\S+) to (\S+)\) points")
    return f"Opened once, the test says: {chosen} {right} % ({low} to {high}), {name} {before} %, a difference of {value} points ({least} to {most})."


def errors() -> str:
    """The kinds of errors, most frequent first, and those of the baseline."""
    start = printed(LESSON).index("kind of error")
    lines = re.findall(r"^([a-zA-Z ]+?) +(\d+) +(\d+)$", printed(LESSON)[start:].split("\nat_least")[0], re.M)
    total = sum(int(mine) for _, mine, _ in lines)
    form = {"other keys", "no JSON", "JSON instead of a word", "a word that was not asked for"}
    mine, rules = (sum(int(line[i]) for line in lines if line[0] in form) for i in (1, 2))
    others = sum(int(line[2]) for line in lines)
    return (
        f"Of the model's {total} errors {mine} answer another request than the one that was made: other keys, the other word, the other form. Of the "
        f"rule's {others} errors {rules} do."
    )


def verdict() -> str:
    """What of the plan was met."""
    told = dict(re.findall(r"^(at_least|ahead|forgetting) +planned .*?(NOT MET|met)$", printed(LESSON), re.M))
    assert set(told) == {"at_least", "ahead", "forgetting"}
    words = {
        "at_least": "the accuracy",
        "ahead": "the distance from the baseline",
        "forgetting": "the limit on forgetting",
    }
    sides = {state: [words[name] for name, found in told.items() if found == state] for state in ("met", "NOT MET")}
    if not sides["NOT MET"]:
        return "All three criteria are met."
    if not sides["met"]:
        return "None of the three criteria is met."
    return f"Met: {' and '.join(sides['met'])}. Not met: {' and '.join(sides['NOT MET'])}."


def near() -> str:
    """How near the accuracy lies to its criterion."""
    (planned,) = _said(r"^at_least +planned +(\S+)")
    _, low, high = _said(r"^(?:LoRA|full fine-tuning): ([\d.]+) % right \(95 % interval ([\d.]+)–([\d.]+)")
    side = "holds" if float(low) <= float(planned) <= float(high) else "does not hold"
    return f"The interval of the accuracy, {low} to {high} %, {side} the {planned} % that were asked for."


def differ() -> str:
    """On how many rows the two differ, against the third that the plan assumed."""
    only, other, same = map(
        int, _said(r"^only the model right: (\d+) +only the baseline: (\d+) +both or neither: (\d+)")
    )
    (assumed,) = _said(r"a difference is known to about ±([\d.]+) points")
    low, high = map(float, _said(r"^ahead by \S+ \((\S+) to (\S+)\) points"))
    share, half = (only + other) / (only + other + same), (high - low) / 2
    assert share > 1 / 3 and half > float(assumed)
    return (
        f"The two differ on {only + other} of {only + other + same} rows, {100 * share:.0f} %, which is more than the third that we guessed: the interval is "
        f"±{half:.1f} points instead of ±{assumed}."
    )


def forgot() -> str:
    """Forgetting against what the plan allows."""
    mean, allowed = _said(r"^mean ([+-][\d.]+); the plan allows ([\d.]+)")
    side = "below" if float(mean) < float(allowed) else "above"
    return f"The model reads the news worse by {mean} nats per token, {side} the {allowed} that the plan allows."


def late() -> str:
    """The baseline that was found after the test."""
    (together,) = _said(r"^rule and desk notes: ([\d.]+) % of")
    trained, value, low, high = _said(r"on the same rows: ([\d.]+) %, (\S+) \((\S+) to (\S+)\) points")
    assert float(high) < 0
    return (
        f"Rule and desk notes together are right in {together} % of the validation rows, the fine-tuned model in {trained} %: {value} points ({low} to {high}). "
        "Nothing was trained for it."
    )


CLAIMS = [splits, baselines, two_settings, control, outcome, differ, forgot, errors, verdict, near, late]
