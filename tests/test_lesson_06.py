"""What lesson 06 measures with: shares of an update's norm, updates cut to a rank, layers that DoRA cannot divide by."""

from __future__ import annotations

import copy

import pytest
import torch

from course_lib.lessons.lesson_06_lora import experiments as lesson


def test_shares_of_the_squared_norm_follow_the_singular_values():
    q, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))
    change = q @ torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.0, 0.0, 0.0])) @ q.T
    shares = lesson.norm_shares([change, torch.zeros(6, 6)], counts=(1, 2, 3))
    assert shares == pytest.approx({1: 9 / 14, 2: 13 / 14, 3: 1.0}, abs=1e-5)


def test_a_change_of_rank_two_survives_the_cut_to_two_and_not_to_one(base):
    before = base[0]
    after, draw = copy.deepcopy(before), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in lesson.linear_weights(after).values():
            out, size = weight.shape
            weight += torch.randn(out, 2, generator=draw) @ torch.randn(2, size, generator=draw) / 100
    wanted = lesson.linear_weights(after)
    for rank, kept in ((1, False), (2, True)):
        cut = lesson.linear_weights(lesson.cut_to_rank(before, lesson.updates(before, after), rank))
        assert all(torch.allclose(cut[name], wanted[name], atol=1e-4) == kept for name in wanted)


def test_dora_is_not_a_number_where_a_row_is_zero_and_finite_without_such_layers(base):
    from peft import LoraConfig, get_peft_model

    model = copy.deepcopy(base[0])
    layer = model.model.layers[3].mlp.up_proj
    with torch.no_grad():
        layer.weight[5] = 0
    zeros = lesson.with_zero_rows(model)
    assert "model.layers.3.mlp.up_proj" in zeros and "model.layers.3.mlp.down_proj" not in zeros
    ids = base[1]("Belwick Foods lost its largest customer.", return_tensors="pt").input_ids
    for exclude, finite in ((None, False), (zeros, True)):
        settings = LoraConfig(
            r=2, target_modules="all-linear", exclude_modules=exclude, use_dora=True, task_type="CAUSAL_LM"
        )
        dora = get_peft_model(copy.deepcopy(model), settings)
        assert bool(dora(input_ids=ids, labels=ids).loss.isfinite()) == finite
