"""The textbook's statements about fine-tuning, each with a verdict that is computed from the committed runs.

A statement "A is better than B" is *confirmed* where the whole 95 % interval lies on its side, *refuted* where the whole interval lies on the
other side, and *not at this scale* between. "As good as" is confirmed where the whole interval lies within `MARGIN` points, refuted where
it lies wholly outside. Costs have no interval: a tenth is asked for.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from ...base.paths import home
from ...measure.statistics import Interval, difference_interval, mean_interval
from .. import claims
from ..lesson_05_instruction_tuning.experiments import SIZES
from ..lesson_05_instruction_tuning.experiments import by_training as shares_of
from ..lesson_10_peft_compared import findings as ten
from ..reference import runs
from .evidence import FULL, aligned, preferences, real_bits, rows
from .luck import _bits as bits_of

CONFIRMED, OPEN, REFUTED = "confirmed", "not at this scale", "refuted"
MARGIN = 3.0  # points within which two methods are called equally good
LEAST = 0.9  # of the other's cost, to be called cheaper


@dataclass(frozen=True)
class Verdict:
    """A statement and what the runs say: a verdict on the course's model, one on the real model where it was run, the figures, the seeds."""

    statement: str
    here: str
    figures: str
    seeds: str
    real: str = "–"
    said_by: str = field(default="", compare=False)


def ahead(found: Interval) -> str:
    """The verdict on "better than", from the difference."""
    return CONFIRMED if found.low > 0 else REFUTED if found.high < 0 else OPEN


def level(found: Interval) -> str:
    """The verdict on "as good as", from the difference in points."""
    if found.low > -MARGIN and found.high < MARGIN:
        return CONFIRMED
    return REFUTED if found.high < -MARGIN or found.low > MARGIN else OPEN


def cheaper(ratio: float) -> str:
    """The verdict on "costs less", from the ratio of the costs."""
    return CONFIRMED if ratio <= LEAST else REFUTED if ratio >= 1 / LEAST else OPEN


def _of(model: str, technique: str):
    return next(r for r in rows(model) if r.technique == technique)


def _ratio(model: str, cost: str, technique: str = "LoRA") -> float:
    return getattr(_of(model, technique), cost) / getattr(_of(model, FULL), cost)


def _real(first: str, second: str) -> Interval:
    one, other = real_bits(first), real_bits(second)
    count = max(len(one), len(other)) if "prompt" in (first, second) else min(len(one), len(other))
    one, other = ((table * count)[:count] for table in (one, other))  # a prompt has no seed: it stands beside each of the other's
    return difference_interval(one, other).scaled(100)


def points(found: Interval) -> str:
    """A difference that is in points already, with its interval."""
    return claims.points(found.scaled(0.01))


def _seeds(*counts: int) -> str:
    low = min(counts)
    return "one seed" if low == 1 else f"{low} seeds"


def _shared(first: dict, second: dict, part: str) -> str:
    return _seeds(len(ten.runs(part, **first)), len(ten.runs(part, **second)))


# ------------------------------------------------------------------ the statements


def memory() -> Verdict:
    here, there = _ratio("course", "peak"), _ratio("smollm2", "peak")
    told = f"LoRA's peak is {100 * here:.0f} % of full fine-tuning's here, {100 * there:.0f} % at 135M"
    return Verdict("PEFT needs less memory", cheaper(here), told, "no seed in it", cheaper(there), "LoRA, arXiv 2106.09685")


def time() -> Verdict:
    here, there = _ratio("course", "time"), _ratio("smollm2", "time")
    told = f"LoRA's step takes {100 * here:.0f} % of full fine-tuning's processor time here, its run {100 * there:.0f} % of the seconds at 135M"
    return Verdict("PEFT trains faster", cheaper(here), told, "one measurement", cheaper(there), "LoRA, arXiv 2106.09685")


def files() -> Verdict:
    here, there = _ratio("course", "file"), _ratio("smollm2", "file")
    told = f"LoRA's file is {100 * here:.1f} % of full fine-tuning's here, {100 * there:.1f} % at 135M"
    return Verdict("PEFT has smaller checkpoints", cheaper(here), told, "no seed in it", cheaper(there), "LoRA, arXiv 2106.09685")


def lora_as_good() -> Verdict:
    tables = [bits_of("06_lora", part="compare", method=m) for m in ("LoRA", FULL)]
    here, there = difference_interval(*tables).scaled(100), _real("LoRA", FULL)
    told = f"LoRA minus full fine-tuning {points(here)} on tone, {points(there)} at 135M"
    return Verdict("LoRA is as good as full fine-tuning", level(here), told, _seeds(len(tables[0])), level(there), "arXiv 2106.09685")


