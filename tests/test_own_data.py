"""Files as people bring them: every common form is read, every change and every drop is said by line, nothing is left out in silence."""

from __future__ import annotations

import csv
import json
import math
import re

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.data.formats import Unusable, read_record
from course_lib.data.report import contradictions, duplicates, overlap, read_source, said_places
from course_lib.measure.inspection import histogram
from course_lib.workshop import cli

USER, SAID = {"role": "user", "content": "Tone?"}, {"role": "assistant", "content": "Neutral."}
SYSTEM = {"role": "system", "content": "Be brief."}
ALPACA = {"instruction": "Give the tone.", "input": "Lamps sell.", "output": "positive"}


def told(record) -> tuple[list[tuple], list[str]]:
    """Each row as (instruction, input, output, messages before), and the notes."""
    reading = read_record(record)
    rows = [(r["instruction"], r["input"], r["output"], [m["content"] for m in r["before"]]) for r in reading.rows]
    return rows, reading.notes


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


# ------------------------------------------------------------------ records


@pytest.mark.parametrize(
    "record, form, rows",
    [
        (ALPACA, "Alpaca", [("Give the tone.", "Lamps sell.", "positive", [])]),
        (ALPACA | {"system": "Be brief."}, "Alpaca", [("Give the tone.", "Lamps sell.", "positive", ["Be brief."])]),
        (ALPACA | {"history": [["a", "b"]]}, "Alpaca", [("Give the tone.", "Lamps sell.", "positive", ["a", "b"])]),
        ({"instruction": "Name it.", "context": "A lamp.", "response": "Lamp"}, "Alpaca", [("Name it.", "A lamp.", "Lamp", [])]),
        ({"prompt": "Tone?", "completion": " Neutral."}, "prompt–completion", [("Tone?", "", "Neutral.", [])]),
        ({"question": "Tone?", "answer": "Neutral."}, "prompt–completion", [("Tone?", "", "Neutral.", [])]),
        ({"input": "Tone?", "output": "Neutral."}, "prompt–completion", [("Tone?", "", "Neutral.", [])]),
        ({"prompt": [SYSTEM, USER], "completion": [SAID]}, "prompt–completion", [("Tone?", "", "Neutral.", ["Be brief."])]),
        ({"prompt": [USER, SAID, USER], "completion": "Good."}, "prompt–completion", [("Tone?", "", "Good.", ["Tone?", "Neutral."])]),
        ({"messages": [SYSTEM, USER, SAID]}, "chat messages", [("Tone?", "", "Neutral.", ["Be brief."])]),
        ({"messages": json.dumps([USER, SAID])}, "chat messages", [("Tone?", "", "Neutral.", [])]),
        ({"system": "Be brief.", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}, "ShareGPT", [("Hi", "", "Hello", ["Be brief."])]),
    ],
)  # fmt: skip
def test_every_form_is_read(record, form, rows):
    assert read_record(record).form == form and told(record)[0] == rows


def test_a_conversation_of_several_answers_is_a_row_an_answer_with_all_that_was_said_before():
    rows, notes = told({"messages": [SYSTEM, USER, SAID, {"role": "user", "content": "Sure?"}, SAID, USER]})
    assert rows == [
        ("Tone?", "", "Neutral.", ["Be brief."]),
        ("Sure?", "", "Neutral.", ["Be brief.", "Tone?", "Neutral."]),
    ]
    assert notes == ["the last turn has no answer and is left out", "2 answers become 2 rows"]


@pytest.mark.parametrize(
    "record, said",
    [
        ({"messages": [SAID, USER, SAID]}, "before anybody asked is left out"),
        ({"messages": [USER, USER, SAID]}, "user turns 1 and 2 are joined"),
        (
            {"messages": [USER | {"content": [{"type": "text", "text": "Tone?"}]}, SAID]},
            "list of parts is read as text",
        ),
        (ALPACA | {"input": None}, "null is read as none"),
        (ALPACA | {"input": math.nan}, "null is read as none"),
        (ALPACA | {"input": "<noinput>"}, "<noinput> is read as none"),
        (ALPACA | {"output": "positive \n"}, "white space around the answer"),
    ],
)
def test_what_is_changed_is_noted(record, said):
    assert any(said in note for note in told(record)[1])


