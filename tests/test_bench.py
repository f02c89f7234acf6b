"""`course bench`: three ways that see the same tokens, figures that agree with each other, and a remembered precision."""

from __future__ import annotations

import json

import pytest

import course_lib as cl
from course_lib.base import hardware
from course_lib.workshop import bench, cli

pytestmark = pytest.mark.slow


@pytest.fixture()
def elsewhere(tmp_path, monkeypatch):
    """A course home with the real data and a build folder of its own."""
    (tmp_path / "data").symlink_to(cl.home() / "data")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def test_the_three_see_the_same_tokens_and_learn(base):
    rows = cl.load_instructions("tone")["train"].select(range(40))
    found = {name: contend(rows, 0) for name, contend in bench.CONTENDERS.items()}
    assert len({tokens for _, _, tokens, _ in found.values()}) == 1
    before = cl.perplexity(*base, ["a word"])
    for model, tokenizer, _, seconds in found.values():
        assert seconds > 0 and not model.training and "forward" not in model.__dict__
        assert cl.perplexity(model, tokenizer, ["a word"]) != before


def test_by_hand_encoding_equals_that_of_trl():
    rows = cl.load_instructions("tone")["train"].select(range(4))
    run = cl.train(rows, max_steps=1, batch_size=4, quiet=True)
    for row, theirs in zip(rows, run.trainer.train_dataset, strict=True):
        assert bench.encode(row, run.tokenizer) == (theirs["input_ids"], theirs["labels"])


def test_the_command_prints_figures_that_agree(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(bench, "compare_bf16", lambda rows, **given: "not measured here")
    assert cli.main(["bench", "--rows", "16", "--rounds", "1", "--json"]) == 0
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert set(figures) == {"processor", "tokens_per_second", "ratio_to_plain_loop", "ratio_to_trl"} and said.err == ""
    speeds = figures["tokens_per_second"]
    assert set(speeds) == {"course_lib", "plain_loop", "trl"} and min(speeds.values()) > 0
    for other in ("plain_loop", "trl"):
        assert figures[f"ratio_to_{other}"] == pytest.approx(speeds["course_lib"] / speeds[other], rel=1e-2)


def test_the_median_of_the_rounds_counts_and_a_person_reads_the_same():
    found = bench.Bench(
        {"course_lib": [10.0, 300.0, 30.0], "plain_loop": [20.0] * 3, "trl": [15.0] * 3}, "a processor", {"trl": "90 %"}
    )
    assert found.ratio("plain_loop") == 1.5 and found.ratio("trl") == 2.0
    told = str(found)
    assert "1.50 × the plain loop, 2.00 × TRL" in told and "10–300" in told and "90 %" in told


def test_the_order_of_the_three_turns_with_the_rounds(monkeypatch):
    order = []
    contend = lambda name: lambda rows, seed: order.append(name) or (None, None, 10, 1.0)  # noqa: E731
    monkeypatch.setattr(bench, "CONTENDERS", {name: contend(name) for name in bench.CONTENDERS})
    found = bench.run(rows=8, rounds=3, measure_bf16=False)
    assert order[:3] == ["course_lib", "plain_loop", "trl"]  # the warm-up
    assert {name: [order[i : i + 3].index(name) for i in (3, 6, 9)] for name in bench.CONTENDERS} == {
        "course_lib": [0, 2, 1], "plain_loop": [1, 0, 2], "trl": [2, 1, 0],
    }  # fmt: skip
    assert found.tokens_per_second == {"course_lib": 10.0, "plain_loop": 10.0, "trl": 10.0}


def test_the_precision_is_measured_once_and_remembered(elsewhere, monkeypatch):
    from course_lib.methods import sft as training

    monkeypatch.setattr(hardware, "bf16_pays", lambda device="cpu": False)
    assert hardware.bf16_wins() is False  # unmeasured: what the processor says
    seconds = {True: 1.0, False: 1.5}
    asked = []

    def train(rows, *, bf16, **given):
        asked.append(bf16)
        return type("Run", (), {"seconds": seconds[bf16]})

    monkeypatch.setattr(training, "train", train)
    told = bench.compare_bf16(None)
    assert told == "1.50 × the speed of float32 here; cl.train does not use it; to change that: course bench --remember"
    assert asked == [True, False] * 4 and hardware.bf16_wins() is False  # a measurement alone changes no later run
    assert bench.compare_bf16(None, remember=True) == "1.50 × the speed of float32 here, so from now on it is used"
    assert hardware.bf16_wins() is True
    monkeypatch.undo()
    monkeypatch.setenv("COURSE_HOME", str(elsewhere))
    assert hardware.bf16_wins() is True and training.sft_config(elsewhere).bf16 is True
    hardware.note(False)
    assert hardware.bf16_wins() is False and training.sft_config(elsewhere).bf16 is False


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"another machine": true}'])
def test_a_memory_of_another_machine_or_a_broken_one_does_not_count(content, elsewhere, monkeypatch):
    (elsewhere / "build").mkdir()
    (elsewhere / "build" / "bf16.json").write_text(content)
    for answer in (True, False):
        monkeypatch.setattr(hardware, "bf16_pays", lambda device="cpu", answer=answer: answer)
        assert hardware.bf16_wins() is answer
