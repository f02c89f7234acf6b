"""Prompts in disjoint splits, simulated readers, and preference files of every form, nothing skipped in silence."""

import json
import math
import random

import pytest

from course_lib.base.errors import CourseError
from course_lib.data.pairs import Unusable, read_pair
from course_lib.data.preferences import brief_prompts, load_preferences, reporters_rows
from course_lib.data.readers import BIAS, TAU, choose, first_preferred
from course_lib.gazette.brief import brief_score
from course_lib.gazette.tasks import SPLITS

# ------------------------------------------------------------------ prompts


def test_splits_share_no_name_wording_phrasing_or_item():
    rows = {split: brief_prompts(split, 300, seed=9) for split in SPLITS}
    for kind in (
        lambda r: r["text"],
        lambda r: r["prompt"].rsplit("\n", 1)[1],
        lambda r: r["facts"]["who"],
    ):
        found = [{kind(row) for row in rows[split]} for split in SPLITS]
        assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


def test_prompts_are_the_same_each_time_and_carry_their_record():
    rows = brief_prompts("train", 60)
    assert rows == brief_prompts("train", 60) and rows != brief_prompts("train", 60, seed=1)
    assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == 60
    for row in rows:
        assert set(row) == {"id", "domain", "text", "facts", "prompt", "lead", "brief"}
        assert row["prompt"].startswith(row["text"] + "\n") and row["text"].startswith(row["lead"])
        assert brief_score(row["facts"], row["text"], row["brief"]) > 0.5  # also where names were changed


def test_reporters_rows_are_no_prompts_of_the_pairs():
    rows = reporters_rows("train", 200)
    assert {"instruction", "input", "output"} == set(rows[0]) and all(row["output"] for row in rows)
    assert not {row["input"] for row in rows} & {row["text"] for row in brief_prompts("train", 400)}


# ------------------------------------------------------------------ readers


def test_readers_follow_gold_with_noise_and_one_bias():
    plain, loud = "Sales fell.", "Sales fell, a jaw-dropping miracle!"
    assert first_preferred((0.6, 0.6), (plain, plain)) == 0.5
    assert first_preferred((0.6 + TAU, 0.6), (plain, plain)) == pytest.approx(1 / (1 + math.exp(-1)))
    assert first_preferred((0.6, 0.2), (plain, loud), bias=0.0) > 0.9
    assert first_preferred((0.6, 0.6), (plain, loud)) == pytest.approx(1 / (1 + math.exp(BIAS / TAU)))
    assert first_preferred((0.0, 1.0), (plain, plain), tau=1e-4) == 0.0
    rng = random.Random(0)
    share = sum(choose(rng, (0.6 + TAU, 0.6), (plain, plain)) == "first" for _ in range(4000)) / 4000
    assert share == pytest.approx(1 / (1 + math.exp(-1)), abs=0.03)


# ------------------------------------------------------------------ files

HH = "\n\nHuman: Tone?\n\nAssistant:"


@pytest.mark.parametrize(
    "row, expected",
    [
        ({"prompt": "Tone?", "chosen": "Good.", "rejected": "Bad."}, ("Tone?", "Good.", "Bad.")),
        ({"chosen": HH + " Positive.", "rejected": HH + " Poor."}, ("Tone?", "Positive.", "Poor.")),
        ({"prompt": HH, "chosen": " Yes.", "rejected": " No."}, ("Tone?", "Yes.", "No.")),
        ({"chosen": "Q: tone? A: positive", "rejected": "Q: tone? A: poor"}, ("Q: tone? A:", "positive", "poor")),
        ({"chosen": "Q: tone? A: uptown", "rejected": "Q: tone? A: up"}, ("Q: tone? A:", "uptown", "up")),
        ({"chosen": HH + " Yes. Always.", "rejected": HH + " Yes."}, ("Tone?", "Yes. Always.", "Yes.")),
        (
            {"prompt": "One two three?", "chosen": "One two three? a", "rejected": "One two three? b"},
            ("One two three?", "a", "b"),
        ),
        ({"prompt": "Hi", "chosen": "Hi there", "rejected": "Hi you"}, ("Hi", "Hi there", "Hi you")),
    ],
)
def test_forms_of_text(row, expected):
    assert tuple(read_pair(row).values()) == expected


