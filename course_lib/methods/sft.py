"""Supervised fine-tuning: TRL's `SFTTrainer`, with arguments that are right on this machine.

Nothing here trains anything itself. `train` chooses batches and rates, hands the work to TRL, and undoes what the
trainer changed on the model. `run.trainer` stays open for a look: TRL's `SFTTrainer`, but for one hook (`_trainer_class`).
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from ..base.processes import share_of
from ..base.quiet import hushed
from ..base.run import Run
from ..data.instructions import to_messages
from ..models.generation import ROW_TOKENS, has_virtual_tokens
from .arguments import check_values, known_words
from .lengths import rows_that_fit, with_system_turns
from .profile import profile_of
from .run import attach, common_settings, fit, folder_for, has_adapter, inner, joined, resolve, schedule
from .virtual import check_virtual, prompt_rate, row_length

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..models.houlsby import HoulsbyConfig

WORTH = 0.1  # a batch is cut in two where that saves so large a share of its tokens


def usual_rate(model: PreTrainedModel, adapter: bool) -> float:
    """A learning rate that suits the model's size, for all weights or for an adapter."""
    suits = profile_of(model)
    return suits.adapter if adapter else suits.full


def train(
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
    """Fine-tune on instruction rows with TRL's `SFTTrainer`; the loss counts the answer only.

    `model`: `None` or a name loads afresh, so no run can spoil another; a live model is trained *in place*. `peft_config`
    (PEFT's, or a `HoulsbyConfig`) trains an adapter instead of all weights. `epochs`, or `max_steps` of `batch_size` rows if positive
    (of several processes together).
    `learning_rate=None` takes a rate that suits the model's size, or the virtual tokens that are trained. A row may be 512 tokens
    long, less where the context, with the virtual tokens, holds less. `**arguments` go to `SFTConfig` as they are.

    With `output_dir` a checkpoint is saved ten times in a run (or every `save_steps`) and two are kept. `resume=True` goes on
    from the newest whole one, to the same weights, bit for bit, as a run that was never stopped; a finished run is returned
    as it is; without a checkpoint training begins. Checkpoints hold pickled optimizer state: resume from your own only.

    A row whose answer does not fit into `max_length` tokens is dropped, one that is cut loses its end mark; a printed sentence counts both.

    Raises `CourseError` for data of another kind, an empty dataset, missing columns, rows that cannot be used or none that fits,
    arguments of other libraries or of the wrong kind (with the word to use here), a model in which nothing can be trained, a
    `peft_config` on a model that already carries an adapter, a `max_length` that the context does not hold, an `output_dir` with checkpoints
    that are not this run's, `resume` without one or with P-tuning, packed rows behind virtual tokens, a disk too full for checkpoints, a
    loss that is not finite, or 4-bit weights that are packed for reading only.
    """
    with hushed():
        from transformers import set_seed

    check_values(
        learning_rate=learning_rate, epochs=epochs, max_steps=max_steps, batch_size=batch_size, seed=seed, quiet=quiet
    )
    arguments = known_words(arguments)
    folder = folder_for(output_dir, resume)
    rows = to_messages(data)
    set_seed(seed)
    model, tokenizer = resolve(model, tokenizer, peft_config)
    known_words(arguments, sft_words())
    check_virtual(model, peft_config, resume, bool(arguments.get("packing")))
    adapter = peft_config is not None or has_adapter(model)
    usual = prompt_rate(model, peft_config) or usual_rate(model, adapter)
    rows = with_system_turns(rows, tokenizer)
    arguments["max_length"] = row_length(model, peft_config, arguments.get("max_length"))
    rows = rows_that_fit(rows, tokenizer, arguments["max_length"], arguments.get("truncation_mode", "keep_start"))
    config = sft_config(
        folder,
        learning_rate=usual if learning_rate is None else learning_rate,
        num_train_epochs=epochs,
        max_steps=max_steps,
        per_device_train_batch_size=share_of(batch_size),
        seed=seed,
        **schedule(
            len(rows), batch_size=batch_size, epochs=epochs, max_steps=max_steps, output_dir=output_dir, **arguments
        ),
    )

    def make(callbacks):
        return _trainer_class()(
            model,
            args=config,
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=attach(model, peft_config),
            callbacks=callbacks,
        )

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


def sft_config(output_dir: str | os.PathLike, **arguments: Any):
    """`trl.SFTConfig` with every setting that matters on this machine said aloud (`common_settings`); `arguments` override.

    Rows come in random order: batches of like length pad less, but in a mixture they are batches of one task (measured, 1,500
    rows of eleven tasks: names copied 0 and 73 % of the time).
    """
    with hushed():
        from trl import SFTConfig

    settings = {
        "warmup_steps": 0.1,
        "max_length": ROW_TOKENS,
        "packing": False,
        "completion_only_loss": True,
        "train_sampling_strategy": "random",
    }
    return SFTConfig(**joined(common_settings(output_dir) | settings, arguments))


def sft_words() -> set[str]:
    """The names of the settings of `trl.SFTConfig`."""
    import dataclasses

    with hushed():
        from trl import SFTConfig
    return {field.name for field in dataclasses.fields(SFTConfig)}


def _trainer_class():
    """TRL's `SFTTrainer` with one hook: less is computed for the same loss."""
    import torch
    import torch.nn.functional as F

    with hushed():
        from trl import SFTTrainer

    def answers_loss(model, ids, labels, mask) -> torch.Tensor:
        """Cross-entropy summed over the answers; the largest layer is asked about no other position."""
        counted = (labels[:, 1:] != -100).any(0)  # logits at a position are about the next one
        columns = counted.nonzero().flatten() - labels.shape[1]  # from the end: virtual tokens may stand in front
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=columns).logits
        targets = labels[:, columns + 1]
        kept = targets != -100
        return F.cross_entropy(logits[kept].float(), targets[kept], reduction="sum")

    class AnswerTrainer(SFTTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            """The same loss as TRL's, for less: prompts need no logits, and short rows need not be as long as the longest.

            Padding stands behind the text, where causal attention cannot look, so there the mask may go as well.
            """
            if return_outputs or not self._plain():
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            ids, labels, mask = inputs["input_ids"], inputs["labels"], inputs["attention_mask"]
            behind = not has_virtual_tokens(model) and bool((mask[:, 1:] <= mask[:, :-1]).all())
            if behind:
                loss = sum(
                    answers_loss(model, ids[rows, :width], labels[rows, :width], None)
                    for rows, width in _two_groups(mask.sum(1).tolist())
                )
            else:
                loss = answers_loss(model, ids, labels, mask)
            count = (labels[:, 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
            return loss / torch.as_tensor(count).clamp(min=1)

        def _plain(self) -> bool:
            """Whether nothing is asked for that needs TRL's own loss: packing, other losses, experts, several processes."""
            forward = type(inner(self.model)).forward
            return (
                self.args.loss_type == "nll"
                and self.compute_loss_func is None
                and self.label_smoother is None
                and not (self.padding_free or self.aux_loss_enabled)
                and self.accelerator.num_processes == 1
                and "logits_to_keep" in inspect.signature(forward).parameters
            )

    return AnswerTrainer


def _two_groups(lengths: list[int]) -> list[tuple[list[int], int]]:
    """A batch's rows as short ones and long ones, each with its width, cut where least padding is left; whole if that saves little."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    longest, whole = lengths[order[-1]], len(order) * lengths[order[-1]]
    tokens = [cut * lengths[order[cut - 1]] + (len(order) - cut) * longest for cut in range(1, len(order))]
    if not tokens or min(tokens) > (1 - WORTH) * whole:
        return [(list(range(len(lengths))), longest)]
    cut = tokens.index(min(tokens)) + 1
    return [(order[:cut], lengths[order[cut - 1]]), (order[cut:], longest)]
