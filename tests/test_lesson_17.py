"""Lesson 17: plans are kept, the rule and the kinds of errors do what the text says, and the verdict is the plan's."""

from __future__ import annotations

import json

from course_lib.data.instructions import load_instructions
from course_lib.lessons.lesson_17_capstone import exercises, project
from course_lib.measure.evaluation import score

ROW = {
    "input": "The order book of Harton & Mill Stores shrank. In Weldby nobody was surprised.",
    "instruction": "Report in JSON: the name and tone.",
    "output": '{"name": "Harton & Mill Stores", "tone": "negative"}',
    "label": "json",
    "scorer": "format",
}
USUAL = {"section": "health", "tone": "negative"}


def test_plans_are_added_and_never_replaced(tmp_path):
    path = tmp_path / "plans.jsonl"
    project.keep({"at_least": 50}, path)
    project.keep({"at_least": 60}, path)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [k["at_least"] for k in kept] == [50, 60] and all("kept" in k for k in kept)


def test_a_plan_that_cannot_be_kept_is_printed(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    project.keep({"at_least": 50}, tmp_path / "file" / "plans.jsonl")
    assert '"at_least": 50' in capsys.readouterr().out


def test_the_rule_reads_form_and_keys_and_a_name():
    assert json.loads(project.rule(ROW, USUAL)) == json.loads(ROW["output"])
    assert project.rule(ROW | {"instruction": "Tone in one word, please."}, USUAL) == "negative"
    assert project.rule(ROW | {"instruction": "Section, one word."}, USUAL) == "health"


def test_the_rule_is_a_baseline_that_gets_something_right_and_not_much():
    rows = list(load_instructions("format")["validation"])
    replies = [project.rule(row, USUAL) for row in rows]
    right = sum(score(row, reply) for row, reply in zip(rows, replies, strict=True)) / len(rows)
    assert 0.1 < right < 0.5
    of_form = {"other keys", "no JSON", "JSON instead of a word", "a word that was not asked for"}
    assert not {project.kind_of_error(r, p) for r, p in zip(rows, replies, strict=True)} & of_form


def test_errors_are_sorted_by_the_first_thing_that_is_wrong():
    word = ROW | {"output": "negative", "label": "word"}
    cases = [
        (ROW, '{"name": "Harton & Mill Stores"', "no JSON"),
        (ROW, "[1, 2]", "no JSON"),
        (ROW, '{"name": "x", "section": "town"}', "other keys"),
        (ROW, '{"name": "Weldby", "tone": "positive"}', "another name"),
        (ROW, '{"name": "Harton & Mill Stores", "tone": "positive"}', "another tone"),
        (word, "positive", "a wrong word"),
        (word, "courts", "a word that was not asked for"),
        (word, '{"tone": "negative"}', "JSON instead of a word"),
    ]
    for row, reply, kind in cases:
        assert project.kind_of_error(row, reply) == kind, reply


def test_the_lessons_verdict_is_the_exercises():
    for outcome, missed, _ in exercises.OUTCOMES:
        assert project.unmet(exercises.PLAN, outcome) == exercises.unmet(exercises.PLAN, outcome) == missed


def test_the_rubric_counts_what_holds():
    text = project.rubric([("one", True), ("two", lambda: False), ("three", lambda: 3 > 2)])
    assert text.splitlines() == ["[x] one", "[ ] two", "[x] three", "2 of 3"]


def test_more_test_rows_know_a_difference_better():
    assert exercises.half_width(400) < exercises.half_width(100) / 1.9
