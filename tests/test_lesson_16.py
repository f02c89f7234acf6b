"""Lesson 16: its files are drawn again byte for byte and hold the faults that the lesson speaks of; its arms differ in labels alone."""

from __future__ import annotations

from course_lib.data.report import contradictions, duplicates, overlap, read_source
from course_lib.lessons.lesson_16_real_models import experiments as lab
from course_lib.lessons.lesson_16_real_models import shop, solutions
from course_lib.measure.inspection import inspect_data


def test_the_files_are_the_committed_ones_and_no_others(tmp_path):
    shop.write(tmp_path)
    for place in (tmp_path, shop.folder()):
        assert {p.name for p in place.iterdir()} == set(shop.files())
    for name in shop.files():
        assert (tmp_path / name).read_bytes() == (shop.folder() / name).read_bytes()


def test_the_test_file_shares_no_wording_and_no_thing_with_the_training_messages():
    train, test = shop.messages("train", shop.TRAIN_ROWS), shop.messages("test", shop.TEST_ROWS)
    assert not {row["input"] for row in train} & {row["input"] for row in test}
    for thing in shop.THINGS["test"]:
        assert not any(thing in row["input"] for row in train) and any(thing in row["input"] for row in test)
    for rows in (train, test):
        counts = [sum(row["output"] == label for row in rows) for label in shop.LABELS]
        assert max(counts) == min(counts)


def test_every_planted_fault_is_found():
    found = inspect_data(lab.files())
    train, rows, test = found.report.splits["train"], found.rows["train"], found.rows["test"]
    assert len(train.dropped) == 2 and len(train.notes) == 3 and len(found.lost) == 1 and not found.cut
    assert (
        len(contradictions(rows)) == 4
        and sum(len(g) - 1 for g in duplicates(rows)) == 3
        and len(overlap(rows, test)) == 3
    )
    left = lab.cleaned(rows, test)
    assert not contradictions(left) and not duplicates(left) and not overlap(left, test)
    assert len(left) == len(rows) - 8 - 3 - 3


def test_each_small_file_is_read_or_refused_by_line():
    said = {}
    for name in ("sharegpt.jsonl", "messages.jsonl", "prompts.jsonl", "pandas.csv", "pairs.jsonl"):
        split = read_source(shop.folder() / name).splits["train"]
        said[name] = (len(split.rows), [place for place, _ in split.dropped])
    assert said == {
        "sharegpt.jsonl": (4, ["line 4", "line 5"]),
        "messages.jsonl": (2, ["line 3", "line 4"]),
        "prompts.jsonl": (2, ["line 3"]),
        "pandas.csv": (3, []),
        "pairs.jsonl": (3, ["line 4"]),
    }
    assert [row["output"] for row in read_source(shop.folder() / "pandas.csv").splits["train"].rows] == [
        "NA",
        "None",
        "kettle",
    ]


def test_the_contradicted_arm_adds_wrong_labels_and_nothing_else():
    clean, against = lab.arm("cleaned", 1), lab.arm("half contradicted", 1)
    assert against[: len(clean)] == clean and 0.3 < (len(against) - len(clean)) / len(clean) < 0.7
    right = {row["input"]: row["output"] for row in clean}
    assert all(row["output"] != right[row["input"]] and row["output"] in shop.LABELS for row in against[len(clean) :])
    assert lab.arm("half contradicted", 2) != against


def test_the_solution_of_the_first_exercise_reads_as_the_library_does():
    from course_lib.data.formats import read_record

    turns = [("gpt", "Good morning."), ("human", "Hello?"), ("human", "Ready?"), ("gpt", "No."), ("human", "When?"), ("gpt", "Friday."), ("human", "Thanks!")]  # fmt: skip
    record = {"conversations": [{"from": who, "value": text} for who, text in turns]}
    mine = [
        ([*messages[:-1]], messages[-1]["content"], said)
        for messages, said in solutions.answers(record["conversations"])
    ]
    assert mine == [(row["before"], row["instruction"], row["output"]) for row in read_record(record).rows]
