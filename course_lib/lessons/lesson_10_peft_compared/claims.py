"""What lesson 10's prose says, computed again from its reference runs."""

from __future__ import annotations

import re

from ...measure import real_column
from ...measure.statistics import difference_interval
from ..claims import printed
from . import findings as f
from .setting import LESSON, ONE_SEED_RATE, RATES, SEEDS, SHARED_RATE

FULL, LORA, PROMPT, ADAPTERS = "full fine-tuning", "LoRA", "prompt tuning", "adapters"


def _each(found: dict) -> str:
    return ", ".join(f"{method} {words}" for method, words in found.items())


def rates_apart() -> str:
    """The tuned rates of tone."""
    rates = {m: r for (_, m), r in RATES.items()}
    assert max(rates, key=rates.get) == PROMPT and min(rates, key=rates.get) == FULL
    return f"from {rates[FULL]:g} for full fine-tuning to {rates[PROMPT]:g} for prompt tuning, {rates[PROMPT] / rates[FULL]:,.0f} times as much"


def one_rate() -> str:
    """All at one rate, validation items right."""
    found = {m: 100 * f.runs("rate", rate=SHARED_RATE, method=m)[0]["metrics"]["right"] for m in (FULL, LORA, PROMPT)}
    assert found[LORA] > 90 > found[FULL] > found[PROMPT]
    return (
        f"At {SHARED_RATE:g}, LoRA is right in {found[LORA]:.0f} % of the validation items, full fine-tuning in {found[FULL]:.0f} % and "
        f"prompt tuning in {found[PROMPT]:.0f} %"
    )


def own_rates() -> str:
    """The same at each one's own rate."""
    found = []
    for method in (FULL, LORA, PROMPT):
        tried = f.runs("rate", rate=RATES["tone", method], method=method)
        found.append(100 * sum(r["metrics"]["right"] for r in tried) / len(tried))
    assert min(found) > 90
    return f"at its own rate each of the three is right in {min(found):.0f} % or more"


def one_tuning_seed() -> str:
    """What the first tuning seed alone would have chosen for prompt tuning, on the test."""
    tried = {r["key"]["rate"]: r["metrics"]["loss"] for r in f.runs("rate", method=PROMPT, seed=0)}
    assert min(tried, key=tried.get) == ONE_SEED_RATE != RATES["tone", PROMPT]
    validation = 100 * f.runs("rate", method=PROMPT, seed=0, rate=ONE_SEED_RATE)[0]["metrics"]["right"]
    test = 100 * f.runs("one tuning seed")[0]["metrics"]["right"]
    assert test < f.accuracy("compare", method=PROMPT, seed=SEEDS[0]).value - 10  # of the same seed
    return (
        f"would have chosen {ONE_SEED_RATE:g}, with {validation:.1f} % of the validation items right; with another seed that rate is right in "
        f"{test:.1f} % of the test items"
    )


def seeds() -> str:
    """How many seeds stand behind the table."""
    counts = [len(f.runs("compare", method=m)) for m in f.methods_of("compare")]
    assert min(counts) == max(counts)
    return "one seed" if counts[0] == 1 else f"{counts[0]} seeds"


def untrained() -> str:
    """The frozen base in the form of a desk note, against the best method."""
    note = f.accuracy("prompt", layout="desk note")
    best = max(f.accuracy("compare", method=m).value for m in f.methods_of("compare"))
    assert note.value > best
    return f"is right in {f.shown(note)} %, more than after any training; the best trained method reaches {best:.1f} %"


def examples() -> str:
    """The frozen base with solved examples."""
    found = f.accuracy("prompt", layout="examples")
    assert found.high < 33
    return f"Six solved examples in the prompt bring the same base to {f.shown(found)} %, below chance"


def live() -> str:
    """The two runs of the committed notebook: equal losses, unequal answers."""
    shown = re.search(r"\nLoRA +(\d+\.\d) % right .*\nprompt tuning +(\d+\.\d) % right ", printed(LESSON))
    assert shown and float(shown[1]) > float(shown[2]) + 5
    return (
        f"Both losses end near zero, and of the unseen items LoRA has {shown[1]} % right and prompt tuning {shown[2]} %: the training loss "
        "does not tell how a method does on new items"
    )


