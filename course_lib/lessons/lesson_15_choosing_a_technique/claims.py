"""What lesson 15's prose says, computed again from the committed runs of the other lessons and from what its own cells printed.

Each claim is a whole sentence, so that other runs make other sentences, and none of them asserts who wins.
"""

from __future__ import annotations

import re

from ...measure import real_column
from ...measure.statistics import Interval
from ..claims import printed
from ..lesson_14_rlaif import shown as fourteen
from ..reference import runs
from . import costs, evidence, luck, memory, scorecard

LESSON = "15_choosing_a_technique"
SHOWN = ("LoRA", "QLoRA", "full fine-tuning")


def _share(found: Interval) -> str:
    return f"{found.value:.1f} % ({found.low:.1f} to {found.high:.1f})"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _minus(text: str) -> str:
    """True minus signs before numbers."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def _counted(count: int, what: str) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return f"{words[count] if count < len(words) else count} {what}{'' if count == 1 else 's'}"


def prompt_against_training() -> str:
    """The first surprise."""
    best, _, here, there = scorecard.against_prompting()
    return _minus(
        f"The best training ({best}) less the best prompt is {scorecard.points(here)} here, and {scorecard.points(there)} at 135M (LoRA)."
    )


def best_here() -> str:
    """The highest of the course's model, and the prompt."""
    prompt, *trained = evidence.rows("course")
    best = max(trained, key=lambda r: r.right["gazette"].value)
    return (
        f"Of the trained methods {best.technique} has the highest mean on the Gazette's items, {_share(best.right['gazette'])}; the prompt has "
        f"{_share(prompt.right['gazette'])}."
    )


def wild_here() -> str:
    """Whether the hand-written sentences tell the methods apart."""
    trained = [r.right["in_the_wild"] for r in evidence.rows("course")[1:]]
    low, high = min(r.value for r in trained), max(r.value for r in trained)
    apart = max(r.low for r in trained) > min(r.high for r in trained)
    told = "some of their intervals do not overlap" if apart else "all their intervals overlap"
    return f"On the hand-written sentences the trained methods lie between {low:.0f} and {high:.0f} %, and {told}."


def best_there() -> str:
    """The highest of the real model, and the prompt."""
    prompt, *trained = evidence.rows("smollm2")
    order = sorted(trained, key=lambda r: -r.right["in_the_wild"].value)
    told = ", ".join(f"{r.technique} {r.right['in_the_wild'].value:.0f} %" for r in order)
    tried = sum("drawn again" not in run["key"]["prompt"] for run in real_column.runs("smollm2", real_column.PROMPTED))
    count = ("five", "six", "seven")[tried - 5]
    return f"On the real model, hand-written sentences: {told}; the best of {count} prompts {prompt.right['in_the_wild'].value:.0f} %."


def fronts() -> str:
    """Who is on no front of the course's model."""
    trained = evidence.rows("course")[1:]
    fields = {"file": "bytes", "peak": "memory", "time": "time"}
    on = {f: evidence.front({r.technique: (getattr(r, f), r.right["gazette"].value) for r in trained}) for f in fields}
    never = [r.technique for r in trained if all(r.technique not in names for names in on.values())]
    dear = {word: names[-1] for (f, names), word in zip(on.items(), fields.values(), strict=True)}
    left = (
        f"{_list(never)} {'is' if len(never) == 1 else 'are'} on none of them"
        if never
        else "every method is on one of them"
    )
    ends = _list(sorted(set(dear.values())))
    return f"Of the three fronts (bytes, memory, time) the upper end is {ends}; {left}."


def seeds() -> str:
    """The rows with one seed."""
    alone = evidence.one_seed()
    count = sum(len(evidence.rows(m)) - 1 for m in evidence.MODELS) + len(evidence.preferences())
    return f"{len(alone)} of the {count} trained rows in the three tables rest on one training seed each."


