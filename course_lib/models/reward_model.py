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
from .adapters import ADAPTER, ADAPTER_CONFIG, load_adapter, save_adapter
from .generation import context_of, encode_exchange, padded
from .houlsby import adapters_of
from .identity import base_of, model_name
from .instruct import load_brief_writer
from .load import load_model, load_tokenizer
from .names import TOKENIZERS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REWARD = "reward.json"
HEAD_FILE = "score.safetensors"  # beside a Houlsby adapter; PEFT keeps the head in its own file
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
    copy would need another one, for a classifier with several outputs, and for an architecture of which transformers has no classifier.
    """
    import torch
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoModelForSequenceClassification

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
    if hasattr(model, "peft_config") or adapters_of(model):
        raise CourseError(
            "This model carries an adapter, so its body cannot be given another head.",
            "Merge the adapter first: cl.merge(model).",
        )
    if type(model.config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise CourseError(
            f"transformers has no sequence classifier for {type(model).__name__}, and a reward model is one.",
            "Train the reward model on another architecture (Llama, Qwen, Mistral, Gemma, GPT-2, …); its rewards can teach this one.",
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

    Of a run with an adapter that and the head are saved, and `reward.json` names what they were trained on: the base model, the brief
    writer, or another model by its name. `dtype="bfloat16"` halves the file and rounds its numbers. A model without an adapter is saved
    whole, with its tokenizer. Raises `CourseError` for a model without a scalar head, and for an adapter on a model whose weights lie in no
    file, which nobody could find again.
    """
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(folder)
    bottleneck = bool(adapters_of(model))
    if getattr(model.config, "num_labels", None) != 1 or not any(HEAD in name for name, _ in model.named_modules()):
        raise CourseError(
            "This model has no scalar head, so it gives no reward.", "Save what cl.train_reward returned."
        )
    adapted = hasattr(model, "peft_config")
    start = _start_of(model) if adapted or bottleneck else None
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "README.md"
    mine = card.read_bytes() if card.exists() else None
    if bottleneck:
        save_adapter(model, folder)
        head = {k: v.detach().cpu().contiguous() for k, v in getattr(model, HEAD).state_dict().items()}
        save_file(head, folder / HEAD_FILE, metadata={"format": "pt"})
    else:
        with hushed():
            model.save_pretrained(folder, safe_serialization=True)
        if not adapted:
            load_tokenizer(model.config.name_or_path or None).save_pretrained(folder)
    if mine is not None:
        card.write_bytes(mine)
    else:
        card.unlink(missing_ok=True)
    if adapted:
        weights = {k: v.to(getattr(torch, dtype)) for k, v in load_file(folder / ADAPTER).items()}
        save_file(weights, folder / ADAPTER, metadata={"format": "pt"})
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = base_of(model)["model"]  # no path of this machine
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    note = {"start": start, "base": base_of(model), "pad_token_id": model.config.get_text_config().pad_token_id}
    (folder / REWARD).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return folder


def load_reward(
    folder: str | os.PathLike, model: str | os.PathLike | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A saved reward model with its head, in evaluation mode, and its tokenizer.

    `model` names what an adapter was trained on, where that is neither the base model in use nor the brief writer. Raises `CourseError`
    for a folder that is none, or one that was trained on another model.
    """
    folder = Path(folder)
    if not (folder / REWARD).exists():
        raise CourseError(f"There is no reward model in {folder}: {REWARD} is missing.", "Save one with save_reward.")
    note = json.loads((folder / REWARD).read_text(encoding="utf-8"))
    if note["start"] is None:
        from transformers import AutoModelForSequenceClassification

        own = any((folder / name).exists() for name in TOKENIZERS)
        tokenizer = load_tokenizer(folder if own else None)
        with hushed():
            scorer = AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype="float32"
            )
        if note.get("pad_token_id") is not None:
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(note["pad_token_id"])
        return scorer.eval(), with_own_pad(tokenizer)
    if note["start"] not in STARTS and model is None:
        raise CourseError(
            f"The reward model in {folder} is an adapter that was trained on {note['start']}.",
            "Say where that model lies: load_reward(folder, model=…).",
        )
    body, tokenizer = load_model(model) if model is not None else STARTS[note["start"]]()
    if note["base"] != base_of(body):
        raise CourseError(
            f"The reward model in {folder} was trained on another base model: {note['base']['model']}.",
            "Load it with that model in use (COURSE_MODEL), or train it again on this one.",
        )
    scorer, tokenizer = with_scalar_head(body, tokenizer)
    if (folder / HEAD_FILE).exists():
        from safetensors.torch import load_file

        load_adapter(folder, scorer)
        getattr(scorer, HEAD).load_state_dict(load_file(folder / HEAD_FILE))
        return scorer.eval(), tokenizer
    from peft import PeftModel

    with hushed():
        scorer = PeftModel.from_pretrained(scorer, str(folder))
    return scorer.eval(), tokenizer


def _start_of(model: PreTrainedModel) -> str:
    """Which of `STARTS` the adapter of a reward model stands on, or the name of another model."""
    import torch

    inside = model.get_base_model() if hasattr(model, "get_base_model") else model
    frozen = {name.replace(".base_layer", ""): p for name, p in inside.named_parameters()}
    where = str(inside.config.name_or_path)
    other = {Path(where).name: lambda: load_model(where)} if where and where != model_name() else {}
    for name, load in (STARTS | other).items():
        with hushed():
            body = load()[0].state_dict()
        same = [key for key in body if key in frozen and frozen[key].shape == body[key].shape]
        if same and all(torch.allclose(frozen[k].float().cpu(), body[k].float().cpu(), atol=1e-6) for k in same):
            return name
    raise CourseError(
        "This adapter was trained on a model that cannot be loaded again: its weights lie in no folder that is known.",
        "Merge it into its model (cl.merge) and save the whole.",
    )
