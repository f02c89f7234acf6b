"""Reference runs of lesson 05: the three promises of instruction tuning, each with what it is held against.

Three models are tuned on eight of ten tasks (LoRA, four hundred steps, long enough to learn them), each without another two. Each is asked all
ten tasks, then given a few examples of its two new tasks, beside the base model with the same examples. A metric `x` (between 0
and 1) comes with `n_x`, how many rows it is of.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.run import Run
from ...data.instructions import load_in_the_wild, load_instructions, of_tasks, pick
from ...gazette.grammar import write_item
from ...gazette.reading import SECTIONS
from ...gazette.records import draw_record
from ...gazette.tasks import COLUMNS, TONES, phrasings
from ...measure.evaluation import declines, evaluate, follows, normalise
from ...measure.memory import parameters
from ...methods.sft import train
from ...models.adapters import merge
from ...models.instruct import reference_folder, save_instruct
from ...models.load import load_model

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from peft import LoraConfig


SEEDS = (0, 1)
STEPS, BATCH = 400, 4  # of every tuned model
# In this order, so that neighbours are tasks of different kinds; refusal is measured apart, since half its rows count as
# right for a model that merely talks.
ROTATED = ("tone", "entity", "urgency", "headline", "outcome", "number", "section", "brief", "format", "question")
TRAINED = 8  # tasks of the circle that are trained
STARTS = (0, 4, 8)  # where they begin: six tasks are held out once
EACH = 20  # test rows of each task
SIZES, NEW_STEPS, ITEMS = (16, 64), 48, 60  # examples of a new task, steps on them, test rows
KINDS = {"business": "investment", "health": "medical", "courts": "legal"}


# ------------------------------------------------------------------ rows


@lru_cache(maxsize=None)
def _data(task: str | None = None) -> DatasetDict:
    """The instruction data, read once for all jobs."""
    return load_instructions(task)


def mixture(seed: int, count: int, without: Callable[[dict], bool] = lambda row: False) -> Dataset:
    """`count` training rows, as many of each task, less those for which `without(row)` holds; shuffled.

    `format` counts as two tasks, JSON and one word. A task that has run out of rows leaves its turn to the others.
    """
    data = pick(_data()["train"], lambda row: not without(row)).shuffle(seed=seed)
    places: dict[tuple[str, str], list[int]] = {}
    for i, (task, label) in enumerate(zip(data["task"], data["label"], strict=True)):
        places.setdefault((task, label if task == "format" else ""), []).append(i)
    in_turn = [i for turn in zip_longest(*(places[key] for key in sorted(places))) for i in turn if i is not None]
    return data.select(in_turn[:count]).shuffle(seed=seed)


def tone_items(world: str, wording: str, asked: tuple[str, ...], count: int) -> Dataset:
    """Freshly drawn tone rows, each with a sentence of reaction: names of `world`, patterns of `wording`, asked as in `asked`.

    The same items for the same world and wording, whatever is asked. None of them is a training row.
    """
    from datasets import Dataset

    trained, rng = set(_data("tone")["train"]["input"]), random.Random(f"tone steps {world} {wording}")
    rows: list[dict] = []
    while len(rows) < count:
        place = len(rows)
        item = write_item(draw_record(SECTIONS[place % len(SECTIONS)], rng, world), 0, wording, True)
        if item.text in trained:
            continue
        tone = item.record.tone
        row = {"task": "tone", "instruction": asked[place % len(asked)], "input": item.text, "output": tone}
        row |= {"label": tone, "choices": list(TONES), "scorer": "label", "domain": item.record.section}
        rows.append(dict.fromkeys(COLUMNS, "") | row)
    return Dataset.from_list(rows)


# ------------------------------------------------------------------ measuring


def shares(**hits: list[bool]) -> dict[str, float]:
    """`x=[…]` → `{"x": share, "n_x": count}`."""
    found: dict[str, float] = {}
    for name, values in hits.items():
        found |= {name: round(sum(values) / max(1, len(values)), 4), f"n_{name}": len(values)}
    return found


def refusals(run: Run, each: int = 20, prefix: str = "") -> dict[str, float]:
    """How often advice is declined, by its kind, and how often a harmless question is, on unseen letters: `PREFIXrefused_KIND`."""
    from datasets import Dataset

    letters = _data("refusal")["test"]
    found: dict[str, float] = {}
    harmless = []
    for domain, kind in KINDS.items():
        asking = pick(letters, lambda row, d=domain: (row["domain"], row["label"]) == (d, "refuse"), each)
        replies = evaluate(run.model, run.tokenizer, asking).replies
        found |= shares(**{f"{prefix}refused_{kind}": [declines(reply) for reply in replies]})
        harmless += list(pick(letters, lambda row, d=domain: (row["domain"], row["label"]) == (d, "answer"), each))
    replies = evaluate(run.model, run.tokenizer, Dataset.from_list(harmless)).replies
    pairs = list(zip(harmless, replies, strict=True))
    answered = [normalise(reply) == normalise(row["output"]) for row, reply in pairs]
    declined = [declines(reply) for reply in replies]
    return found | shares(**{f"{prefix}refused_harmless": declined, f"{prefix}answered_harmless": answered})


def by_task(run: Run, rows: Dataset) -> dict[str, float]:
    """`right_TASK`, and `follows_TASK` where a form is asked for (`format` in two: `json`, `word`)."""
    replies = evaluate(run.model, run.tokenizer, rows)
    right: dict[str, list[bool]] = {}
    obeyed: dict[str, list[bool]] = {}
    for row, reply, ok in zip(rows, replies.replies, replies.right, strict=True):
        right.setdefault(f"right_{row['task']}", []).append(ok)
        form = follows(row, reply)
        if form is not None:
            name = row["label"] if row["task"] == "format" else row["task"]
            obeyed.setdefault(f"follows_{name}", []).append(form)
    return shares(**right, **obeyed)


def tone_steps(run: Run, each: int = 75) -> dict[str, float]:
    """Tone, ever further from the training rows, one change a step: new names; new wordings; new phrasings; no grammar."""
    known, new = phrasings("tone", "train"), phrasings("tone", "test")
    places = {
        "training_kind": tone_items("train", "instruction", known, each),
        "new_names": tone_items("heldout", "instruction", known, each),
        "new_wordings": tone_items("heldout", "heldout", known, each),
        "new_phrasings": tone_items("heldout", "heldout", new, each),
        "in_the_wild": load_in_the_wild().shuffle(seed=0).select(range(120)),
    }
    return shares(**{name: evaluate(run.model, run.tokenizer, rows).right for name, rows in places.items()})


def by_training(runs: list[dict], measure: str, trained: bool) -> dict[str, float]:
    """Task → its `measure` (`right` or `follows`), mean over the tuned models in which it was trained, or held out."""
    found: dict[str, list[float]] = {}
    for metrics in (r["metrics"] for r in runs if r["key"]["part"] == "tuned"):
        for task in ROTATED:
            names = ("json", "word") if measure == "follows" and task == "format" else (task,)
            figures = [metrics[f"{measure}_{name}"] for name in names if f"{measure}_{name}" in metrics]
            if metrics[f"trained_{task}"] == trained and figures:
                found.setdefault(task, []).append(sum(figures) / len(figures))
    return {task: sum(values) / len(values) for task, values in found.items()}


# ------------------------------------------------------------------ the jobs


def held_out_tasks(start: int) -> tuple[str, ...]:
    """The two of the ten tasks of the circle that the tuned model of this start has never seen."""
    return tuple(ROTATED[(start + i) % len(ROTATED)] for i in range(TRAINED, len(ROTATED)))


def lora() -> LoraConfig:
    """The adapter of all trainings of this lesson."""
    from peft import LoraConfig

    return LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")


@lru_cache(maxsize=2)
def tuned_run(start: int) -> Run:
    """Instruction tuning on eight of the ten tasks, and on the letters; kept, because other jobs start from it."""
    rows = mixture(start, STEPS * BATCH, lambda row: row["task"] in held_out_tasks(start))
    return train(rows, peft_config=lora(), batch_size=BATCH, seed=start, quiet=True)


def base_as_run() -> Run:
    """The base model in the shape of a run, so that it can be measured like one."""
    model, tokenizer = load_model()
    return Run(model, tokenizer, None, 0.0, 0, 0, [], 0, parameters(model).total, 0.0, 0)


def base_job() -> dict[str, float]:
    """The base model, asked by instruction."""
    run = base_as_run()
    return by_task(run, of_tasks(_data()["test"], ROTATED, EACH)) | refusals(run)


def tuned_job(start: int) -> dict[str, float]:
    """A tuned model: all ten tasks, tone ever further from the training rows (where tone was trained), letters."""
    run = tuned_run(start)
    found = by_task(run, of_tasks(_data()["test"], ROTATED, EACH)) | refusals(run)
    found |= {f"trained_{task}": task not in held_out_tasks(start) for task in ROTATED}
    if "tone" not in held_out_tasks(start):
        found |= tone_steps(run)
    return found | {"tokens": run.tokens, "train_seconds": round(run.seconds, 1)}


def new_task_job(origin: str, start: int, task: str, count: int) -> dict[str, float]:
    """A task that the tuned model never saw, from `count` examples: from the base model, or from the tuned one.

    Both take the same rows, in the same number of steps, with the same new adapter; the tuned model's own is merged first.
    """
    data = _data(task)
    model, tokenizer = load_model() if origin == "base" else (merge(copy.deepcopy(tuned_run(start).model)), None)
    rows = data["train"].shuffle(seed=start).select(range(count))
    tokenizer = tokenizer or tuned_run(start).tokenizer
    options = {"max_steps": NEW_STEPS, "batch_size": BATCH, "seed": start, "quiet": True}
    run = train(rows, model=model, tokenizer=tokenizer, peft_config=lora(), **options)
    return shares(right=evaluate(run.model, run.tokenizer, data["test"].select(range(ITEMS))).right)


def without_legal_job(seed: int) -> dict[str, float]:
    """The same training on all ten tasks without the refusals of legal advice, then the letters."""

    def legal(row: dict) -> bool:
        return row["task"] == "refusal" and row["label"] == "refuse" and row["domain"] == "courts"

    rows = mixture(seed, STEPS * BATCH, legal)
    return refusals(train(rows, peft_config=lora(), batch_size=BATCH, seed=seed, quiet=True))


def make_instruct(folder: str | Path | None = None, seed: int = 0, max_steps: int = STEPS) -> dict[str, float]:
    """Train and keep the instruct model that later lessons start from: LoRA, all tasks, each row at most once.

    Writes the adapter and `log.json` to `folder` (default: the committed place). Returns test accuracies by task.
    """
    rows = mixture(seed, max_steps * BATCH)
    run = train(rows, peft_config=lora(), batch_size=BATCH, seed=seed, quiet=True)
    found = by_task(run, of_tasks(_data()["test"], (*ROTATED, "refusal"), 20))
    log = save_instruct(run, folder or reference_folder(), test=found)
    return found | {"rows": log["rows"], "tokens": log["tokens"], "train_seconds": log["seconds"]}


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson, the instruct model first."""
    yield {"part": "instruct", "seed": 0}, make_instruct
    yield {"part": "base", "seed": 0}, base_job
    for start in STARTS:
        yield {"part": "tuned", "start": start}, partial(tuned_job, start)
        for task in held_out_tasks(start):
            for size in SIZES:
                for origin in ("tuned", "base"):
                    key = {"part": "new task", "from": origin, "start": start, "task": task, "size": size}
                    yield key, partial(new_task_job, origin, start, task, size)
    for seed in SEEDS:
        yield {"part": "without legal refusals", "seed": seed}, partial(without_legal_job, seed)
