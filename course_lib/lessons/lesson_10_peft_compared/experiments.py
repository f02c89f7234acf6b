"""Reference runs of lesson 10: eight methods, the same rows, the same steps, each at its own learning rate.

`part` says what a run is for. "rate": one seed, three rates or more, `TUNING` validation items. "compare": tone, all methods,
seeds `SEEDS`, the same 1,000 test items, the sentences in the wild, the Wool Exchange, forgetting. "prompt": the frozen base
with examples in its prompt, and with the form of a desk note. "room": prompt tuning on a harder task, as lesson 09 has it. "few": training on few examples. "far":
training on business items only. "new": training on the Wool Exchange, which the base has never read. "control": training on shuffled answers. "curve": the same
runs looked at every `EVERY` steps. "cost": memory and speed of one training step, all methods in one process.

One character of `bits` is one test item, in the order of the test split: right 1, wrong 0. An item is right when greedy
decoding would give exactly the answer and then stop; `read_answers` finds that in one forward pass. With one thread the whole
takes about an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...data.instructions import load_in_the_wild, load_instructions, prompt_text
from ...gazette.tasks import phrasings
from ...gazette.tasks import rows as drawn_rows
from ...measure.losses import forgetting
from ...measure.memory import checkpoint_bytes, parameters, peak_memory
from ...methods.sft import train
from ...models.generation import chat_prompt, encode_exchange, generate
from ...models.load import load_model

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...base.run import Run

LESSON = "10_peft_compared"
METHODS = ("full fine-tuning", "LoRA", "QLoRA", "adapters", "IA3", "prefix tuning", "prompt tuning")
MAIN = ("full fine-tuning", "LoRA", "prompt tuning", "adapters")
SEEDS = (1, 2, 3)
TUNING_SEED = 0  # rates are tuned with another seed than they are compared with
STEPS, BATCH = 96, 4  # as in lessons 06 and 07
TUNING = 300  # validation items
ITEMS, HALF, SOME = 1000, 500, 300  # test items: of the comparison; of training on business; of the other parts
VIRTUAL = 20  # tokens of prompt and prefix tuning
BOTTLENECK = 36  # about as many parameters as LoRA of rank 8
ROOM, ROOM_SEEDS = "question", (0, 1, 2)  # task, seeds, rows and steps of lesson 09, whose runs stand beside ours
SIZES = (16, 64, 256, 1024)
LONG = 256  # steps with 1,024 examples: one pass; the smaller sets get `STEPS` each
EVERY = 12
SHARED_RATE = 1.5e-3  # one rate for all, for the comparison that goes wrong
NEWS = 20  # items a section, for forgetting

# What each method was tried at. Where the best was the last of its grid, the grid was carried on.
GRID = {
    "full fine-tuning": (5e-5, 1.5e-4, 5e-4, SHARED_RATE),
    "LoRA": (1.5e-4, 5e-4, SHARED_RATE, 5e-3),
    "QLoRA": (5e-4, SHARED_RATE),
    "adapters": (SHARED_RATE, 5e-3),
    "IA3": (3e-3, 1e-2, 3e-2, 1e-1),
    "prefix tuning": (1e-2, 3e-2, 1e-1),
    "prompt tuning": (SHARED_RATE, 3e-2, 1e-1, 3e-1, 1.0),
}
ROOM_GRID = (1e-1, 3e-1)  # of prompt tuning; the other methods have their runs on the task with room in lesson 09
# The best of each grid by validation loss (tests/test_lesson_10.py holds them to the runs).
RATES: dict[tuple[str, str], float] = {}


# ------------------------------------------------------------------ data


def training_rows(seed: int, task: str = "tone", count: int = STEPS * BATCH, domain: str | None = None) -> Dataset:
    """`count` training rows, or all where there are fewer; another seed draws others. The same rows for every method."""
    data = load_instructions(task, domain=domain)["train"].shuffle(seed=seed)
    return data.select(range(min(len(data), count)))


def tuning_rows(task: str = "tone") -> list[dict]:
    """`TUNING` validation items: the committed ones, and as many again drawn from the same world with another seed."""
    kept = list(load_instructions(task)["validation"])
    known = {(r["instruction"], r["input"]) for r in kept}
    fresh = [r for r in drawn_rows("validation", 1, TUNING, (task,)) if (r["instruction"], r["input"]) not in known]
    return [*kept, *fresh][:TUNING]


def test_rows(task: str = "tone", count: int = ITEMS, domain: str | None = None) -> list[dict]:
    """The first `count` test items, the same for every method and seed."""
    return list(load_instructions(task, domain=domain)["test"].select(range(count)))


# ------------------------------------------------------------------ methods


def configuration(method: str, model_name: str, task: str = "tone") -> PeftConfig | None:
    """The PEFT config of a method at the size compared here; `None` for full fine-tuning.

    `model_name` is where the tokenizer of the text that a soft prompt starts from is loaded: the task's first phrasing.
    """
    from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig

    if method == "full fine-tuning":
        return None
    if method in ("LoRA", "QLoRA"):
        return LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    if method == "IA3":
        return IA3Config(task_type="CAUSAL_LM")
    if method == "prefix tuning":
        return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL)
    if method == "prompt tuning":
        return PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=VIRTUAL,
            prompt_tuning_init="TEXT",
            prompt_tuning_init_text=phrasings(task, "train")[0],
            tokenizer_name_or_path=model_name,
        )
    from ...models.houlsby import HoulsbyConfig

    return HoulsbyConfig(bottleneck=BOTTLENECK, init_std=1e-2)


def fresh(method: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model as a method needs it: in four bits for QLoRA."""
    return load_model(quantization="nf4" if method == "QLoRA" else None)


