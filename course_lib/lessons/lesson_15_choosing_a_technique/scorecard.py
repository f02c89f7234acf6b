"""The textbook's statements about fine-tuning, each with a verdict that is computed from the committed runs by the rules of `verdict`.

The statements on instruction tuning, refusals and preferences stand in `alignment`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from ...measure.statistics import Interval, difference_interval
from ..lesson_10_peft_compared import findings as ten
from ..reference import runs
from .alignment import (
    ai_labels,
    clean_rewards_help,
    dpo_simpler,
    fewer_rows,
    preferences_help,
    safety,
    sft_cheaper,
    unseen_tasks,
)
from .evidence import FULL, aligned, real_bits, rows
from .luck import bits_of
from .verdict import CONFIRMED, OPEN, REFUTED, Verdict, ahead, cheaper, counted, level, points

LORA = "Hu et al. (LoRA), arXiv 2106.09685"


def _of(model: str, technique: str):
    return next(r for r in rows(model) if r.technique == technique)


def _ratio(model: str, cost: str, technique: str = "LoRA") -> float:
    return getattr(_of(model, technique), cost) / getattr(_of(model, FULL), cost)


def _real(first: str, second: str) -> Interval:
    """Points between two techniques on the real model, paired by item and by the seeds that both have; a prompt stands beside every seed."""
    one, other = real_bits(first), real_bits(second)
    if second == "prompt":
        other = dict.fromkeys(one, next(iter(other.values())))
    seeds = sorted(one.keys() & other.keys())
    return difference_interval([one[s] for s in seeds], [other[s] for s in seeds]).scaled(100)


def _shared(first: dict, second: dict, part: str) -> str:
    return counted(len(ten.runs(part, **first)), len(ten.runs(part, **second)))


# ------------------------------------------------------------------ the statements


def memory() -> Verdict:
    here, there = _ratio("course", "peak"), _ratio("smollm2", "peak")
    told = f"LoRA's peak is {100 * here:.0f} % of full fine-tuning's here, {100 * there:.0f} % at 135M"
    return Verdict(
        "PEFT needs less memory",
        cheaper(here),
        told,
        "no seed in it",
        cheaper(there),
        f"{LORA}, section 4.2: 1.2 TB to 350 GB on GPT-3 175B",
    )


def time() -> Verdict:
    here, there = _ratio("course", "time"), _ratio("smollm2", "time")
    told = f"LoRA's step takes {100 * here:.0f} % of full fine-tuning's processor time here, its run {100 * there:.0f} % of the seconds at 135M"
    return Verdict(
        "PEFT trains faster",
        cheaper(here),
        told,
        "one measurement",
        cheaper(there),
        f"{LORA}, section 4.2: 25 % faster on GPT-3 175B",
    )


def files() -> Verdict:
    here, there = _ratio("course", "file"), _ratio("smollm2", "file")
    told = f"LoRA's file is {100 * here:.1f} % of full fine-tuning's here, {100 * there:.1f} % at 135M"
    return Verdict(
        "PEFT has smaller checkpoints",
        cheaper(here),
        told,
        "no seed in it",
        cheaper(there),
        f"{LORA}, section 4.2: 350 GB to 35 MB on GPT-3 175B",
    )


def lora_as_good() -> Verdict:
    tables = [bits_of("06_lora", part="compare", method=m) for m in ("LoRA", FULL)]
    told = "LoRA minus full fine-tuning"
    return _as_good(
        "LoRA is as good as full fine-tuning",
        tables,
        _real("LoRA", FULL),
        told,
        f"{LORA}, Table 4, GPT-3 175B: 91.7 against 89.5 % on MNLI-m, 73.4 against 73.8 % on WikiSQL",
    )


def qlora_as_good() -> Verdict:
    tables = [bits_of("07_qlora", part="tuning", base=b) for b in ("nf4", "float32")]
    real = _real("QLoRA", "LoRA")
    return _as_good(
        "QLoRA loses nothing against LoRA",
        tables,
        real,
        "QLoRA minus LoRA",
        "Dettmers et al. (QLoRA), arXiv 2305.14314, Table 4: mean of MMLU 53.1 % in NF4, 53.0 % in BFloat16",
    )


def _as_good(statement: str, tables: list[list[list[int]]], there: Interval, told: str, source: str) -> Verdict:
    """Whether the first of two methods is level with the second, on `tone` here (right or wrong, a row a seed) and on the real model."""
    here = difference_interval(*tables).scaled(100)
    told = f"{told} {points(here)} on tone, {points(there)} at 135M"
    return Verdict(statement, level(here), told, counted(len(tables[0])), level(there), source)


def adapters_as_good() -> Verdict:
    found, there = ten.room_against_full("adapters"), _real("adapters (Houlsby)", FULL)
    told = f"adapters minus full fine-tuning {points(found)} on question, {points(there)} at 135M on tone"
    count = len(ten.room()["adapters"].keys() & ten.room()[FULL].keys())
    return Verdict(
        "Adapters are as good as full fine-tuning",
        level(found),
        told,
        counted(count),
        level(there),
        "Houlsby et al., arXiv 1902.00751, Table 1: GLUE 80.0 against 80.4, with 3.6 % of the parameters a task",
    )


def soft_prompts_as_good() -> Verdict:
    here, there = ten.against_full("prompt tuning"), _real("prompt tuning", FULL)
    told = f"prompt tuning minus full fine-tuning {points(here)} on tone, {points(there)} at 135M"
    count = _shared({"method": "prompt tuning"}, {"method": FULL}, "compare")
    return Verdict(
        "Prompt tuning is as good as full fine-tuning",
        level(here),
        told,
        count,
        level(there),
        "Lester et al., arXiv 2104.08691, abstract: once models exceed billions of parameters",
    )


def _low(method: str) -> tuple[Interval, str]:
    first, second = {"method": method, "size": 16}, {"method": FULL, "size": 16}
    return ten.difference(first, second, "few"), _shared(first, second, "few")


def little_data() -> Verdict:
    found, seeds = _low("LoRA")
    told = f"with 16 examples LoRA minus full fine-tuning {points(found)}"
    return Verdict(
        "PEFT is better with little data",
        ahead(found),
        told,
        seeds,
        said_by=f"{LORA}, Table 16, GPT-3 175B with 100 rows of MNLI: 63.8 against 60.2 %",
    )


def little_data_soft() -> Verdict:
    found, seeds = _low("prompt tuning")
    told = f"with 16 examples prompt tuning minus full fine-tuning {points(found)}"
    return Verdict(
        "Soft prompts are better with little data",
        ahead(found),
        told,
        seeds,
        said_by="Li & Liang (prefix tuning), arXiv 2101.00190, section 6.3: 2.9 BLEU ahead; but LoRA's Table 16 has 37.6 (prefix) against 60.2 % (full) with 100 rows",
    )


@functools.lru_cache(maxsize=1)
def _others() -> list[int]:
    return ten.places(ten.HALF, *ten.OTHERS)


def out_of_domain() -> Verdict:
    first, second = {"method": "LoRA"}, {"method": FULL}
    here, there = ten.difference(first, second, "far", items=_others()), _real("LoRA", FULL)
    told = f"trained on business, asked on other sections, LoRA minus full fine-tuning {points(here)}; on hand-written sentences at 135M {points(there)}"
    return Verdict(
        "PEFT is better out of domain",
        ahead(here),
        told,
        _shared(first, second, "far"),
        ahead(there),
        "Li & Liang (prefix tuning), arXiv 2101.00190, abstract: topics unseen in training",
    )


def forgets_less() -> Verdict:
    six = [[r["metrics"]["forgetting"] for r in runs("06_lora", part="compare", method=m)] for m in ("LoRA", FULL)]
    ten_lora, ten_full = (ten.mean("compare", "forgetting", method=m) for m in ("LoRA", FULL))
    means = [sum(each) / len(each) for each in six]
    less = (means[0] < means[1], ten_lora < ten_full)
    there = [_of("smollm2", m).forgetting for m in ("LoRA", FULL)]
    told = (
        f"nats, LoRA against full fine-tuning: {means[0]:+.3f} and {means[1]:+.3f} in lesson 06, {ten_lora:+.3f} and {ten_full:+.3f} in "
        f"lesson 10, {there[0]:+.2f} and {there[1]:+.2f} at 135M"
    )
    here = CONFIRMED if all(less) else OPEN if any(less) else REFUTED
    return Verdict("LoRA forgets less", here, told, counted(len(ten.runs("compare", method="LoRA"))),
                   CONFIRMED if there[0] < there[1] else REFUTED, "Biderman et al., arXiv 2405.09673, abstract: outside the target domain; there LoRA also learns less")  # fmt: skip


def against_prompting() -> tuple[str, int, Interval, Interval]:
    """The best trained method here, how many seeds it has, and the points by which training is ahead of the best prompt, here and on the real model (LoRA)."""
    best = max(ten.methods_of("compare"), key=lambda m: ten.accuracy("compare", method=m).value)
    trained = ten.scores("compare", method=best)
    prompt = ten.scores("prompt", layout="desk note")[0]
    here = difference_interval(trained, [prompt] * len(trained)).scaled(100)
    return best, len(trained), here, _real("LoRA", "prompt")


def beats_prompting() -> Verdict:
    best, seeds, here, there = against_prompting()
    return Verdict(
        "Fine-tuning beats prompting",
        ahead(here),
        f"the best training minus the best prompt {points(here)} here (tone, {best}), {points(there)} at 135M (LoRA)",
        counted(seeds),
        ahead(there),
        "Liu et al., arXiv 2205.05638, Table 1: T-Few is 6 points above few-shot GPT-3 175B, 16 times its size",
    )


def new_knowledge() -> Verdict:
    wanted = ten.chosen("new", FULL)
    found = ten.accuracy("new", "wool_bits", **wanted)
    verdict = REFUTED if found.low > 200 / 3 else CONFIRMED if found.high < 50 else OPEN
    told = f"full fine-tuning on the withheld Wool Exchange is right in {found:.0f} % (chance 33 %)"
    return Verdict(
        "Fine-tuning teaches form and no new knowledge",
        verdict,
        told,
        counted(len(ten.runs("new", **wanted))),
        said_by="Zhou et al. (LIMA), arXiv 2305.11206, abstract: almost all knowledge is learned in pretraining",
    )


STATEMENTS: tuple[Callable[[], Verdict], ...] = (
    beats_prompting, memory, time, files, lora_as_good, qlora_as_good, adapters_as_good, soft_prompts_as_good, little_data,
    little_data_soft, out_of_domain, forgets_less, new_knowledge, unseen_tasks, fewer_rows, safety, sft_cheaper, dpo_simpler,
    preferences_help, clean_rewards_help, ai_labels,
)  # fmt: skip


def verdicts() -> list[Verdict]:
    """All statements with their verdicts."""
    return [statement() for statement in STATEMENTS]


def table() -> str:
    """The scorecard as text: statement, verdict here, verdict on the real model, seeds."""
    lines = [("the textbook says", "here, 5M", "at 135M", "rests on")]
    lines += [(v.statement, v.here, v.real, v.seeds) for v in verdicts()]
    return aligned(lines, left=(0, 1, 2, 3))


def figures() -> str:
    """The figures behind each verdict, and below them what a paper reports and where."""
    return "\n".join(f"- {v.statement}: {v.figures}.\n  reported: {v.said_by}." for v in verdicts())
