"""Lesson 15: the memory formula against published numbers, the chooser's rules, verdicts, luck, and claims that survive other runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from course_lib.base.errors import CourseError
from course_lib.lessons import reference
from course_lib.lessons.lesson_10_peft_compared import findings
from course_lib.lessons.lesson_15_choosing_a_technique import (
    chooser,
    claims,
    costs,
    evidence,
    luck,
    memory,
    picture,
    scorecard,
)
from course_lib.lessons.lesson_15_choosing_a_technique.verdict import no_worse
from course_lib.measure.memory import activation_bytes
from course_lib.measure.statistics import Interval

FULL = "full fine-tuning"


# ------------------------------------------------------------------ memory


@pytest.mark.parametrize("size", memory.PUBLISHED)
def test_parameters_are_the_published_ones_to_the_last(size):
    assert memory.parameters(memory.SHAPES[size]) == memory.PUBLISHED[size]


def test_the_courses_model_and_its_lora_are_counted_as_they_were_measured():
    shape = memory.SHAPES["5M"]
    assert memory.parameters(shape) == findings.cost(FULL)["total"]
    assert memory.lora_parameters(shape, 8) == findings.cost("LoRA")["trainable"]


def test_activations_are_those_of_the_helper_package():
    s = memory.SHAPES["5M"]
    config = SimpleNamespace(
        hidden_size=s.h,
        intermediate_size=s.f,
        num_attention_heads=4,
        num_hidden_layers=s.layers,
        vocab_size=s.vocabulary,
    )
    assert memory.activations(s, 8, 92, each=4) == activation_bytes(config, 8, 92)["total"]
    assert memory.activations(s, 8, 92, checkpointing=True) < memory.activations(s, 8, 92)


def test_a_trained_number_costs_sixteen_bytes_and_a_frozen_one_its_weight():
    s = memory.SHAPES["7B"]
    full, lora, qlora = (memory.needed(way, s) for way in memory.WAYS)
    assert full["total"] - full["activations"] == 16 * memory.parameters(s)
    assert lora["total"] - lora["activations"] == 2 * memory.parameters(s) + 16 * memory.lora_parameters(s)
    assert qlora["weights"] < lora["weights"] / 3 and qlora["gradients"] == lora["gradients"]
    with pytest.raises(KeyError):
        memory.needed("magic", s)


def test_what_fits_leaves_a_tenth_of_the_card():
    total = memory.needed("LoRA", memory.SHAPES["7B"])["total"] / 1e9
    assert memory.fits("LoRA", "7B", total / 0.9 + 0.01) and not memory.fits("LoRA", "7B", total + 0.01)


# ------------------------------------------------------------------ chooser


def ranked(**changed) -> list[str]:
    return chooser.names(chooser.EXAMPLE | changed)


def test_every_need_can_change_the_answer():
    assert ranked() == ["prompt", "LoRA", "QLoRA"]
    assert ranked(changing=True)[0] == "retrieval"
    assert ranked(rows=15) == ["prompt"] and ranked(rows=0, knowledge="absent") == ["collect rows"]
    assert ranked(gigabytes=16) == ["prompt", "QLoRA"] and ranked(size="70B") == ["prompt", "a smaller model"]
    assert ranked(size="1B", knowledge="absent") == [FULL, "LoRA", "QLoRA"]
    assert FULL not in ranked(size="1B", knowledge="absent", tasks=2)
    assert ranked(tasks=1000)[1] == "prompt tuning" and "prompt tuning" not in ranked(tasks=1000, knowledge="absent")
    assert ranked(feedback="pairs")[-1] == "DPO" and ranked(feedback="score")[-1] == "RL"
    assert ranked(feedback="rules")[-1] == "RLAIF"


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"size": "13B"}, "'size'"), ({"rows": "many"}, "'rows'"), ({"changing": 1}, "'changing'"), ({"rows": True}, "'rows'"),
     ({"colour": "red"}, "colour")],
)  # fmt: skip
def test_a_need_that_is_not_understood_is_refused_by_name(changed, named):
    with pytest.raises(CourseError, match=named):
        ranked(**changed)
    with pytest.raises(CourseError, match="tasks"):
        chooser.names({name: value for name, value in chooser.EXAMPLE.items() if name != "tasks"})


def test_every_choice_has_a_reason_and_a_measured_figure():
    for changed in (
        {},
        {"changing": True, "feedback": "score"},
        {"tasks": 5000, "feedback": "pairs"},
        {"feedback": "rules"},
        {"size": "70B"},
    ):
        for choice in chooser.choose(chooser.EXAMPLE | changed):
            assert len(choice.reason.split()) >= 4 and any(c.isdigit() for c in choice.measured)
    assert chooser.told(chooser.EXAMPLE).count("measured:") == 3


# ------------------------------------------------------------------ costs, luck, verdicts


def test_the_break_even_counts_three_passes_and_every_run():
    assert costs.break_even(1000, 100) == 30
    assert costs.break_even(1000, 100, relative_time=0.5, runs_made=4) == 60
    assert costs.break_even(1, 1000) == 1


def test_a_duel_counts_pairs_of_seeds_and_ties_half():
    clear = luck.duel("", "a", "b", [[1, 1, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 1]])
    assert (clear.better, clear.wrong) == ("a", 0.0)
    close = luck.duel("", "a", "b", [[1, 1], [0, 0]], [[1, 0], [1, 1]])
    assert (close.better, close.ahead) == ("b", 25.0)
    assert close.wrong == pytest.approx(1.5 / 4)  # 100 beats 50, 100 ties 100


def test_the_winner_of_one_is_no_winner_and_of_many_equals_seems_better():
    twins = luck.equals(20)
    assert len({sum(row) for row in twins}) == 1 and twins[0] != twins[1]
    alone, alone_true = luck.curse(twins[:1], 50)
    few, _ = luck.curse(twins[:3], 50)
    many, true = luck.curse(twins, 50)
    assert abs(alone - alone_true) < 0.5 and alone_true == pytest.approx(true)
    assert many > few + 0.5 > true + 0.5


def test_verdicts_follow_from_intervals():
    above, across, below = Interval(2, 1, 3), Interval(1, -1, 3), Interval(-5, -7, -4)
    assert [scorecard.ahead(i) for i in (above, across, below)] == [
        scorecard.CONFIRMED,
        scorecard.OPEN,
        scorecard.REFUTED,
    ]
    assert scorecard.level(Interval(0, -2.9, 2.9)) == scorecard.CONFIRMED
    assert scorecard.level(Interval(0, -3.1, 2.9)) == scorecard.OPEN
    assert scorecard.level(below) == scorecard.level(Interval(5, 4, 7)) == scorecard.REFUTED
    assert [no_worse(Interval(*i)) for i in ((0, -2.9, 9), (8, 5, 10), (0, -4, 1), (-5, -7, -4))] == [
        scorecard.CONFIRMED,
        scorecard.CONFIRMED,
        scorecard.OPEN,
        scorecard.REFUTED,
    ]
    assert [scorecard.cheaper(r) for r in (0.5, 0.95, 1.5)] == [scorecard.CONFIRMED, scorecard.OPEN, scorecard.REFUTED]


def test_every_statement_has_a_verdict_with_figures():
    found, table = scorecard.verdicts(), scorecard.table()
    assert len({v.statement for v in found}) == len(found) >= 18
    for verdict in found:
        assert {verdict.here, verdict.real} <= {scorecard.CONFIRMED, scorecard.OPEN, scorecard.REFUTED, "–"}
        assert any(c.isdigit() for c in verdict.figures) and verdict.seeds
        assert "arXiv" in verdict.said_by  # what is reported elsewhere, and where
        assert verdict.statement in table


def test_tables_hold_every_technique_with_its_seeds():
    for model in evidence.MODELS:
        text = evidence.table(model)
        for row in evidence.rows(model):
            assert row.technique in text and row.seeds >= 1
    assert {r.technique for r in evidence.rows("course")[1:]} == set(findings.methods_of("compare"))


# ------------------------------------------------------------------ other runs make other sentences


def test_claims_and_picture_survive_more_seeds(monkeypatch):
    """Reference runs of lessons 09, 10, 12 and 13 may be added; no sentence may break by it."""
    before = {claim.__name__: claim() for claim in claims.CLAIMS}
    read = reference.read_rows

    def doubled(path):
        rows = read(path)
        if path.stem[:2] not in ("09", "10", "12", "13"):
            return rows
        return rows + [r | {"key": r["key"] | {"seed": r["key"]["seed"] + 7}} for r in rows if "seed" in r["key"]]

    monkeypatch.setattr(reference, "read_rows", doubled)
    after = {claim.__name__: claim() for claim in claims.CLAIMS}
    assert all(words.endswith(".") for words in after.values())
    assert after["seeds"] != before["seeds"]  # fewer rows rest on one seed
    assert len(picture.branches()) == 11 and len(scorecard.verdicts()) == len(scorecard.STATEMENTS)


def test_a_variant_of_a_technique_is_drawn_in_its_colour():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    for name in ("LoRA", "LoRA, a fifth of the rate", "a method of tomorrow"):
        evidence._point(axes, 1.0, Interval(80, 75, 85), name, label=True)
    tints = [line[0].get_color() for line in axes.containers]
    assert tints[0] == tints[1] != tints[2]
    plt.close(figure)