def test_indentation_of_an_answer_in_several_lines_stays():
    assert told(ALPACA | {"output": "\n    if x:\n        y\n"})[0][0][2] == "    if x:\n        y"


@pytest.mark.parametrize(
    "record, said",
    [
        ("text", "a str instead of an object"),
        ({"text": "Lamps sell."}, r"its columns \(text\) are none that are known"),
        ({"text": "a", "label": "b"}, r"its columns \(text, label\)"),
        (ALPACA | {"output": ""}, "the output is empty"),
        (ALPACA | {"output": None}, "output is None, not text"),
        (ALPACA | {"output": math.nan}, "output is nan, not text"),
        (ALPACA | {"output": 1}, r"output is 1 \(int\), not text"),
        (ALPACA | {"instruction": "", "input": ""}, "nothing is asked"),
        (ALPACA | {"history": "a"}, "'history' is text and no list"),
        (ALPACA | {"scorer": "mood"}, "unknown scorer"),
        ({"messages": [USER]}, "no answer of the assistant follows"),
        ({"messages": []}, "no answer of the assistant follows"),
        ({"messages": [USER, SAID | {"content": None}]}, r"turn 2 \(assistant\) is None"),
        ({"messages": [USER, SAID | {"content": " "}]}, r"turn 2 \(assistant\) is empty"),
        ({"messages": [USER, {"role": "tool", "content": "x"}, SAID]}, "role 'tool'"),
        ({"messages": [USER | {"content": [{"type": "image"}]}, SAID]}, "holds image, and only text"),
        ({"messages": [USER, SAID, SYSTEM, USER, SAID]}, "system turn in the middle"),
        ({"messages": "[{'role': 'user'}]"}, "text and no list in JSON"),
        ({"messages": {"role": "user"}}, "holds a dict"),
        ({"messages": ["Hi"]}, "turn 1 is a str"),
        ({"prompt": [USER, SAID], "completion": [SAID]}, "ends with a turn of the assistant"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_reason(record, said):
    with pytest.raises(Unusable, match=said):
        read_record(record)


# ------------------------------------------------------------------ files


CELLS = [
    ["Give the tone.", "Rose, then fell; flat.\nSo it goes.", "neutral"],
    ["Give the tone.", "", "NA"],
    ["Give the tone.", "NaN", "None"],
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("first", ["", "sep="])
def test_csv_is_read_as_spreadsheets_and_pandas_write_it(tmp_path, encoding, delimiter, ends, first):
    path = tmp_path / "mine.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        file.write(f"sep={delimiter}{ends}" if first else "")
        writer = csv.writer(file, delimiter=delimiter, lineterminator=ends)
        writer.writerows([[" Instruction", "INPUT", "output "], *CELLS])
    rows = read_source(path).splits["train"].rows
    assert [[r["instruction"], r["input"], r["output"]] for r in rows] == CELLS
    start = 3 if first else 2
    assert [r["place"] for r in rows] == [f"line {start}", f"line {start + 2}", f"line {start + 3}"]


def test_what_pandas_writes_and_reads_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame([ALPACA, ALPACA | {"input": None}, ALPACA | {"input": "b", "output": "None"}])
    table.to_csv(tmp_path / "mine.csv", index=False)
    table.to_parquet(tmp_path / "mine.parquet")
    table.to_json(tmp_path / "mine.json", orient="records")
    table.to_json(tmp_path / "mine.jsonl", orient="records", lines=True)
    for suffix in ("csv", "parquet", "json", "jsonl"):
        rows = read_source(tmp_path / f"mine.{suffix}").splits["train"].rows
        assert [r["input"] for r in rows] == ["Lamps sell.", "", "b"] and rows[2]["output"] == "None"


def test_parquet_with_messages_and_a_broken_one(tmp_path):
    from datasets import Dataset

    Dataset.from_list([{"messages": [SYSTEM, USER, SAID]}]).to_parquet(tmp_path / "mine.parquet")
    assert read_source(tmp_path / "mine.parquet").splits["train"].rows[0]["before"] == [SYSTEM]
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "mine.parquet").read_bytes()[:-30])
    with pytest.raises(CourseError, match=r"no whole Parquet file"):
        read_source(tmp_path / "cut.parquet")


def test_faulty_lines_of_csv_are_named_and_what_a_lost_quote_swallows_too(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('instruction,input,output\na,b,c\na,b\na,b,c,d\n\na,b,"c\na,b,c\n')
    split = read_source(path).splits["train"]
    assert len(split.rows) == 1 and split.records == 4
    assert [place for place, _ in split.dropped] == ["line 3", "line 4", "line 6"]
    assert "2 cells instead of 3" in split.dropped[0][1] and "nothing behind this line is read" in split.dropped[2][1]
    path.write_bytes("instruction,output\na,Café\n".encode("cp1252"))
    with pytest.raises(CourseError, match="line 2 holds the byte 0xe9"):
        read_source(path)
    path.write_text("instruction,output,output\na,b,c\n")
    with pytest.raises(CourseError, match="names the column output twice"):
        read_source(path)


def test_other_json(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"data": [ALPACA, ALPACA | {"output": ""}]}))
    split = read_source(path).splits["train"]
    assert [r["place"] for r in split.rows] == ["row 1 of 'data'"] and split.dropped[0][0] == "row 2 of 'data'"
    path.write_text(json.dumps([ALPACA, "text", 3]))
    assert [place for place, _ in read_source(path).splits["train"].dropped] == [
        "row 2 of the array",
        "row 3 of the array",
    ]
    path.write_text(json.dumps([ALPACA, ALPACA], indent=1)[:-20])
    split = read_source(path).splits["train"]
    assert not split.rows and len(split.dropped) == 1 and "nothing of it can be read" in split.dropped[0][1]
    path.write_text("")
    with pytest.raises(CourseError, match="is empty"):
        read_source(path)


@pytest.mark.parametrize(
    "name, said",
    [("mine.xlsx", "is a workbook.*CSV UTF-8"), ("mine.jsonl.gz", "is packed"), ("mine.pkl", "is pickled"), ("none.csv", "There is no file")],
)  # fmt: skip
def test_what_no_reader_takes_is_named_with_the_way_from_there(tmp_path, name, said):
    if not name.startswith("none"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(CourseError, match=said):
        read_source(tmp_path / name)


def test_folders(tmp_path):
    lines(tmp_path / "train.jsonl", [ALPACA])
    (tmp_path / "test.csv").write_text("instruction,output\na,b\n")
    assert {name: len(split.rows) for name, split in read_source(tmp_path).splits.items()} == {"train": 1, "test": 1}
    (tmp_path / "train.csv").write_text("instruction,output\na,b\n")
    with pytest.raises(CourseError, match=r"holds train\.csv and train\.jsonl"):
        read_source(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CourseError, match="There is no training file"):
        read_source(tmp_path / "empty")
    lines(tmp_path / "pairs.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c"}])
    with pytest.raises(CourseError, match="different kinds: train holds instructions, test holds preference pairs"):
        read_source({"train": tmp_path / "train.jsonl", "test": tmp_path / "pairs.jsonl"})


