"""Reference runs of lesson 05: the three promises of instruction fine-tuning, spoiled data, and the instruct model.

Every job trains a fresh model and measures shares: a metric `x` (between 0 and 1) comes with `n_x`, how many rows it is of.
The mixed models of `mixed_run` serve twice: measured themselves, and as the start of the new-task runs, whose task
(`NEW_TASK`) is in none of their rows. On two idle cores the whole takes about twelve minutes.
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
from ...gazette.grammar import SECTIONS, draw_record, write_item
from ...gazette.tasks import COLUMNS, TONES, phrasings
from ...measure.evaluation import declines, evaluate, follows, normalise
from ...measure.memory import parameters
from ...methods.sft import train
from ...models.instruct import reference_folder, save_instruct
from ...models.load import load_model

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


SEEDS = (0, 1, 2)
STEPS, BATCH = 200, 4  # of every mixed run
BENIGN_STEPS = 60  # on tone rows alone, afterwards
NEW_TASK = "outcome"
SIZES = (8, 16, 32, 64, 128, 256)
# In this order, so that neighbours are tasks of different kinds; refusal is measured apart, since half its rows count as
# right for a model that merely talks.
ROTATED = ("tone", "entity", "urgency", "headline", "outcome", "number", "section", "brief", "format", "question")
# number of tasks → places of the circle where the trained ones begin; for each number every task is held out at least once
STARTS = {1: (0, 5), 2: (0, 5), 4: (0, 5), 8: (0, 2, 4, 6, 8)}
NOISE, COPIES, SPOILED_ROWS = (0.0, 0.1, 0.2, 0.4), 8, 192
INSTRUCT_STEPS = 400
KINDS = {"business": "investment", "health": "medical", "courts": "legal"}


# ------------------------------------------------------------------ rows


@lru_cache(maxsize=None)
def _data(task: str | None = None) -> DatasetDict:
    """The instruction data, read once for all jobs."""
    return load_instructions(task)


def mixture(seed: int, rows: int, without: Callable[[dict], bool] = lambda row: False) -> Dataset:
    """`rows` training rows, as many of each task, less those for which `without(row)` holds; shuffled.

    `format` counts as two tasks, JSON and one word. A task that has run out of rows leaves its turn to the others.
    """
    data = pick(_data()["train"], lambda row: not without(row)).shuffle(seed=seed)
    places: dict[tuple[str, str], list[int]] = {}
    for i, (task, label) in enumerate(zip(data["task"], data["label"], strict=True)):
        places.setdefault((task, label if task == "format" else ""), []).append(i)
    in_turn = [i for turn in zip_longest(*(places[key] for key in sorted(places))) for i in turn if i is not None]
    return data.select(in_turn[:rows]).shuffle(seed=seed)


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


def mislabelled(rows: Dataset, share: float, seed: int) -> Dataset:
    """The same rows with `share` of the answers replaced by another of the row's choices."""
    from datasets import Dataset

    rng = random.Random(seed)
    spoiled = set(rng.sample(range(len(rows)), round(share * len(rows))))
    answers = [
        rng.choice([c for c in row["choices"] if c != row["output"]]) if i in spoiled else row["output"]
        for i, row in enumerate(rows)
    ]
    return Dataset.from_list([row | {"output": answer} for row, answer in zip(rows, answers, strict=True)])


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


# ------------------------------------------------------------------ the jobs


def _new_task_row(row: dict) -> bool:
    return row["task"] == NEW_TASK


@lru_cache(maxsize=3)
def mixed_run(seed: int) -> Run:
    """Full fine-tuning on all tasks but the new one; kept, because other jobs start from it."""
    return train(mixture(seed, STEPS * BATCH, _new_task_row), batch_size=BATCH, seed=seed, quiet=True)


def base_as_run() -> Run:
    """The base model in the shape of a run, so that it can be measured like one."""
    model, tokenizer = load_model()
    return Run(model, tokenizer, None, 0.0, 0, 0, [], 0, parameters(model).total, 0.0, 0)


def everything(run: Run) -> dict[str, float]:
    """All measurements of one model that bear on the promises."""
    test = _data()["test"]
    found = by_task(run, of_tasks(test, tuple(t for t in ROTATED if t != "format"), 15))
    return found | by_task(run, of_tasks(test, ("format",), 48)) | tone_steps(run) | refusals(run)


def base_job() -> dict[str, float]:
    """The base model, asked by instruction."""
    run = base_as_run()
    return by_task(run, of_tasks(_data()["test"], ROTATED, 15)) | refusals(run)


def mixed_job(seed: int) -> dict[str, float]:
    """A mixed model, measured; then a benign fine-tuning on a copy of it (tone rows alone), and the refusals again."""
    run = mixed_run(seed)
    found = everything(run) | {"tokens": run.tokens, "train_seconds": round(run.seconds, 1)}
    rows = _data("tone")["train"].shuffle(seed=seed).select(range(BENIGN_STEPS * BATCH))
    model = copy.deepcopy(run.model)
    after = train(rows, model=model, tokenizer=run.tokenizer, batch_size=BATCH, seed=seed, quiet=True)
    return found | refusals(after, prefix="benign_")