def on_the_front() -> str:
    """The front over the size of the file."""
    size = {m: f.mean("compare", "bytes", method=m) for m in f.methods_of("compare")}
    names = f.front({m: (size[m], f.accuracy("compare", method=m).value) for m in size})
    assert names[-1] == LORA and FULL not in names
    return (
        f"On the left the front climbs over {', '.join(names[:-1])} to {LORA}; full fine-tuning, with a file {size[FULL] / size[LORA]:.0f} times "
        "as large, is not on it"
    )


def small_files() -> str:
    """How much smaller than LoRA's the files of the last three are."""
    size = {m: f.mean("compare", "bytes", method=m) for m in (LORA, "IA3", "prefix tuning", PROMPT)}
    times = sorted(size[LORA] / v for m, v in size.items() if m != LORA)
    return f"in files {times[0]:.0f} to {times[-1]:.0f} times smaller than LoRA's"


def wild_is_hard() -> str:
    """In the wild after business alone and after all sections."""
    everywhere = {m: f.accuracy("compare", "wild_bits", method=m, seed=SEEDS[0]).value for m in f.methods_of("far")}
    lost = {m: v - f.far(m)["in the wild"].value for m, v in everywhere.items()}
    assert max(lost.values()) < 4
    *first, last = (f"{v:.1f}" for v in everywhere.values())
    return (
        f"after training on all sections these sentences stand at {', '.join(first)} and {last} %, at most four points more: they are hard for "
        "another reason"
    )


def tone_full() -> str:
    """Full fine-tuning on tone."""
    return f"Full fine-tuning is right in {f.shown(f.accuracy('compare', method=FULL))} %"


def tone_near() -> str:
    """Those within three points of full."""
    minus = {m: f.against_full(m) for m in (LORA, "QLoRA", ADAPTERS)}
    assert all(abs(d.value) < 3 for d in minus.values())
    return f"in points from there: {_each({m: f.signed(d) for m, d in minus.items()})}"


def tone_below() -> str:
    """Those below full in every seed."""
    minus = {m: f.against_full(m) for m in ("IA3", "prefix tuning", PROMPT)}
    each = {m: [f.against_full(m, seed=seed).high for seed in SEEDS] for m in minus}
    assert all(high < 0 for highs in each.values() for high in highs)
    return f"Below it in every seed: {_each({m: f.signed(d) for m, d in minus.items()})}"


def scatter() -> str:
    """How far seeds lie apart."""
    found = {m: [f.accuracy("compare", method=m, seed=s).value for s in SEEDS] for m in (PROMPT, LORA)}
    assert max(found[PROMPT]) - min(found[PROMPT]) > 30 > 5 > max(found[LORA]) - min(found[LORA])
    prompt, lora = (" and ".join([", ".join(f"{v:.1f}" for v in found[m][:-1]), f"{found[m][-1]:.1f}"]) for m in found)
    return f"Prompt tuning's three seeds are right in {prompt} %, LoRA's in {lora} %"


def steps_needed() -> str:
    """Steps to an accuracy, and what they cost."""
    needed = {m: f.steps_to(m) for m in f.methods_of("curve")}
    assert all(needed[m] > needed[FULL] for m in needed if m != FULL)
    spent = {m: needed[m] * f.cost(m)["relative_time"] / needed[FULL] for m in needed if m != FULL}
    return (
        f"Full fine-tuning has 80 % of the validation items right after {needed[FULL]} steps, LoRA after {needed[LORA]}, adapters, IA3 and the two "
        f"soft prompts after {needed[PROMPT]}: with the time of a step counted, that takes {min(spent.values()):.1f} to {max(spent.values()):.1f} "
        "times as long as full fine-tuning"
    )


def memory() -> str:
    """Peak memory of a step."""
    share = {m: 100 * f.cost(m)["peak"] / f.cost(FULL)["peak"] for m in f.methods_of("compare")}
    few = f.cost(LORA)["trainable"] / f.cost(PROMPT)["trainable"]
    assert abs(share[PROMPT] - share[LORA]) < 10 and min(share.values()) > 50
    return (
        f"LoRA's step peaks at {share[LORA]:.0f} % of full fine-tuning's memory and prompt tuning's at {share[PROMPT]:.0f} %, though it "
        f"trains {few:.0f} times fewer numbers"
    )


def time() -> str:
    """Processor time of a step."""
    spent = [100 * f.cost(m)["relative_time"] for m in f.methods_of("compare") if m != FULL]
    assert min(spent) > 50 and max(spent) < 105
    return f"a step takes {min(spent):.0f} to {max(spent):.0f} % of full fine-tuning's time"


