"""The real column: its scorers, its prompts, its table and picture, and that the committed runs are whole."""

from __future__ import annotations

import json

import pytest

import course_lib as cl
from course_lib.lessons import real, real_preferences
from course_lib.lessons.real import briefs, claims, jobs, judge, prompts, protocol, show, show_preferences
from course_lib.measure import real_column


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("positive", "positive"),
        ("The tone is Negative, not positive.", "negative"),
        ("**Neutral**", "neutral"),
        ("positively glowing", ""),
        ("", ""),
    ],
)
def test_first_label(reply, label):
    assert protocol.first_label(reply) == label


def test_exact_and_lenient_are_told_apart():
    row = {"scorer": "label", "label": "positive", "output": "positive", "id": "x"}
    found = protocol.scored([row] * 4, ["positive", "It is positive.", "negative", "I do not know."])
    assert (found["exact_bits"], found["lenient_bits"]) == ("1000", "1100")
    assert found["said"] == {"positive": 2, "negative": 1, "none": 1}


def test_prompts_show_training_rows_only_and_keep_the_text_as_it_is():
    tests = {row["input"] for rows in protocol.test_items().values() for row in rows}
    tests |= set(cl.load_instructions("tone")["validation"]["input"])
    for name, (_, template, draw) in prompts.PROMPTS.items():
        if "{examples}" in template:
            assert not any(text in prompts.examples(draw) for text in tests)
        assert "a {examples} in braces" in prompts.prompt(name, "a {examples} in braces")[1]
    assert prompts.examples(0) != prompts.examples(1)


def test_a_shared_prefix_changes_no_reply(base):
    model, tokenizer = base
    texts = ["Once more, the court met.", "Once more, the bank in Wellbury closed its doors on", "Once more, a nurse"]
    many = prompts.with_shared_prefix(model, tokenizer, texts, 6)
    assert many == [_alone(model, tokenizer, text, 6) for text in texts]


def _alone(model, tokenizer, text, new):
    import torch

    ids, stops = (
        tokenizer(text, add_special_tokens=False)["input_ids"],
        {tokenizer.eos_token_id, tokenizer.pad_token_id},
    )
    made = []
    with torch.inference_mode():
        while len(made) < new:
            chosen = int(model(torch.tensor([ids + made])).logits[0, -1].argmax())
            if chosen in stops:
                break
            made.append(chosen)
    return tokenizer.decode(made)


# ------------------------------------------------------------------ the committed runs


def test_committed_runs_are_whole():
    keys = [json.dumps(row["key"], sort_keys=True) for row in show.runs()]
    assert len(set(keys)) == len(keys)
    for row in show.runs():
        for name, found in row["metrics"].items():
            if isinstance(found, dict) and "exact_bits" in found:
                assert len(found["exact_bits"]) == len(found["lenient_bits"]) == found["n"], name
                assert found["exact"] == pytest.approx(found["exact_bits"].count("1") / found["n"], abs=1e-4)
                assert found["lenient"] >= found["exact"]
        assert len(row["base_sha256"]) == 64 and row["processor"] and row["versions"]
        if "rows" in row["key"]:
            assert row["cost"]["trainable_parameters"] > 0 and row["losses"] and row["settings"]["learning_rate"]


def test_each_committed_run_is_one_that_the_sweep_would_make():
    for model in real_column.MODELS:
        wanted = [{"model": model} | key for key, _ in real_preferences.column(model)]
        assert all(row["key"] in wanted for row in show.runs(model))


def test_fine_tuning_the_real_model_beats_every_way_of_asking_it():
    """The headline: an interval above that of the prompt chosen on validation items, and of the one best in hindsight."""
    tuned = show.interval(show.runs("smollm2", "LoRA"))
    asked = [show.interval([row]) for row in show.runs("smollm2", show.PROMPTED)]
    assert tuned.low > max(r.high for r in asked)


def test_tables_and_unknown_techniques():
    told = cl.reference.real("LoRA")
    assert told == real.real("LoRA")
    assert "SmolLM2-135M" in told and "rounded to four bits" in told and "rate 0.001" in told
    assert real.real("telepathy").startswith("There is no run of telepathy")
    assert "LoRA" in real.real()