def preferences() -> str:
    """The preference methods: which of them raise the true score for certain."""
    found = evidence.preferences()
    sure = [
        f"{name.replace(', ', ' on ')} ({each['rise'].value:+.3f})"
        for name, each in found.items()
        if each["rise"].low > 0
    ]
    open_ = [
        f"{name.replace(', ', ' on ')} ({each['rise'].value:+.3f})"
        for name, each in found.items()
        if each["rise"].low <= 0
    ]
    return _minus(f"The interval of the rise lies above 0 for {_list(sure)}; it does not for {_list(open_)}.")


def labels_or_algorithm() -> str:
    """The same algorithm on other labels, and the same labels under another algorithm."""
    rise = {name: each["rise"].value for name, each in evidence.preferences().items()}
    rlhf = rise["RLHF, unbiased readers"] - rise["RLHF, biased readers"]
    dpo = fourteen.against(runs("14_rlaif"), runs("13_dpo"), "AI", "readers").value
    algorithm = rise["DPO, biased readers"] - rise["RLHF, biased readers"]
    assert max(rlhf, dpo) > abs(algorithm)
    return _minus(
        f"The same algorithm on other labels: RLHF on unbiased readers less RLHF on biased ones {rlhf:+.3f}, DPO on AI labels less DPO on the readers' {dpo:+.3f}. "
        f"Another algorithm on the same labels: DPO less RLHF, biased readers, {algorithm:+.3f}."
    )


def formula_holds() -> str:
    """The by-hand formula against the measured peaks, as the notebook printed them."""
    found = re.findall(
        r"^(full fine-tuning|LoRA|QLoRA) +predicted +([\d.]+) MB +measured +([\d.]+) MB", printed(LESSON), re.M
    )
    off = {name: 100 * (float(a) / float(b) - 1) for name, a, b in found}
    assert len(off) == 3 and all(-5 < value < 20 for value in off.values()), off
    told = _list([f"{value:+.0f} % for {name}" for name, value in off.items()])
    return f"Against the measured peaks the formula is off by {told}."


def large() -> str:
    """7B and 70B."""

    def row(size: str) -> str:
        totals = [memory.needed(way, memory.SHAPES[size])["total"] / 1e9 for way in memory.WAYS]
        return (
            f"at {size} {totals[0]:,.0f} GB in full, {totals[1]:,.1f} GB with LoRA and {totals[2]:,.1f} GB with QLoRA"
        )

    return f"Computed, for one row of 1,024 tokens with activation checkpointing: {row('7B')}; {row('70B')}."


def logits() -> str:
    """Why the 1B model keeps more activations than the 7B model."""
    kept = {size: memory.needed("LoRA", memory.SHAPES[size])["activations"] / 1e9 for size in ("1B", "7B")}
    three = {size: 3 * 4 * 1024 * memory.SHAPES[size].vocabulary / 1e9 for size in kept}
    assert kept["1B"] > kept["7B"] and three["1B"] > kept["1B"] / 2
    return (
        f"The step at 1B keeps more activations than the one at 7B ({kept['1B']:.2f} and {kept['7B']:.2f} GB), since {three['1B']:.2f} and {three['7B']:.2f} GB "
        f"of them are logits: the 1B model has {memory.SHAPES['1B'].vocabulary:,} tokens to choose from, the 7B model {memory.SHAPES['7B'].vocabulary:,}."
    )


def who_takes_it() -> str:
    """The largest part at 5M and at 7B, of a LoRA step."""
    small = memory.activations(memory.SHAPES["5M"], 8, 92, each=4)
    tiny = 4 * memory.parameters(memory.SHAPES["5M"]) + 16 * memory.lora_parameters(memory.SHAPES["5M"], 8) + small
    seven = memory.needed("LoRA", memory.SHAPES["7B"])
    return (
        f"Of a LoRA step here activations are {100 * small / tiny:.0f} %, of one at 7B {100 * seven['activations'] / seven['total']:.0f} %: "
        "what LoRA saves is gradients and moments, and those are most of the bill only where the model is large."
    )


