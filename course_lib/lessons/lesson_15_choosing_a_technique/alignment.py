"""The scorecard's statements on instruction tuning, refusals and preferences."""

from __future__ import annotations

import json

from ...base.paths import home
from ...measure.statistics import Interval, difference_interval, mean_interval
from ..lesson_05_instruction_tuning.experiments import SIZES
from ..lesson_05_instruction_tuning.experiments import by_training as shares_of
from ..lesson_14_rlaif import shown as fourteen
from ..reference import runs
from .evidence import preferences
from .verdict import CONFIRMED, OPEN, REFUTED, Verdict, ahead, cheaper, counted, no_worse, points


def unseen_tasks() -> Verdict:
    new = list(shares_of(runs("05_instruction_tuning"), "right", False).values())
    found = mean_interval(new).scaled(100)
    told = f"tasks that were not trained are right in {found:.0f} % over {len(new)} tasks, from 0 % before"
    return Verdict(
        "Instruction tuning generalises to unseen tasks",
        ahead(found),
        told,
        "tasks as seeds",
        said_by="Wei et al. (FLAN), arXiv 2109.01652, abstract: 137B ahead of zero-shot GPT-3 175B on 20 of 25 data sets; section 4.2: at 8B and below it hurts",
    )


def fewer_rows() -> Verdict:
    told = []
    for size in SIZES:
        sides = []
        for origin in ("tuned", "base"):
            some = runs("05_instruction_tuning", **{"from": origin, "size": size})
            sides.append([r["metrics"]["right"] for r in sorted(some, key=lambda r: r["key"]["task"])])
        told.append(difference_interval(*sides).scaled(100))
    verdicts = {ahead(found) for found in told}
    text = " and ".join(f"{points(f)} with {s}" for s, f in zip(SIZES, told, strict=True))
    return Verdict("An instruction-tuned start needs fewer task rows", verdicts.pop() if len(verdicts) == 1 else OPEN,
                   f"tuned minus base start: {text} examples", "tasks as seeds", said_by="Longpre et al. (The Flan Collection), arXiv 2301.13688, abstract: Flan-T5 needs less fine-tuning than T5")  # fmt: skip


def safety() -> Verdict:
    left_out = [
        100 * r["metrics"]["refused_legal"] for r in runs("05_instruction_tuning", part="without legal refusals")
    ]
    taught = [100 * r["metrics"]["refused_legal"] for r in runs("05_instruction_tuning", part="tuned")]
    share = sum(left_out) / len(left_out)
    verdict = CONFIRMED if share > 90 else REFUTED if share < 10 else OPEN
    told = f"legal advice is declined in {sum(taught) / len(taught):.0f} % where it was trained, in {share:.0f} % where it was left out"
    return Verdict(
        "Learnt refusals extend to untrained topics",
        verdict,
        told,
        counted(len(left_out)),
        said_by="Bianchi et al., arXiv 2309.07875, abstract: a few hundred safety rows make LLaMA substantially safer",
    )


PASSES = {
    "SFT": 3,
    "RLHF": 6,
}  # forward passes a token: forward and backward; with sampling, reference and reward model three more


def sft_cheaper() -> Verdict:
    log = json.loads((home() / "data" / "reference" / "brief_sft" / "log.json").read_text(encoding="utf-8"))
    rlhf = preferences()["RLHF, biased readers"]["tokens"]
    whole = {"SFT": PASSES["SFT"] * log["tokens"], "RLHF": PASSES["RLHF"] * rlhf}
    by_token, by_run = cheaper(PASSES["SFT"] / PASSES["RLHF"]), cheaper(whole["SFT"] / whole["RLHF"])
    told = (
        f"a token costs {PASSES['SFT']} forward passes in SFT and {PASSES['RLHF']} in RLHF, but the brief writer's SFT read {log['tokens']:,} "
        f"tokens and RLHF after it {rlhf:,.0f}: {whole['SFT'] / 1e6:.1f} against {whole['RLHF'] / 1e6:.1f} million passes of a token"
    )
    return Verdict(
        "SFT is cheaper than RLHF",
        by_token if by_token == by_run else OPEN,
        told,
        "one run of each",
        said_by="Ouyang et al. (InstructGPT), arXiv 2203.02155, section 5.1, 175B: SFT 4.9 petaflop/s-days, PPO 60",
    )


def dpo_simpler() -> Verdict:
    found = preferences()
    dpo, rlhf = found["DPO, biased readers"], found["RLHF, biased readers"]
    told = (
        "DPO holds two models and samples nothing, RLHF holds three and samples every reply; in training DPO read "
        f"{dpo['tokens']:,.0f} tokens, RLHF {rlhf['tokens']:,.0f}"
    )
    return Verdict(
        "DPO is simpler than RLHF",
        cheaper(dpo["tokens"] / rlhf["tokens"]),
        told,
        counted(dpo["seeds"], rlhf["seeds"]),
        said_by="Rafailov et al. (DPO), arXiv 2305.18290, abstract: no sampling during fine-tuning",
    )


def preferences_help() -> Verdict:
    found = preferences()
    dpo, rlhf = found["DPO, biased readers"]["rise"], found["RLHF, biased readers"]["rise"]
    verdicts = {ahead(dpo), ahead(rlhf)}
    told = f"rise of the true score with biased readers: DPO {_signed(dpo)}, RLHF {_signed(rlhf)}"
    seeds = counted(*(found[n]["seeds"] for n in ("DPO, biased readers", "RLHF, biased readers")))
    return Verdict(
        "Training on preferences makes replies better",
        verdicts.pop() if len(verdicts) == 1 else OPEN,
        told,
        seeds,
        said_by="Ouyang et al. (InstructGPT), arXiv 2203.02155, section 1: preferred to GPT-3 in 85 ± 3 % at 175B",
    )


def clean_rewards_help() -> Verdict:
    found = preferences()
    names = ("RLHF, unbiased readers", "RLHF on the true score")
    verdicts = {ahead(found[n]["rise"]) for n in names}
    told = f"rise of the true score: unbiased readers {_signed(found[names[0]]['rise'])}, the true score itself {_signed(found[names[1]]['rise'])}"
    return Verdict(
        "RL works where the reward is right",
        verdicts.pop() if len(verdicts) == 1 else OPEN,
        told,
        counted(*(found[n]["seeds"] for n in names)),
        said_by="Lambert et al. (Tülu 3), arXiv 2411.15124, abstract: reinforcement learning with verifiable rewards",
    )


def ai_labels() -> Verdict:
    found, dpo = runs("14_rlaif"), runs("13_dpo")
    score, clean = (fourteen.against(found, dpo, "AI", "readers", field) for field in ("scores", "harmless"))
    told = f"true score with AI labels minus with readers' labels {_signed(score)}, harmless briefs {points(clean.scaled(100))}"
    return Verdict(
        "AI labels are no worse than readers' labels",
        no_worse(score.scaled(100)),
        told,
        counted(len(fourteen.arm(found, dpo, "AI"))),
        said_by="Lee et al., arXiv 2309.00267, Table 1: RLAIF preferred to RLHF in 50 % (summaries) and 52 % (helpful dialogue)",
    )


def _signed(found: Interval) -> str:
    return f"{found:+.3f}"