def test_a_data_set_of_the_hub_out_of_reach_is_answered_at_once(monkeypatch, no_network):
    from huggingface_hub import constants

    from course_lib.base import hub

    with pytest.raises(CourseError, match=r"the hub is switched off.*HF_HUB_OFFLINE=0"):
        cl.load_instructions("nobody/nothing")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HUB_PATIENCE", 0.5)
    for load in (cl.load_instructions, cl.load_preferences):
        with pytest.raises(CourseError, match=r"'nobody/nothing' is not on this machine, and the hub is out of reach"):
            load("nobody/nothing")


# ------------------------------------------------------------------ loading


def test_own_instructions_are_loaded_or_refused_and_every_change_is_printed(tmp_path, capsys):
    path = lines(tmp_path / "mine.jsonl", [ALPACA | {"input": None, "url": "x"}, ALPACA | {"output": ""}, ALPACA])
    with pytest.raises(CourseError, match=r"1 of 3 records that cannot be used: the output is empty.*: line 2"):
        cl.load_instructions(path)
    assert capsys.readouterr().out == ""
    rows = cl.load_instructions(str(path), skip=True)["train"]
    out = capsys.readouterr().out
    for said in ("2 rows from 3 records, 1 left out", "null is read as none: line 1", "columns not used: url"):
        assert said in out
    assert list(rows["place"]) == ["line 1", "line 3"] and "before" not in rows.column_names
    with pytest.raises(CourseError, match="cannot be used"):  # nothing would be left
        cl.load_instructions(lines(tmp_path / "bad.jsonl", [ALPACA | {"output": ""}]), skip=True)
    with pytest.raises(CourseError, match=r"Unknown task 'moods'.*'mine\.jsonl'"):
        cl.load_instructions("moods")


