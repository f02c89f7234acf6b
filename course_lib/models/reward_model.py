"""A reward model: a language model whose last layer gives one number, read at the end mark of the reply.

The number stands at the last token that is not padding. Where a tokenizer's padding *is* its end mark, that would be the last word,
and another one in a padded batch than alone; so such a tokenizer gets another padding token first.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.quiet import hushed
from .adapters import ADAPTER, ADAPTER_CONFIG
from .generation import context_of, encode_exchange, padded
from .identity import base_of
from .instruct import load_brief_writer
from .load import load_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REWARD = "reward.json"
HEAD = "score"  # the name of the scalar layer in transformers' sequence classifiers
BATCH_TOKENS = 8_000  # padding included, in one batch of scoring
STARTS = {
    "the base model": load_model,
    "the brief writer": load_brief_writer,
}  # what an adapter may have been trained on


def with_scalar_head(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, seed: int = 0
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A reward model with the body of a causal language model, copied, and a new scalar head; and a tokenizer fit for it.

    A sequence classifier with one output is taken as it is. Raises `CourseError` for a model that carries an adapter, since its
    copy would need another one, and for a classifier with several outputs.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    tokenizer = with_own_pad(tokenizer)
    text = model.config.get_text_config()
    if hasattr(model, HEAD):
        if model.config.num_labels != 1:
            raise CourseError(
                f"This classifier has {model.config.num_labels} outputs; a reward is one number.",
                "Give a causal language model, or a sequence classifier with num_labels=1.",
            )
        text.pad_token_id = tokenizer.pad_token_id
        return model, tokenizer
    if hasattr(model, "peft_config"):
        raise CourseError(
            "This model carries an adapter, so its body cannot be given another head.",
            "Merge the adapter first: cl.merge(model).",
        )
    config = copy.deepcopy(model.config)
    config.num_labels = 1
    config.get_text_config().pad_token_id = tokenizer.pad_token_id
    with hushed(), torch.random.fork_rng():
        torch.manual_seed(seed)
        scorer = AutoModelForSequenceClassification.from_config(config, dtype=model.dtype)
    prefix = model.base_model_prefix
    getattr(scorer, prefix).load_state_dict(getattr(model, prefix).state_dict())
    return scorer.to(model.device).eval(), tokenizer


def with_own_pad(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer, or a copy whose padding token is not its end mark; any other token will do, since the end mark comes last."""
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id != tokenizer.eos_token_id:
        return tokenizer
    spare = [t for t in tokenizer.all_special_tokens if t != tokenizer.eos_token]
    spare += [t for t in tokenizer.convert_ids_to_tokens([0, 1]) if t and t != tokenizer.eos_token]
    mended = copy.deepcopy(tokenizer)
    mended.pad_token = spare[0]
    return mended


def scored_tokens(tokenizer: PreTrainedTokenizerBase, prompt: str, reply: str) -> list[int]:
    """The tokens that a reward model reads: the prompt in the chat template and the reply, up to and with its end mark."""
    given, said = encode_exchange(tokenizer, prompt, reply)
    return given + said


def reward_scores(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], replies: Sequence[str]
) -> list[float]:
    """The reward of each reply to its prompt, one number each, the same alone as in a padded batch.

    Prompts and replies are bare text. Raises `CourseError` for lists of unequal length, an exchange that does not fit into the
    model's context, and a model whose padding token is the end mark.
    """
    import torch

    if len(prompts) != len(replies):
        raise CourseError(
            f"Each reply needs its prompt: there are {len(prompts)} prompts and {len(replies)} replies.",
            "Repeat a prompt for each of its replies.",
        )
    pad = model.config.get_text_config().pad_token_id
    if pad is None or pad == tokenizer.eos_token_id:
        raise CourseError(
            "This model's padding token is its end mark (or there is none), so the place of the reward cannot be found.",
            "Use the model and tokenizer that cl.train_reward returned, or course_lib.models.reward_model.with_scalar_head.",
        )
    rows = [scored_tokens(tokenizer, *pair) for pair in zip(prompts, replies, strict=True)]
    room = context_of(model)
    long = sum(len(row) > room for row in rows)
    if long:
        raise CourseError(
            f"{long} of {len(rows)} exchanges are longer than the {room} tokens that the model can read.",
            "Shorten the prompts or leave these out.",
        )
    scores = [0.0] * len(rows)
    model.eval()
    with torch.inference_mode():
        for batch in _batches(rows):
            ids, mask = padded([rows[i] for i in batch], pad)
            out = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), use_cache=False).logits
            for i, value in zip(batch, out.float().squeeze(-1).tolist(), strict=True):
                scores[i] = value
    return scores


