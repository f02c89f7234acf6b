"""The real column of the lessons on preferences, and of the mixture: DPO, reward model, RLOO, a judge that reads its rules, and RLAIF.

All but the mixture is about one-sentence briefs (`real.briefs`): each policy is an adapter on a model's brief writer, measured by the true
score of one reply at temperature 1 to each of the same test prompts with the same sampling seed, so that differences are paired by prompt.
The judge is the fetched model itself, untrained: it reads lesson 14's constitution, an item and two briefs, and says A or B (`real.judge`);
its log-odds are averaged over both orders. Preference training takes a third of the rate of an adapter in
supervised fine-tuning, which is what `train_dpo` takes for the course's model. On one idle core a run takes four to eight minutes.

What was expected, written before the first run. *Briefs*: 256 rows teach the real model more than the course's model knows after 4,800
(true score 0.3 to 0.5). *DPO*: a rise in true score of 0.02 to 0.08 whose interval does not exclude zero, and more hype, which the readers
like. *Judge*: 135M parameters cannot judge; kappa with the true score is below 0.1, nine of ten answers are one letter, and without rules it
does as well. *RLAIF*: DPO on its labels changes nothing or harms. *Reward model*: 128 pairs are few; 55 to 65 % agreement with the readers on
the course's test pairs. *RLOO*: ten steps of sixteen replies move nothing that can be measured. *Mixture*: as many rows of all tasks give
less tone than rows of tone alone (75 to 85 % instead of 88 %), and forget no less.

What came out so far. *Briefs*: 0.169 (0.128 to 0.210), no more than the course's writer on the same prompts (0.163 over three seeds): fluent
English, and the wrong thing said. Far below what was expected. *Judge*: every answer is A, with rules and without, so each of 100 pairs turns with the order; but the two orders do not
quite cancel, and what is left agrees a little with the true score when the rules are read (kappa 0.22, 0.02 to 0.40; without them 0.04, −0.15
to 0.24). That is more than was expected; that the rules do it is not shown: they add 0.18, −0.03 to 0.38. *DPO*: no rise but −0.018 (−0.049 to
+0.014) in true score, 0.2 nats from its start, and five times as much shouting (2 % before, 12 % after): in sixteen steps it learnt what the
readers like before what is good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from ..data.preferences import brief_prompts, load_preferences
from .lesson_05_instruction_tuning.experiments import mixture
from .lesson_14_rlaif.constitution import RULES
from .real import jobs as real_jobs
from .real.briefs import (
    BRIEFS,
    LONGEST,
    PAIRS,
    SEED,
    measured,
    ordered,
    sampled_pairs,
    train_writer,
    true_score,
    writer,
)
from .real.jobs import Job
from .real.judge import both_orders, choices, test_pairs
from .real.protocol import precision
from .real.techniques import lora, where

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..base.run import Run

REWARD_PAIRS, JUDGED = 128, 100  # pairs that train the reward model; test pairs that it and the judge are asked about
BATCH, BETA, LEASH = 8, 0.1, 0.2  # pairs a step; beta of DPO, and of RLOO (lesson 12's)
SLOWER = 3  # the rate of supervised fine-tuning over the one here
STEPS, ASKED, EACH = 10, 4, 4  # of RLOO: steps, prompts a step, replies a prompt
WRITER, REWARD, DPO = "SFT on briefs", "reward model", "DPO"
RLHF, JUDGE, RLAIF = "RLHF (RLOO)", "AI judge", "RLAIF (DPO on the judge's labels)"
MIXTURE = "SFT on the mixture"


def jobs(model: str) -> Iterator[Job]:
    """The runs of this module for one model, those first that others need: key, and the work."""
    key = {"seed": 0}
    if model != "course":  # which does not understand rules unless it is trained to: lesson 14
        yield {"technique": JUDGE, "pairs": JUDGED, **key}, partial(judge_job, model)
    yield {"technique": WRITER, **({"rows": BRIEFS} if model != "course" else {}), **key}, partial(writer_job, model)
    yield {"technique": DPO, "pairs": PAIRS, **key}, partial(dpo_job, model, "reader")
    yield {"technique": REWARD, "pairs": REWARD_PAIRS, **key}, partial(reward_job, model)
    yield {"technique": RLHF, "steps": STEPS, **key}, partial(rloo_job, model)
    if model != "course":
        yield {"technique": RLAIF, "pairs": PAIRS, **key}, partial(dpo_job, model, "ai")
    yield {"technique": MIXTURE, "rows": real_jobs.ROWS, **key}, partial(mixture_job, model)


def column(model: str) -> Iterator[Job]:
    """Every run of the real column, what matters most first: asking and tuning, then preferences, then the rest of the tuning."""
    tuning = list(real_jobs.jobs(model))
    first = len(tuning) - len(real_jobs.LAST)
    yield from tuning[:first]
    yield from jobs(model)
    yield from tuning[first:]


def told(run: Run, **settings: Any) -> dict[str, Any]:
    """What a run cost and how it was set, as the real column keeps it."""
    from ..measure.memory import checkpoint_bytes

    cost = {name: getattr(run, name) for name in ("trainable_parameters", "total_parameters", "tokens")}
    cost |= {"checkpoint_bytes": checkpoint_bytes(run), "train_seconds": round(run.seconds, 1)}
    return {
        "cost": cost,
        "settings": settings | {"learning_rate": run.learning_rate, **real_jobs.on_this_machine()},
        "losses": [round(x, 4) for x in run.losses],
    }


def writer_job(model: str) -> dict:
    """The start of every policy, measured, and the pairs that it writes."""
    run: Run | None = train_writer(model) if model != "course" else None
    found = {"metrics": measured(*writer(model))}
    found["metrics"]["pairs"] = len(sampled_pairs(model))
    if run is None:
        return found | {"cost": {"trainable_parameters": 0}, "settings": {"start": "lesson 11's brief writer"}}
    return found | told(run, rows=BRIEFS, epochs=1)


def dpo_job(model: str, judge: str) -> dict:
    """DPO on the writer's own pairs, chosen by simulated readers ("reader") or by the untrained model that reads the rules ("ai")."""
    from ..methods.dpo import train_dpo

    rows = sampled_pairs(model)
    found: dict[str, Any] = {}
    if judge == "ai":
        chosen = choices(*judged(model, rows, list(RULES.values())))
        better = ["first" if row["gold"][0] > row["gold"][1] else "second" for row in rows]
        decided = [i for i, row in enumerate(rows) if row["gold"][0] != row["gold"][1]]
        found["label_right"] = "".join("01"[chosen[i] == better[i]] for i in decided)
    else:
        chosen = [row["reader"] for row in rows]
    loaded, tokenizer = writer(model)
    config, rate = adapter(loaded, model)
    run = train_dpo(
        ordered(rows, chosen), model=loaded, tokenizer=tokenizer, peft_config=config, learning_rate=rate / SLOWER, beta=BETA,
        batch_size=BATCH, quiet=True,
    )  # fmt: skip
    found |= measured(run.model, run.tokenizer)
    found["curve"] = [round(step["rewards/margins"] / BETA, 2) for step in run.history]
    return {"metrics": found} | told(run, pairs=len(rows), epochs=1, batch=BATCH, beta=BETA)


