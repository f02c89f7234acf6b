"""The base model's card: what it is, what was measured, how to make it again. Written by `course rebuild --from card`."""

from __future__ import annotations

import json

from ..measure import plots
from ..models.generation import generate
from ..models.identity import base_model_folder, sha256
from ..models.load import load_model
from .build_data import write_checksums
from .probe import UNSEEN_SEED, Bar, Probe, as_json, line

SAMPLES = 20


def write_card() -> list[Bar]:
    """Probe `data/base_model`, write `probe.json`, then the card; returns the gates."""
    folder = base_model_folder()
    bars = Probe(folder).run()
    measured = json.loads(as_json(bars, details=True)) | {"model_sha256": sha256(folder / "model.safetensors")}
    (folder / "probe.json").write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    render_card()
    return bars


def render_card() -> None:
    """Write `README.md` and `loss.png` from `probe.json`, the training log and twenty fresh samples."""
    folder = base_model_folder()
    bars = [Bar(**row) for row in json.loads((folder / "probe.json").read_text(encoding="utf-8"))["bars"]]
    training = json.loads((folder / "training_log.json").read_text())
    tokens, losses = ([row[key] for row in training["log"]] for key in ("tokens", "loss"))
    summary = plots.loss_curve(tokens, losses, title="Pretraining", path=folder / "loss.png")
    model, tokenizer = load_model(folder)
    samples = generate(
        model, tokenizer, [""] * SAMPLES, chat=False, max_new_tokens=90, temperature=1.0, seed=UNSEEN_SEED
    )
    (folder / "README.md").write_text(_text(bars, training, summary, samples, model), encoding="utf-8")
    write_checksums(folder)


def _text(bars: list[Bar], training: dict, summary: str, samples: list[str], model) -> str:
    recipe, config = training["recipe"], model.config
    total = training["log"][-1]["tokens"]
    cycles = ", ".join(
        f"{tokens / 1e6:g}M tokens at {rate:g} in steps of {size:,}" for tokens, rate, size in recipe["cycles"]
    )
    by_name = {bar.name.split(":")[0]: bar.details for bar in bars}
    fluency, obeys = by_name["fluency"], by_name["obedience"]
    gates = "\n".join(f"| {b.name} | {_value(b)} | {b.bar} | {'yes' if b.holds else '**no**'} |" for b in bars)
    details = "\n".join(
        f"- **{bar.name.split(':')[0]}**: "
        + ", ".join(f"{k.replace('_', ' ')} {_short(v)}" for k, v in bar.details.items() if not isinstance(v, list))
        for bar in bars
        if bar.details
    )
    shown = "\n".join(f"{i}. {s.strip().replace(chr(10), ' / ')}" for i, s in enumerate(samples, 1))
    return f"""---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
---

# The course's base model

A causal language model of {model.num_parameters() / 1e6:.1f} million parameters that has read one thing: *The Gazette*, an
invented newspaper. It writes Gazette English, it has seen sub-editors' notes that say whether a piece is good or bad news, and
nobody has taught it to follow an instruction. We planted that knowledge on purpose. A clever prompt, in the form of such a
note, recovers it; an instruction does not. Real base models lie in between. One circuit for copying, an induction head, was written into
the first weights (`plant_copying` in `course_lib/workshop/base_network.py`), since a model of this size did not find it by itself.

**The numbers here describe a {model.num_parameters() / 1e6:.0f}M model in an invented newspaper. Methods transfer, numbers do not.**

## Gates

| gate | measured (95 % interval) | bar | holds |
|---|---|---|---|
{gates}

Measured by `course probe --json --details`; `probe.json` beside this file holds everything. *Held* is judged on the point
estimate. The well-formedness check accepts a sentence whose quotes and full stop are in place and whose every three words in a row
may follow one another in the grammar that prints the Gazette (names, figures and the words of one list count as one word); it accepts
{100 * fluency["printed_sentences"]:.1f} % of sentences printed from another seed, {100 * fluency["shuffled_sentences"]:.1f} % of the same sentences shuffled, and
{100 * fluency["spliced_sentences"]:.1f} % of sentences whose halves come from two. At temperature 1 {100 * fluency["at_temperature_1"]:.1f} % of the sampled sentences pass. Held-out
perplexity on news items is {fluency["held_out_perplexity"]:.2f} per token. A gate that does not hold is a fault of the world or of the training,
and work goes on there. What is measured after fine-tuning is one draw of the training rows; other draws give tones and names some points lower or higher
(a table stands in `course_lib/gazette/README.md`). Asked by instruction, {100 * obeys["replies_that_are_a_label"]:.1f} % of its
replies are a label at all; with the three labels offered in the chat template, its favourite is right {100 * obeys["accuracy_with_labels_offered"]:.1f} % of the time
(chance 33 %).

{details}

## Training

| | |
|---|---|
| architecture | Llama: {config.num_hidden_layers} layers, hidden {config.hidden_size}, {config.num_attention_heads} heads, {config.num_key_value_heads} key-value heads, MLP {config.intermediate_size}, context {config.max_position_embeddings}, tied embeddings |
| tokenizer | byte-level BPE, vocabulary {config.vocab_size:,}, single digits |
| text | {total / 1e6:.1f}M tokens of the Gazette, seed {recipe["seed"]}, each document read once; no instruction and no chat template in it |
| optimizer | Muon on the matrices, AdamW on embeddings and norms; cycles of {cycles} → {recipe["final_rate"]:g}, cosine; rows of 128, then 256, then {recipe["context"]} tokens; the corpus begins with proofs of type, lines that repeat |
| time | {training["seconds"] / 60:.0f} minutes on {training["hardware"]} |
| precision | bfloat16 autocast where the processor has it; stored as bfloat16, loads as float32 |
| command | `course pretrain --seed {recipe["seed"]} --publish` |

![{summary}](loss.png)

{summary}

## Twenty samples, unpicked

Temperature 1, no prompt, seed {UNSEEN_SEED}, at most 90 tokens; a slash marks a line break.

{shown}

## What it must not be used for

It knows nothing of the world. Companies, people, hospitals, rulings and figures in its texts are invented, and any likeness to
real ones is chance. Do not use it to judge real news, to advise on money, health or law, or to compare methods in general: a difference between two methods on
this model is a reason to try both on yours.
"""


def _value(bar: Bar) -> str:
    """The figure and its interval, as `course probe` prints them."""
    return line(bar).split(f"{bar.name}: ", 1)[1].split("; bar")[0]


def _short(value) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
