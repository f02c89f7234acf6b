"""Lesson 09: as many parameters as said, the loop for LLaMA-Adapter, the choice of a rate, and that comparisons used it."""

from __future__ import annotations

import pytest
import torch

import course_lib as cl
from course_lib.lessons import reference
from course_lib.lessons.lesson_09_adapters import experiments as e
from course_lib.measure.losses import token_log_probabilities


def test_the_comparison_is_at_equal_parameters(base):
    from peft import get_peft_model

    config = base[0].config
    adapters = e.config_of("adapters").count(config.hidden_size, config.num_hidden_layers)
    lora = get_peft_model(cl.load_model()[0], e.config_of("LoRA"))
    assert abs(adapters / cl.measure.parameters(lora).trainable - 1) < 0.01
    half = e.config_of("adapters", placement="pfeiffer", bottleneck=2 * e.WIDE)
    assert abs(half.count(config.hidden_size, config.num_hidden_layers) / adapters - 1) < 0.01


def test_the_loss_of_a_batch_is_that_of_its_answers(base):
    model, tokenizer = base
    rows = list(cl.load_instructions("question")["test"].select(range(5)))
    pairs = [e.encode_exchange(tokenizer, e.prompt_text(row), row["output"]) for row in rows]
    told = token_log_probabilities(model, tokenizer, pairs)
    expected = -sum(float(p.sum()) for p in told) / sum(len(p) for p in told)
    with torch.no_grad():
        assert e.batch_loss(model, pairs, tokenizer.pad_token_id).item() == pytest.approx(expected, rel=1e-4)
        assert e.batch_loss(model, pairs[:4], tokenizer.pad_token_id).item() != pytest.approx(expected, rel=1e-3)


def test_the_rate_with_the_most_right_validation_answers_is_chosen(monkeypatch):
    def run(rate, validation, loss):
        key = {"part": "rate", "method": "LoRA", "rate": rate, "seed": 0}
        return {"key": key, "metrics": {"validation": validation, "answer_loss": loss}}

    monkeypatch.setattr(e, "runs", lambda lesson: [run(1, 0.5, 0.1), run(2, 0.6, 0.4), run(3, 0.6, 0.3)])
    assert e.chosen("LoRA") == 3


def test_every_comparison_used_the_rate_that_was_chosen():
    for r in reference.runs(e.LESSON):
        if r["key"]["part"] == "compare":
            assert r["metrics"]["rate"] == e.chosen(r["key"]["method"])


def test_a_difference_from_lora_is_taken_over_the_seeds_that_both_have(monkeypatch):
    from course_lib.lessons.lesson_09_adapters import figures

    made = {"LoRA": [[1, 1, 0], [0, 1, 0], [1, 1, 1]], "full fine-tuning": [[1, 1, 1], [0, 1, 0]]}
    monkeypatch.setattr(figures, "answers", lambda part, **wanted: made[wanted["method"]])
    assert figures.from_lora("full fine-tuning").value == pytest.approx(1 / 6)
    assert figures.from_lora("LoRA").value == 0


def test_shuffled_answers_are_the_same_answers_elsewhere():
    rows = e.rows("question", 0)
    dealt = e.shuffled(rows, 0)
    assert sorted(dealt["output"]) == sorted(rows["output"])
    assert sum(a == b for a, b in zip(dealt["output"], rows["output"], strict=True)) < 0.2 * len(rows)


@pytest.mark.slow
def test_llama_adapter_in_a_plain_loop_learns_and_is_the_same_batched():
    run = e.plain_run(e.config_of("LLaMA-Adapter"), e.rows("tone", 0), 0.03, 12, 8, 0)
    assert any(name.endswith("adaption_gate") and gate.abs().max() > 0 for name, gate in run.model.named_parameters())
    assert run.losses[-1] < run.losses[0] and run.trainable_parameters == 6 * (10 * 256 + 1)
    prompts = [e.prompt_text(row) for row in cl.load_instructions("tone")["test"].select(range(6))]
    together = cl.generate(run.model, run.tokenizer, prompts, max_new_tokens=8)
    assert together == [cl.generate(run.model, run.tokenizer, [p], max_new_tokens=8)[0] for p in prompts]
