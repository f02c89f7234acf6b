"""Ask a model: prompts in its chat template, batched by length, greedy unless a temperature is given."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..base.errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


BATCH_TOKENS = 12_000  # prompt tokens, padding included, in one batch of generation
ROW_TOKENS = 512  # of a training row, where nothing else is asked for and the context holds them


def turns(tokenizer: PreTrainedTokenizerBase, prompt: str | Sequence[dict]) -> list[dict]:
    """A prompt as messages: text is one user turn. Where the chat template takes no system turn, its text begins the first user turn."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    said = [{"role": turn["role"], "content": turn["content"]} for turn in prompt]
    if said and said[0]["role"] == "system" and not takes_system(tokenizer):
        system = said.pop(0)["content"]
        said[0] = said[0] | {"content": f"{system}\n\n{said[0]['content']}"}
    return said


def takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template writes a system turn: some raise an error, some leave it out."""
    from jinja2 import TemplateError

    said = [{"role": "system", "content": "system-mark"}, {"role": "user", "content": "a"}]
    try:
        return "system-mark" in tokenizer.apply_chat_template(said, tokenize=False)
    except TemplateError:
        return False


def chat_prompt(tokenizer: PreTrainedTokenizerBase, text: str | Sequence[dict]) -> str:
    """`text` as one user turn (or messages as they are) in the model's chat template, ready for the answer."""
    return tokenizer.apply_chat_template(turns(tokenizer, text), tokenize=False, add_generation_prompt=True)