def test_pairs_and_instructions_are_told_apart(tmp_path):
    pairs = lines(tmp_path / "pairs.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c"}])
    with pytest.raises(CourseError, match=r"holds preference pairs.*cl\.load_preferences"):
        cl.load_instructions(pairs)
    with pytest.raises(CourseError, match="'chosen' is missing"):
        cl.load_preferences(lines(tmp_path / "mine.jsonl", [ALPACA]))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Tone?", "chosen": "Good.", "rejected": "Bad."},
        {"conversations": [{"from": "human", "value": "Tone?"}], "chosen": {"from": "gpt", "value": "Good."}, "rejected": {"from": "gpt", "value": "Bad."}},
        {"messages": [USER], "chosen": {"role": "assistant", "content": [{"type": "text", "text": "Good."}]}, "rejected": {"role": "assistant", "content": "Bad."}},
        {"instruction": "Tone?", "input": "", "chosen": "Good.", "rejected": "Bad."},
    ],
)  # fmt: skip
def test_forms_of_preferences(tmp_path, row):
    found = cl.load_preferences(lines(tmp_path / "mine.jsonl", [row]))["train"][0]
    assert found == {"prompt": "Tone?", "chosen": "Good.", "rejected": "Bad."}


def test_preferences_from_csv_keep_their_input(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("instruction;input;chosen;rejected\nTone?;Lamps sell.;Good.;Bad.\n")
    assert cl.load_preferences(path)["train"][0]["prompt"] == "Lamps sell.\nTone?"


def test_turns_before_the_question_are_trained_and_asked_alike(tmp_path, base):
    model, tokenizer = base
    rows = cl.load_instructions(lines(tmp_path / "mine.jsonl", [{"messages": [SYSTEM, USER, SAID]}]))["train"]
    wanted = tokenizer.apply_chat_template([SYSTEM, USER], tokenize=False, add_generation_prompt=True)
    from course_lib.data.instructions import asked
    from course_lib.models.generation import chat_prompt, encode_exchange

    assert cl.to_messages(rows)[0]["prompt"] == [SYSTEM, USER]
    assert chat_prompt(tokenizer, asked(rows[0])) == wanted
    assert tokenizer.decode(encode_exchange(tokenizer, asked(rows[0]), "Neutral.")[0]) == wanted
    assert cl.evaluate(model, tokenizer, rows).n == 1


@pytest.mark.parametrize("refuses", ["raise_exception('System role not supported')", "''"])
def test_a_template_without_system_turns_gets_their_text_in_the_first_user_turn(refuses, capsys):
    from course_lib.methods.lengths import with_system_turns
    from course_lib.models.generation import chat_prompt

    tokenizer = cl.load_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ " + refuses + " }}{% else %}"
        "{{ '<' + m['role'] + '>' + m['content'] }}{% endif %}{% endfor %}"
    )
    assert chat_prompt(tokenizer, [SYSTEM, USER]) == "<user>Be brief.\n\nTone?"
    data = cl.to_messages([{"instruction": "Tone?", "input": "", "output": "x", "before": [SYSTEM]}])
    assert with_system_turns(data, tokenizer)[0]["prompt"] == [USER | {"content": "Be brief.\n\nTone?"}]
    assert "in 1 rows its text begins the first user turn" in capsys.readouterr().out


# ------------------------------------------------------------------ the report


def rows_of(*pairs):
    return [
        {"instruction": q, "input": "", "output": a, "before": [], "place": f"line {n}"}
        for n, (q, a) in enumerate(pairs, 1)
    ]


