"""Reference runs of lesson 06: rank, layers, alpha, learning rate, rsLoRA, DoRA, and how low-rank full fine-tuning is.

Every job trains a fresh model for `STEPS` batches of tone rows and measures `right` (of the first `ITEMS` test rows) and
`answer_loss` (nats per token of the answers, on validation rows, so that a rate can be chosen without looking at the test).
The jobs that the lesson compares (`part` "compare") answer `MANY` test rows, one character of `bits` a row. Four more jobs keep
a small adapter each in `data/reference/06_lora/`. On two idle cores the whole takes about ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.paths import home
from ...base.run import Run
from ...data.instructions import load_instructions
from ...measure.evaluation import evaluate
from ...measure.losses import answer_loss, forgetting
from ...methods.profile import PROFILES
from ...methods.sft import train
from ...models.adapters import ADAPTER, load_adapter, save_adapter
from ...models.identity import model_name, own_model
from ...models.load import load_model

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel


LESSON = "06_lora"
SEEDS = (0, 1, 2)
STEPS, BATCH = 96, 4
ITEMS, MANY = 200, 600
CUT_ITEMS, NEWS = 150, 20  # test rows for each cut update; news items a section for forgetting
# For full fine-tuning a third of the usual rate: these batches are small.
RATES = {"LoRA": PROFILES[0][1].adapter, "full fine-tuning": 1.5e-4}
FACTORS = (0.1, 0.3, 1, 3, 10)  # of the rates above
RANKS = (1, 2, 4, 8, 16, 64)
LAYERS = {
    "all": "all-linear",
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "MLP": ["gate_proj", "up_proj", "down_proj"],
}
ALPHAS = (4, 32, 128)  # beside 16, at rank 8
SHARES = (1, 2, 4, 8, 16, 32, 64)  # largest singular values of an update
TASKS = ("tone", "entity", "number", "section")
# Tone is nearly saturated, so the ranks are tried on a harder task as well: two passes over its rows, two seeds.
ROOM, ROOM_RANKS, ROOM_SEEDS, ROOM_STEPS, ROOM_ITEMS = "question", (1, 8, 64), (0, 1), 240, 300
ADAPTER_RANK, ADAPTER_STEPS, ADAPTER_ITEMS = 4, 128, 60


# ------------------------------------------------------------------ what is trained and measured


def rows(seed: int, task: str = "tone", steps: int = STEPS) -> Dataset:
    """Training rows for `steps` batches, each row once, or all rows where a task has fewer; another seed draws others."""
    data = load_instructions(task)["train"].shuffle(seed=seed)
    return data.select(range(min(len(data), steps * BATCH)))


def lora(r: int = 8, alpha: float | None = None, layers: str = "all", **options) -> LoraConfig:
    """LoRA with `alpha` = 2r unless said, on the named layers; `options` go to `LoraConfig` as they are."""
    from peft import LoraConfig

    return LoraConfig(
        r=r,
        lora_alpha=2 * r if alpha is None else alpha,
        target_modules=LAYERS[layers],
        task_type="CAUSAL_LM",
        **options,
    )


def measured(run: Run, count: int = ITEMS) -> dict:
    """`right`, `n_right`, `answer_loss` and what the run cost; `bits` as well when more than `ITEMS` rows are answered."""
    data = load_instructions("tone")
    answers = evaluate(run.model, run.tokenizer, data["test"].select(range(count))).right
    found = {
        "right": round(sum(answers[:ITEMS]) / ITEMS, 4),
        "n_right": ITEMS,
        "answer_loss": answer_loss(run.model, run.tokenizer, list(data["validation"])[:ITEMS]),
        "trainable": run.trainable_parameters,
        "train_seconds": round(run.seconds, 1),
    }
    if count > ITEMS:
        found["bits"] = "".join("01"[ok] for ok in answers)
    return found


# ------------------------------------------------------------------ how low-rank an update is


def linear_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weight matrices of the linear layers inside the blocks: name → (out, in). The output layer is not among them."""
    import torch

    layers = {
        n: m
        for n, m in model.named_modules()
        if isinstance(m, torch.nn.Linear) and m is not model.get_output_embeddings()
    }
    return {name: layer.weight for name, layer in layers.items()}