def files() -> str:
    """Bytes to keep."""
    size = {m: f.mean("compare", "bytes", method=m) for m in f.methods_of("compare")}
    assert max(v for m, v in size.items() if m != FULL) < size[FULL] / 20
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
    assert minus[LORA].low < 0 < minus[LORA].value and minus[ADAPTERS].low < 0 and minus[PROMPT].high < 0
    said = _each({m: f.signed(d) for m, d in minus.items()})
    return f"With 16 examples full fine-tuning is right in {f.shown(full)} %; in points from there: {said}"


def out_of_domain() -> str:
    """Trained on business, the other sections."""
    found = {m: f.far(m)["other sections"] for m in f.methods_of("far")}
    assert max(i.value for i in found.values()) - min(i.value for i in found.values()) < 4
    return f"On health, courts and town, per cent right: {_each({m: f.shown(i) for m, i in found.items()})}"


def in_the_wild() -> str:
    """Trained on business, in the wild."""
    found = {m: f.far(m)["in the wild"] for m in f.methods_of("far")}
    assert max(i.low for i in found.values()) < min(i.high for i in found.values())
    return f"In the wild: {_each({m: f.shown(i) for m, i in found.items()})}"


def _wool(method: str, rate: float) -> tuple[float, float]:
    """Per cent right on the Wool Exchange, and forgetting in nats per token."""
    wanted = {"method": method, "rate": rate}
    return f.accuracy("new", "wool_bits", **wanted).value, f.mean("new", "forgetting", **wanted)


def knowledge() -> str:
    """The Wool Exchange, each at the best of its rates."""
    found = {m: f.accuracy("new", "wool_bits", **f.chosen("new", m)) for m in (FULL, LORA, PROMPT)}
    assert found[FULL].value > found[LORA].value > 80 and found[PROMPT].high < 40
    return f"per cent right on the Wool Exchange: {_each({m: f.shown(i) for m, i in found.items()})}"


def usual_rate() -> str:
    """LoRA at three times tone's rate: the textbook's picture."""
    full, lora = _wool(FULL, 5e-4), _wool(LORA, 1.5e-3)
    assert lora[0] < 50 < full[0] and lora[1] < full[1] / 5
    return (
        f"At 0.0015 LoRA has learnt less ({lora[0]:.0f} against {full[0]:.0f} %) and forgotten less ({lora[1]:.2f} against {full[1]:.2f} nats "
        "per token)"
    )


def higher_rate() -> str:
    """LoRA at ten times tone's rate: as much learnt, more forgotten."""
    full, lora, gentle = _wool(FULL, 5e-4), _wool(LORA, 5e-3), _wool(FULL, 1.5e-4)
    assert lora[0] > 80 and lora[1] > full[1] > gentle[1] and gentle[0] > 80
    return (
        f"At 0.005 it has learnt nearly as much ({lora[0]:.0f} %) and forgotten more ({lora[1]:.2f}); full fine-tuning at its rate of tone, "
        f"0.00015, learns {gentle[0]:.0f} % for {gentle[1]:.2f}"
    )


def forgetting() -> str:
    """Held-out news after training on tone."""
    lost = {m: f.mean("compare", "forgetting", method=m) for m in f.methods_of("compare")}
    assert lost["prefix tuning"] > 5 * lost[FULL] and lost[PROMPT] > 5 * lost[FULL]
    for seed in SEEDS:
        assert f.mean("compare", "forgetting", method=LORA, seed=seed) < f.mean(
            "compare", "forgetting", method=FULL, seed=seed
        )
    return f"held-out news reads worse by, in nats per token: {_each({m: f'{v:+.3f}' for m, v in lost.items()})}"


def with_room() -> str:
    """The task with room, from lesson 09's runs."""
    minus = {m: f.room_against_full(m) for m in (LORA, ADAPTERS)}
    assert abs(minus[LORA].value) < 3 and f.room_accuracy(FULL).value < 80
    assert minus[ADAPTERS].high < 0 and minus[ADAPTERS].value < minus[LORA].value
    return (
        "LoRA lies within three points of full fine-tuning; the adapters lie lower, with an interval that excludes zero"
    )


