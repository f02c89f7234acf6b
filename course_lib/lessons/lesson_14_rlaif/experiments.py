"""Reference runs of lesson 14: the judge and what it can tell, its labels, and preference training on them beside the readers'.

`part` "judge" trains the judge on the newsroom's own faults and keeps its adapter in `data/reference/14_rlaif/judge`. "labels" writes
`data/preferences/ai_labels.jsonl`. "agreement" judges the test pairs with the constitution, without it, and with its words shuffled,
in both orders. "policy" trains a brief writer on AI labels, on half AI and half readers' labels, or on a judge that likes length; pairs,
rate and steps are those of lesson 13, whose runs are the readers' side of the comparison. On one core the whole takes some 20 minutes.
"""

from __future__ import annotations

import json
import platform
import random
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.errors import CourseError
from ...base.jsonl import write_jsonl
from ...base.paths import home
from ...data.preferences import load_preferences
from ...measure.statistics import Interval
from ...methods.dpo import train_dpo
from ..lesson_13_dpo import experiments as lab
from .constitution import BROKEN, RULES
from .judge import contexts, load_judge, save_judge, start_of_judge, target, train_judge, verdict_logits

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LESSON = "14_rlaif"
SEEDS = (0, 1, 2)
CONTEXTS, JUDGE_RATE = 3600, 5e-4  # pairs of spoiled briefs that the judge is trained on
CHECKED = 300  # pairs of spoiled briefs that it is tested on
TEST_PAIRS = 299  # test pairs of the preference data


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
    """The log-odds that the judge gives the *first* reply of each row, by rule: shown as A, and shown as B."""
    import torch

    found: tuple[list[list[float]], list[list[float]]] = ([], [])
    turned = [row | {"first": row["second"], "second": row["first"]} for row in rows]
    with torch.inference_mode():
        for side, shown, sign in ((0, rows, 1.0), (1, turned, -1.0)):
            order = sorted(range(len(shown)), key=lambda i: len(shown[i]["text"]))
            odds: list[list[float]] = [[]] * len(shown)
            for start in range(0, len(order), 24):
                batch = order[start : start + 24]
                values = verdict_logits(model, tokenizer, [shown[i] for i in batch], rules)
                for i, row in zip(batch, (sign * values).tolist(), strict=True):
                    odds[i] = row
            found[side].extend(odds)
    return found


def preference(as_a: Sequence[float], as_b: Sequence[float]) -> float:
    """The judge's preference for the first reply: log-odds, averaged over the two places and added up over the rules."""
    return sum(a + b for a, b in zip(as_a, as_b, strict=True)) / 2


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


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Cohen's kappa (1960, Educational and Psychological Measurement 20:37): agreement beyond chance, 1 at most, 0 by chance."""
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    by_chance = sum((first.count(c) / n) * (second.count(c) / n) for c in set(first) | set(second))
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def kappa_interval(first: Sequence[str], second: Sequence[str], draws: int = 1000) -> Interval:
    """Kappa with its 95 % interval by the bootstrap over pairs (Efron & Tibshirani 1993, ch. 13)."""
    rng, n = random.Random(0), len(first)
    found = []
    for _ in range(draws):
        picks = [rng.randrange(n) for _ in range(n)]
        found.append(kappa([first[i] for i in picks], [second[i] for i in picks]))
    found.sort()
    return Interval(kappa(list(first), list(second)), found[int(0.025 * draws)], found[int(0.975 * draws) - 1])