def reward_job(model: str) -> dict:
    """A reward model on the course's pairs, from the writer; `right` on test pairs by the readers' choice, `gold` by the true score."""
    _, _, found = train_reward_model(model)
    return found


@lru_cache(maxsize=1)
def train_reward_model(model: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, dict]:
    """The reward model, its tokenizer, and what `reward_job` tells of it."""
    from ..methods.reward import reward_scores, train_reward

    rows = load_preferences()["train"].select(range(REWARD_PAIRS))
    loaded, tokenizer = writer(model)
    config, rate = adapter(loaded, model, "SEQ_CLS", ["score"])
    rate /= 2  # two thirds in lesson 11, where 1e-3 stands beside 1.5e-3
    run = train_reward(
        rows, model=loaded, tokenizer=tokenizer, peft_config=config, learning_rate=rate, batch_size=BATCH, quiet=True
    )
    test = load_preferences()["test"].select(range(JUDGED))
    sides = ("chosen", "rejected")  # in float32: in bf16 close rewards would be equal
    scores = {name: reward_scores(run.model, run.tokenizer, test["prompt"], test[name]) for name in sides}
    higher = [a > b for a, b in zip(scores["chosen"], scores["rejected"], strict=True)]
    decided = [i for i, judge in enumerate(test["gold"]) if judge]
    metrics = {
        "right": "".join("01"[ok] for ok in higher),
        "gold_right": "".join("01"[higher[i] == (test["gold"][i] == "chosen")] for i in decided),
    }
    return run.model, run.tokenizer, {"metrics": metrics} | told(run, pairs=REWARD_PAIRS, epochs=1, batch=BATCH)


