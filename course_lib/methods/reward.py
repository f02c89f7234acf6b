"""Reward models from preferences: TRL's `RewardTrainer`, with arguments that are right on this machine.

The loss is −log σ(r(chosen) − r(rejected)), the model of Bradley & Terry (1952) as Ouyang et al. (arXiv 2203.02155, §3.5) use it.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.processes import share_of
from ..base.quiet import hushed
from ..base.run import Run
from ..models.generation import context_of
from ..models.houlsby import HoulsbyConfig
from ..models.reward_model import HEAD, load_reward, reward_scores, save_reward, scored_tokens, with_scalar_head
from .arguments import check_peft_config, check_values, known_words
from .guard import dropout_off
from .pairs import as_pairs
from .run import attach, common_settings, fit, folder_for, has_adapter, joined, resolve, schedule
from .sft import usual_rate

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["load_reward", "reward_config", "reward_scores", "save_reward", "tokenized_pairs", "train_reward"]


def train_reward(
    data: Dataset,
    *,
    model: PreTrainedModel | str | os.PathLike | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    peft_config: PeftConfig | HoulsbyConfig | None = None,
    learning_rate: float | None = None,
    epochs: float = 1,
    max_steps: int = -1,
    batch_size: int = 8,
    seed: int = 0,
    output_dir: str | os.PathLike | None = None,
    resume: bool = False,
    quiet: bool = False,
    **arguments: Any,
) -> Run:
    """Train a reward model on preference pairs (`prompt`, `chosen`, `rejected`, bare text) with TRL's `RewardTrainer`.

    The words mean what they mean for `cl.train`; `batch_size` counts pairs. A causal language model, live, named or the base
    (`None`), keeps its weights: its body is copied and gets a scalar head. A live sequence classifier with one output is trained *in
    place*. A `peft_config` of PEFT's needs `task_type="SEQ_CLS"`; the head is trained beside the adapter, a `HoulsbyConfig`'s too. `**arguments` go to `RewardConfig` as
    they are. The reward is read at the reply's end mark; a tokenizer whose padding is its end mark gets another padding token, and
    `run.tokenizer` is the one to use afterwards.

    `output_dir`, `resume` and what is raised: as for `cl.train`. Also raises `CourseError` for a `peft_config` of another task type,
    and when no pair fits into the model's context (or `max_length` tokens); pairs that do not fit are counted aloud.
    """
    with hushed():
        from transformers import set_seed

    check_values(
        learning_rate=learning_rate,
        epochs=epochs,
        max_steps=max_steps,
        batch_size=batch_size,
        seed=seed,
        quiet=quiet,
        max_length=arguments.get("max_length"),
    )
    check_peft_config(peft_config)
    arguments = known_words(arguments)
    folder = folder_for(output_dir, resume)
    pairs = as_pairs(data)
    if peft_config is not None and not isinstance(peft_config, HoulsbyConfig) and _task_type(peft_config) != "SEQ_CLS":
        raise CourseError(
            f"This adapter is for the task type {_task_type(peft_config)}; a reward model is a sequence classifier.",
            'Say LoraConfig(…, task_type="SEQ_CLS"), so that the head is trained and saved with it.',
        )
    model, tokenizer = resolve(model, tokenizer, peft_config)
    model, tokenizer = with_scalar_head(model, tokenizer, seed)
    known_words(arguments, reward_words())
    room = min(context_of(model), arguments.pop("max_length", None) or context_of(model))
    rows = tokenized_pairs(pairs, tokenizer, room)
    set_seed(seed)
    adapter = peft_config is not None or has_adapter(model)
    config = reward_config(
        folder,
        learning_rate=usual_rate(model, adapter) if learning_rate is None else learning_rate,
        num_train_epochs=epochs,
        max_steps=max_steps,
        per_device_train_batch_size=share_of(batch_size),
        seed=seed,
        **schedule(
            len(rows), batch_size=batch_size, epochs=epochs, max_steps=max_steps, output_dir=output_dir, **arguments
        ),
    )

    def make(callbacks):
        from trl import RewardTrainer

        of_peft = attach(model, peft_config)
        if peft_config is not None and of_peft is None:
            getattr(model, HEAD).requires_grad_(True)  # new, so it must be trained
        return RewardTrainer(
            model,
            args=config,
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=of_peft,
            callbacks=callbacks,
        )

    with dropout_off(model):
        return fit(
            make,
            model=model,
            tokenizer=tokenizer,
            data=rows,
            peft_config=peft_config,
            config=config,
            resume=resume,
            quiet=quiet,
        )


def reward_words() -> set[str]:
    """The settings of `trl.RewardConfig`."""
    with hushed():
        from trl import RewardConfig
    return {field.name for field in dataclasses.fields(RewardConfig)}


def reward_config(output_dir: str | os.PathLike, **arguments: Any):
    """`trl.RewardConfig` with every setting that matters on this machine said aloud (`common_settings`); `arguments` override."""
    with hushed():
        from trl import RewardConfig

    settings = {"warmup_steps": 0.1, "max_length": None, "disable_dropout": True}
    return RewardConfig(**joined(common_settings(output_dir) | settings, arguments))


def tokenized_pairs(pairs: list[dict[str, str]], tokenizer: PreTrainedTokenizerBase, room: int) -> Dataset:
    """`chosen_ids` and `rejected_ids` of each pair, as TRL's trainer takes them; what does not fit into `room` tokens is counted aloud."""
    from datasets import Dataset

    rows = [
        {f"{side}_ids": scored_tokens(tokenizer, pair["prompt"], pair[side]) for side in ("chosen", "rejected")}
        for pair in pairs
    ]
    kept = [row for row in rows if max(map(len, row.values())) <= room]
    if not kept:
        raise CourseError(f"No pair fits into the model's context of {room} tokens.", "Shorten the prompts.")
    if len(kept) < len(rows):
        print(f"{len(rows) - len(kept)} of {len(rows)} pairs are longer than {room} tokens and are left out.")
    return Dataset.from_list(kept)


def _task_type(peft_config: PeftConfig) -> str:
    """The task type of an adapter's configuration, as a word."""
    kind = getattr(peft_config, "task_type", None)
    return str(getattr(kind, "value", kind))