def with_zero_rows(model: PreTrainedModel) -> list[str]:
    """The layers that have a row of zeros. DoRA divides by the length of every row (arXiv 2402.09353, §4.1), so it must leave them out."""
    return [name for name, weight in linear_weights(model).items() if (weight.norm(dim=1) == 0).any()]


def updates(before: PreTrainedModel, after: PreTrainedModel) -> dict[str, torch.Tensor]:
    """What training added to each of these matrices."""
    old = linear_weights(before)
    return {n: (p.detach() - old[n].detach()).float().cpu() for n, p in linear_weights(after).items()}


def norm_shares(matrices: Sequence[torch.Tensor], counts: Sequence[int] = SHARES) -> dict[int, float]:
    """Share of the squared Frobenius norm in the `k` largest singular values, mean over the matrices, for each `k`."""
    import torch

    squares = [torch.linalg.svdvals(m) ** 2 for m in matrices]
    squares = [s / s.sum() for s in squares if s.sum() > 0]
    return {k: sum(s[:k].sum().item() for s in squares) / max(1, len(squares)) for k in counts}


def cut_to_rank(before: PreTrainedModel, changes: dict[str, torch.Tensor], rank: int) -> PreTrainedModel:
    """A copy of `before` with each change added after it is cut to its best approximation of that rank (Eckart & Young 1936)."""
    import copy

    import torch

    model = copy.deepcopy(before)
    weights = linear_weights(model)
    with torch.no_grad():
        for name, change in changes.items():
            u, s, v = torch.linalg.svd(change, full_matrices=False)
            weights[name] += (u[:, :rank] * s[:rank] @ v[:rank]).to(weights[name].device)
    return model


# ------------------------------------------------------------------ the jobs


def lora_job(seed: int = 0, rate: float = RATES["LoRA"], count: int = ITEMS, **options) -> dict:
    """One LoRA run on tone."""
    run = train(rows(seed), peft_config=lora(**options), learning_rate=rate, batch_size=BATCH, seed=seed, quiet=True)
    return measured(run, count) | (_forgotten(run) if count > ITEMS else {})


def room_job(r: int, seed: int) -> dict:
    """One LoRA run on the task with room."""
    data = load_instructions(ROOM)
    run = train(
        data["train"].shuffle(seed=seed),
        peft_config=lora(r),
        learning_rate=RATES["LoRA"],
        max_steps=ROOM_STEPS,
        batch_size=BATCH,
        seed=seed,
        quiet=True,
    )
    answers = evaluate(run.model, run.tokenizer, data["test"].select(range(ROOM_ITEMS))).right
    return {
        "right": round(sum(answers) / ROOM_ITEMS, 4),
        "n_right": ROOM_ITEMS,
        "bits": "".join("01"[ok] for ok in answers),
        "answer_loss": answer_loss(run.model, run.tokenizer, list(data["validation"])[:ITEMS]),
        "trainable": run.trainable_parameters,
        "train_seconds": round(run.seconds, 1),
    }


def dora_job() -> dict:
    """One DoRA run on tone, without the layers that would make it divide by zero."""
    return lora_job(use_dora=True, exclude_modules=with_zero_rows(load_model()[0]))


def full_job(seed: int = 0, rate: float = RATES["full fine-tuning"], count: int = ITEMS, cut: bool = False) -> dict:
    """One full run on tone; with a large `count` also the shape of its update, with `cut` what is left of it at low rank."""
    run = train(rows(seed), learning_rate=rate, batch_size=BATCH, seed=seed, quiet=True)
    found = measured(run, count)
    if count == ITEMS:
        return found
    base, tokenizer = load_model()
    changes = updates(base, run.model)
    found |= {f"top_{k}": round(v, 4) for k, v in norm_shares(list(changes.values())).items()}
    if cut:
        test = load_instructions("tone")["test"].select(range(CUT_ITEMS))
        for rank in (*SHARES, 256):
            found[f"cut_{rank}"] = round(evaluate(cut_to_rank(base, changes, rank), tokenizer, test).value, 4)
    return found | _forgotten(run)


