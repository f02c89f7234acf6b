"""Lesson 16's reference runs: the shop's messages as they came, cleaned, and with labels that contradict each other.

Each run trains one LoRA adapter on the course's model and keeps a bit an item of the test file, in its order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ...data.report import contradictions, duplicates, overlap, read_source
from . import shop

if TYPE_CHECKING:
    from peft import LoraConfig

LESSON = "16_real_models"
SEEDS = (0, 1, 2)
ARMS = ("as it came", "cleaned", "half contradicted")
EPOCHS, BATCH = 3, 16
TRAIN, TEST = "shop_train.json", "shop_test.csv"


def files() -> dict[str, str]:
    """The training file and the test file, as `cl.inspect_data` takes them."""
    return {"train": str(shop.folder() / TRAIN), "test": str(shop.folder() / TEST)}


def lora() -> LoraConfig:
    """The adapter of all runs."""
    from peft import LoraConfig

    return LoraConfig(r=8, lora_alpha=16, target_modules="all-linear")


def cleaned(rows: list[dict], test: list[dict]) -> list[dict]:
    """The rows without twins, without the questions of the test, and without any that contradict each other: nobody knows who is right."""
    out = {place for group in contradictions(rows) for place, _ in group}
    out |= {place for group in duplicates(rows) for place in group[1:]}
    out |= {place for place, _ in overlap(rows, test)}
    return [row for row in rows if row["place"] not in out]


def contradicted(rows: list[dict], seed: int = 0, share: float = 0.5) -> list[dict]:
    """The rows, and for a share of them another one that says that the same customer feels something else."""
    rng = random.Random(f"contradicted {seed}")
    chosen = [row for row in rows if row["output"] in shop.LABELS and rng.random() < share]
    other = [row | {"output": rng.choice([d for d in shop.LABELS if d != row["output"]])} for row in chosen]
    return [*rows, *other]


def arm(name: str, seed: int) -> list[dict]:
    """The training rows of an arm, as instruction rows."""
    splits = read_source(files()).splits
    rows, test = splits["train"].rows, splits["test"].rows
    if name == "as it came":
        return rows
    clean = cleaned(rows, test)
    return clean if name == "cleaned" else contradicted(clean, seed)


def steps() -> int:
    """Steps of every arm: those of the cleaned rows, so that more rows are no more training."""
    return EPOCHS * -(-len(arm("cleaned", 0)) // BATCH)


def run(name: str, seed: int) -> dict:
    """Train on an arm, and score the test file."""
    import course_lib as cl

    test = read_source(files()).splits["test"].rows
    done = cl.train(arm(name, seed), peft_config=lora(), max_steps=steps(), batch_size=BATCH, seed=seed, quiet=True)
    found = cl.evaluate(done, test)
    return {
        "right": "".join(str(int(ok)) for ok in found.right),
        "value": found.value,
        "loss": done.losses[-1],
        "rows": len(arm(name, seed)),
    }


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """Every arm with every seed, a seed after the other, so that a sweep that was stopped can be compared."""
    for seed in SEEDS:
        for name in ARMS:
            yield {"arm": name, "seed": seed}, lambda name=name, seed=seed: run(name, seed)