def qlora_as_good() -> Verdict:
    tables = [bits_of("07_qlora", part="tuning", base=b) for b in ("nf4", "float32")]
    here, there = difference_interval(*tables).scaled(100), _real("QLoRA", "LoRA")
    told = f"QLoRA minus LoRA {points(here)} on tone, {points(there)} at 135M"
    return Verdict("QLoRA loses nothing against LoRA", level(here), told, _seeds(len(tables[0])), level(there), "arXiv 2305.14314")


def adapters_as_good() -> Verdict:
    found, there = ten.room_against_full("adapters"), _real("adapters (Houlsby)", FULL)
    told = f"adapters minus full fine-tuning {points(found)} on question, {points(there)} at 135M on tone"
    count = len(ten.room()["adapters"].keys() & ten.room()[FULL].keys())
    return Verdict("Adapters are as good as full fine-tuning", level(found), told, _seeds(count), level(there), "arXiv 1902.00751")


def soft_prompts_as_good() -> Verdict:
    here, there = ten.against_full("prompt tuning"), _real("prompt tuning", FULL)
    told = f"prompt tuning minus full fine-tuning {points(here)} on tone, {points(there)} at 135M"
    count = _shared({"method": "prompt tuning"}, {"method": FULL}, "compare")
    return Verdict("Prompt tuning is as good as full fine-tuning", level(here), told, count, level(there), "arXiv 2104.08691, for billions")


def _low(method: str) -> tuple[Interval, str]:
    first, second = {"method": method, "size": 16}, {"method": FULL, "size": 16}
    return ten.difference(first, second, "few"), _shared(first, second, "few")


def little_data() -> Verdict:
    found, seeds = _low("LoRA")
    told = f"with 16 examples LoRA minus full fine-tuning {points(found)}"
    return Verdict("PEFT is better with little data", ahead(found), told, seeds, said_by="arXiv 2205.05638")


def little_data_soft() -> Verdict:
    found, seeds = _low("prompt tuning")
    told = f"with 16 examples prompt tuning minus full fine-tuning {points(found)}"
    return Verdict("Soft prompts are better with little data", ahead(found), told, seeds, said_by="prefix tuning, arXiv 2101.00190")


@functools.lru_cache(maxsize=1)
def _others() -> list[int]:
    return ten.places(ten.HALF, *ten.OTHERS)


def out_of_domain() -> Verdict:
    first, second = {"method": "LoRA"}, {"method": FULL}
    here, there = ten.difference(first, second, "far", items=_others()), _real("LoRA", FULL)
    told = f"trained on business, asked on other sections, LoRA minus full fine-tuning {points(here)}; on hand-written sentences at 135M {points(there)}"
    return Verdict("PEFT is better out of domain", ahead(here), told, _shared(first, second, "far"), ahead(there), "arXiv 2101.00190")


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
    return Verdict("LoRA forgets less", here, told, _seeds(len(ten.runs("compare", method="LoRA"))),
                   CONFIRMED if there[0] < there[1] else REFUTED, "arXiv 2405.09673")  # fmt: skip


def beats_prompting() -> Verdict:
    best = max(ten.methods_of("compare"), key=lambda m: ten.accuracy("compare", method=m).value)
    trained = ten.scores("compare", method=best)
    prompt = ten.scores("prompt", layout="desk note")[0]
    here, there = difference_interval(trained, [prompt] * len(trained)).scaled(100), _real("LoRA", "prompt")
    told = f"the best training minus the best prompt {points(here)} here (tone, {best}), {points(there)} at 135M (LoRA)"
    return Verdict("Fine-tuning beats prompting", ahead(here), told, _seeds(len(trained)), ahead(there), "arXiv 2205.05638")


def new_knowledge() -> Verdict:
    wanted = ten.chosen("new", FULL)
    found = ten.accuracy("new", "wool_bits", **wanted)
    verdict = REFUTED if found.low > 200 / 3 else CONFIRMED if found.high < 50 else OPEN
    told = f"full fine-tuning on the withheld Wool Exchange is right in {found:.0f} % (chance 33 %)"
    return Verdict("Fine-tuning teaches form and no new knowledge", verdict, told, _seeds(len(ten.runs("new", **wanted))), said_by="arXiv 2305.11206")


def unseen_tasks() -> Verdict:
    new = list(shares_of(runs("05_instruction_tuning"), "right", False).values())
    found = mean_interval(new).scaled(100)
    told = f"tasks that were not trained are right in {found:.0f} % over {len(new)} tasks, from 0 % before"
    return Verdict("Instruction tuning generalises to unseen tasks", ahead(found), told, "tasks as seeds", said_by="FLAN, arXiv 2109.01652")