def at_random(ids: Sequence[str], votes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Votes for "first" or "second" as "left" or "right", each pair laid out by a coin that knows only its id.

    Where `first` is by construction what one judge chose, kappa with that judge would be undefined; laid out at random it is not.
    Returns the votes, and where `first` lies.
    """
    coin = ["left" if random.Random(f"side {i}").random() < 0.5 else "right" for i in ids]
    other = {"left": "right", "right": "left"}
    return [c if v == "first" else other[c] for c, v in zip(coin, votes, strict=True)], coin


# ------------------------------------------------------------------ AI labels


def labels_file() -> Path:
    """Where the AI labels of the preference pairs are kept (committed)."""
    return home() / "data" / "preferences" / "ai_labels.jsonl"


@lru_cache(maxsize=1)
def ai_labels() -> dict[str, dict]:
    """The AI label of each pair, by id: `prefers` ("chosen" or "rejected", in the readers' order), `odds`, `turns`.

    Raises `CourseError` when the file is missing.
    """
    if not labels_file().exists():
        raise CourseError(
            f"The AI labels are missing: {labels_file()}.",
            "Restore them with: git checkout -- data/preferences; or make them: course sweep 14_rlaif",
        )
    rows = (json.loads(line) for line in labels_file().read_text(encoding="utf-8").splitlines())
    return {row["id"]: row for row in rows if "id" in row}


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


def judge_job() -> dict[str, Any]:
    """Train the judge, keep it, and test it on faults in names and wordings that it has not seen, rule by rule."""
    model, tokenizer = start_of_judge()
    train_judge(model, tokenizer, contexts("train", CONTEXTS), learning_rate=JUDGE_RATE, say=lambda line: None)
    save_judge(model)
    return tested()


def tested() -> dict[str, Any]:
    """How often the kept judge is right on spoiled briefs, by rule, with the rule and without; `right` one character a case."""
    model, tokenizer = load_judge()
    rows = contexts("test", CHECKED)
    found: dict[str, Any] = {}
    for name, rules in constitutions().items():
        as_a, as_b = both_orders(model, tokenizer, rows, rules)
        for number, rule in enumerate(RULES):
            column = min(number, len(rules) - 1)
            cases = [i for i, row in enumerate(rows) if target(row["faults"], rule) != 0.5]
            odds = [(as_a[i][column], as_b[i][column]) for i in cases]
            goals = [target(rows[i]["faults"], rule) for i in cases]
            found[f"{name} {rule}"] = "".join(
                "01"[((a + b) > 0) == (g > 0.5)] for (a, b), g in zip(odds, goals, strict=True)
            )
    return found | {"faults": len(BROKEN) - 1}


def labels_job() -> dict[str, Any]:
    """Label the training pairs of all seeds and the test pairs, and write the file with processor and versions."""
    model, tokenizer = load_judge()
    wanted = set().union(*(lab.reader_pairs(seed)["id"] for seed in SEEDS))
    rows = [row for row in pair_rows("train") if row["id"] in wanted] + pair_rows("test")
    as_a, as_b = both_orders(model, tokenizer, rows, list(RULES.values()))
    told = []
    for row, a, b in zip(rows, as_a, as_b, strict=True):
        odds = preference(a, b)
        told.append(
            {
                "id": row["id"],
                "prefers": "chosen" if odds > 0 else "rejected",
                "odds": round(odds, 3),
                "turns": (sum(a) > 0) != (sum(b) > 0),
            }
        )
    facts = {"made_with": {name: version(name) for name in ("torch", "transformers")} | {"machine": platform.machine()}}
    write_jsonl(labels_file(), [facts, *told])
    ai_labels.cache_clear()
    return {"pairs": len(told), "turns": sum(t["turns"] for t in told)}


def agreement_job() -> dict[str, Any]:
    """The judge on the test pairs, with the constitution and its controls: `a`, `b` the summed log-odds in either place."""
    model, tokenizer = load_judge()
    rows = pair_rows("test")
    found: dict[str, Any] = {"ids": [r["id"] for r in rows], "gold": [r["gold"] for r in rows]}
    for name, rules in constitutions().items():
        as_a, as_b = both_orders(model, tokenizer, rows, rules)
        found[f"{name} a"] = [round(sum(v), 2) for v in as_a]
        found[f"{name} b"] = [round(sum(v), 2) for v in as_b]
    return found


def policy_job(labels: str, seed: int) -> dict[str, Any]:
    """DPO on labels of one kind, measured as in lesson 13; `judge` is the judge's own preference for it over the writer, 0 to 1."""
    pairs = {"AI": partial(ai_pairs, seed), "mixed": partial(ai_pairs, seed, 0.5), "length": partial(by_length, seed)}
    model, tokenizer = lab.fresh()
    options = {"learning_rate": lab.RATE, "beta": lab.BETA, "batch_size": lab.BATCH, "quiet": True}
    run = train_dpo(lab.plain(pairs[labels]()), model=model, tokenizer=tokenizer, seed=seed, **options)
    texts = lab.replies(run.model, run.tokenizer, seed)
    before = lab.replies(*lab.writer(), seed)
    rows = [
        {"text": row["text"], "first": new, "second": old}
        for row, new, old in zip(lab.test_prompts(), texts, before, strict=True)
    ]
    votes = [preference(a, b) for a, b in zip(*both_orders(*load_judge(), rows, list(RULES.values())), strict=True)]
    own = {"judge": "".join("01"[vote > 0] for vote in votes)}
    return lab.measured(run.model, run.tokenizer, seed, texts) | lab.cost(run) | own


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """The reference runs of the lesson, in the order in which they need each other."""
    yield {"part": "judge"}, judge_job
    yield {"part": "agreement"}, agreement_job
    yield {"part": "labels"}, labels_job
    for seed in SEEDS:
        yield {"part": "policy", "labels": "AI", "seed": seed}, partial(policy_job, "AI", seed)
        yield {"part": "policy", "labels": "mixed", "seed": seed}, partial(policy_job, "mixed", seed)
    yield {"part": "policy", "labels": "length", "seed": 0}, partial(policy_job, "length", 0)