def rloo_job(model: str) -> dict:
    """RLOO against that reward model; the true score is watched and never trained on."""
    from ..methods.rl import train_rl
    from ..methods.rollouts import reward_from

    scorer, its_tokenizer, _ = train_reward_model(model)
    loaded, tokenizer = writer(model)
    config, rate = adapter(loaded, model)
    rows = brief_prompts("train", STEPS * ASKED, SEED + 1)
    run = train_rl(
        rows, reward_from(scorer, its_tokenizer), watch=true_score, model=loaded, tokenizer=tokenizer, peft_config=config,
        learning_rate=rate / SLOWER, max_steps=STEPS, batch_size=ASKED, generations=EACH, beta=LEASH, quiet=True,
        max_completion_length=LONGEST,
    )  # fmt: skip
    found = measured(run.model, run.tokenizer)
    found["history"] = {name: [round(s[name], 4) for s in run.history] for name in ("reward", "watch", "kl", "length")}
    return {"metrics": found} | told(run, steps=STEPS, prompts_a_step=ASKED, replies_a_prompt=EACH, beta=LEASH)


def judged(model: str, rows: Sequence[dict], rules: Sequence[str]) -> tuple[list[float], list[float]]:
    """The untrained model's log-odds for the first brief of each row, shown as A and shown as B."""
    from ..models.load import load_model

    loaded, tokenizer = load_model(where(model))
    with precision():
        return both_orders(loaded, tokenizer, rows, rules)


def judge_job(model: str) -> dict:
    """The untrained model on test pairs, with the rules and without: `a`, `b` are its log-odds for the first brief in either place."""
    rows = test_pairs(JUDGED)
    found: dict[str, Any] = {name: [row[name] for row in rows] for name in ("id", "gold", "reader")}
    for name, rules in (("rules", list(RULES.values())), ("no rules", [])):
        as_a, as_b = judged(model, rows, rules)
        found |= {f"{name} a": [round(v, 3) for v in as_a], f"{name} b": [round(v, 3) for v in as_b]}
    settings = {"rules": list(RULES.values()), **real_jobs.on_this_machine()}
    return {"metrics": found, "cost": {"trainable_parameters": 0}, "settings": settings}


def mixture_job(model: str) -> dict:
    """LoRA on as many rows of all tasks together, scored on tone like the rest of the column."""
    return real_jobs.tuned_job(model, "LoRA", real_jobs.ROWS, 0, data=mixture(0, real_jobs.ROWS))


def adapter(loaded: PreTrainedModel, model: str, task: str = "CAUSAL_LM", head: list[str] | None = None):
    """A LoRA config as in the rest of the column, and its rate in supervised fine-tuning."""
    from ..methods.profile import profile_of

    config, rate = lora(profile_of(loaded), where(model))
    config.task_type, config.modules_to_save = task, head
    return config, rate
