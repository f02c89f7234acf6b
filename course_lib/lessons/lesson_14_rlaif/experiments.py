"""Reference runs of lesson 14: two judges and what they can tell, AI labels, and preference training on them beside the readers'.

`part` "judge" trains a judge on the newsroom's own faults: "one" reads one brief at a time and is kept in `data/reference/14_rlaif`,
"pair" compares two, "single" is "one" trained on briefs with one fault at most. "agreement" judges the test pairs with the constitution, without it, and with its words shuffled. "labels"
writes `data/preferences/ai_labels.jsonl` with the judge of one brief. "policy" trains a brief writer on AI labels, on half AI and half
readers' labels, or on a judge that likes length; pairs, rate and steps are those of lesson 13, whose runs are the readers' side of the
comparison. On one idle core the whole takes some 30 minutes.
"""

from __future__ import annotations

import math
import platform
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ...base.jsonl import write_jsonl
from ...data.preferences import ai_labels, ai_labels_file, load_preferences
from ...methods.dpo import train_dpo
from ..lesson_13_dpo import experiments as lab
from ..reference import runs
from .constitution import RULES
from .judge import contexts, load_judge, odds, save_judge, start_of_judge, target, train_judge

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LESSON = "14_rlaif"
SEEDS = (0, 1, 2)
CONTEXTS, JUDGE_RATE, JUDGE_BATCH = 1600, 1e-3, 8  # pairs of spoiled briefs that a judge is trained on
JUDGES = ("one", "pair", "single")
CHECKED = 300  # pairs of spoiled briefs that it is tested on


# ------------------------------------------------------------------ the judge at work


def shuffled_rules(seed: int = 0) -> list[str]:
    """The control: the words of all rules dealt out again, so that length and vocabulary stay and the meaning goes."""
    words = [word for rule in RULES.values() for word in rule.rstrip(".").split()]
    random.Random(seed).shuffle(words)
    dealt = []
    for rule in RULES.values():
        size = len(rule.split())
        dealt.append(" ".join(words[:size]) + ".")
        words = words[size:]
    return dealt


def constitutions() -> dict[str, list[str | None]]:
    """The constitution and its two controls."""
    return {"constitution": list(RULES.values()), "shuffled": shuffled_rules(), "deleted": [None]}


def both_orders(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], rules: Sequence[str | None]
) -> tuple[list[list[float]], list[list[float]]]:
    """The log-odds that the judge of pairs gives the *first* reply of each row, by rule: shown as A, and shown as B."""
    as_a = odds(model, tokenizer, [[r["text"], r["first"], r["second"]] for r in rows], rules)
    as_b = odds(model, tokenizer, [[r["text"], r["second"], r["first"]] for r in rows], rules)
    return as_a, [[-value for value in row] for row in as_b]


def each_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], rules: Sequence[str | None]
) -> tuple[list[list[float]], list[list[float]]]:
    """The probabilities that the first and the second reply of each row are right by each rule, each read by itself."""
    first, second = (
        odds(model, tokenizer, [[r["text"], r[side]] for r in rows], rules) for side in ("first", "second")
    )
    share = [[[1 / (1 + math.exp(-value)) for value in row] for row in side] for side in (first, second)]
    return share[0], share[1]


def leaning(judge: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], rules: Sequence[str | None]) -> list[list[float]]:  # fmt: skip
    """By how much a judge prefers the first reply of each row, by rule; for pairs the place is taken out by asking in both orders."""
    if judge != "pair":
        first, second = each_alone(model, tokenizer, rows, rules)
        return [[a - b for a, b in zip(*both, strict=True)] for both in zip(first, second, strict=True)]
    as_a, as_b = both_orders(model, tokenizer, rows, rules)
    return [[(a + b) / 2 for a, b in zip(*both, strict=True)] for both in zip(as_a, as_b, strict=True)]