def test_the_picture_says_what_it_shows(tmp_path):
    said = real.draw(tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 10_000
    assert "SmolLM2-135M" in said and "LoRA, 1,024 rows" in said


def test_an_unknown_or_absent_model_is_named(tmp_path, monkeypatch):
    with pytest.raises(cl.CourseError, match="no real column for 'gpt5'"):
        jobs.sweep("gpt5")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    with pytest.raises(cl.CourseError, match="not on this machine"):
        jobs.sweep("smollm2")


def test_repeating_says_how_it_compares(monkeypatch):
    row = show.runs("smollm2", "LoRA")[0]
    worse = {"metrics": {"in_the_wild": {"lenient_bits": "10" * 171}}}
    said = []
    monkeypatch.setattr(jobs, "_checksum", lambda model: row["base_sha256"])
    monkeypatch.setattr(jobs, "_machine", dict)
    monkeypatch.setattr(jobs, "tuned_job", lambda *a: worse)
    again = jobs.repeat("LoRA", say=said.append)
    assert again["key"]["rows"] == 1024 and all(again["key"] != r["key"] for r in show.runs())
    assert said[-1] == "The 95 % intervals do not overlap."
    monkeypatch.setattr(jobs, "tuned_job", lambda *a: {"metrics": row["metrics"]})
    jobs.repeat("LoRA", say=said.append)
    assert said[-1] == "The 95 % intervals overlap."
    with pytest.raises(cl.CourseError, match="no run of 'telepathy'"):
        jobs.repeat("telepathy")


# ------------------------------------------------------------------ briefs, judges, policies


def test_the_column_lists_each_run_once_and_the_writer_before_what_needs_it():
    for model in real_column.MODELS:
        keys = [json.dumps(key, sort_keys=True) for key, _ in real_preferences.column(model)]
        assert len(set(keys)) == len(keys)
        names = [key["technique"] for key, _ in real_preferences.column(model)]
        assert names.index("SFT on briefs") < names.index("DPO") < names.index("RLHF (RLOO)") < names.index("IA3")
        assert {key["technique"] for key, _ in jobs.jobs(model)} <= set(names)


def test_one_run_may_be_asked_for_and_an_unknown_one_is_named(monkeypatch, tmp_path):
    made = []
    work = {name: (lambda name=name: made.append(name) or {"metrics": {}}) for name in ("LoRA", "DPO")}
    wanted = [({"technique": name, "seed": 0}, job) for name, job in work.items()]
    monkeypatch.setattr(jobs, "runs_file", lambda: tmp_path / "runs.jsonl")
    monkeypatch.setattr(jobs, "_checksum", lambda model: "0" * 64)
    monkeypatch.setattr(jobs, "picture", lambda: None)
    jobs.sweep("course", say=lambda text: None, wanted=wanted, only={"technique": "DPO"})
    assert made == ["DPO"]
    jobs.sweep("course", say=lambda text: None, wanted=wanted)
    assert made == ["DPO", "LoRA"]
    with pytest.raises(cl.CourseError, match=r"No run of the real column has .*magic"):
        jobs.sweep("course", wanted=wanted, only={"technique": "magic"})


def test_the_judge_is_read_at_the_letter_that_its_template_makes_and_alone_as_in_a_batch(base):
    import torch

    from course_lib.models.generation import chat_prompt, encode_exchange

    model, tokenizer = base
    rows = judge.test_pairs(3)
    asked = [judge.judge_prompt(row["text"], row["first"], row["second"], ["A brief does not shout."]) for row in rows]
    together = judge.odds(model, tokenizer, asked)
    for prompt, found in zip(asked, together, strict=True):
        ids = tokenizer(chat_prompt(tokenizer, prompt), add_special_tokens=False, return_tensors="pt")["input_ids"]
        letters = [encode_exchange(tokenizer, prompt, letter)[1][0] for letter in "AB"]
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, -1, letters].log_softmax(-1)
        assert found == pytest.approx(float(logits[0] - logits[1]), abs=1e-3)


def test_a_judge_of_places_is_seen_through_and_one_of_texts_is_not(monkeypatch):
    rows = judge.test_pairs(40)
    assert all(row["gold"] and row["first"] != row["second"] for row in rows)
    assert 10 < sum(row["gold"] == "first" for row in rows) < 30  # laid out by a coin
    shouting = {row["first"]: row["gold"] == "first" for row in rows} | {
        row["second"]: row["gold"] == "second" for row in rows
    }

    def knows(model, tokenizer, prompts):
        at_a = [prompt.split("Brief A: ")[1].split("\nBrief B: ")[0] for prompt in prompts]
        return [1.0 if shouting[text] else -1.0 for text in at_a]

    for how, kappa, turned, a in ((lambda m, t, p: [2.0] * len(p), 0.0, 1.0, 1.0), (knows, 1.0, 0.0, 0.5)):
        monkeypatch.setattr(judge, "odds", how)
        as_a, as_b = judge.both_orders(None, None, rows, [])
        row = {"metrics": {"rules a": as_a, "rules b": as_b, "gold": [r["gold"] for r in rows]}}
        row["metrics"] |= {"no rules a": [2.0] * 40, "no rules b": [-2.0] * 40}
        assert show_preferences.added(row).value == pytest.approx(kappa)
        assert show_preferences.agreement(row, "rules", "gold").value == pytest.approx(kappa)
        assert (show_preferences.turns(row), show_preferences.says_a(row)) == (turned, a)


def test_pairs_are_ordered_by_whoever_chooses():
    rows = [{"prompt": "p", "first": "one", "second": "two"}] * 2
    made = briefs.ordered(rows, ["first", "second"])
    assert [(row["chosen"], row["rejected"]) for row in made] == [("one", "two"), ("two", "one")]