def _batches(rows: list[list[int]]):
    """Indices sorted by length, cut where a padded batch would pass `BATCH_TOKENS`."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and (len(batch) + 1) * len(rows[i]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


# ------------------------------------------------------------------ files


def save_reward(model: PreTrainedModel, folder: str | os.PathLike, *, dtype: str = "float32") -> Path:
    """Save a reward model with its head, as safetensors; returns the folder.

    Of a LoRA run the adapter and the head are saved, and `reward.json` names what they were trained on: the base model or the brief
    writer. `dtype="bfloat16"` halves the file and rounds its numbers. A model without an adapter is saved whole. Raises `CourseError`
    for a model without a scalar head, and for an adapter on any other model, which nobody could find again.
    """
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(folder)
    if getattr(model.config, "num_labels", None) != 1 or not any(HEAD in name for name, _ in model.named_modules()):
        raise CourseError(
            "This model has no scalar head, so it gives no reward.", "Save what cl.train_reward returned."
        )
    adapted = hasattr(model, "peft_config")
    start = _start_of(model) if adapted else None
    folder.mkdir(parents=True, exist_ok=True)
    with hushed():
        model.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    if adapted:
        weights = {k: v.to(getattr(torch, dtype)) for k, v in load_file(folder / ADAPTER).items()}
        save_file(weights, folder / ADAPTER, metadata={"format": "pt"})
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = base_of(model)["model"]  # no path of this machine
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    note = {"start": start, "base": base_of(model), "pad_token_id": model.config.get_text_config().pad_token_id}
    (folder / REWARD).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return folder


def load_reward(folder: str | os.PathLike) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A saved reward model with its head, in evaluation mode, and its tokenizer.

    Raises `CourseError` for a folder that is none, or one that was trained on another base model.
    """
    folder = Path(folder)
    if not (folder / REWARD).exists():
        raise CourseError(f"There is no reward model in {folder}: {REWARD} is missing.", "Save one with save_reward.")
    note = json.loads((folder / REWARD).read_text(encoding="utf-8"))
    if note["start"] is None:
        from transformers import AutoModelForSequenceClassification

        _, tokenizer = load_model()
        with hushed():
            model = AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype="float32"
            )
        tokenizer = with_own_pad(tokenizer)
        return model.eval(), tokenizer
    body, tokenizer = STARTS[note["start"]]()
    if note["base"] != base_of(body):
        raise CourseError(
            f"The reward model in {folder} was trained on another base model: {note['base']['model']}.",
            "Load it with that model in use (COURSE_MODEL), or train it again on this one.",
        )
    from peft import PeftModel

    model, tokenizer = with_scalar_head(body, tokenizer)
    with hushed():
        model = PeftModel.from_pretrained(model, str(folder))
    return model.eval(), tokenizer


def _start_of(model: PreTrainedModel) -> str:
    """Which of `STARTS` the adapter of a reward model stands on."""
    import torch

    frozen = {name.replace(".base_layer", ""): p for name, p in model.get_base_model().named_parameters()}
    for name, load in STARTS.items():
        with hushed():
            body = load()[0].state_dict()
        same = [key for key in body if key in frozen and frozen[key].shape == body[key].shape]
        if same and all(torch.allclose(frozen[k].float().cpu(), body[k].float().cpu(), atol=1e-6) for k in same):
            return name
    raise CourseError(
        "This adapter was trained on a model that the course cannot load again: neither the base model nor the brief writer.",
        "Merge it into its model (cl.merge) and save the whole.",
    )
