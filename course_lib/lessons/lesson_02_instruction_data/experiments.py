"""Reference runs of lesson 02: what the space before the reply is worth, over seeds and with more rows.

The same 256 examples' worth of training each time, as 64 rows in four passes or as 256 rows in one, once with the course's chat
template and once with a template that begins the reply right after the line break. A seed draws the rows and their order. On two
idle cores the whole takes about two minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...data.instructions import load_instructions
from ...measure.evaluation import evaluate
from ...methods.sft import train
from ...models.load import load_model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


SEEDS = (0, 1, 2)
EXAMPLES, ROWS, BATCH = 256, (64, 256), 16
ITEMS = 150  # test rows
CONTENT = "'\n ' + message['content']"  # where the template writes the space


def without_space(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer, its chat template changed: the assistant's turns begin without a space. In place.

    Raises `ValueError` when the template has no such space to leave out.
    """
    if CONTENT not in tokenizer.chat_template:
        raise ValueError("This chat template writes no space before a reply.")
    opened = "('\n' if message['role'] == 'assistant' else '\n ') + message['content']"
    tokenizer.chat_template = tokenizer.chat_template.replace(CONTENT, opened)
    return tokenizer


def run(count: int, space: bool, seed: int) -> dict:
    """Fine-tune and measure on the first `ITEMS` test rows: `right` (share), and `bits`, 1 for each right reply."""
    data = load_instructions("tone")
    model, tokenizer = load_model()
    if not space:
        without_space(tokenizer)
    chosen = data["train"].shuffle(seed=seed).select(range(count))
    fitted = train(
        chosen, model=model, tokenizer=tokenizer, epochs=EXAMPLES // count, batch_size=BATCH, seed=seed, quiet=True
    )
    result = evaluate(fitted.model, tokenizer, data["test"].select(range(ITEMS)))
    return {"right": round(result.value, 4), "bits": "".join("01"[ok] for ok in result.right)}


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """Every run of the lesson: its key and the work."""
    for rows in ROWS:
        for seed in SEEDS:
            for space in (True, False):
                yield {"rows": rows, "seed": seed, "space": space}, partial(run, rows, space, seed)
