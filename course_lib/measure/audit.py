"""The checks of a certificate: is the adapter on, did weights move, is the merged model the same, was the right thing trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..data.instructions import asked
from ..data.report import contradictions, overlap
from ..models.carriers import check_not_inside, check_not_used_up, is_peft
from ..models.four_bits import in_four_bits
from ..models.generation import chat_prompt, context_of, encode_exchange, has_virtual_tokens, stop_tokens
from ..models.identity import base_of
from .losses import begun_with, token_log_probabilities

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from .evaluation import Result

PROBED = 24  # test rows whose log-probabilities are compared, and training rows that are looked at
EQUAL, ROUGHLY = (
    2e-3,
    0.15,
)  # nats a token by which a merged model may differ: in float32; where weights or sums are rounded


@dataclass
class Check:
    """One thing that must hold: `holds` is None where it could not be asked. `value` is the figure behind it, if there is one."""

    name: str
    holds: bool | None
    said: str
    value: float = 0.0

    @property
    def mark(self) -> str:
        """Its result in a word."""
        return {True: "yes", False: "NO", None: "–"}[self.holds]


def active(model: PreTrainedModel) -> Check:
    """Whether the model's adapter is switched on. Raises `CourseError` for the inside of a PEFT model and for one that is used up."""
    from ..models.houlsby import active_adapters, adapters_of

    check_not_inside(model)
    check_not_used_up(model)
    name = "the adapter is on"
    if adapters_of(model):
        on = active_adapters(model)
        return Check(name, bool(on), f"{', '.join(on)}" if on else "the adapter is switched off")
    if not is_peft(model):
        return Check(name, None, "there is none: the weights themselves were trained, or it was merged")
    off = {bool(module._disable_adapters) for module in model.modules() if hasattr(module, "_disable_adapters")}
    if off == {True}:
        return Check(name, False, "the adapter is switched off")
    kind = ", ".join(sorted({str(c.peft_type.value) for c in model.peft_config.values()}))
    return Check(name, True, f"{kind}, {', '.join(model.active_adapters)}")


@contextmanager
def without_adapter(
    model: PreTrainedModel, base: PreTrainedModel | None = None
) -> Iterator[tuple[PreTrainedModel, str]]:
    """The model that a training began with, and what it is in words; an adapter is switched off within it, and on again behind it."""
    from ..models.houlsby import adapters_of, disable_adapter

    if base is not None:
        check_not_inside(base, "base")
        yield base, "the base that was given"
    elif adapters_of(model):
        with disable_adapter(model):
            yield model, "the same model with its adapter switched off"
    elif is_peft(model):
        if active(model).holds:
            with model.disable_adapter():
                yield model, "the same model with its adapter switched off"
        else:
            yield model, "the same model; its adapter is off in any case"
    else:
        yield begun_with(model), f"{base_of(model)['model']}, loaded afresh"


def shift(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict]) -> list[torch.Tensor]:
    """The log-probability of each token of the first rows, question and right answer, in nats, one tensor a row.

    The answers alone would not do: where two models are both sure of them, they agree whatever else differs.
    """
    room = context_of(model)
    pairs = [encode_exchange(tokenizer, asked(row), row["output"]) for row in rows[:PROBED]]
    encoded = [(given + said)[:room] for given, said in pairs]
    return token_log_probabilities(model, tokenizer, [(ids[:1], ids[1:]) for ids in encoded])


def furthest(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> float:
    """The largest difference of two lists of log-probabilities, in nats."""
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


def moved(model: PreTrainedModel, start: PreTrainedModel, after: Sequence, before: Sequence) -> Check:
    """Whether the training moved anything: weights, where they can be compared, and the probabilities of the test rows (`value`)."""
    far = furthest(after, before)
    share = _weight_change(model, start)
    told = f"log-probabilities of the test rows differ by up to {far:.2g} nats a token"
    if share is not None:
        told = f"weights changed by {100 * share:.2g} % of their length; {told}"
    return Check("the model moved", far > 0 and share != 0.0, told, far)


def _weight_change(model: PreTrainedModel, start: PreTrainedModel) -> float | None:
    """Length of the change over length of the weights: LoRA's B·A over its layers, or of all weights; None where neither is at hand."""

    def length(tensors: list[torch.Tensor]) -> float:
        return sum(float(t.detach().float().pow(2).sum()) for t in tensors) ** 0.5

    if start is model:
        layers = [m for m in model.modules() if hasattr(m, "get_delta_weight") and hasattr(m, "get_base_layer")]
        if in_four_bits(model) or not layers or any(getattr(m, "lora_variant", None) for m in layers):
            return None
        changes = [m.get_delta_weight(a) for m in layers for a in m.active_adapters if a in getattr(m, "lora_A", {})]
        whole = length([m.get_base_layer().weight for m in layers])
        return length(changes) / whole if changes else None
    there = dict(start.named_parameters())
    pairs = [(p, there[n]) for n, p in model.named_parameters() if n in there and there[n].shape == p.shape]
    if is_peft(model) or in_four_bits(model) or not pairs:
        return None
    return length([p.detach().float() - q.detach().float().to(p.device) for p, q in pairs]) / length(
        [q for _, q in pairs]
    )


def merged_equals(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict], told: Sequence[torch.Tensor]
) -> Check:
    """Whether a merged copy gives the test rows the same log-probabilities (`told` are the model's own)."""
    import torch

    from ..models.merging import merge

    name = "merged = unmerged"
    if not is_peft(model) or has_virtual_tokens(model):
        return Check(name, None, "there is nothing to merge into the weights")
    try:
        plain = merge(copy.deepcopy(model))
    except CourseError as error:
        return Check(name, None, error.what)
    except (RuntimeError, MemoryError, NotImplementedError) as error:
        return Check(name, None, f"a copy could not be made ({type(error).__name__})")
    far = furthest(shift(plain, tokenizer, rows), told)
    rounded = in_four_bits(model) or any(p.dtype != torch.float32 for p in model.parameters())
    most = ROUGHLY if rounded else EQUAL
    return Check(name, far <= most, f"log-probabilities differ by up to {far:.1g} nats a token (allowed {most:g})", far)