def break_even() -> str:
    """Calls from which a LoRA of lesson 10 is cheaper than a prompt of six examples."""
    found = costs.measured()
    args = found["training tokens"], found["extra tokens"], found["relative time"]
    once, search = costs.break_even(*args), costs.break_even(*args, found["search runs"] + 1)
    return (
        f"A LoRA of lesson 10 read {found['training tokens']:,.0f} tokens, and six examples add {found['extra tokens']:,.0f} tokens to every call: the "
        f"training is paid for after {once:,} calls, with the {found['search runs']:.0f} runs of its search for a rate after {search:,}."
    )


def one_seed_errs() -> str:
    """How often one seed each names the wrong method, where lessons 06, 07 and 09 have several seeds."""
    found = [d for d in luck.duels() if d.where[:2] in ("06", "07", "09")]
    worst = max(found, key=lambda d: d.wrong)
    never = [d for d in found if d.wrong == 0]
    told = (
        f"One seed each names the wrong method of {worst.better} and {worst.worse} (lesson {worst.where}, {worst.ahead:.1f} points apart) in "
        f"{100 * worst.wrong:.0f} % of the pairs"
    )
    if not never:
        return f"{told}, and no comparison is safe from it."
    return f"{told}; it never does where the methods lie {min(d.ahead for d in never):.1f} points apart or more."


def curse() -> str:
    """The winner's curse among lesson 10's trained models, and among equals."""
    own, twins = list(luck.candidates().values()), luck.equals()
    (seen, true), (mirage, real) = luck.curse(own, 50), luck.curse(twins, 100)
    return (
        f"Chosen on 50 items, the best of lesson 10's {len(own)} trained models seems right in {seen:.1f} % and is in {true:.1f} %. Twenty models that are "
        f"equally good by construction have a winner that seems {mirage - real:.1f} points better on 100 items than any of them is."
    )


def scored() -> str:
    """The scorecard in one sentence."""
    found = scorecard.verdicts()
    here = [v.here for v in found]
    there = [v.real for v in found if v.real != "–"]
    counts = [
        each.count(word) for each in (here, there) for word in (scorecard.CONFIRMED, scorecard.REFUTED, scorecard.OPEN)
    ]
    return (
        f"Of {len(here)} statements, {counts[0]} are confirmed on the course's model, {counts[1]} refuted, and {counts[2]} are not decided at this scale; "
        f"of the {len(there)} that were run on the real model {counts[3]} are confirmed, {counts[4]} refuted, {counts[5]} not decided."
    )


def refuted() -> str:
    """Which statements are refuted on either model."""
    found = [v.statement for v in scorecard.verdicts() if scorecard.REFUTED in (v.here, v.real)]
    return f"Refuted on one of the two models at least: {'; '.join(found)}."


def turned() -> str:
    """Statements on which the two models contradict each other."""
    sides = {scorecard.CONFIRMED, scorecard.REFUTED}
    found = [v.statement for v in scorecard.verdicts() if {v.here, v.real} == sides]
    if not found:
        return "On no statement do the two models contradict each other."
    return f"On {_counted(len(found), 'statement')} our two models contradict each other: {'; '.join(found)}."


def own_run() -> str:
    """The committed live run."""
    right, low, high, n = re.search(
        r"your LoRA: ([\d.]+) % right .*?([\d.]+)–([\d.]+), n = (\d+)", printed(LESSON)
    ).groups()
    reference = next(r for r in evidence.rows("course") if r.technique == "LoRA").right["gazette"]
    return f"The committed live run is right in {right} % ({low} to {high}) of {n} items; the reference has {_share(reference)}."


CLAIMS = [
    prompt_against_training, best_here, wild_here, best_there, fronts, seeds, preferences, labels_or_algorithm, formula_holds, large, logits, who_takes_it, break_even,
    one_seed_errs, curse, scored, refuted, turned, own_run,
]  # fmt: skip
