"""Prompts in disjoint splits, simulated readers, and preference files of every form, nothing skipped in silence."""

import json
import math
import random

import pytest

from course_lib.base.errors import CourseError
from course_lib.data.pairs import Unusable, read_pair
from course_lib.data.preferences import ai_labels, brief_prompts, load_preferences, reporters_rows
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


# ------------------------------------------------------------------ the course's own


def test_pairs_and_labels_come_from_the_committed_samples_byte_for_byte(tmp_path):
    from course_lib.workshop.build_preferences import build, preferences_folder

    build(tmp_path, say=lambda line: None)
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl"):
        assert (tmp_path / name).read_bytes() == (preferences_folder() / name).read_bytes(), name
    assert sum(path.stat().st_size for path in preferences_folder().iterdir()) < 8e6


def test_own_pairs_have_every_label_and_agree_with_the_formula():
    data = load_preferences()
    assert sum(map(len, data.values())) >= 4000
    rows = list(data["train"])
    assert all(row["reader"] == "chosen" and row["chosen"] != row["rejected"] for row in rows)
    expected = [first_preferred((r["gold_chosen"], r["gold_rejected"]), (r["chosen"], r["rejected"])) for r in rows]
    # Of the pairs that a reader of the formula prefers with p, a share p was chosen: the mean of p must be that of p² + (1 − p)².
    wanted = sum(p * p + (1 - p) ** 2 for p in expected) / len(expected)
    assert sum(expected) / len(expected) == pytest.approx(wanted, abs=0.02)
    loud = [r for r in rows if ("!" in r["chosen"]) != ("!" in r["rejected"])]
    share = sum("!" in r["chosen"] for r in loud) / len(loud)
    unbiased = {r["id"]: r["chosen"] for r in load_preferences(labels="unbiased")["train"]}
    assert share > 0.6 > 0.5 > sum("!" in unbiased[r["id"]] for r in loud) / len(loud)


def test_the_column_ai_is_lesson_14s_label_whoever_orders_the_pair():
    told, seen = ai_labels(), {}
    for labels in ("reader", "unbiased", "gold"):
        rows = [row for split in load_preferences(labels=labels).values() for row in split]
        assert {row["id"] for row in rows if row["ai"]} == {row["id"] for row in rows} & set(told)
        for row in (row for row in rows if row["ai"]):
            if labels == "reader":
                assert row["ai"] == told[row["id"]]["prefers"]
            assert seen.setdefault(row["id"], row[row["ai"]]) == row[row["ai"]]
    assert len(seen) == len(told) > 1700


def test_labels_choose_what_is_chosen(capsys):
    gold = load_preferences(labels="gold")["test"]
    assert all(row["gold_chosen"] > row["gold_rejected"] and row["gold"] == "chosen" for row in gold)
    assert "equal true scores are left out" in capsys.readouterr().out
    one, other = (
        {r["id"]: (r["chosen"], r["rejected"]) for r in load_preferences(labels=labels)["test"]}
        for labels in ("reader", "unbiased")
    )
    turned = [key for key in one if one[key] != other[key]]
    assert turned and all(one[key] == other[key][::-1] for key in turned)


@pytest.mark.slow
def test_sampling_anew_gives_the_same_statistics():
    """The committed samples and fresh ones of another seed agree in length, hype and true score."""
    pytest.importorskip("torch")
    from course_lib.gazette.brief import shouts
    from course_lib.lessons.lesson_11_reward_model.writer import briefs_of, true_scores
    from course_lib.models.instruct import load_brief_writer
    from course_lib.workshop.build_preferences import PROMPTS, preferences_folder, read_samples

    prompts = brief_prompts("test", PROMPTS["test"])[:60]
    fresh = briefs_of(*load_brief_writer(), prompts, seed=123)
    samples = read_samples(preferences_folder())
    old = [samples[row["id"]][0] for row in prompts]
    for measure, most in (
        (lambda replies: [len(reply.split()) for reply in replies], 4.0),
        (lambda replies: [float(shouts(reply)) for reply in replies], 0.2),
        (lambda replies: true_scores(prompts, replies), 0.12),
    ):
        one, other = measure(old), measure(fresh)
        assert abs(sum(one) - sum(other)) / len(one) < most
