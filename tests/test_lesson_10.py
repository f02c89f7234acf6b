"""Lesson 10: counts as the formula says, one reading of answers, batched as single, rates as the runs say, statistics, the front."""

from __future__ import annotations

import pytest

import course_lib as cl
from course_lib.data.instructions import prompt_text
from course_lib.lessons import reference
from course_lib.lessons.lesson_10_peft_compared import experiments, findings, setting
from course_lib.lessons.lesson_10_peft_compared.exercises import COUNTED, ON_FRONT, RUNS, count

SIZE = {
    "LoRA": 8,
    "adapters": setting.BOTTLENECK,
    "IA3": 0,
    "prefix tuning": setting.VIRTUAL,
    "prompt tuning": setting.VIRTUAL,
}


def shaken(method: str):
    """A model carrying a method whose trained numbers are not those of the start, so that they matter."""
    import torch

    model, tokenizer = setting.carrying(method)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and method != "full fine-tuning":
                parameter.add_(0.02 * torch.randn_like(parameter))
    return model.eval(), tokenizer


@pytest.mark.parametrize("method", COUNTED)
def test_a_method_trains_as_many_numbers_as_its_formula_says(method):
    model, _ = setting.carrying(method)
    c = model.config
    width = c.num_key_value_heads * c.head_dim
    wanted = count(method, c.hidden_size, c.intermediate_size, width, c.num_hidden_layers, SIZE[method])
    assert cl.measure.parameters(model).trainable == wanted


@pytest.mark.parametrize("method", setting.METHODS)
def test_batched_replies_are_single_replies(method):
    model, tokenizer = shaken(method)
    prompts = [prompt_text(row) for row in setting.test_rows(count=10)]
    assert len({len(tokenizer(p)["input_ids"]) for p in prompts}) > 3
    batched = cl.generate(model, tokenizer, prompts, max_new_tokens=6)
    assert batched == [cl.generate(model, tokenizer, [p], max_new_tokens=6)[0] for p in prompts]


@pytest.mark.parametrize("method", ["LoRA", "prompt tuning", "prefix tuning", "adapters"])
def test_answers_read_in_a_batch_are_those_read_singly(method):
    model, tokenizer = shaken(method)
    rows = setting.test_rows(count=8)
    loss, right = setting.read_answers(model, tokenizer, rows)
    single = [setting.read_answers(model, tokenizer, [row]) for row in rows]
    assert right == [ok for _, each in single for ok in each]
    assert sum(each for each, _ in single) / 8 == pytest.approx(loss, abs=0.05)  # answers of two and three tokens


def test_read_answers_agrees_with_generation():
    from course_lib.base.paths import home
    from course_lib.models.adapters import load_adapter

    model, tokenizer = load_adapter(home() / "data" / "reference" / "06_lora" / "tone")
    rows = setting.test_rows(count=40)
    _, right = setting.read_answers(model, tokenizer, rows)
    assert right == cl.evaluate(model, tokenizer, rows).right
    assert 20 < sum(right) <= 40


def test_tuning_rows_are_validation_rows_and_each_is_another():
    rows = setting.tuning_rows()
    assert len(rows) == setting.TUNING == len({(r["instruction"], r["input"]) for r in rows})
    test = {(r["instruction"], r["input"]) for r in setting.test_rows()}
    assert not test & {(r["instruction"], r["input"]) for r in rows}


def test_all_methods_get_the_same_rows_and_other_seeds_get_others():
    first = [r["id"] for r in setting.training_rows(1)]
    assert len(first) == setting.STEPS * setting.BATCH
    assert first == [r["id"] for r in setting.training_rows(1)] != [r["id"] for r in setting.training_rows(2)]
    assert {r["domain"] for r in setting.training_rows(1, domain="business")} == {"business"}


def test_examples_in_a_prompt_are_balanced_and_fit_into_the_context():
    tokenizer = cl.load_tokenizer()
    for seed in setting.SEEDS:
        shots = experiments.shots(seed)
        assert sorted(s["label"] for s in shots) == sorted(2 * ["positive", "negative", "neutral"])
        solved = "\n".join(experiments.LAYOUTS["examples"][0].format(**shot) for shot in shots)
        assert len(tokenizer(solved)["input_ids"]) < 400


def test_rates_are_the_best_that_were_tried():
    for (task, method), rate in setting.RATES.items():
        tried: dict[float, list[float]] = {}
        for r in findings.runs("rate", task=task, method=method):
            tried.setdefault(r["key"]["rate"], []).append(r["metrics"]["loss"])
        seeds = max(map(len, tried.values()))
        means = {each: sum(losses) / seeds for each, losses in tried.items() if len(losses) == seeds}
        assert len(means) >= 3 and rate == min(means, key=means.get), (method, tried)


def test_every_job_has_its_own_key_and_every_run_is_asked_for():
    import json

    keys = [json.dumps(key, sort_keys=True) for key, _ in experiments.jobs()]
    assert len(set(keys)) == len(keys)
    there = {json.dumps(r["key"], sort_keys=True) for r in cl.reference.runs(setting.LESSON)}
    assert there <= set(keys)


def test_front_is_the_exercise_s_front():
    assert findings.front(dict(RUNS)) == ON_FRONT


def test_a_difference_uses_only_seeds_that_both_have(monkeypatch):
    def run(method, seed, bits):
        return {"key": {"part": "x", "method": method, "seed": seed}, "metrics": {"bits": bits}}

    made = [run("a", 1, "1110"), run("a", 2, "1111"), run("b", 2, "0011"), run("b", 3, "0000")]
    monkeypatch.setattr(reference, "read_rows", lambda path: made)
    found = findings.difference({"method": "a"}, {"method": "b"}, "x")
    assert found.value == pytest.approx(50.0) and found.low < 50 < found.high
