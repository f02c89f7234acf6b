"""`measure` and `forgetting`: formulas hold where they can be counted, observations repeat."""

from __future__ import annotations

import pytest
import torch

import course_lib as cl


def test_counts_and_checkpoints_of_a_full_model_and_of_an_adapter(base):
    from peft import LoraConfig, get_peft_model

    model, _ = base
    counts = cl.measure.parameters(model)
    assert counts.total == counts.trainable == model.num_parameters()
    whole = cl.measure.checkpoint_bytes(model)
    assert 4 * counts.total <= whole < 4.1 * counts.total
    adapted = get_peft_model(cl.load_model()[0], LoraConfig(r=4, target_modules="all-linear"))
    small = cl.measure.parameters(adapted)
    assert small.total == counts.total + small.trainable
    assert 4 * small.trainable <= cl.measure.checkpoint_bytes(adapted) < 0.1 * whole


def test_training_memory_is_sixteen_bytes_a_trained_parameter_and_four_a_frozen_one():
    assert cl.measure.training_memory(100, 100)["total"] == 1600
    assert cl.measure.training_memory(100, 10)["total"] == 400 + 120
    mixed = cl.measure.training_memory(100, 100, bytes_weight=2, bytes_gradient=2, bytes_master=4)
    assert mixed["total"] == 1600 and mixed["master copy"] == 400


def test_activations_grow_with_the_batch_and_add_up(base):
    config = base[0].config
    one, two = (cl.measure.activation_bytes(config, batch, 64) for batch in (1, 2))
    assert two == {name: 2 * value for name, value in one.items()}
    assert one["total"] == one["layers"] + one["ends"] + one["logits"]


def test_peak_memory_sees_what_a_step_allocates():
    def step():
        torch.zeros(250_000)  # a million bytes

    assert 1_000_000 <= cl.measure.peak_memory(step) < 1_100_000


def test_the_base_has_forgotten_nothing_and_a_spoiled_copy_has(base):
    import math

    from course_lib.measure.losses import held_out_news

    model, tokenizer = base
    assert set(cl.forgetting(model, tokenizer, count=4).values()) == {0.0}  # against a base that is loaded afresh
    spoiled, _ = cl.load_model()
    with torch.no_grad():
        spoiled.model.layers[-1].mlp.down_proj.weight.mul_(-1)
    found = cl.forgetting(spoiled, tokenizer, model, count=4)
    assert set(found) == {"business", "health", "courts", "town"} and min(found.values()) > 0
    assert cl.forgetting(model, tokenizer, spoiled, count=4) == pytest.approx({k: -v for k, v in found.items()})

    def loss(model, texts) -> float:
        """Nats per token by a plain forward pass, each text alone."""
        rows = [
            torch.tensor([[tokenizer.bos_token_id, *tokenizer(t, add_special_tokens=False)["input_ids"]]])
            for t in texts
        ]
        with torch.no_grad():
            summed = [model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1) for ids in rows]
        return sum(summed) / sum(ids.shape[1] - 1 for ids in rows)

    for section, rise in found.items():
        texts = held_out_news(section, 4)
        assert rise == pytest.approx(loss(spoiled, texts) - loss(model, texts), abs=1e-4) and math.isfinite(rise)