def test_messages_and_several_turns():
    user, yes, no = (
        {"role": r, "content": c} for r, c in (("user", "Tone?"), ("assistant", "Yes."), ("assistant", "No."))
    )
    wanted = {"prompt": "Tone?", "chosen": "Yes.", "rejected": "No."}
    assert read_pair({"chosen": [user, yes], "rejected": [user, no]}) == wanted
    assert read_pair({"prompt": [user], "chosen": [yes], "rejected": [no]}) == wanted
    assert read_pair({"prompt": "Tone?", "chosen": [user, yes], "rejected": [user, no]}) == wanted
    long = read_pair({"chosen": [user, no, user, yes], "rejected": [user, no, user, no]})
    assert long["prompt"] == "Human: Tone?\n\nAssistant: No.\n\nHuman: Tone?"
    for bad in ([user, yes, user], [{"role": "robot", "content": "x"}], []):
        with pytest.raises(Unusable):
            read_pair({"chosen": bad, "rejected": [user, no]})


CASES = [
    {"chosen": "Lamps sell", "rejected": "Lamps sell badly"},
    {"chosen": "Rise ", "rejected": "Fall"},
    {"chosen": "Q: tone? A: up", "rejected": "Q: tone? A: up"},
    {"chosen": "", "rejected": "Fall"},
    {"chosen": HH + " Positive.", "rejected": HH + " Poor."},
]


def written(path, rows):
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def test_every_line_that_is_no_pair_is_counted_by_reason_and_number(tmp_path, capsys):
    file = written(tmp_path / "own.jsonl", CASES)
    with pytest.raises(CourseError) as error:
        load_preferences(file)
    for said in (
        "4 lines of 5",
        "beginning of the other, so nothing says where the prompt ends: line 1",
        "no common beginning: line 2",
        "equal: line 3",
        "empty: line 4",
    ):
        assert said in str(error.value)
    kept = load_preferences(file, skip=True)["train"]
    assert list(kept) == [{"prompt": "Tone?", "chosen": "Positive.", "rejected": "Poor."}]
    assert "1 pairs read, 4 left out" in capsys.readouterr().out


def test_other_faults_of_files(tmp_path, capsys):
    for rows, said in (
        (["{nonsense", CASES[4]], "not JSON.*: line 1"),
        ([{"prompt": "a", "chosen": "b"}], "'rejected' is missing: line 1"),
        ([{"prompt": "a", "chosen": 1, "rejected": "b"}], "int and str"),
        ([{"prompt": float("nan"), "chosen": "b", "rejected": "c"}], "float"),
        (["[1, 2]"], "a list instead of an object"),
        ([], "is empty"),
    ):
        with pytest.raises(CourseError, match=said):
            load_preferences(written(tmp_path / "own.jsonl", rows))
    with pytest.raises(CourseError, match="There is no file"):
        load_preferences(tmp_path / "absent.jsonl")
    (tmp_path / "wide.jsonl").write_bytes(json.dumps(CASES[4]).encode("utf-16"))
    assert len(load_preferences(tmp_path / "wide.jsonl")["train"]) == 1
    (tmp_path / "array.jsonl").write_text(json.dumps(CASES[4:] * 2))
    assert len(load_preferences(tmp_path / "array.jsonl")["train"]) == 2
    (tmp_path / "bom.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(CASES[4]).encode())
    assert len(load_preferences(tmp_path / "bom.jsonl")["train"]) == 1
    nested = written(tmp_path / "nested.jsonl", [{"prompt": "How?", "chosen": "Well", "rejected": "Well done"}])
    assert len(load_preferences(nested)["train"]) == 1 and "line 1; kept" in capsys.readouterr().out


def test_a_folder_of_splits(tmp_path):
    written(tmp_path / "train.jsonl", CASES[4:])
    written(tmp_path / "test.jsonl", CASES[4:] * 2)
    found = load_preferences(tmp_path)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 1, "test": 2}
    with pytest.raises(CourseError, match="labels"):
        load_preferences(labels="nobody")