def room_of_prompts() -> str:
    """Prompt tuning on the task with room."""
    minus = f.room_against_full(PROMPT)
    assert minus.high < -10
    return f"Prompt tuning, {f.shown(f.room_accuracy(PROMPT))} %, lies {f.signed(minus)} points from full fine-tuning"


def room_against_lora() -> str:
    """Adapters against LoRA on the task with room, on the seeds that both have."""
    one, lora = f.room()[ADAPTERS], f.room()[LORA]
    seeds = sorted(one.keys() & lora.keys())
    gap = difference_interval([one[s] for s in seeds], [lora[s] for s in seeds])
    assert gap.high < 0
    return "Against LoRA lesson 09 found an interval that excludes zero"


def new_words_verdict() -> str:
    """LoRA at its best rate on the Wool Exchange against full fine-tuning at its own."""
    gap = f.difference(f.chosen("new", LORA), f.chosen("new", FULL), "new", "wool_bits")
    assert gap.value < 0 < gap.high
    return "for LoRA it depends on the rate, and at its best the difference includes zero"


def on_the_real_model() -> str:
    """What the committed notebook printed of the model of 135M parameters: forgetting of LoRA and of full fine-tuning."""
    lora, full = (re.search(rf"{m}, 512 rows .*?\+(\d\.\d+) ", printed(LESSON))[1] for m in (LORA, FULL))
    assert float(lora) > 5 * float(full)
    return f"LoRA at its own, higher rate forgets far more than full fine-tuning ({lora} against {full} nats per token)"


def a_fifth_of_the_rate() -> str:
    """LoRA on the real model at the rate that suits full fine-tuning better."""
    slow, full = (real_column.runs("smollm2", name)[0] for name in ("LoRA, a fifth of the rate", FULL))
    lost = [real_column.forgotten([run], "smollm2") for run in (slow, full)]
    right = real_column.interval([slow]).scaled(100)
    assert lost[0] < 2 * lost[1] and right.high < 100 * real_column.interval([full]).low
    return f"At a fifth of its rate LoRA forgets as little as full fine-tuning ({lost[0]:.3f}) and is right in {f.shown(right)} % only"


def expected() -> str:
    """How many expectations came true."""
    told = f.expectations().splitlines()
    failed = [line[0] for line in told if line.endswith("NOT as expected")]
    assert failed == ["3", "4"] and len(told) == 7
    return "Five of seven came true"


def verdict_compute() -> str:
    """The first verdict."""
    memory = [f.cost(m)["peak"] / f.cost(FULL)["peak"] for m in f.methods_of("compare") if m != FULL]
    spent = [f.cost(m)["relative_time"] for m in f.methods_of("compare") if m != FULL]
    assert 0.6 <= min(memory) < max(memory) <= 0.75 and 0.7 <= min(spent) < max(spent) < 1
    return "a quarter to two fifths of a step's memory saved, and at most three tenths of its time"


def verdict_files() -> str:
    """The second verdict."""
    size = {m: f.mean("compare", "bytes", method=m) for m in f.methods_of("compare")}
    shares = [100 * v / size[FULL] for m, v in size.items() if m != FULL]
    return f"{min(shares):.1f} to {max(shares):.1f} % of full fine-tuning's file"


def verdict_domain() -> str:
    """The fourth verdict: no method loses accuracy outside business, and they lie together."""
    lost = [f.far(m)["business"].value - f.far(m)["other sections"].value for m in f.methods_of("far")]
    assert max(lost) < 3
    return "no method loses more than three points outside business, so there is little to be better at"


def shuffled() -> str:
    """The control."""
    found = {m: f.accuracy("control", method=m) for m in (LORA, PROMPT)}
    assert all(i.value < 50 for i in found.values()) and found[LORA].high < 45
    return f"LoRA is then right in {f.shown(found[LORA])} % and prompt tuning in {f.shown(found[PROMPT])} %"


CLAIMS = [
    rates_apart, one_rate, own_rates, one_tuning_seed, seeds, untrained, examples, tone_full, tone_near, tone_below, memory, time,
    files, little_data, out_of_domain, in_the_wild, knowledge, usual_rate, higher_rate, forgetting, shuffled,
    a_fifth_of_the_rate, with_room, room_against_lora, scatter, steps_needed, room_of_prompts, live, on_the_front, small_files, wild_is_hard, new_words_verdict, on_the_real_model, expected, verdict_compute, verdict_files, verdict_domain,
]  # fmt: skip
