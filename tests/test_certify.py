"""The certificate: its verdicts can fail, its checks find what they look for, its interval covers, its Markdown holds together."""

from __future__ import annotations

import copy
import json
import math

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.measure import audit
from course_lib.measure.certificate import BROKEN, HARMED, HELPED, NOTHING, UNDECIDED, _verdict
from course_lib.measure.statistics import Interval
from course_lib.workshop import cli

pytestmark = pytest.mark.slow

ROWS = [{"instruction": "Say yes.", "input": f"Lamp {n}.", "output": "yes"} for n in range(12)]
TEST = [{"instruction": "Say yes.", "input": f"Chair {n}.", "output": "yes"} for n in range(12)]


def lora(**more):
    from peft import LoraConfig

    return LoraConfig(**({"r": 4, "lora_alpha": 8, "target_modules": "all-linear"} | more))


def checks(certificate) -> dict:
    return {check.name: check.holds for check in certificate.checks}


@pytest.fixture(scope="module")
def learnt():
    """A LoRA run in which the course's model has learnt to say yes."""
    return cl.train(ROWS, peft_config=lora(), learning_rate=5e-3, epochs=12, batch_size=12, quiet=True, bf16=False)


@pytest.fixture(scope="module")
def certified(learnt):
    return cl.certify(learnt, TEST, texts=["Lamps sell well in the town.", "The court sat for an hour."])


# ------------------------------------------------------------------ verdicts


def test_a_training_that_helped_is_told_with_all_its_checks(certified, learnt):
    assert certified.verdict == HELPED and certified.gain.low > 0
    assert certified.after.value == 1.0 and certified.before.value == 0.0
    assert all(holds in (True, None) for holds in checks(certified).values())
    named = checks(certified)
    for name in ("the adapter is on", "the model moved", "merged = unmerged", "the loss counts answers only"):
        assert named[name] is True
    assert named["test and training are apart"] and math.isfinite(certified.forgot) and certified.forgot != 0
    assert certified.gain.high - certified.gain.low > 0.2, "twelve items that were all right say no more than that"
    assert cl.evaluate(learnt, TEST).value == 1.0, "the model must be left as it was, with its adapter on"


@pytest.mark.parametrize("adapter", [True, False])
def test_a_rate_of_zero_changed_nothing(tiny, adapter):
    run = cl.train(
        ROWS, model=str(tiny), peft_config=lora() if adapter else None, learning_rate=0.0, max_steps=2, quiet=True
    )
    found = cl.certify(run, TEST, texts=())
    assert found.verdict == NOTHING and checks(found)["the model moved"] is False and found.forgot is None


def test_an_adapter_that_is_switched_off_changed_nothing_and_stays_off(learnt):
    model = copy.deepcopy(learnt.model)
    model.base_model.disable_adapter_layers()
    found = cl.certify(model, learnt.tokenizer, TEST, texts=())
    assert (found.verdict, found.reason) == (NOTHING, "the adapter is switched off.")
    assert checks(found)["the adapter is on"] is False and audit.active(model).holds is False
    model.base_model.enable_adapter_layers()
    assert cl.certify(model, learnt.tokenizer, TEST, texts=()).verdict == HELPED


def test_a_houlsby_adapter_that_is_switched_off(tiny):
    from course_lib.models.houlsby import set_adapter

    run = cl.train(ROWS, model=str(tiny), peft_config=cl.HoulsbyConfig(), learning_rate=0.05, max_steps=3, quiet=True)
    assert cl.certify(run, TEST, texts=()).verdict != NOTHING
    set_adapter(run.model, None)
    assert cl.certify(run, TEST, texts=()).verdict == NOTHING


def test_prompt_tuning_is_compared_with_the_same_model_without_its_tokens(tiny):
    from peft import PromptTuningConfig

    peft_config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    run = cl.train(ROWS, model=str(tiny), peft_config=peft_config, learning_rate=0.3, max_steps=10, quiet=True)
    found = cl.certify(run, TEST, texts=())
    assert checks(found)["the model moved"] is True and checks(found)["merged = unmerged"] is None
    assert found.verdict != NOTHING


def test_a_full_training_is_compared_with_the_model_of_its_name():
    run = cl.train(ROWS, learning_rate=1e-3, epochs=10, batch_size=12, quiet=True, bf16=False)
    found = cl.certify(run, TEST, texts=())
    assert found.verdict == HELPED and "loaded afresh" in found.compared_with
    assert checks(found)["the adapter is on"] is None and checks(found)["the model moved"] is True
    merged_back, tokenizer = cl.load_model()
    assert cl.certify(merged_back, tokenizer, TEST, base=run.model, texts=()).verdict == HARMED


def test_questions_that_were_trained_on_make_a_test_worthless(learnt):
    found = cl.certify(learnt, [*TEST, *ROWS[:3]], texts=())
    assert found.verdict == BROKEN and "3 of 15 test questions were trained on" in found.reason


