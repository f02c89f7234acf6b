"""The table of sizes: held to real models where they are here, and to what is published."""

from __future__ import annotations

import pytest

from course_lib.measure import sizes


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("SmolLM2-135M", 134.5e6),
        ("SmolLM2-1.7B", 1.711e9),
        ("Llama-3.2-1B", 1.236e9),
        ("Llama-3.2-3B", 3.213e9),
        ("Mistral-7B-v0.3", 7.248e9),
        ("Llama-3.1-8B", 8.030e9),
    ],
)
def test_the_shapes_give_the_published_numbers_of_parameters(name, published):
    assert sum(sizes.MODELS[name].parameters()) == pytest.approx(published, rel=2e-3)


def test_an_adapter_is_counted_as_peft_counts_it(base):
    import copy

    from peft import LoraConfig, get_peft_model

    config = base[0].config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    shape = sizes.Shape(
        config.hidden_size, config.num_hidden_layers, config.intermediate_size, config.num_attention_heads,
        config.num_key_value_heads, head, config.vocab_size, config.tie_word_embeddings,
    )  # fmt: skip
    adapted = get_peft_model(
        copy.deepcopy(base[0]), LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    assert shape.lora(16) == sum(p.numel() for p in adapted.parameters() if p.requires_grad)


def test_what_fits_a_t4_is_ordered_as_it_must_be_and_labelled():
    rows = {(row["model"], row["technique"]): row for row in sizes.fits("T4", batch=1, checkpointing=True)}
    for model in sizes.MODELS:
        need = [rows[model, technique]["gib"] for technique in sizes.TECHNIQUES]
        assert need[0] > need[1] > need[2]
    assert rows["SmolLM2-135M", "full"]["fits"] and not rows["Llama-3.2-1B", "full"]["fits"]
    assert rows["Mistral-7B-v0.3", "QLoRA"]["fits"] and not rows["Mistral-7B-v0.3", "LoRA"]["fits"]
    assert sizes.step_bytes("Llama-3.2-1B", "LoRA", checkpointing=True) < sizes.step_bytes("Llama-3.2-1B", "LoRA")
    assert "computed, not run" in sizes.table() and "(too large)" in sizes.table()
