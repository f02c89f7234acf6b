"""The real column: its scorers, its prompts, its table and picture, and that the committed runs are whole."""

from __future__ import annotations

import json

import pytest

import course_lib as cl
from course_lib.lessons import real
from course_lib.lessons.real import jobs, prompts, protocol, show


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("positive", "positive"),
        ("The tone is Negative, not positive.", "negative"),
        ("**Neutral**", "neutral"),
        ("positively glowing", ""),
        ("", ""),
    ],
)
def test_first_label(reply, label):
    assert protocol.first_label(reply) == label


def test_exact_and_lenient_are_told_apart():
    row = {"scorer": "label", "label": "positive", "output": "positive", "id": "x"}
    found = protocol.scored([row] * 4, ["positive", "It is positive.", "negative", "I do not know."])
    assert (found["exact_bits"], found["lenient_bits"]) == ("1000", "1100")
    assert found["said"] == {"positive": 2, "negative": 1, "none": 1}


def test_prompts_show_training_rows_only_and_keep_the_text_as_it_is():
    tests = {row["input"] for rows in protocol.test_items().values() for row in rows}
    tests |= set(cl.load_instructions("tone")["validation"]["input"])
    for name, (_, template, draw) in prompts.PROMPTS.items():
        if "{examples}" in template:
            assert not any(text in prompts.examples(draw) for text in tests)
        assert "a {examples} in braces" in prompts.prompt(name, "a {examples} in braces")[1]
    assert prompts.examples(0) != prompts.examples(1)


def test_a_shared_prefix_changes_no_reply(base):
    model, tokenizer = base
    texts = ["Once more, the court met.", "Once more, the bank in Wellbury closed its doors on", "Once more, a nurse"]
    many = prompts.with_shared_prefix(model, tokenizer, texts, 6)
    assert many == [_alone(model, tokenizer, text, 6) for text in texts]


def _alone(model, tokenizer, text, new):
    import torch

    ids, stops = (
        tokenizer(text, add_special_tokens=False)["input_ids"],
        {tokenizer.eos_token_id, tokenizer.pad_token_id},
    )
    made = []
    with torch.inference_mode():
        while len(made) < new:
            chosen = int(model(torch.tensor([ids + made])).logits[0, -1].argmax())
            if chosen in stops:
                break
            made.append(chosen)
    return tokenizer.decode(made)


# ------------------------------------------------------------------ the committed runs


def test_committed_runs_are_whole():
    keys = [json.dumps(row["key"], sort_keys=True) for row in show.runs()]
    assert len(set(keys)) == len(keys)
    for row in show.runs():
        for name, found in row["metrics"].items():
            if isinstance(found, dict):
                assert len(found["exact_bits"]) == len(found["lenient_bits"]) == found["n"], name
                assert found["exact"] == pytest.approx(found["exact_bits"].count("1") / found["n"], abs=1e-4)
                assert found["lenient"] >= found["exact"]
        assert len(row["base_sha256"]) == 64 and row["processor"] and row["versions"]
        if "rows" in row["key"]:
            assert row["cost"]["trainable_parameters"] > 0 and row["losses"] and row["settings"]["learning_rate"]


def test_each_committed_run_is_one_that_the_sweep_would_make():
    for model in show.MODELS:
        wanted = [{"model": model} | key for key, _ in jobs.jobs(model)]
        assert all(row["key"] in wanted for row in show.runs(model))


def test_fine_tuning_the_real_model_beats_every_way_of_asking_it():
    """The headline: an interval above that of the prompt chosen on validation items, and of the one best in hindsight."""
    tuned = show.interval(show.runs("smollm2", "LoRA"))
    asked = [show.interval([row]) for row in show.runs("smollm2", show.PROMPTED)]
    assert tuned.low > max(r.high for r in asked)


def test_tables_and_unknown_techniques():
    told = cl.reference.real("LoRA")
    assert told == real.real("LoRA")
    assert "SmolLM2-135M" in told and "rounded to four bits" in told and "rate 0.001" in told
    assert real.real("telepathy").startswith("There is no run of telepathy")
    assert "LoRA" in real.real()


def test_the_picture_says_what_it_shows(tmp_path):
    said = real.draw(tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 10_000
    assert "SmolLM2-135M" in said and "LoRA, 1,024 rows" in said


def test_an_unknown_or_absent_model_is_named(tmp_path, monkeypatch):
    with pytest.raises(cl.CourseError, match="no real column for 'gpt5'"):
        jobs.sweep("gpt5")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    with pytest.raises(cl.CourseError, match="not on this machine"):
        jobs.sweep("smollm2")


def test_repeating_says_how_it_compares(monkeypatch):
    row = show.runs("smollm2", "LoRA")[0]
    worse = {"metrics": {"in_the_wild": {"lenient_bits": "10" * 171}}}
    said = []
    monkeypatch.setattr(jobs, "_checksum", lambda model: row["base_sha256"])
    monkeypatch.setattr(jobs, "_machine", dict)
    monkeypatch.setattr(jobs, "tuned_job", lambda *a: worse)
    again = jobs.repeat("LoRA", say=said.append)
    assert again["key"]["rows"] == 1024 and all(again["key"] != r["key"] for r in show.runs())
    assert said[-1] == "The 95 % intervals do not overlap."
    monkeypatch.setattr(jobs, "tuned_job", lambda *a: {"metrics": row["metrics"]})
    jobs.repeat("LoRA", say=said.append)
    assert said[-1] == "The 95 % intervals overlap."
    with pytest.raises(cl.CourseError, match="no run of 'telepathy'"):
        jobs.repeat("telepathy")