def fewer_rows() -> Verdict:
    told = []
    for size in SIZES:
        sides = []
        for origin in ("tuned", "base"):
            some = [r for r in runs("05_instruction_tuning", **{"from": origin, "size": size})]
            sides.append([r["metrics"]["right"] for r in sorted(some, key=lambda r: r["key"]["task"])])
        told.append(difference_interval(*sides).scaled(100))
    verdicts = {ahead(found) for found in told}
    text = " and ".join(f"{points(f)} with {s}" for s, f in zip(SIZES, told, strict=True))
    return Verdict("An instruction-tuned start needs fewer task rows", verdicts.pop() if len(verdicts) == 1 else OPEN,
                   f"tuned minus base start: {text} examples", "tasks as seeds", said_by="arXiv 2109.01652")  # fmt: skip


def safety() -> Verdict:
    left_out = [100 * r["metrics"]["refused_legal"] for r in runs("05_instruction_tuning", part="without legal refusals")]
    taught = [100 * r["metrics"]["refused_legal"] for r in runs("05_instruction_tuning", part="tuned")]
    share = sum(left_out) / len(left_out)
    verdict = CONFIRMED if share > 90 else REFUTED if share < 10 else OPEN
    told = f"legal advice is declined in {sum(taught) / len(taught):.0f} % where it was trained, in {share:.0f} % where it was left out"
    return Verdict("Learnt refusals extend to untrained topics", verdict, told, _seeds(len(left_out)), said_by="InstructGPT, arXiv 2203.02155")


PASSES = {"SFT": 3, "RLHF": 6}  # forward passes a token: forward and backward; with sampling, reference and reward model three more


def sft_cheaper() -> Verdict:
    log = json.loads((home() / "data" / "reference" / "brief_sft" / "log.json").read_text(encoding="utf-8"))
    rlhf = preferences()["RLHF, biased readers"]["tokens"]
    whole = {"SFT": PASSES["SFT"] * log["tokens"], "RLHF": PASSES["RLHF"] * rlhf}
    by_token, by_run = cheaper(PASSES["SFT"] / PASSES["RLHF"]), cheaper(whole["SFT"] / whole["RLHF"])
    told = (
        f"a token costs {PASSES['SFT']} forward passes in SFT and {PASSES['RLHF']} in RLHF, but the brief writer's SFT read {log['tokens']:,} "
        f"tokens and RLHF after it {rlhf:,.0f}: {whole['SFT'] / 1e6:.1f} against {whole['RLHF'] / 1e6:.1f} million passes of a token"
    )
    return Verdict("SFT is cheaper than RLHF", by_token if by_token == by_run else OPEN, told, "one run of each", said_by="arXiv 2203.02155")


def dpo_simpler() -> Verdict:
    found = preferences()
    dpo, rlhf = found["DPO, biased readers"], found["RLHF, biased readers"]
    told = (
        "DPO holds two models and samples nothing, RLHF holds three and samples every reply; in training DPO read "
        f"{dpo['tokens']:,.0f} tokens, RLHF {rlhf['tokens']:,.0f}"
    )
    return Verdict("DPO is simpler than RLHF", cheaper(dpo["tokens"] / rlhf["tokens"]), told, _seeds(dpo["seeds"], rlhf["seeds"]), said_by="arXiv 2305.18290")


def preferences_help() -> Verdict:
    found = preferences()
    dpo, rlhf = found["DPO, biased readers"]["rise"], found["RLHF, biased readers"]["rise"]
    verdicts = {ahead(dpo), ahead(rlhf)}
    told = f"rise of the true score with biased readers: DPO {_signed(dpo)}, RLHF {_signed(rlhf)}"
    seeds = _seeds(*(found[n]["seeds"] for n in ("DPO, biased readers", "RLHF, biased readers")))
    return Verdict("Training on preferences makes replies better", verdicts.pop() if len(verdicts) == 1 else OPEN, told, seeds, said_by="arXiv 2203.02155")


def clean_rewards_help() -> Verdict:
    found = preferences()
    names = ("RLHF, unbiased readers", "RLHF on the true score")
    verdicts = {ahead(found[n]["rise"]) for n in names}
    told = f"rise of the true score: unbiased readers {_signed(found[names[0]]['rise'])}, the true score itself {_signed(found[names[1]]['rise'])}"
    return Verdict("RL works where the reward is right", verdicts.pop() if len(verdicts) == 1 else OPEN, told, _seeds(*(found[n]["seeds"] for n in names)))


def _signed(found: Interval) -> str:
    return f"{found:+.3f}"


STATEMENTS: tuple[Callable[[], Verdict], ...] = (
    beats_prompting, memory, time, files, lora_as_good, qlora_as_good, adapters_as_good, soft_prompts_as_good, little_data,
    little_data_soft, out_of_domain, forgets_less, new_knowledge, unseen_tasks, fewer_rows, safety, sft_cheaper, dpo_simpler,
    preferences_help, clean_rewards_help,
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
    """The figures behind each verdict, a line each."""
    return "\n".join(f"- {v.statement}: {v.figures}." for v in verdicts())