def pair_rows(split: str, labels: str = "reader") -> list[dict]:
    """The pairs of a split as the judge sees them: `id`, the item `text`, `first`, `second`; and who else prefers which.

    `first` is the reply that the readers chose; the judge is not told, and sees every pair in both orders.
    """
    rows = load_preferences(labels=labels)[split]
    return [
        {
            "id": r["id"],
            "text": r["prompt"].rsplit("\n", 1)[0],
            "first": r["chosen"],
            "second": r["rejected"],
            "gold": {"chosen": "first", "rejected": "second"}.get(r["gold"], ""),
            "reader": {"chosen": "first", "rejected": "second"}.get(r["reader"], ""),
        }
        for r in rows
    ]


# ------------------------------------------------------------------ agreement


def at_random(ids: Sequence[str], votes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Votes for "first" or "second" as "left" or "right", each pair laid out by a coin that knows only its id.

    Where `first` is by construction what one judge chose, kappa with that judge would be undefined; laid out at random it is not.
    Returns the votes, and where `first` lies.
    """
    coin = ["left" if random.Random(f"side {i}").random() < 0.5 else "right" for i in ids]
    other = {"left": "right", "right": "left"}
    return [c if v == "first" else other[c] for c, v in zip(coin, votes, strict=True)], coin


# ------------------------------------------------------------------ AI labels


def ai_pairs(seed: int, share: float = 1.0) -> Dataset:
    """Lesson 13's training pairs of a seed, a share of them (by a coin that knows the seed) labelled by the AI, the rest by readers."""
    pairs = lab.reader_pairs(seed)
    rng, labels = random.Random(f"mixed {seed}"), ai_labels()
    swap = [rng.random() < share and labels[i]["prefers"] == "rejected" for i in pairs["id"]]
    return lab.relabelled(pairs, swap)


def by_length(seed: int) -> Dataset:
    """Lesson 13's training pairs of a seed, labelled by a judge that prefers the longer reply."""
    pairs = lab.reader_pairs(seed)
    swap = [len(c.split()) < len(r.split()) for c, r in zip(pairs["chosen"], pairs["rejected"], strict=True)]
    return lab.relabelled(pairs, swap)


# ------------------------------------------------------------------ jobs


def judge_job(name: str) -> dict[str, Any]:
    """Train a judge, keep it, and test it on faults in names and wordings that it has not seen, rule by rule."""
    model, tokenizer = start_of_judge()
    rows = contexts("train", CONTEXTS, together=name != "single")
    way, settings = "pair" if name == "pair" else "one", {"learning_rate": JUDGE_RATE, "batch_size": JUDGE_BATCH}
    train_judge(model, tokenizer, rows, way=way, **settings)
    save_judge(model, tokenizer, name)
    return tested(name)


def tested(name: str) -> dict[str, Any]:
    """How often a kept judge finds the brief that keeps a rule beside one that breaks it, with and without its rules; one character a case.

    "apart" is with the constitution on briefs of one fault at most.
    """
    model, tokenizer = load_judge(name)
    asked = {kind: (contexts("test", CHECKED), rules) for kind, rules in constitutions().items()}
    asked["apart"] = (contexts("test", CHECKED, together=False), list(RULES.values()))
    found: dict[str, Any] = {}
    for kind, (rows, rules) in asked.items():
        values = leaning(name, model, tokenizer, rows, rules)
        for number, rule in enumerate(RULES):
            column = min(number, len(rules) - 1)
            goals = [target(row["faults"], rule) for row in rows]
            pairs = [(v[column] > 0) == (goal > 0.5) for v, goal in zip(values, goals, strict=True) if goal != 0.5]
            found[f"{kind} {rule}"] = "".join("01"[ok] for ok in pairs)
    return found


def labels_job() -> dict[str, Any]:
    """Label the training pairs of all seeds and the test pairs, and write the file with processor and versions."""
    wanted = set().union(*(lab.reader_pairs(seed)["id"] for seed in SEEDS))
    rows = [row for row in pair_rows("train") if row["id"] in wanted] + pair_rows("test")
    first, second = each_alone(*load_judge(), rows, list(RULES.values()))
    told = [
        {"id": row["id"], "prefers": "chosen" if sum(a) > sum(b) else "rejected", "first": round(sum(a), 3), "second": round(sum(b), 3)}
        for row, a, b in zip(rows, first, second, strict=True)
    ]  # fmt: skip
    facts = {"made_with": {name: version(name) for name in ("torch", "transformers")} | {"machine": platform.machine()}}
    write_jsonl(ai_labels_file(), [facts, *told])
    return {"pairs": len(told), "with_readers": sum(t["prefers"] == "chosen" for t in told)}


def agreement_job(name: str) -> dict[str, Any]:
    """A judge on the test pairs, with the constitution and its controls: by how much it prefers the first reply; `gold`, the truth's choice.

    By rule with the constitution, `rule …`. `a` and `b`, of the judge of pairs, are its summed log-odds with the first reply at A and at B.
    """
    rows, (model, tokenizer) = pair_rows("test"), load_judge(name)
    found: dict[str, Any] = {"ids": [r["id"] for r in rows], "gold": [r["gold"] for r in rows]}
    for kind, rules in constitutions().items():
        values = leaning(name, model, tokenizer, rows, rules)
        found[kind] = [round(sum(v), 3) for v in values]
        if kind == "constitution":
            found |= {f"rule {rule}": [round(v[number], 3) for v in values] for number, rule in enumerate(RULES)}
    if name == "pair":
        for place, values in zip("ab", both_orders(model, tokenizer, rows, list(RULES.values())), strict=True):
            found[place] = [round(sum(v), 3) for v in values]
    return found


def policy_job(labels: str, seed: int) -> dict[str, Any]:
    """DPO on labels of one kind, measured as in lesson 13; `judge` is 1 where the judge prefers its reply to the writer's."""
    pairs = {"AI": partial(ai_pairs, seed), "mixed": partial(ai_pairs, seed, 0.5), "length": partial(by_length, seed)}
    model, tokenizer = lab.fresh()
    options = {"learning_rate": lab.RATE, "beta": lab.BETA, "batch_size": lab.BATCH, "quiet": True}
    run = train_dpo(lab.plain(pairs[labels]()), model=model, tokenizer=tokenizer, seed=seed, **options)
    texts = lab.replies(run.model, run.tokenizer, seed)
    own = {"judge": "".join("01"[vote > 0] for vote in judged(texts, lab.replies(*lab.writer(), seed)))}
    return lab.measured(run.model, run.tokenizer, seed, texts) | lab.cost(run) | own


def judged(new: Sequence[str], old: Sequence[str]) -> list[float]:
    """By how much the judge prefers new replies to old ones, to the test prompts of lesson 13."""
    rows = [
        {"text": row["text"], "first": a, "second": b} for row, a, b in zip(lab.test_prompts(), new, old, strict=True)
    ]
    return [sum(values) for values in leaning("one", *load_judge(), rows, list(RULES.values()))]


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """The reference runs of the lesson, in the order in which they need each other."""
    yield {"part": "judge", "judge": "one"}, partial(judge_job, "one")
    yield {"part": "labels"}, labels_job
    yield {"part": "agreement", "judge": "one"}, partial(agreement_job, "one")
    for seed in SEEDS:
        yield {"part": "policy", "labels": "AI", "seed": seed}, partial(policy_job, "AI", seed)
    for name in JUDGES[1:]:
        yield {"part": "judge", "judge": name}, partial(judge_job, name)
        yield {"part": "agreement", "judge": name}, partial(agreement_job, name)
    yield {"part": "policy", "labels": "length", "seed": 0}, partial(policy_job, "length", 0)
    for seed in SEEDS:
        yield {"part": "policy", "labels": "mixed", "seed": seed}, partial(policy_job, "mixed", seed)
    yield {"part": "board"}, board_job


def board_job() -> dict[str, Any]:
    """The scoreboard's reference row of DPO on AI labels."""
    return lab.board_row("RLAIF (DPO on AI labels)", LESSON, ai_pairs(0), runs(LESSON, part="policy", labels="AI"))