def test_duplicates_contradictions_and_overlap():
    rows = rows_of(("Tone of a?", "good"), ("tone  of A?", "Good"), ("Tone of a?", "bad"), ("Tone of b?", "good"))
    assert duplicates(rows) == [["line 1", "line 2"]]
    assert contradictions(rows) == [[("line 1", "good"), ("line 2", "Good"), ("line 3", "bad")]]
    assert overlap(rows, rows_of(("TONE OF B?", "bad"), ("Tone of c?", "good"))) == [("line 4", "line 1")]
    pair = {"prompt": "Tone?", "chosen": "Good.", "rejected": "Bad."}
    pairs = [pair | {"place": "line 1"}, {"prompt": "Tone?", "chosen": "Bad.", "rejected": "Good.", "place": "line 2"}]
    assert [[place for place, _ in group] for group in contradictions(pairs)] == [["line 1", "line 2"]]
    assert contradictions([pairs[0], pair | {"rejected": "Poor.", "place": "line 3"}]) == []


def test_a_system_turn_makes_another_question():
    one, other = rows_of(("Tone?", "good"), ("Tone?", "bad"))
    assert contradictions([one, other]) and not contradictions([one, other | {"before": [SYSTEM]}])


def test_places_in_words():
    assert said_places(["line 3"]) == "line 3" and said_places(["line 3", "line 5"]) == "lines 3, 5"
    assert (
        said_places([f"row {n} of the array" for n in range(1, 12)])
        == "rows 1, 2, 3, 4, 5, 6, 7, 8 of the array and 3 more"
    )
    assert said_places(["line 1, answer 1", "line 3"]) == "line 1, answer 1, line 3"


def test_a_histogram_counts_every_row_once():
    drawn = histogram([3, 5, 5, 9, 700, 513], 512)
    assert sum(int(line.rsplit(" ", 1)[1]) for line in drawn) == 6
    assert drawn[-1].split() == ["over", "512", "#" * 30, "2"] or drawn[-1].startswith("over 512")
    assert histogram([7], 512)[0].startswith("7–7") and len(histogram(list(range(1, 500)), 512)) <= 8
    with pytest.raises(CourseError, match="no lengths"):
        histogram([], 512)


def test_an_inspection_says_what_will_be_cut_and_shows_the_mask(tmp_path):
    long = ALPACA | {"input": "word " * 600}
    near = ALPACA | {"output": "word " * 60}
    found = cl.inspect_data(lines(tmp_path / "mine.jsonl", [ALPACA, long, near]), max_length=60)
    assert (found.cut, found.lost, found.dropped, found.limit) == (["line 3"], ["line 2"], 0, 60)
    assert found.shown[0].endswith("assistant\n") and "positive" not in found.shown[0]
    assert found.shown[1].strip() == "positive<|im_end|>"
    told = str(found)
    assert "1 (line 3) cut and 1 (line 2) left without an answer at 60 tokens" in told
    assert cl.inspect_data(lines(tmp_path / "b.jsonl", [ALPACA])).limit == 512


def test_lengths_are_those_that_training_reads(tmp_path):
    path = lines(tmp_path / "mine.jsonl", [ALPACA, {"messages": [SYSTEM, USER, SAID]}])
    found = cl.inspect_data(path)
    run = cl.train(cl.load_instructions(path)["train"], max_steps=1, quiet=True)
    trained = [len(row["input_ids"]) for row in run.trainer.train_dataset]
    behind = 1  # the template's line break behind the end mark
    assert [whole + behind for _, whole in found.lengths["train"]] == trained


def test_course_inspect_prints_the_report_and_fails_when_something_was_dropped(tmp_path, capsys):
    good = lines(tmp_path / "good.jsonl", [ALPACA, ALPACA | {"output": "negative"}])
    bad = lines(tmp_path / "bad.jsonl", [ALPACA, ALPACA | {"output": ""}])
    assert cli.main(["inspect", str(good)]) == 0
    assert (
        "contradictory: 1 question has different answers: line 1 'positive', line 2 'negative'"
        in capsys.readouterr().out
    )
    assert cli.main(["inspect", str(good), str(bad)]) == 1
    out = capsys.readouterr().out
    assert "1 dropped" in out and re.search(
        r"overlap: 1 of 1 questions of test stand in train too: line 1 = line 1", out
    )
    assert cli.main(["inspect", str(tmp_path / "none.csv")]) == 1 and "There is no file" in capsys.readouterr().err