def carrying(method: str, seed: int = 0) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model with an untrained adapter of a method."""
    import torch
    from peft import PeftConfig, get_peft_model

    model, tokenizer = fresh(method)
    config = configuration(method, str(model.config.name_or_path))
    torch.manual_seed(seed)
    if isinstance(config, PeftConfig):
        model = get_peft_model(model, config)
    elif config is not None:
        from ...models.houlsby import add_adapter

        model = add_adapter(model, config)
    return model, tokenizer


def fitted(method: str, data: Dataset, rate: float, seed: int, task: str = "tone", steps: int = STEPS, **more) -> Run:
    """One training of a fresh model: `steps` batches of `BATCH` rows."""
    model, tokenizer = fresh(method)
    return train(
        data,
        model=model,
        tokenizer=tokenizer,
        peft_config=configuration(method, str(model.config.name_or_path), task),
        learning_rate=rate,
        max_steps=steps,
        batch_size=BATCH,
        seed=seed,
        quiet=True,
        **more,
    )


# ------------------------------------------------------------------ measures


def read_answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], batch: int = 50
) -> tuple[float, list[bool]]:
    """Loss of the right answers (nats per token, end mark included), and whether greedy decoding would give each of them.

    Greedy decoding gives an answer exactly where each of its tokens, and the end mark, is the likeliest after those before.
    One forward pass tells. Padding stands behind the text, so virtual tokens in front are not parted from it.
    """
    import torch
    import torch.nn.functional as F

    pairs = []
    for place, row in enumerate(rows):
        pairs.append((place, *encode_exchange(tokenizer, prompt_text(row), row["output"])))
    pairs.sort(key=lambda p: len(p[1]) + len(p[2]))
    total, count, right = 0.0, 0, [False] * len(rows)
    with torch.inference_mode():
        for start in range(0, len(pairs), batch):
            some = pairs[start : start + batch]
            width = max(len(p) + len(a) for _, p, a in some)
            ids = torch.full((len(some), width), tokenizer.pad_token_id)
            labels = torch.full((len(some), width), -100)
            for i, (_, prompt, answer) in enumerate(some):
                ids[i, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
                labels[i, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
            asked = (labels[:, 1:] != -100).any(0).nonzero().flatten()  # logits there are about the next position
            columns = asked - width  # counted from the end: virtual tokens stand in front
            logits = model(input_ids=ids.to(model.device), logits_to_keep=columns).logits.float().cpu()
            targets = labels[:, asked + 1]
            kept = targets != -100
            losses = F.cross_entropy(logits[kept], targets[kept], reduction="sum").item()
            total, count = total + losses, count + int(kept.sum())
            hits = ((logits.argmax(-1) == targets) | ~kept).all(1)
            for (place, _, _), hit in zip(some, hits.tolist(), strict=True):
                right[place] = hit
    return total / count, right


def as_bits(right: Sequence[bool]) -> str:
    """One character an item."""
    return "".join("01"[ok] for ok in right)


def bits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], prefix: str = "") -> dict:
    """`loss`, `right` and `bits` of some rows, as metrics with a prefix."""
    loss, right = read_answers(model, tokenizer, rows)
    found = {"loss": round(loss, 5), "right": round(sum(right) / len(right), 4), "bits": as_bits(right)}
    return {prefix + name: value for name, value in found.items()}


def cost_of(run: Run) -> dict:
    """What a run cost, as metrics."""
    return {
        "trainable": run.trainable_parameters,
        "total": run.total_parameters,
        "tokens": run.tokens,
        "train_seconds": round(run.seconds, 1),
    }


# ------------------------------------------------------------------ the jobs


def rate_job(method: str, rate: float, task: str = "tone") -> dict:
    """One run of the tuning seed, on validation items."""
    run = fitted(method, training_rows(TUNING_SEED, task), rate, TUNING_SEED, task)
    found = bits(run.model, run.tokenizer, tuning_rows(task))
    del found["bits"]
    return found | cost_of(run)


def compare_job(method: str, rate: float, seed: int) -> dict:
    """Tone: 1,000 test items, in the wild, the unread Wool Exchange, forgetting, bytes."""
    run = fitted(method, training_rows(seed), rate, seed)
    rises = forgetting(run.model, run.tokenizer, items=NEWS)
    return (
        bits(run.model, run.tokenizer, test_rows())
        | bits(run.model, run.tokenizer, list(load_in_the_wild()), "wild_")
        | (bits(run.model, run.tokenizer, test_rows(count=SOME, domain="wool"), "wool_") if seed == SEEDS[0] else {})
        | {"forgetting": round(sum(rises.values()) / len(rises), 4), "bytes": checkpoint_bytes(run)}
        | cost_of(run)
    )


def room_job(method: str, rate: float, seed: int | None = None) -> dict:
    """The task with room, trained as in lesson 09; without a seed on validation items, to choose the rate."""
    from ..lesson_09_adapters import experiments as adapters

    model, tokenizer = fresh(method)
    run = train(
        adapters.rows(ROOM, seed or TUNING_SEED),
        model=model,
        tokenizer=tokenizer,
        peft_config=configuration(method, str(model.config.name_or_path), ROOM),
        learning_rate=rate,
        max_steps=adapters.STEPS[ROOM],
        batch_size=adapters.BATCH,
        seed=seed or TUNING_SEED,
        quiet=True,
    )
    found = bits(run.model, run.tokenizer, tuning_rows(ROOM) if seed is None else test_rows(ROOM))
    return found | cost_of(run)


def far_job(method: str, rate: float, seed: int) -> dict:
    """Trained on business items alone, asked about all sections and in the wild."""
    run = fitted(method, training_rows(seed, domain="business"), rate, seed)
    return (
        bits(run.model, run.tokenizer, test_rows(count=HALF))
        | bits(run.model, run.tokenizer, list(load_in_the_wild()), "wild_")
        | cost_of(run)
    )


def new_job(method: str, rate: float, seed: int) -> dict:
    """Trained on the Wool Exchange, whose words the base has never read; what else it forgets."""
    run = fitted(method, training_rows(seed, domain="wool"), rate, seed)
    rises = forgetting(run.model, run.tokenizer, items=NEWS)
    return (
        bits(run.model, run.tokenizer, test_rows(count=SOME, domain="wool"), "wool_")
        | bits(run.model, run.tokenizer, test_rows(count=SOME), "tone_")
        | {"forgetting": round(sum(rises.values()) / len(rises), 4)}
        | cost_of(run)
    )


def few_job(method: str, rate: float, seed: int, size: int) -> dict:
    """Trained on `size` examples, gone over as often as the steps need."""
    steps = LONG if size >= LONG * BATCH else STEPS
    run = fitted(method, training_rows(seed, count=size), rate, seed, steps=steps)
    return bits(run.model, run.tokenizer, test_rows(count=SOME)) | cost_of(run)


def control_job(method: str, rate: float, seed: int) -> dict:
    """The control: the same rows with their answers dealt out at random; what is learnt then is the form of an answer."""
    import random

    rows = training_rows(seed)
    answers = list(rows["output"])
    random.Random(seed).shuffle(answers)
    run = fitted(method, rows.remove_columns("output").add_column("output", answers), rate, seed)
    return bits(run.model, run.tokenizer, test_rows(count=SOME)) | cost_of(run)


LAYOUTS = {  # an example in the prompt, and the item that is asked about
    "examples": ("{input}\nAnswer: {output}", "{input}\nAnswer:"),
    "examples as desk notes": ("{input}\nDesk note. Tone: {output}", "{input}\nDesk note. Tone:"),
    "desk note": ("", "{input}\nDesk note. Tone:"),
}
PROMPT = "desk note"  # the form in which the base has read labels


def shots(seed: int, each: int = 2) -> list[dict]:
    """Solved examples for a prompt: `each` of every label, from the seed's training rows, in random order."""
    import random

    rows = [r for r in training_rows(seed) if len(r["input"]) < 250]  # six of them fit into the context
    labels = sorted({r["label"] for r in rows})
    chosen = [r for label in labels for r in [r for r in rows if r["label"] == label][:each]]
    random.Random(seed).shuffle(chosen)
    return chosen


