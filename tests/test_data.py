"""Instruction data: every bad line counted and named, wrong choices answered with what there is."""

from __future__ import annotations

import json

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.data import instructions as data
from course_lib.gazette.tasks import COLUMNS

GOOD = dict.fromkeys(COLUMNS, "x") | {"choices": []}


def write(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
    return path


def test_a_broken_line_is_named_with_file_line_column_and_reason(tmp_path):
    path = write(tmp_path / "mine.jsonl", json.dumps(GOOD), '{"id": "a", oops}', json.dumps(GOOD))
    with pytest.raises(CourseError) as caught:
        data.read_jsonl(path)
    assert "mine.jsonl has 1 bad line of 3" in caught.value.what
    assert "line 2, column 13: not JSON" in caught.value.what


def test_all_bad_lines_are_counted_and_five_are_shown(tmp_path):
    path = write(tmp_path / "mine.jsonl", json.dumps(GOOD), *["{"] * 8, b"\xff\xfe", "[1]")
    with pytest.raises(CourseError) as caught:
        data.read_jsonl(path)
    assert "10 bad lines of 11" in caught.value.what and "and 5 more" in caught.value.what
    assert caught.value.what.count("; line") == 4


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({k: v for k, v in GOOD.items() if k != "output"}, "column 'output' is missing"),
        (GOOD | {"ouput": "x"}, "column 'ouput' is unknown"),
        (GOOD | {"output": 3}, "column 'output' holds a int, not a str"),
        (GOOD | {"choices": "positive"}, "column 'choices' holds a str, not a list"),
        ([1, 2], "a list instead of an object"),
    ],
)
def test_wrong_columns(tmp_path, row, reason):
    path = write(tmp_path / "mine.jsonl", json.dumps(row))
    with pytest.raises(CourseError, match=f"line 1: .*{reason}"):
        data.read_jsonl(path)


def test_bytes_that_are_not_text_are_named(tmp_path):
    path = write(tmp_path / "mine.jsonl", b'{"id": "\xff"}')
    with pytest.raises(CourseError, match="line 1, column 9: not UTF-8"):
        data.read_jsonl(path)


def test_empty_and_missing_files(tmp_path):
    with pytest.raises(CourseError, match="is empty"):
        data.read_jsonl(write(tmp_path / "empty.jsonl", ""))
    with pytest.raises(CourseError, match="There is no file"):
        data.read_jsonl(tmp_path / "none.jsonl")


def test_unknown_task_lists_the_tasks():
    with pytest.raises(CourseError, match=r"Unknown task 'mood'.*tone, urgency"):
        cl.load_instructions("mood")


def test_a_choice_that_leaves_nothing():
    with pytest.raises(CourseError, match="No rows are left"):
        cl.load_instructions("urgency", domain="courts")


def test_tasks_domains_and_splits():
    tone = cl.load_instructions("tone")
    assert set(tone) == {"train", "validation", "test"} and len(tone["test"]) == 1000
    assert set(tone["train"]["domain"]) == {"business", "health", "courts", "town"}
    assert set(cl.load_instructions("tone", domain="health")["test"]["domain"]) == {"health"}
    assert len(cl.load_instructions(["entity", "number"])["test"]) == 2000
    assert set(cl.load_instructions(domain="wool")["train"]["task"]) == {"tone"}


def test_to_messages_and_a_missing_column():
    from datasets import Dataset

    rows = Dataset.from_list([{"instruction": "Say it.", "input": "A", "output": "b"}])
    assert cl.to_messages(rows)[0] == {
        "prompt": [{"role": "user", "content": "A\nSay it."}],
        "completion": [{"role": "assistant", "content": "b"}],
    }
    with pytest.raises(CourseError, match="no column output"):
        cl.to_messages(rows.remove_columns("output"))


def test_in_the_wild_is_frozen_balanced_and_in_two_halves():
    import collections

    from course_lib.base.paths import home
    from course_lib.models.identity import sha256

    listing = json.loads((home() / "data" / "in_the_wild" / "checksums.json").read_text())
    assert len(listing) == 6
    for name, digest in listing.items():
        assert sha256(home() / "data" / "in_the_wild" / name) == digest, "these sentences are never changed"
    halves = cl.load_in_the_wild(), cl.load_in_the_wild(locked=True)
    assert len(halves[0]) >= 300 and len(halves[0]) + len(halves[1]) >= 600
    assert not set(halves[0]["input"]) & set(halves[1]["input"])
    counts = collections.Counter(halves[0]["label"])
    assert max(counts.values()) - min(counts.values()) <= 6


@pytest.mark.parametrize("task", ["entity", "number", "question", "refusal"])
def test_copied_answers_stand_in_the_text_with_their_unit(task):
    for split, rows in data.load_instructions(task).items():
        copied = [row for row in rows if row["label"] != "refuse"]
        assert not [row["id"] for row in copied if row["output"] not in row["input"]], split