def _forgotten(run: Run) -> dict:
    rises = forgetting(run.model, run.tokenizer, count=NEWS)
    return {"forgetting": round(sum(rises.values()) / len(rises), 4)}


def adapters() -> dict[str, Path]:
    """The folders of the four small adapters, by task. For a model other than the course's own they are made first, in `runs/`."""
    if own_model():
        return {task: adapter_folder(task) for task in TASKS}
    places = {task: home() / "runs" / LESSON / Path(model_name()).name / task for task in TASKS}
    for task, place in places.items():
        if not (place / ADAPTER).exists():
            save_small(_adapter_run(task, 0, ADAPTER_STEPS // 4).model, place)
    return places


def adapter_folder(task: str) -> Path:
    """Where the small adapter of a task lies, committed."""
    return home() / "data" / "reference" / LESSON / task


def _adapter_run(task: str, seed: int, steps: int) -> Run:
    return train(
        rows(seed, task, steps),
        peft_config=lora(ADAPTER_RANK),
        learning_rate=RATES["LoRA"],
        max_steps=steps,  # a task with fewer rows goes over them again
        batch_size=BATCH,
        seed=seed,
        quiet=True,
    )


def adapter_job(task: str, seed: int = 0) -> dict:
    """A small adapter for one task; its accuracy is that of the file, loaded again."""
    run = _adapter_run(task, seed, ADAPTER_STEPS)
    size = save_small(run.model, adapter_folder(task))
    model, tokenizer = load_adapter(adapter_folder(task))
    found = evaluate(model, tokenizer, load_instructions(task)["test"].select(range(ADAPTER_ITEMS)))
    return {"right": round(found.value, 4), "n_right": found.n, "bytes": size, "train_seconds": round(run.seconds, 1)}


def save_small(model: PeftModel, folder: Path) -> int:
    """`save_adapter`, with the numbers rounded to bfloat16, half the size; returns the bytes of the file."""
    import torch
    from safetensors.torch import load_file, save_file

    file = save_adapter(model, folder) / ADAPTER
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
    return file.stat().st_size


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson. Those that the lesson cannot do without come first."""
    for task in TASKS:
        yield {"part": "adapter", "task": task, "seed": 0}, partial(adapter_job, task)
    for seed in SEEDS:
        key = {"part": "compare", "seed": seed}
        yield key | {"method": "LoRA"}, partial(lora_job, seed, count=MANY)
        yield key | {"method": "full fine-tuning"}, partial(full_job, seed, count=MANY, cut=seed == 0)
    for r in RANKS:
        if r != 8:
            yield {"part": "rank", "r": r, "seed": 0}, partial(lora_job, r=r)
    for factor in FACTORS:
        if factor != 1:
            for method, job in (("LoRA", lora_job), ("full fine-tuning", full_job)):
                rate = float(f"{RATES[method] * factor:.3g}")
                yield {"part": "rate", "method": method, "rate": rate, "seed": 0}, partial(job, rate=rate)
    for alpha in ALPHAS:
        yield {"part": "alpha", "alpha": alpha, "seed": 0}, partial(lora_job, alpha=alpha)
    # The second rank of each pair gives these layers about as many parameters as rank 8 gives all of them.
    for layers, ranks in {"attention": (8, 21), "MLP": (8, 13)}.items():
        for r in ranks:
            yield {"part": "layers", "layers": layers, "r": r, "seed": 0}, partial(lora_job, r=r, layers=layers)
    yield {"part": "variant", "variant": "r 64, alpha 16", "seed": 0}, partial(lora_job, r=64, alpha=16)
    yield (
        {"part": "variant", "variant": "r 64, alpha 16, rsLoRA", "seed": 0},
        partial(lora_job, r=64, alpha=16, use_rslora=True),
    )
    yield {"part": "variant", "variant": "r 8, alpha 16, DoRA", "seed": 0}, dora_job
    for r in ROOM_RANKS:
        for seed in ROOM_SEEDS:
            yield {"part": "room", "task": ROOM, "r": r, "seed": seed}, partial(room_job, r, seed)