def prompt_job(layout: str, seed: int, count: int = ITEMS) -> dict:
    """The frozen base, asked in a layout; the first line of its continuation counts."""
    from ...measure.evaluation import result

    solved, asked = LAYOUTS[layout]
    examples = [solved.format(**shot) for shot in shots(seed)] if solved else []
    model, tokenizer = load_model()
    found = {}
    wool = test_rows(count=SOME, domain="wool")
    for prefix, rows in {"": test_rows(count=count), "wild_": list(load_in_the_wild()), "wool_": wool}.items():
        heads = [[r["instruction"]] if solved else [] for r in rows]
        prompts = ["\n".join([*h, *examples, asked.format(**r)]) for h, r in zip(heads, rows, strict=True)]
        outcome = result(rows, generate(model, tokenizer, prompts, chat=False, max_new_tokens=4))
        found |= {f"{prefix}right": round(outcome.value, 4), f"{prefix}bits": as_bits(outcome.right)}
    tokens = len(tokenizer("\n".join(examples))["input_ids"]) if examples else 0
    return found | {"prompt_tokens": tokens}


def curve_job(method: str, rate: float, seed: int) -> dict:
    """Validation accuracy every `EVERY` steps of one run, from its checkpoints."""
    from ...methods.checkpoints import restore

    rows = tuning_rows()[:100]
    saving = {"save_strategy": "steps", "save_steps": EVERY, "save_total_limit": STEPS // EVERY}
    with TemporaryDirectory(prefix="course-") as folder:
        run = fitted(method, training_rows(seed), rate, seed, output_dir=folder, **saving)
        found = {}
        for step in range(EVERY, STEPS + 1, EVERY):
            restore(run.trainer.model, Path(folder) / f"checkpoint-{step}")
            loss, right = read_answers(run.model, run.tokenizer, rows)
            found |= {f"right_{step}": round(sum(right) / len(right), 4), f"loss_{step}": round(loss, 4)}
    return found | cost_of(run)


def one_step(method: str, rows: int = 8) -> tuple[PreTrainedModel, Callable[[], None]]:
    """A model carrying a method, and one plain training step of it on a fixed batch: forward, backward, AdamW."""
    import torch

    model, tokenizer = carrying(method)
    model.train()
    texts = [chat_prompt(tokenizer, prompt_text(r)) + " " + r["output"] for r in training_rows(0).select(range(rows))]
    batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss.backward()
        optimizer.step()

    return model, step


def cost_job(methods: Sequence[str] = METHODS, repeats: int = 12) -> dict:
    """Peak memory (bytes) and processor time (ratio to full fine-tuning) of one float32 step of each method.

    The steps take turns in one process, and the median counts, so that what else the machine does touches all alike.
    """
    from statistics import median

    made = {method: one_step(method) for method in methods}
    found = {}
    for method, (model, step) in made.items():
        counts = parameters(model)
        found[method] = {"peak": peak_memory(step, model), "trainable": counts.trainable, "total": counts.total}
    spent: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(repeats):
        for method, (_, step) in made.items():
            started = time.process_time()
            step()
            spent[method].append(time.process_time() - started)
    whole = median(spent["full fine-tuning"])
    for method in methods:
        found[method]["relative_time"] = round(median(spent[method]) / whole, 3)
    return {"methods": found}


def board_job() -> dict:
    """The scoreboard's reference rows, from the runs above."""
    from .findings import board

    return board()


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson, those that it cannot do without first."""
    for method in METHODS:
        for rate in GRID[method]:
            yield _key("rate", method, rate, TUNING_SEED, task="tone"), partial(rate_job, method, rate)
    for rate in ROOM_GRID:
        yield _key("rate", "prompt tuning", rate, TUNING_SEED, task=ROOM), partial(room_job, "prompt tuning", rate)
    yield {"part": "cost", "seed": 0}, cost_job
    for seed in SEEDS:  # a whole seed before the next, so that a sweep that is stopped leaves whole comparisons
        for method in METHODS:
            yield from _job("compare", compare_job, method, seed)
        for layout in LAYOUTS:
            if LAYOUTS[layout][0] or seed == SEEDS[0]:  # without examples nothing depends on the seed
                yield (
                    {"part": "prompt", "layout": layout, "seed": seed},
                    partial(prompt_job, layout, seed, ITEMS if layout == PROMPT else SOME),
                )
        for part, work in (("far", far_job), ("new", new_job)):
            for method in MAIN:
                yield from _job(part, work, method, seed)
        for size in SIZES[:-1]:
            for method in MAIN:
                yield from _job("few", few_job, method, seed, size=size)
        for method in ("LoRA", "prompt tuning"):
            yield from _job("control", control_job, method, seed)
    for seed in ROOM_SEEDS:
        yield from _job("room", room_job, "prompt tuning", seed, task=ROOM)
    for method in METHODS:
        yield from _job("curve", curve_job, method, SEEDS[0])
    for seed in SEEDS:
        for method in MAIN:
            yield from _job("few", few_job, method, seed, size=SIZES[-1])
    yield {"part": "board", "seed": 0}, board_job


def _key(part: str, method: str, rate: float, seed: int, **more) -> dict:
    return {"part": part, "method": method, "rate": rate, "seed": seed} | more


def _job(part: str, work: Callable, method: str, seed: int, task: str = "tone", **more) -> Iterator:
    """A job at the method's tuned rate; none while that is not known."""
    rate = RATES.get((task, method))
    if rate is not None:
        named = more | ({"task": task} if task != "tone" else {})
        yield _key(part, method, rate, seed, **named), partial(work, method, rate, seed, **more)