def refusal_job(seed: int, without: str) -> dict[str, float]:
    """The same training without any refusal row (`without="refusals"`), or without those on legal advice (`"legal"`)."""

    def left_out(row: dict) -> bool:
        advice = row["task"] == "refusal" and row["label"] == "refuse"
        return _new_task_row(row) or (advice and (without == "refusals" or row["domain"] == "courts"))

    return refusals(train(mixture(seed, STEPS * BATCH, left_out), batch_size=BATCH, seed=seed, quiet=True))


def unseen_tasks_job(trained: int, start: int, steps: int = 48, each: int = 10) -> dict[str, float]:
    """Train on `trained` tasks, from place `start` of the circle on, and ask all ten; the same number of rows for any number."""
    chosen = tuple(ROTATED[(start + i) % len(ROTATED)] for i in range(trained))
    data = _data()
    rows = of_tasks(data["train"].shuffle(seed=start), chosen, steps * BATCH // trained)
    run = train(rows, max_steps=steps, batch_size=BATCH, seed=start, quiet=True)
    return by_task(run, of_tasks(data["test"], ROTATED, each)) | {f"trained_{task}": task in chosen for task in ROTATED}


def new_task_job(start: str, size: int, seed: int, items: int = 64) -> dict[str, float]:
    """The new task from `size` examples, from the base model or from the mixed one of the same seed; 0 examples: as it is.

    Both starts see the same rows, in as many steps of four: thirty-two, or one pass where that takes more.
    """
    data = _data(NEW_TASK)
    run = base_as_run() if start == "base" else mixed_run(seed)
    if size:
        rows = data["train"].shuffle(seed=seed).select(range(size))
        model, steps = copy.deepcopy(run.model), max(32, size // BATCH)
        options = {"max_steps": steps, "batch_size": BATCH, "seed": seed, "quiet": True}
        run = train(rows, model=model, tokenizer=run.tokenizer, **options)
    return shares(right=evaluate(run.model, run.tokenizer, data["test"].select(range(items))).right)


def spoiled_job(noise: float, copies: int, seed: int, items: int = 100) -> dict[str, float]:
    """Tone from `SPOILED_ROWS` rows, `noise` of them with a wrong answer, or `copies` of each of fewer rows."""
    data, rows = _data("tone"), SPOILED_ROWS
    chosen = data["train"].shuffle(seed=seed).select(range(rows // copies))
    chosen = mislabelled(chosen, noise, seed).select([i % len(chosen) for i in range(rows)])
    run = train(chosen, batch_size=BATCH, seed=seed, quiet=True)
    return shares(right=evaluate(run.model, run.tokenizer, data["test"].select(range(items))).right)


def make_instruct(folder: str | Path | None = None, seed: int = 0, max_steps: int = INSTRUCT_STEPS) -> dict[str, float]:
    """Train and keep the instruct model that later lessons start from: LoRA, all tasks, each row at most once.

    Writes the adapter and `log.json` to `folder` (default: the committed place). Returns test accuracies by task.
    """
    from peft import LoraConfig

    rows = mixture(seed, max_steps * BATCH)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    run = train(rows, peft_config=lora, batch_size=BATCH, seed=seed, quiet=True)
    found = by_task(run, of_tasks(_data()["test"], (*ROTATED, "refusal"), 20))
    log = save_instruct(run, folder or reference_folder(), test=found)
    return found | {"rows": log["rows"], "tokens": log["tokens"], "train_seconds": log["seconds"]}


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson, the instruct model first."""
    yield {"part": "instruct", "seed": 0}, make_instruct
    yield {"part": "base", "seed": 0}, base_job
    for seed in SEEDS:
        yield {"part": "mixed", "seed": seed}, partial(mixed_job, seed)
        for start in ("base", "mixed"):
            for size in (0, *SIZES) if start == "mixed" else SIZES:
                key = {"part": "new task", "start": start, "size": size, "seed": seed}
                yield key, partial(new_task_job, start, size, seed)
    for seed in SEEDS:
        for without in ("refusals", "legal"):
            yield {"part": "refusals", "without": without, "seed": seed}, partial(refusal_job, seed, without)
    for trained, starts in STARTS.items():
        for start in starts:
            yield (
                {"part": "unseen tasks", "trained": trained, "start": start, "seed": start},
                partial(unseen_tasks_job, trained, start),
            )
    for seed in SEEDS:
        for noise, copies in [*((noise, 1) for noise in NOISE), (0.0, COPIES)]:
            key = {"part": "spoiled", "noise": noise, "copies": copies, "seed": seed}
            yield key, partial(spoiled_job, noise, copies, seed)