def encode_exchange(
    tokenizer: PreTrainedTokenizerBase, prompt: str | Sequence[dict], answer: str
) -> tuple[list[int], list[int]]:
    """Token ids of a user turn (or of messages) ready for the answer, and of the answer up to and with the mark that ends it.

    Both come from the model's chat template, as in training and asking; what the template writes behind the end mark is left out.
    """
    user = turns(tokenizer, prompt)
    whole = tokenizer.apply_chat_template([*user, {"role": "assistant", "content": answer}], tokenize=False)
    start = chat_prompt(tokenizer, prompt)
    if not whole.startswith(start):  # a template that writes another header for a turn that is there already
        start = whole[: whole.rindex(answer)] if answer and answer in whole else whole
    given = tokenizer(start, add_special_tokens=False)["input_ids"]
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    if ids[: len(given)] != given:  # a token reaches over the border: encode the two parts on their own
        ids = given + tokenizer(whole[len(start) :], add_special_tokens=False)["input_ids"]
    said = ids[len(given) :]
    marks = {tokenizer.eos_token_id, *tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    text = answer if answer in whole else answer.strip()  # some templates strip it
    inside = tokenizer(whole[len(start) : whole.rfind(text) + len(text)], add_special_tokens=False)["input_ids"]
    ends = [i for i, token in enumerate(said) if token in marks]  # an answer may hold marks too, of reasoning say
    end = next((i for i in ends if i >= len(inside)), ends[-1] if ends else len(said) - 1)
    return given, said[: end + 1]


def answer_part(reply: str) -> str:
    """A reply without the reasoning block that a thinking model writes first; empty while that block is still open.

    What a thinking template writes before a plain answer is such a block too, an empty one.
    """
    if "</think>" in reply:  # some templates open the block in the prompt
        return reply.rpartition("</think>")[2]
    return "" if reply.lstrip().startswith("<think>") else reply


def stop_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that end a reply: the tokenizer's end mark, the generation config's, and what the template writes behind an answer."""
    said = encode_exchange(tokenizer, "a", "b")[1]
    marks = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    stops = {tokenizer.eos_token_id, *(i for i in said[-1:] if i in marks)}
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    stops.update(configured if isinstance(configured, (list, tuple)) else [configured])
    return sorted(i for i in stops if i is not None)


def context_of(model: PreTrainedModel) -> int:
    """How many tokens of text a model can hold: its positions, less the virtual tokens that stand before them."""
    limit = getattr(model.config, "max_position_embeddings", None) or 10**9
    return limit - virtual_tokens(model)


def virtual_tokens(model: PreTrainedModel) -> int:
    """How many virtual tokens stand before the text (prompt tuning, prefix tuning, P-tuning); 0 for any other model."""
    return int(model.active_peft_config.num_virtual_tokens) if has_virtual_tokens(model) else 0


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str | Sequence[dict]],
    *,
    chat: bool = True,
    max_new_tokens: int = 32,
    temperature: float = 0.0,
    seed: int | None = None,
) -> list[str]:
    """Replies to `prompts`, in their order, without special tokens; greedy unless `temperature` > 0.

    `chat` puts each prompt, a text or messages, into the chat template; without it the model continues the bare text. Prompts are batched by
    length with padding on the left; a model with virtual tokens gets batches of equal length, since padding between
    the virtual tokens and the text would change its answers. A prompt that does not fit into the model's context beside
    `max_new_tokens` loses its beginning, and a printed sentence says how many did. Raises `CourseError` when `max_new_tokens`
    alone fills the context.
    """
    import torch

    if not prompts:
        return []
    room = context_of(model) - max_new_tokens
    if room < 1:
        raise CourseError(
            f"max_new_tokens={max_new_tokens} leaves no room for a prompt: the context holds {context_of(model)} tokens.",
            "Ask for fewer new tokens.",
        )
    texts = [chat_prompt(tokenizer, p) if chat else p for p in prompts]
    bos = tokenizer.bos_token or ""
    texts = [t if chat or t.startswith(bos) else bos + t for t in texts]
    encoded = [
        tokenizer(t, add_special_tokens=False, verbose=False)["input_ids"] for t in texts
    ]  # cut below, if too long
    cut = sum(len(ids) > room for ids in encoded)
    if cut:
        print(f"{cut} of {len(encoded)} prompts are longer than {room} tokens and lose their beginning.")
        encoded = [ids[-room:] for ids in encoded]
    stops = stop_tokens(model, tokenizer)
    if not chat and tokenizer.bos_token_id is not None:
        stops.append(tokenizer.bos_token_id)
    options = {"do_sample": temperature > 0, "max_new_tokens": max_new_tokens, "eos_token_id": stops}
    options["pad_token_id"] = tokenizer.pad_token_id
    if temperature > 0:
        options |= {"temperature": temperature, "top_k": 0, "top_p": 1.0}
    if seed is not None:
        torch.manual_seed(seed)
    replies: list[str] = [""] * len(texts)
    model.eval()
    with torch.inference_mode():
        for batch in length_batches(encoded, equal=has_virtual_tokens(model)):
            ids, mask = padded([encoded[i] for i in batch], tokenizer.pad_token_id, left=True)
            with positions_left_out():
                out = model.generate(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), **options)
            for row, i in enumerate(batch):
                replies[i] = tokenizer.decode(out[row, ids.shape[1] :], skip_special_tokens=True)
    return replies


@contextmanager
def positions_left_out() -> Iterator[None]:
    """Within it, PEFT does not warn that it leaves out the position ids of a model with virtual tokens.

    Without padding they are 0, 1, 2, …, which the model counts by itself: nothing is lost in batches of equal length.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Position ids are not supported for parameter efficient tuning")
        yield


def padded(rows: Sequence[Sequence[int]], pad: int, *, left: bool = False):
    """Token ids as one tensor (rows, width) and its attention mask, padded on the right, or on the left for generation."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = 1
    return ids, mask


def padded_examples(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int):
    """Examples (token ids given, token ids of the answer) as ids, mask and labels, padded on the right; only answers have labels."""
    ids, mask = padded([[*given, *said] for given, said in pairs], pad)
    labels = ids.masked_fill(mask == 0, -100)
    for row, (given, _) in enumerate(pairs):
        labels[row, : len(given)] = -100
    return ids, mask, labels


def has_virtual_tokens(model) -> bool:
    config = getattr(model, "active_peft_config", None)
    return bool(config is not None and config.is_prompt_learning)


def length_batches(encoded: list[list[int]], equal: bool) -> Iterable[list[int]]:
    """Indices sorted by length, cut where a padded batch would pass `BATCH_TOKENS`, or where the length changes."""
    batch: list[int] = []
    for i in sorted(range(len(encoded)), key=lambda i: len(encoded[i])):
        full = batch and (len(batch) + 1) * len(encoded[i]) > BATCH_TOKENS
        if full or (batch and equal and len(encoded[i]) != len(encoded[batch[0]])):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def ask(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, **options) -> str:
    """One instruction, one answer, without the reasoning and the space before it. Options as for `generate`."""
    return answer_part(generate(model, tokenizer, [text], **options)[0]).strip()
