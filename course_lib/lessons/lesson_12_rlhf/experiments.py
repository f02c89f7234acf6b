"""Lesson 12's runs: RLOO against reward models of biased and of unbiased readers, against the true score, and what goes wrong.

`jobs` are the reference runs of `course sweep 12_rlhf`; the notebook shares their functions and settings. Every policy starts from the
brief writer and is judged by one reply at temperature 1 to each of the same test prompts: `gold` holds the true scores in their order.
`history` holds one number a step: the mean reward, true score, KL and length of the 64 training replies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING

from ...data.preferences import brief_prompts
from ...data.readers import TAU
from ...gazette.brief import brief_score, shouts
from ...models.instruct import load_brief_writer
from ..lesson_11_reward_model.experiments import reward_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...base.run import Run

LESSON = "12_rlhf"
SEEDS = (0, 1, 2, 3, 4)
STEPS, BATCH, GENERATIONS = 30, 8, 8  # 64 replies a step
BETA, RATE, LONGEST = 0.2, 1e-4, 48  # a reward model's unit is τ of the true score's, so its β is 1 / τ of it
TRAIN, TEST = 640, 200  # prompts
COUNTS = (1, 2, 4, 8, 16, 32)  # of best-of-n
PROMPTS_OF_N = 100
BROKEN = 10  # steps of a run that goes wrong
READERS = ("biased", "unbiased")  # whose reward models are compared
LAST = 5  # steps whose KL stands on the scoreboard
WATCHED = ("reward", "watch", "kl", "length", "cut")


# ------------------------------------------------------------------ prompts, rewards, replies


def train_prompts() -> list[dict]:
    """The prompts that policies are trained on."""
    return brief_prompts("train", TRAIN, seed=12)


def test_prompts(count: int = TEST) -> list[dict]:
    """The prompts that policies are compared on: other names, wordings and phrasings."""
    return brief_prompts("test", count, seed=12)


def gold(completions: Sequence[str], text: Sequence[str], facts: Sequence[dict], **_) -> list[float]:
    """The true score of briefs, called as a reward is called."""
    return [brief_score(f, t, c) for f, t, c in zip(facts, text, completions, strict=True)]


def reward_of(kind: str) -> Callable[..., list[float]]:
    """What a policy is trained on: the reward model of `biased` or of `unbiased` readers (lesson 11's), or `gold` itself."""
    from ...methods.rollouts import reward_from

    return gold if kind == "gold" else reward_from(*reward_model({"biased": "reader"}.get(kind, kind)))


def scored(score: Callable[..., list[float]], rows: Sequence[dict], replies: Sequence[str]) -> list[float]:
    """A reward for one reply to each of `rows`."""
    columns = {key: [row[key] for row in rows] for key in ("text", "facts")}
    return score(prompts=[row["prompt"] for row in rows], completions=list(replies), **columns)


def replies_to(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], each: int = 1, seed: int = 0
) -> list[list[str]]:
    """`each` sampled replies to every prompt, at temperature 1, of at most `LONGEST` tokens."""
    import torch

    from ...methods.rollouts import sample
    from ...models.generation import chat_prompt, stop_tokens

    torch.manual_seed(seed)
    stops, found = stop_tokens(model, tokenizer), []
    together = max(1, 128 // each)  # prompts in a batch
    for start in range(0, len(rows), together):
        asked = [chat_prompt(tokenizer, row["prompt"]) for row in rows[start : start + together]]
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in asked for _ in range(each)]
        said = sample(model, ids, ends=stops, pad=tokenizer.pad_token_id, longest=LONGEST)
        texts = [reply.strip() for reply in tokenizer.batch_decode(said, skip_special_tokens=True)]
        found += [texts[i : i + each] for i in range(0, len(texts), each)]
    return found


def judged(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int = 0) -> dict:
    """One reply to each test prompt: their true scores, how many shout, how long they are, the first five."""
    rows = test_prompts()
    said = [reply for (reply,) in replies_to(model, tokenizer, rows, seed=seed)]
    return {
        "gold": [round(value, 3) for value in scored(gold, rows, said)],
        "shouts": round(mean(map(shouts, said)), 4),
        "words": round(mean(len(reply.split()) for reply in said), 2),
        "replies": said[:5],
    }


# ------------------------------------------------------------------ the jobs