def test_the_order_of_verdicts():
    good, bad, state = audit.Check("a", True, "fine"), audit.Check("b", False, "off"), audit.Check("on", None, "none")
    up, down, flat = Interval(0.5, 0.1, 0.8), Interval(-0.5, -0.8, -0.1), Interval(0.1, -0.1, 0.3)
    assert _verdict([good], up, False, state, 9)[0] == HELPED
    assert _verdict([good], down, False, state, 9)[0] == HARMED
    assert _verdict([good], flat, False, state, 9)[0] == UNDECIDED
    assert _verdict([good, bad], up, False, state, 9) == (BROKEN, "b? No: off.")
    assert _verdict([good, bad], down, False, state, 9)[0] == HARMED
    assert _verdict([good, bad], flat, True, state, 9)[0] == NOTHING


# ------------------------------------------------------------------ checks


class Trainer:
    """What `audited` looks at of a trainer."""

    def __init__(self, model, rows):
        from datasets import Dataset

        self.model, self.train_dataset = model, Dataset.from_list(rows)


@pytest.fixture(scope="module")
def trained_rows(learnt):
    return [dict(row) for row in learnt.trainer.train_dataset]


def audited(learnt, rows, test=TEST):
    return {check.name: check for check in audit.audited(Trainer(learnt.model, rows), learnt.tokenizer, test)}


def test_a_mask_over_the_prompt_an_open_end_and_another_template_are_found(learnt, trained_rows):
    fine = audited(learnt, trained_rows)
    assert all(check.holds for check in fine.values()) and len(fine) == 5
    whole = [row | {"labels": row["input_ids"]} for row in trained_rows]
    assert "12 rows count their prompt too" in audited(learnt, whole)["the loss counts answers only"].said
    none = [row | {"labels": [-100] * len(row["labels"])} for row in trained_rows]
    assert audited(learnt, none)["the loss counts answers only"].holds is False
    cut = [row | {name: row[name][:-2] for name in ("input_ids", "labels")} for row in trained_rows]
    assert audited(learnt, cut)["answers end with the end mark"].holds is False
    other = [row | {"input_ids": [row["input_ids"][0] + 1, *row["input_ids"][1:]]} for row in trained_rows]
    assert audited(learnt, other)["asked as it was trained"].holds is False
    torn = [row | {"completion": [{"role": "assistant", "content": str(n)}], "prompt": trained_rows[0]["prompt"]} for n, row in enumerate(trained_rows)]  # fmt: skip
    assert audited(learnt, torn)["training answers agree"].said.startswith("1 question")
    assert audit.audited(None, learnt.tokenizer, TEST)[0].holds is None


def test_a_merge_that_is_not_the_same_is_found(learnt, monkeypatch):
    from course_lib.models import merging

    told = audit.shift(learnt.model, learnt.tokenizer, TEST)
    assert audit.merged_equals(learnt.model, learnt.tokenizer, TEST, told).holds is True

    def half(model):
        for module in model.modules():
            if hasattr(module, "lora_A"):
                module.scaling = {name: value / 2 for name, value in module.scaling.items()}
        return model.merge_and_unload()

    monkeypatch.setattr(merging, "merge", half)
    assert audit.merged_equals(learnt.model, learnt.tokenizer, TEST, told).holds is False


def test_replies_that_never_end_are_found(certified, learnt):
    assert audit.replies_that_end(certified.after, learnt.tokenizer, room=12).holds is True
    assert audit.replies_that_end(certified.after, learnt.tokenizer, room=2).holds is False


def test_arguments_that_do_not_go_together(learnt):
    with pytest.raises(CourseError, match="brings its own tokenizer"):
        cl.certify(learnt, learnt.tokenizer, TEST)
    with pytest.raises(CourseError, match="no test rows"):
        cl.certify(learnt)
    with pytest.raises(CourseError, match="inside a PEFT model"):
        cl.certify(learnt.model.get_base_model(), learnt.tokenizer, TEST)


# ------------------------------------------------------------------ as Markdown and as a command


def test_the_markdown_is_one_section_with_whole_tables(certified):
    from markdown_it import MarkdownIt

    text = certified.markdown()
    tables = [t for t in MarkdownIt("commonmark").enable("table").parse(text) if t.type == "table_open"]
    assert len(tables) == 3 and text.startswith("## Did it help?") and text.count("#") == 2
    assert "**It helped**" in text and "12" in text and "Chair 0." in text


def test_course_certify_says_it_and_fails_where_it_did_not_help(learnt, tmp_path, capsys):
    from course_lib.models.identity import base_model_folder

    cl.save_adapter(learnt.model, tmp_path / "adapter")
    cl.save_model(learnt, tmp_path / "merged")
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TEST))
    out = tmp_path / "card.md"
    words = [str(tmp_path / "adapter"), str(tmp_path / "test.jsonl"), "--out", str(out)]
    assert cli.main(["certify", *words]) == 0
    assert "Verdict: it helped" in capsys.readouterr().out and out.read_text().startswith("## Did it help?")
    assert cli.main(["certify", *words]) == 1 and "exists already" in capsys.readouterr().err
    assert cli.main(["certify", str(tmp_path / "merged"), str(tmp_path / "test.jsonl")]) == 0
    assert cli.main(["certify", str(base_model_folder()), str(tmp_path / "test.jsonl")]) == 1
    assert "nothing changed" in capsys.readouterr().out