@pytest.fixture
def column(monkeypatch, tmp_path):
    """A real column of two tuned runs and a policy, with known figures."""
    machine = {"model": "m", "base_sha256": "0" * 64, "processor": "p", "versions": {}, "losses": [1.0]}
    cost = {"trainable_parameters": 5, "total_parameters": 50, "train_seconds": 9.0, "checkpoint_bytes": 2_000_000}
    right = {"n": 4, "exact_bits": "1110", "lenient_bits": "1110", "exact": 0.75, "lenient": 0.75}

    def line(technique, metrics, **key):
        return {
            "key": {"model": "smollm2", "technique": technique, **key, "seed": 0}, "metrics": metrics, "cost": cost,
            "settings": {"learning_rate": 1e-3, "pairs": 8}, **machine,
        }  # fmt: skip

    tuned = {"in_the_wild": right, "gazette": right, "common_english": 3.5}
    policy = {"shouts": 0.25, "named": 0.5, "words": 9.0, "replies": []}
    rows = [
        line("base, asked plainly", tuned | {"common_english": 3.0}) | {"cost": {"trainable_parameters": 0}},
        line("LoRA", tuned, rows=512),
        line("SFT on briefs", policy | {"gold": [0.1, 0.2, 0.3, 0.4]}, rows=256),
        line("DPO", policy | {"gold": [0.2, 0.3, 0.4, 0.4], "own": [1.0, 2.0, 3.0, 2.0]}, pairs=8),
        line("reward model", {"right": "1110", "gold_right": "10"}, pairs=8),
    ]
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(real_column, "runs_file", lambda: path)


def test_policies_and_reward_models_have_tables_of_their_own(column):
    told = real.real("DPO")
    assert "rise, paired" in told and "+0.075" in told and "87.5 %" in told  # three wins and a tie
    assert "judge's labels" not in told  # nobody has any
    assert "2.0 nats a reply" in told and "25 %, 25 % before" in told
    assert "75.0 %" in real.real("reward model") and "of 4" in real.real("reward model")
    assert "0.250" in real.real("SFT on briefs")
    assert real.real("RLAIF").startswith("There is no run of RLAIF")


def test_the_scoreboard_switches_to_the_real_model(column):
    lines = cl.scoreboard.table(model="smollm2").splitlines()
    tuned = next(line for line in lines if "LoRA, 512 rows" in line)
    policy = next(line for line in lines if "| DPO" in line)
    assert "SmolLM2-135M" in tuned and "| 75.0 |" in tuned and "+0.500" in tuned and "10.00" in tuned
    assert "old base" not in tuned
    assert "0.33 (" in policy and "88 (" in policy and "2.0 (" in policy and "0.0" not in policy.split("|")[4]
    assert not any("reward model" in line for line in lines)
    with pytest.raises(cl.CourseError, match="no real column for 'gpt5'"):
        cl.scoreboard.table(model="gpt5")


def test_the_pareto_figure_switches_to_the_real_model(column, tmp_path):
    said = cl.plots.pareto(model="smollm2", metric="in_the_wild", path=tmp_path / "front.png")
    assert "LoRA, 512 rows 75 % at 2 MB" in said and "DPO" not in said
    assert (tmp_path / "front.png").stat().st_size > 5_000


def test_the_committed_column_is_on_the_scoreboard():
    table = cl.scoreboard.table(model="smollm2")
    assert "| real | LoRA, 1,024 rows | SmolLM2-135M |" in table and "base, prompt chosen" in table
    assert table.count("\n") < 30


def test_a_policy_is_told_by_its_interval(column):
    assert claims.dpo() == (
        "On the real model DPO on 8 pairs of its own, chosen by the simulated readers, takes the true score from 0.250 to 0.325, "
        "+0.075 (−0.005 to +0.155): an interval that does not exclude 0; 25 % of its briefs shout, as before"
    )
    assert "in 75.0 % (" in claims.reward_model() and "of 4 test pairs" in claims.reward_model()
    with pytest.raises(AssertionError, match="there is no run of AI judge: course sweep --model smollm2 --only"):
        claims.judge()


def test_each_claim_of_a_committed_run_is_a_sentence():
    there = {row["key"]["technique"] for row in show.runs("smollm2")}
    needed = {claims.dpo: "DPO", claims.judge: "AI judge", claims.mixture: "SFT on the mixture"}
    needed |= {claims.reward_model: "reward model", claims.rloo: "RLHF (RLOO)", claims.rlaif: real_preferences.RLAIF}
    assert set(needed) == set(claims.CLAIMS)
    for claim, technique in needed.items():
        if technique in there:
            assert "real model" in claim() and "nan" not in claim()


@pytest.mark.parametrize("bit", ["0", "1"])
def test_none_or_all_right_is_not_known_for_certain(bit):
    row = {"metrics": {"in_the_wild": {"lenient_bits": bit * 342}}}
    found = real_column.interval([row, row])
    assert found.value == float(bit)
    assert max(found.low, 1 - found.high) == pytest.approx(0.9889, abs=1e-4) and found.low < found.high