def replies_that_end(after: Result, tokenizer: PreTrainedTokenizerBase, room: int) -> Check:
    """Whether replies stop by themselves: none may be so rare that most fill all the tokens that they are given."""
    full = sum(len(tokenizer(reply, add_special_tokens=False)["input_ids"]) >= room - 1 for reply in after.replies)
    said = f"{after.n - full} of {after.n} end before the {room} tokens that they may take"
    return Check("replies end", full <= after.n // 2, said)


# ------------------------------------------------------------------ what was trained


def audited(trainer: Any, tokenizer: PreTrainedTokenizerBase, test: Sequence[dict]) -> list[Check]:
    """Mask, end mark, template, overlap and contradictions, of the rows that an SFT trainer holds; nothing can be asked without them."""
    data = getattr(trainer, "train_dataset", None)
    names = set(getattr(data, "column_names", None) or [])
    if not {"prompt", "completion", "input_ids"} <= names or not names & {"labels", "completion_mask"}:
        return [Check("what was trained", None, "the training rows are not at hand")]
    rows = list(data)
    counted = [_counted(row) for row in rows]
    total, part = sum(len(row["input_ids"]) for row in rows), sum(map(sum, counted))
    empty = sum(not any(mask) for mask in counted)
    open_loss = sum(bool(mask) and bool(mask[0]) for mask in counted)
    said = f"{100 * part / max(1, total):.0f} % of the tokens are counted in the loss"
    faults = [f"{empty} rows count nothing"] if empty else []
    faults += [f"{open_loss} rows count their prompt too"] if open_loss else []
    found = [Check("the loss counts answers only", not faults, "; ".join([said, *faults]))]
    stops = set(stop_tokens(trainer.model, tokenizer))
    ended = sum(any(i in stops for i in _answer(row, mask)[-2:]) for row, mask in zip(rows, counted, strict=True))
    found.append(Check("answers end with the end mark", ended == len(rows), f"in {ended} of {len(rows)} rows"))
    found.append(_same_template(rows[:PROBED], counted, tokenizer))
    texts = [_as_row(row, number) for number, row in enumerate(rows, 1)]
    shared = overlap(texts, [{**row, "place": f"row {n}"} for n, row in enumerate(test, 1)])
    told = f"{len({place for _, place in shared})} of {len(test)} test questions were trained on"
    found.append(Check("test and training are apart", not shared, told))
    against = contradictions(texts)
    found.append(Check("training answers agree", None if against else True, f"{len(against)} question{'s have' if len(against) != 1 else ' has'} different answers"))  # fmt: skip
    return found


def _counted(row: dict) -> list[bool]:
    return [label != -100 for label in row["labels"]] if "labels" in row else [bool(m) for m in row["completion_mask"]]


def _answer(row: dict, mask: Sequence[bool]) -> list[int]:
    return [token for token, counts in zip(row["input_ids"], mask, strict=True) if counts]


def _same_template(rows: Sequence[dict], counted: Sequence, tokenizer: PreTrainedTokenizerBase) -> Check:
    """Whether the text before the answer was trained exactly as it is asked."""
    different = 0
    for row, mask in zip(rows, counted, strict=False):
        given = [token for token, counts in zip(row["input_ids"], mask, strict=True) if not counts]
        wanted = tokenizer(chat_prompt(tokenizer, row["prompt"]), add_special_tokens=False)["input_ids"]
        different += any(mask) and given[: len(wanted)] != wanted
    said = f"{len(rows) - different} of {len(rows)} rows looked at"
    return Check("asked as it was trained", different == 0, said)


def _as_row(row: dict, number: int) -> dict:
    """A trainer's row in the columns that `data.report` compares."""
    turns = row["prompt"]
    return {
        "instruction": turns[-1]["content"], "input": "", "before": turns[:-1], "output": row["completion"][-1]["content"],
        "place": f"row {number}",
    }  # fmt: skip
