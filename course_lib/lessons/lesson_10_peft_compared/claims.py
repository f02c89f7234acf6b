"""What lesson 10's prose says, computed again from its reference runs."""

from __future__ import annotations

from . import findings as f
from .setting import RATES, SHARED_RATE

FULL, LORA, PROMPT, ADAPTERS = "full fine-tuning", "LoRA", "prompt tuning", "adapters"


def rates_apart() -> str:
    """The tuned rates of tone."""
    rates = {m: r for (task, m), r in RATES.items() if task == "tone"}
    assert max(rates, key=rates.get) == PROMPT and min(rates, key=rates.get) == FULL
    return f"from {rates[FULL]:g} for full fine-tuning to {rates[PROMPT]:g} for prompt tuning, {rates[PROMPT] / rates[FULL]:,.0f} times as much"


def one_rate() -> str:
    """All at one rate, validation items right."""
    found = {
        m: 100 * f.runs("rate", task="tone", rate=SHARED_RATE, method=m)[0]["metrics"]["right"]
        for m in (FULL, LORA, PROMPT)
    }
    assert found[LORA] > 90 > found[FULL] > found[PROMPT]
    return (
        f"At {SHARED_RATE:g}, LoRA is right in {found[LORA]:.0f} % of the validation items, full fine-tuning in {found[FULL]:.0f} % and "
        f"prompt tuning in {found[PROMPT]:.0f} %"
    )


def own_rates() -> str:
    """The same at each one's own rate."""
    found = {}
    for method in (FULL, LORA, PROMPT):
        tried = f.runs("rate", task="tone", rate=RATES["tone", method], method=method)
        found[method] = 100 * sum(r["metrics"]["right"] for r in tried) / len(tried)
    assert min(found.values()) > 90
    return f"at its own rate each is right in {min(found.values()):.0f} % or more"


def seeds() -> str:
    """How many seeds stand behind the table."""
    counts = [len(f.runs("compare", method=m)) for m in f.methods_of("compare")]
    assert min(counts) == max(counts)
    return "one seed" if counts[0] == 1 else f"{counts[0]} seeds"


def untrained() -> str:
    """The frozen base in the form of a desk note, against the best method."""
    note = f.accuracy("prompt", layout="desk note")
    best = max(f.methods_of("compare"), key=lambda m: f.accuracy("compare", method=m).value)
    assert note.value > f.accuracy("compare", method=best).value
    return f"is right in {f.shown(note)} %, more than any method that was trained"


def examples() -> str:
    """The frozen base with solved examples."""
    found = f.accuracy("prompt", layout="examples")
    assert found.high < 60
    return f"six solved examples in the prompt bring it to {f.shown(found)} %"


def tone() -> str:
    """Full fine-tuning on tone, and how far the others are from it."""
    minus = {m: f.against_full(m) for m in f.methods_of("compare") if m != FULL}
    said = ", ".join(f"{m} {f.signed(minus[m])}" for m in minus)
    return f"Full fine-tuning is right in {f.shown(f.accuracy('compare', method=FULL))} %. The others, in points from there: {said}"


def memory() -> str:
    """Peak memory of a step."""
    share = {m: 100 * f.cost(m)["peak"] / f.cost(FULL)["peak"] for m in (LORA, PROMPT)}
    few = f.cost(LORA)["trainable"] / f.cost(PROMPT)["trainable"]
    assert abs(share[PROMPT] - share[LORA]) < 10
    return (
        f"LoRA's step peaks at {share[LORA]:.0f} % of full fine-tuning's memory and prompt tuning's at {share[PROMPT]:.0f} %, though it "
        f"trains {few:.0f} times fewer numbers"
    )


def time() -> str:
    """Processor time of a step."""
    spent = {m: 100 * f.cost(m)["relative_time"] for m in f.methods_of("compare") if m != FULL}
    return f"A step takes {min(spent.values()):.0f} to {max(spent.values()):.0f} % of full fine-tuning's time"


def files() -> str:
    """Bytes to keep."""
    size = {m: f.mean("compare", "bytes", method=m) for m in f.methods_of("compare")}
    largest = max(v for m, v in size.items() if m != FULL)
    assert largest < size[FULL] / 20
    return (
        f"{size[FULL] / 1e6:.1f} MB for full fine-tuning, {size[LORA] / 1e6:.2f} MB for LoRA, {size['IA3'] / 1e3:.0f} kB for IA3 and "
        f"{size[PROMPT] / 1e3:.0f} kB for prompt tuning"
    )


def little_data() -> str:
    """Sixteen examples."""
    full = f.accuracy("few", method=FULL, size=16)
    minus = {
        m: f.difference({"method": m, "size": 16}, {"method": FULL, "size": 16}, "few")
        for m in (LORA, ADAPTERS, PROMPT)
    }
    said = ", ".join(f"{m} {f.signed(d)}" for m, d in minus.items())
    return f"With 16 examples full fine-tuning is right in {f.shown(full)} %; in points from there: {said}"


def out_of_domain() -> str:
    """What is lost outside business."""
    lost = {}
    for method in f.methods_of("far"):
        found = f.far(method)
        lost[method] = found["business"].value - found["other sections"].value
    said = ", ".join(f"{m} {v:.1f}" for m, v in lost.items())
    return f"From business to the other sections these points are lost: {said}"


def in_the_wild() -> str:
    """Trained on business, in the wild."""
    said = ", ".join(f"{m} {f.shown(f.far(m)['in the wild'])}" for m in f.methods_of("far"))
    return f"In the wild, per cent right: {said}"


def knowledge() -> str:
    """The Wool Exchange."""
    said = ", ".join(
        f"{m} {f.shown(f.accuracy('new', 'wool_bits', **f.chosen('new', m)))}" for m in f.methods_of("new")
    )
    return f"After training on it, per cent right on the Wool Exchange: {said}"


def forgetting() -> str:
    """Held-out news after training on tone."""
    said = ", ".join(f"{m} {f.mean('compare', 'forgetting', method=m):+.2f}" for m in f.methods_of("compare"))
    return f"held-out news reads worse by, in nats per token: {said}"


def shuffled() -> str:
    """The control."""
    found = {m: f.accuracy("control", method=m) for m in (LORA, PROMPT)}
    return f"LoRA is then right in {f.shown(found[LORA])} % and prompt tuning in {f.shown(found[PROMPT])} %"


CLAIMS = [
    rates_apart, one_rate, own_rates, seeds, untrained, examples, tone, memory, time, files, little_data, out_of_domain,
    in_the_wild, knowledge, forgetting, shuffled,
]  # fmt: skip
