"""Rows as people bring them: every encoding and form is read or named, every bad row is counted, labels are compared fairly."""

from __future__ import annotations

import json
import math

import pytest

import course_lib as cl
from course_lib.base import jsonl
from course_lib.base.errors import CourseError
from course_lib.data.checks import check_rows, rows_of
from course_lib.data.instructions import read_jsonl
from course_lib.measure.evaluation import follows, normalise, score

PLAIN = {"instruction": "Give the tone.", "input": "Sales of lamps rose.", "output": "positive"}
FULL = PLAIN | {
    "id": "own-0", "task": "tone", "domain": "business", "label": "positive", "choices": ["positive", "negative"],
    "scorer": "label", "source": "own",
}  # fmt: skip


def own(folder, text: str, encoding: str = "utf-8", ends: str = "\n") -> str:
    """A folder of data with three equal splits."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_bytes(text.replace("\n", ends).encode(encoding))
    return str(folder)


# ------------------------------------------------------------------ files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
@pytest.mark.parametrize("form", ["lines", "array", "indented array"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_good_rows_are_read_in_every_encoding_form_and_line_end(tmp_path, encoding, form, ends):
    rows = [FULL | {"id": f"own-{i}", "input": "Café receipts rose.\tWell."} for i in range(3)]
    text = {
        "lines": "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows),
        "array": json.dumps(rows, ensure_ascii=False),
        "indented array": json.dumps(rows, ensure_ascii=False, indent=1) + "\n",
    }[form]
    if encoding == "utf-16-be-bom":
        text, encoding = "\ufeff" + text, "utf-16-be"
    read = cl.load_instructions(folder=own(tmp_path / "own", text, encoding, ends))
    assert list(read["train"]["id"]) == ["own-0", "own-1", "own-2"]
    assert read["train"][0]["input"] == "Café receipts rose.\tWell."


def test_what_cannot_be_read_is_named_by_its_encoding_and_not_line_by_line(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(json.dumps(FULL).encode("utf-16-le"))  # without its mark
    with pytest.raises(CourseError, match=r"UTF-16 or binary.*Save it as UTF-8"):
        read_jsonl(path)
    path.write_bytes(json.dumps(FULL | {"input": "Café"}, ensure_ascii=False).encode("cp1252"))
    with pytest.raises(CourseError, match=r"1 bad line of 1: line 1, column \d+: not UTF-8"):
        read_jsonl(path)
    path.mkdir() if not path.exists() else (path.unlink(), path.mkdir())
    with pytest.raises(CourseError, match="cannot be read"):
        jsonl.read_jsonl(path)


def test_a_bad_row_of_an_array_is_named_by_its_row(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps([FULL, FULL | {"output": None}], indent=1))
    with pytest.raises(CourseError, match=r"1 bad line of 2: row 2 of the array: column 'output' holds a NoneType"):
        read_jsonl(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"output": "", "label": ""}, "the output is empty"), ({"label": " "}, "the label is empty"),
     ({"instruction": "", "input": " "}, "nothing is asked")],
)  # fmt: skip
def test_an_empty_answer_label_or_prompt_is_a_bad_line_and_an_empty_input_is_none(tmp_path, change, said):
    with pytest.raises(CourseError, match=f"1 bad line of 2: line 2: .*{said}"):
        cl.load_instructions(folder=own(tmp_path / "own", f"{json.dumps(FULL)}\n{json.dumps(FULL | change)}\n"))
    assert cl.load_instructions(folder=own(tmp_path / "fine", json.dumps(FULL | {"input": ""})))


def test_a_file_is_written_whole_or_not_at_all_and_a_line_is_added_behind_a_broken_one(tmp_path):
    path = tmp_path / "deep" / "rows.jsonl"
    jsonl.write_jsonl(path, [{"a": "é"}, {"a": 2}])
    assert path.read_bytes() == '{"a": "é"}\n{"a": 2}\n'.encode()

    def broken():
        yield {"a": 3}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jsonl.write_jsonl(path, broken())
    assert jsonl.read_jsonl(path) == [{"a": "é"}, {"a": 2}] and list(path.parent.iterdir()) == [path]
    path.write_bytes(path.read_bytes()[:-4])
    jsonl.add_line(path, {"a": 4})
    assert path.read_text(encoding="utf-8").splitlines()[-1] == '{"a": 4}'
    (tmp_path / "file").write_text("x")
    for write in (lambda p: jsonl.write_jsonl(p, []), lambda p: jsonl.add_line(p, {})):
        with pytest.raises(CourseError, match="cannot be written"):
            write(tmp_path / "file" / "rows.jsonl")


# ------------------------------------------------------------------ data in memory


@pytest.mark.parametrize(
    ("value", "told"), [(float("nan"), "nan"), (None, "None"), (3, r"3 \(int\)"), (["a"], r"\['a'\] \(list\)")]
)
@pytest.mark.parametrize("column", ["instruction", "input", "output"])
def test_values_that_are_no_text_are_named_by_row_and_column(column, value, told):
    with pytest.raises(CourseError, match=rf"1 of 3 rows cannot be used: row 2: {column} is {told}"):
        cl.to_messages([PLAIN, PLAIN | {column: value}, PLAIN])


def test_all_bad_rows_are_counted_and_five_are_shown():
    with pytest.raises(CourseError) as caught:
        check_rows([PLAIN] + [PLAIN | {"output": math.nan}] * 7)
    assert "7 of 8 rows" in caught.value.what and "and 2 more" in caught.value.what
    assert caught.value.what.count("; row") == 4


def test_other_kinds_of_data_are_answered_with_the_way_from_there():
    tone = cl.load_instructions("tone")
    cases = [
        (tone, r"several splits.*data\['train'\]"),
        (tone["train"][:64], r"columns, not rows.*\.select\(range\(64\)\)"),
        (tone["train"][0], r"one row.*\[row\]"),
        ("data.jsonl", "is a name.*Load it first"),
        (iter([PLAIN]), "no length"),
        (None, "no length"),
        ([["positive"]], "Row 1 is a list"),
        ([], "no rows"),
    ]
    for data, said in cases:
        with pytest.raises(CourseError, match=said):
            rows_of(data)
    assert rows_of([PLAIN]) == [PLAIN] and len(rows_of(tone["train"], 5)) == 5
    assert cl.to_messages([PLAIN])[0]["completion"][0]["content"] == "positive"


def test_pandas_is_told_the_way():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(CourseError, match="from_pandas"):
        rows_of(pandas.DataFrame([PLAIN]))


def test_rows_are_checked_before_anything_is_generated():
    """With models that would fail at once: a bad row must be found first."""
    for row, said in (
        (PLAIN | {"scorer": "mood"}, "row 1: unknown scorer 'mood'"),
        (PLAIN | {"scorer": "label", "label": 1}, r"label is 1 \(int\), not text"),
        (PLAIN | {"scorer": "label"}, "label is None, not text"),
        ({"instruction": "x", "output": "y"}, "no column input"),
    ):
        with pytest.raises(CourseError, match=said):
            cl.evaluate(object(), object(), [row])
    with pytest.raises(CourseError, match=r"several splits.*\['train'\]"):
        cl.evaluate(object(), object(), cl.load_instructions("tone"))


# ------------------------------------------------------------------ scores


@pytest.mark.parametrize("label", ["positive ", "Positive.", "POSITIVE", " positive"])
@pytest.mark.parametrize("reply", [" positive", "Positive.", "positive\nnews"])
def test_a_label_and_a_reply_are_normalised_alike(label, reply):
    assert score(FULL | {"label": label}, reply) and not score(FULL | {"label": label}, "negative")


def test_a_label_that_ends_with_a_full_stop_can_be_right():
    for label in ("U.S.", "u.s", "etc."):
        row = FULL | {"label": label, "output": label, "choices": [label, "other"]}
        assert score(row, label) and score(row | {"scorer": "exact"}, label) and follows(row, label)
        assert not score(row, "other") and normalise(label) == normalise(f" {label}\n")


def test_an_empty_reply_is_never_right():
    for scorer in ("label", "exact", "overlap", "facts", "refusal"):
        assert not score(FULL | {"scorer": scorer, "label": "", "output": ""}, "")


@pytest.mark.parametrize(
    "block", ["<think>\n\n</think>\n\n", "<think>Rose, so good.\nNot negative.</think>\n", "so\n</think>\n"]
)
def test_reasoning_is_parted_from_the_answer(block):
    assert score(FULL, f"{block}positive") and follows(FULL, f"{block}positive")
    assert not score(FULL, f"{block}negative")
    facts = PLAIN | {"scorer": "exact", "output": f"{block}positive"}
    assert score(facts, "positive") and score(facts, f"{block}positive")
    form = FULL | {"scorer": "format", "label": "json", "output": '{"a": "b"}'}
    assert score(form, f'{block}{{"a": "b"}}')


def test_reasoning_that_was_cut_off_is_no_answer():
    assert not score(FULL, "<think>\nThe tone may be\npositive")
    assert not score(FULL, "<think>positive")


def test_three_columns_are_enough_and_the_reply_must_equal_the_output():
    assert score(PLAIN, "Positive.") and not score(PLAIN, "negative")
