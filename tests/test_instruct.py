"""The instruct model of lesson 04: the student's own before the course's, refused when broken; and the lesson's own measures."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.base.run import Run
from course_lib.lessons.lesson_05_instruction_tuning import experiments as sweep
from course_lib.measure.evaluation import follows
from course_lib.models import instruct

IDS = torch.tensor([[5, 6, 7, 8]])


def lora_run(seed: int) -> Run:
    """A run with an adapter that changes something, without the training."""
    from peft import LoraConfig, get_peft_model

    model, tokenizer = cl.load_model()
    torch.manual_seed(seed)
    made = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")).eval()
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return Run(made, tokenizer, None, 1.5, 16, 1000, [2.0, 1.0], 8, 100, 5e-3, seed)


@pytest.fixture(scope="module")
def run():
    return lora_run(3)


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Two empty places in the stead of the student's and the course's."""
    own, course = tmp_path / "own", tmp_path / "course"
    monkeypatch.setattr(instruct, "own_folder", lambda: own)
    monkeypatch.setattr(instruct, "reference_folder", lambda: course)
    return own, course


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def test_what_is_saved_is_what_is_loaded_and_the_model_is_an_ordinary_one(run, places, capsys):
    log = instruct.save_instruct(run, test={"right_tone": 0.5})
    assert log["seed"] == 3 and log["rows"] == 16 and log["test"] == {"right_tone": 0.5}
    assert sorted(p.suffix for p in places[0].iterdir()) == [".json", ".json", ".json", ".safetensors"]
    assert str(places[0].parent) not in "".join(p.read_text() for p in places[0].glob("*.json"))
    model, tokenizer = cl.load_instruct()
    assert torch.allclose(logits(model), logits(run.model), atol=1e-4)
    assert not hasattr(model, "peft_config") and not model.training
    assert not any("lora" in name for name, _ in model.named_parameters())
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert capsys.readouterr().out == "Instruct model: your own, from lesson 04 (seed 3, 16 rows, 2 s)\n"


def test_your_own_comes_before_the_courses_and_it_says_whose_it_is(run, places, capsys):
    own, course = places
    instruct.save_instruct(run, course)
    assert torch.allclose(logits(cl.load_instruct()[0]), logits(run.model), atol=1e-4)
    assert "the course's (seed 3" in capsys.readouterr().out
    mine = lora_run(4)
    instruct.save_instruct(mine)
    assert own.exists()
    assert torch.allclose(logits(cl.load_instruct()[0]), logits(mine.model), atol=1e-4)
    assert "your own, from lesson 04 (seed 4" in capsys.readouterr().out
    cl.load_instruct(course)
    assert "the course's (seed 3" in capsys.readouterr().out


@pytest.mark.parametrize("name", [instruct.LOG, "adapter_config.json", "adapter_model.safetensors"])
def test_an_incomplete_folder_is_named_with_what_is_missing(run, places, name):
    own, course = places
    for place, mend in ((course, "course sweep 04_supervised"), (own, "Delete the folder runs/04")):
        instruct.save_instruct(run, place)
        (place / name).unlink()
        with pytest.raises(CourseError, match=f"incomplete: {name} is missing.*{mend}"):
            cl.load_instruct()  # a broken one of your own is not passed over in silence


def test_nothing_there_at_all(places):
    with pytest.raises(
        CourseError, match="adapter_config.json, adapter_model.safetensors is missing".replace(".", "[.]")
    ):
        cl.load_instruct()


def test_a_damaged_adapter_is_refused(run, places):
    instruct.save_instruct(run)
    weights = places[0] / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CourseError, match="damaged or cut short"):
        cl.load_instruct()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"seed": 3,\n "rows": ', "log.json, line 2: not JSON"),
        ("", "log.json, line 1: not JSON"),
        ("[1, 2]", "does not say seed, rows, seconds, base_sha256"),
        ('{"seed": 3, "rows": 16, "base_sha256": "x"}', "does not say seconds"),
    ],
)
def test_a_broken_log_is_named(run, places, text, said):
    instruct.save_instruct(run)
    (places[0] / instruct.LOG).write_text(text)
    with pytest.raises(CourseError, match=said):
        cl.load_instruct()


def test_an_adapter_of_another_base_is_refused(run, places):
    log = instruct.save_instruct(run)
    (places[0] / instruct.LOG).write_text(json.dumps(log | {"base_sha256": "0" * 64}))
    with pytest.raises(CourseError, match=r"trained on another base model \(000000000000\)"):
        cl.load_instruct()


def test_a_run_without_an_adapter_is_refused(run, places):
    plain = Run(cl.load_model()[0], run.tokenizer, None, 1.0, 8, 10, [1.0], 100, 100, 5e-4, 0)
    with pytest.raises(CourseError, match="trained no adapter"):
        instruct.save_instruct(plain)
    assert not places[0].exists()


# ------------------------------------------------------------------ what the sweep of lesson 04 measures with


def test_the_form_is_judged_by_parsing():
    label = {"scorer": "label", "choices": ["urgent", "soon"]}
    assert [follows(label, r) for r in (" Urgent.\n", "soon", "urgent\nnews", "quick", "")] == [
        True,
        True,
        *[False] * 3,
    ]
    word = {"scorer": "format", "label": "word", "output": "town"}
    assert [follows(word, r) for r in (" courts", "the courts", "")] == [True, False, False]
    objects = {"scorer": "format", "label": "json", "output": '{"name": "A", "tone": "neutral"}'}
    good, bad = (
        '{"tone": "x", "name": "y"}',
        ('{"name": "A"}', '["name", "tone"]', "name: A, tone: neutral", '{"name": "A"'),
    )
    assert follows(objects, good) and not any(follows(objects, reply) for reply in bad)
    assert follows({"scorer": "exact"}, "anything") is None


def test_tone_items_differ_in_one_thing_at_a_time():
    known, new = sweep.phrasings("tone", "train"), sweep.phrasings("tone", "test")
    asked = sweep.tone_items("heldout", "heldout", known, 12)
    again = sweep.tone_items("heldout", "heldout", new, 12)
    assert asked["input"] == again["input"] and not set(asked["instruction"]) & set(again["instruction"])
    assert set(asked["instruction"]) <= set(known) and set(asked["label"]) <= {"positive", "negative", "neutral"}
    trained = set(cl.load_instructions("tone")["train"]["input"])
    assert not trained & set(sweep.tone_items("train", "instruction", known, 12)["input"])


def test_rows_are_left_out_as_said():
    rows = sweep.mixture(0, 200, lambda row: row["task"] in ("tone", "refusal"))
    assert len(rows) == 200 and not {"tone", "refusal"} & set(rows["task"])
    kinds = Counter(zip(rows["task"], [r["label"] if r["task"] == "format" else "" for r in rows], strict=True))
    assert len(kinds) == 10 and set(kinds.values()) == {20}
    assert sweep.mixture(0, 200)["id"] == sweep.mixture(0, 200)["id"] != sweep.mixture(1, 200)["id"]


def test_every_job_has_its_own_key_and_six_tasks_are_held_out_once():
    keys = [json.dumps(key, sort_keys=True) for key, _ in sweep.jobs()]
    assert len(keys) == len(set(keys))
    held_out = [task for start in sweep.STARTS for task in sweep.held_out_tasks(start)]
    assert len(set(held_out)) == len(held_out) == 6 and set(held_out) < set(sweep.ROTATED)