def train(kind: str, seed: int = 0, *, start: Callable = load_brief_writer, **options) -> Run:
    """RLOO with the lesson's settings from a start, the brief writer unless told otherwise; `options` override."""
    from ...methods.rl import train_rl

    model, tokenizer = start()
    model.requires_grad_(True)  # merging an adapter leaves the weights frozen
    settings = {"max_steps": STEPS, "batch_size": BATCH, "generations": GENERATIONS, "beta": BETA, "quiet": True}
    settings |= {"learning_rate": RATE, "max_completion_length": LONGEST, "seed": seed}
    return train_rl(
        train_prompts(), reward_of(kind), watch=gold, model=model, tokenizer=tokenizer, **(settings | options)
    )


def course_of(run: Run) -> dict[str, list[float]]:
    """What was watched, one list a quantity."""
    return {name: [round(step[name], 4) for step in run.history] for name in WATCHED}


def policy_job(kind: str, seed: int, **options) -> dict:
    """Train a policy and judge it."""
    run = train(kind, seed, **options)
    took = {"train_seconds": round(run.seconds, 1), "tokens": run.tokens}
    return judged(run.model, run.tokenizer, seed) | {"history": course_of(run)} | took


def start_job(seed: int) -> dict:
    """The brief writer, judged as the policies are."""
    return judged(*load_brief_writer(), seed)


def base_job() -> dict:
    """The base model that was never shown a brief, judged alike."""
    from ...models.load import load_model

    return judged(*load_model())


def best_of_n_job() -> dict:
    """The best of n of the brief writer's replies by each reward: its true score, the reward itself, and whether it shouts."""
    rows, most = brief_prompts("test", PROMPTS_OF_N, seed=13), max(COUNTS)
    said = replies_to(*load_brief_writer(), rows, each=most)
    repeated = [row for row in rows for _ in range(most)]
    flat = [reply for group in said for reply in group]
    truth, found = scored(gold, repeated, flat), {}
    for kind in ("biased", "unbiased", "gold"):
        proxy = scored(reward_of(kind), repeated, flat)
        for n in COUNTS:
            picks = [max(range(i, i + n), key=proxy.__getitem__) for i in range(0, len(flat), n)]
            per_prompt = most // n  # disjoint groups of n
            best = [truth[i] for i in picks]
            found[f"{kind} {n}"] = {
                "gold": [round(mean(best[i : i + per_prompt]), 4) for i in range(0, len(best), per_prompt)],
                "reward": round(mean(proxy[i] for i in picks), 4),
                "shouts": round(mean(shouts(flat[i]) for i in picks), 4),
            }
    return found


def board_job() -> dict:
    """The scoreboard's reference rows: RLOO through the reward model of either kind of readers, from the runs of all seeds."""
    from ...measure.statistics import mean_interval
    from ..policy_rows import record_policy
    from ..reference import runs

    start = [run["metrics"]["gold"] for run in runs(LESSON, part="start")]
    for kind in READERS:
        found = runs(LESSON, part="RLOO", reward=kind, beta=BETA)
        record_policy(
            f"RLHF (RLOO), {kind} readers",
            LESSON,
            partial(train, kind),
            before=start[: len(found)],
            after=[run["metrics"]["gold"] for run in found],
            kl=mean_interval([run["metrics"]["history"]["kl"][-LAST:] for run in found]),
            seeds=[run["key"]["seed"] for run in found],
        )
    return {"rows": len(READERS)}


def raw_base() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model, as the start of a policy that never saw supervised fine-tuning."""
    from ...models.load import load_model

    return load_model()


BREAKS = {"rate": {"learning_rate": 1e-3}, "leash": {"beta": 20.0}, "cut": {"max_completion_length": 6}}


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson: everything once, then the comparison with other seeds."""
    yield from compared(SEEDS[0])
    yield {"part": "best of n"}, best_of_n_job
    same_leash = round(BETA * TAU, 4)  # in units of the true score
    for kind, beta in (("gold", same_leash), ("biased", 0.0)):
        yield {"part": "RLOO", "reward": kind, "beta": beta, "seed": 0}, partial(policy_job, kind, 0, beta=beta)
    for how, options in BREAKS.items():
        yield {"part": "broken", "how": how, "seed": 0}, partial(policy_job, "biased", 0, max_steps=BROKEN, **options)
    yield {"part": "no SFT", "reward": "biased", "seed": 0}, partial(policy_job, "biased", 0, start=raw_base)
    yield {"part": "base"}, base_job
    for seed in SEEDS[1:]:
        yield from compared(seed)
    yield {"part": "board"}, board_job


def compared(seed: int) -> Iterator[tuple[dict, Callable[[], dict]]]:
    """The comparison: before, and after RLOO on the reward models of biased and of unbiased readers."""
    yield {"part": "start", "seed": seed}, partial(start_job, seed)
    for kind in READERS:
        yield {"part": "RLOO", "reward": kind, "beta": BETA, "seed": seed}, partial(policy_job, kind, seed)
