"""What is compared in lesson 10, and how a run is made and measured: constants, rows, methods, and one reading of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...base.quiet import hushed
from ...data.instructions import load_instructions, prompt_text
from ...gazette.tasks import phrasings
from ...gazette.tasks import rows as drawn_rows
from ...methods.sft import train
from ...models.generation import encode_exchange, padded_examples
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
MORE_SEEDS = (4, 5)  # and prompt tuning with two more, since one seed did not tell its rates apart
STEPS, BATCH = 96, 4  # as in lessons 06 and 07
TUNING = 300  # validation items
ITEMS, HALF, SOME = 1000, 500, 300  # test items: of the comparison; of training on business; of the other parts
VIRTUAL = 20  # tokens of prompt and prefix tuning
BOTTLENECK = 36  # about as many parameters as LoRA of rank 8
ROOM = "question"  # the task with room, whose runs are lesson 09's
SIZES = (16, 64, 256, 1024)
LONG = (
    256  # steps with 1,024 examples, one pass, and on the Wool Exchange, two passes; the smaller sets get `STEPS` each
)
EVERY = 12
SHARED_RATE = 1.5e-3  # one rate for all, for the comparison that goes wrong
NEWS = 20  # items a section, for forgetting

# What each method was tried at. Where the best was the last of its grid, the grid was carried on once.
GRID = {
    "full fine-tuning": (5e-5, 1.5e-4, 5e-4, SHARED_RATE),
    "LoRA": (1.5e-4, 5e-4, SHARED_RATE, 5e-3),
    "QLoRA": (1.5e-4, 5e-4, SHARED_RATE),
    "adapters": (5e-4, SHARED_RATE, 5e-3),
    "IA3": (3e-3, 1e-2, 3e-2, 1e-1),
    "prefix tuning": (1e-2, 3e-2, 1e-1),
    "prompt tuning": (SHARED_RATE, 3e-2, 1e-1, 3e-1, 1.0),
}
ONE_SEED_RATE = 3e-1  # what prompt tuning would get from the first tuning seed alone
SOFT_GRID = (3e-2, 1e-1, 3e-1)  # of prompt tuning, with three tuning seeds
SECOND_GRID = {  # on the Wool Exchange: from the rate of tone upwards
    "full fine-tuning": (1.5e-4, 5e-4),
    "LoRA": (5e-4, 1.5e-3, 5e-3),
    "prompt tuning": (1e-1, 3e-1),
    "adapters": (1.5e-3, 5e-3),
}
# The best of each grid by validation loss (tests/test_lesson_10.py holds them to the runs).
RATES: dict[tuple[str, str], float] = {
    ("tone", "full fine-tuning"): 1.5e-4,
    ("tone", "LoRA"): 5e-4,
    ("tone", "QLoRA"): 5e-4,
    ("tone", "adapters"): 5e-4,
    ("tone", "IA3"): 1e-2,
    ("tone", "prefix tuning"): 3e-2,
    ("tone", "prompt tuning"): 1e-1,
}
LAYOUTS = {  # an example in the prompt, and the item that is asked about
    "examples": ("{input}\nAnswer: {output}", "{input}\nAnswer:"),
    "examples as desk notes": ("{input}\nDesk note. Tone: {output}", "{input}\nDesk note. Tone:"),
    "desk note": ("", "{input}\nDesk note. Tone:"),
}
PROMPT = "desk note"  # the form in which the base has read labels


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
    with hushed():
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

    with hushed():
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
            ids, _, labels = padded_examples([exchange for _, *exchange in some], tokenizer.pad_token_id)
            asked = (labels[:, 1:] != -100).any(0).nonzero().flatten()  # logits there are about the next position
            columns = asked - ids.shape[1]  # counted from the end: virtual tokens stand in front
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
