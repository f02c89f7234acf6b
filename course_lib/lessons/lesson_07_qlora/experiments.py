"""Reference runs of lesson 07: reading with rounded weights, QLoRA beside LoRA, and the gradients that a packed model loses.

`part` "reading": perplexity of the base model on held-out news, its linear weights rounded to a code book in blocks. "tuning":
LoRA with the base in float32, NF4 or FP4, and a control with only the adapter in bfloat16; the same rows, steps and rate as
lesson 06. "trap": per layer, what is left of the gradient of `lora_A` after one `generate()` with bitsandbytes as it comes, in
per cent of its norm before. On two idle cores the whole takes about four minutes.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...gazette.reading import SECTIONS
from ...measure.losses import held_out_news, perplexity
from ...methods.sft import train
from ...models.four_bits import QUANTIZATIONS
from ...models.generation import generate
from ...models.load import load_model
from ..lesson_06_lora.experiments import BATCH, ITEMS, RATES, SEEDS, linear_weights, lora, measured, rows

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


KINDS = ("INT4", "FP4", "NF4")
BLOCKS = (32, 64, 128, 256, 1024, 4096)
NEWS = 25  # items a section, for perplexity
MANY = 400  # test rows of the runs that the lesson compares
HALF = "float32, adapter in bfloat16"  # the control: TRL trains the adapter of a 4-bit model in bfloat16


def news() -> list[str]:
    """Held-out news of all sections, the same for every model."""
    return [text for section in SECTIONS for text in held_out_news(section, NEWS)]


def code_book(kind: str) -> torch.Tensor:
    """The values of a 4-bit type in [-1, 1], sorted: INT4 evenly spaced, FP4 and NF4 as bitsandbytes has them."""
    import torch
    from bitsandbytes.functional import get_4bit_type

    if kind == "INT4":
        return torch.linspace(-1, 1, 15)
    return get_4bit_type(kind.lower(), "cpu").unique()


def rounded(weights: torch.Tensor, book: torch.Tensor, block: int) -> torch.Tensor:
    """Weights rounded to the nearest value of `book`, in blocks of `block` with one absmax scale each; the same shape."""
    import torch

    blocks = weights.detach().reshape(-1, min(block, weights.numel()))
    scales = blocks.abs().amax(1, keepdim=True).clamp(min=1e-38)
    codes = torch.bucketize(blocks / scales, (book[1:] + book[:-1]) / 2)
    return (book[codes] * scales).reshape(weights.shape)


def with_rounded(model: PreTrainedModel, book: torch.Tensor, block: int) -> PreTrainedModel:
    """A copy of a model with the linear weights of its blocks rounded; embeddings, norms and output layer as they were."""
    twin = copy.deepcopy(model)
    for weight in linear_weights(twin).values():
        weight.data = rounded(weight.data, book, block)
    return twin


def reading_job(kind: str | None, block: int) -> dict[str, float]:
    """Perplexity of the base model with weights of one type and block size; `None` leaves them alone."""
    model, tokenizer = load_model()
    if kind:
        model = with_rounded(model, code_book(kind), block)
    return {"perplexity": round(perplexity(model, tokenizer, news()), 4)}


def tuning_job(base: str, seed: int, count: int) -> dict:
    """One LoRA run on tone with the base in `base`: "float32", four bits ("nf4", "fp4"), or `HALF`."""
    import torch
    from peft import get_peft_model

    model, tokenizer = load_model(quantization=base if base in QUANTIZATIONS else None)
    config = lora()
    if base == HALF:
        torch.manual_seed(seed)
        model, config = get_peft_model(model, config), None
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    run = train(
        rows(seed),
        model=model,
        tokenizer=tokenizer,
        peft_config=config,
        learning_rate=RATES["LoRA"],
        batch_size=BATCH,
        seed=seed,
        quiet=True,
    )
    return measured(run, count)


# ------------------------------------------------------------------ the trap


def gradient_norms(model: PreTrainedModel, ids: torch.Tensor) -> tuple[dict[int, float], float]:
    """Norm of the gradients of all `lora_A` of each layer (number → norm) for one batch, and the loss."""
    model.train()
    model.zero_grad(set_to_none=True)
    loss = model(input_ids=ids, labels=ids).loss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about a kernel without a gradient: the fault itself
        loss.backward()
    squares: dict[int, float] = {}
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            layer = next(int(part) for part in name.split(".") if part.isdigit())
            squares[layer] = squares.get(layer, 0.0) + parameter.grad.float().norm().item() ** 2
    return {layer: square**0.5 for layer, square in squares.items()}, loss.item()


def let_it_pack(model: PreTrainedModel) -> PreTrainedModel:
    """bitsandbytes as it comes: undo what `load_model` set. For a throw-away model only."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = True
    return model


def trap_job(seed: int = 0) -> dict:
    """Gradients per layer before and after one `generate()`; empty on a processor that has no such path."""
    import torch

    torch.manual_seed(seed)
    model, tokenizer = load_model(quantization="nf4")  # before the next line, which would report a missing kernel
    from bitsandbytes.functional import has_avx512bf16
    from peft import get_peft_model

    if not has_avx512bf16():
        return {"packs": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = let_it_pack(get_peft_model(model, lora()))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at the start, and then lora_A has no gradient at all
            torch.nn.init.normal_(parameter, std=0.02)
    texts = tokenizer(news()[:8], return_tensors="pt", padding="longest", truncation=True, max_length=48)
    before, loss = gradient_norms(model, texts["input_ids"])
    generate(model, tokenizer, ["What is the tone?"], max_new_tokens=2)
    after, later = gradient_norms(model, texts["input_ids"])
    left = {f"left_{layer}": round(100 * after[layer] / before[layer], 2) for layer in before}
    return {"packs": True, "loss_before": round(loss, 4), "loss_after": round(later, 4)} | left


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson."""
    yield {"part": "trap", "seed": 0}, trap_job
    yield {"part": "reading", "kind": "float32", "block": 0, "seed": 0}, partial(reading_job, None, 0)
    for kind in KINDS:
        for block in BLOCKS:
            yield {"part": "reading", "kind": kind, "block": block, "seed": 0}, partial(reading_job, kind, block)
    for seed in SEEDS:
        for base in ("float32", "nf4"):
            yield {"part": "tuning", "base": base, "seed": seed}, partial(tuning_job, base, seed, MANY)
    for seed in SEEDS[:2]:
        for base in ("fp4", HALF):
            yield {"part": "tuning", "base": base, "seed": seed}, partial(tuning_job, base, seed, ITEMS)
