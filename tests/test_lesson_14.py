"""Lesson 14: rows that need the rule, six rules in one pass, both orders, kappa, and labels that fit the pairs."""

from __future__ import annotations

import random

import pytest

from course_lib.lessons.lesson_14_rlaif import experiments as lab
from course_lib.lessons.lesson_14_rlaif.constitution import (
    ANSWERS,
    BROKEN,
    RULES,
    briefs_with_faults,
    broken,
    judge_prompt,
)
from course_lib.lessons.lesson_14_rlaif.judge import cases, contexts, target


def test_the_same_arguments_give_the_same_cases_and_splits_share_no_text():
    train, again, test = (contexts(split, 60) for split in ("train", "train", "test"))
    assert train == again
    assert not {row["text"] for row in train} & {row["text"] for row in test}


@pytest.mark.parametrize("together", [True, False])
def test_in_each_pair_one_brief_breaks_a_rule_that_the_other_keeps_and_no_place_wins_by_itself(together):
    rows = contexts("train", 402, together=together)
    assert all(row["first"] != row["second"] for row in rows)
    for number, rule in enumerate(RULES):
        if together:
            assert all(target(row["faults"], rule) in (0.0, 1.0) for row in rows[number :: len(RULES)])
        goals = [target(row["faults"], rule) for row in rows]
        decided = [goal for goal in goals if goal != 0.5]
        assert len(decided) > 40
        assert 0.35 < sum(decided) / len(decided) < 0.65, rule


def test_faults_planted_together_say_little_about_each_other_and_planted_apart_exclude_each_other():
    for together, apart in ((True, False), (False, True)):
        briefs = [broken(faults) for row in contexts("train", 600, together=together) for faults in row["faults"]]
        shouting = [brief for brief in briefs if "calm" in brief]
        assert len(shouting) > 100
        assert (not any("true" in brief for brief in shouting)) == apart
        if together:
            calm = [brief for brief in briefs if "calm" not in brief]
            shares = [sum("true" in brief for brief in some) / len(some) for some in (shouting, calm)]
            assert abs(shares[0] - shares[1]) < 0.12


def test_one_pair_can_be_decided_either_way_by_different_rules():
    rows = contexts("train", 200)
    both = [row for row in rows if {target(row["faults"], rule) for rule in RULES} >= {0.0, 1.0}]
    assert len(both) > 50
    assert all(BROKEN[fault] <= set(RULES) for fault in BROKEN)


def test_every_fault_is_made_and_is_not_the_sound_brief():
    from course_lib.gazette.tasks import draw_item

    rng, seen = random.Random(0), set()
    for _ in range(40):
        item = draw_item(rng, "train", more=1)
        if not item.record.get("who"):
            continue
        briefs = briefs_with_faults(rng, item)
        assert all(text != briefs["none"] for fault, text in briefs.items() if fault != "none")
        seen |= set(briefs)
    assert seen == set(BROKEN)


def test_without_a_constitution_the_prompt_holds_no_rule():
    for briefs in (["One."], ["One.", "Two."]):
        told, bare = (judge_prompt("Item.", briefs, rule) for rule in ("A brief does not shout.", None))
        assert "Rule: A brief does not shout." in told and "Rule" not in bare
        assert all(brief in bare for brief in briefs)


def test_shuffled_rules_keep_every_word_and_no_rule():
    words = sorted(word.strip(".") for rule in RULES.values() for word in rule.split())
    assert sorted(word.strip(".") for rule in lab.shuffled_rules() for word in rule.split()) == words
    assert not set(lab.shuffled_rules()) & set(RULES.values())


@pytest.mark.parametrize("way", ["one", "pair"])
def test_six_rules_in_one_pass_are_six_prompts(base, way):
    import torch

    from course_lib.lessons.lesson_14_rlaif.judge import verdict_logits
    from course_lib.models.generation import chat_prompt

    model, tokenizer = base
    rows, rules = cases(contexts("validation", 3), way)[0], [*RULES.values(), None]
    letters = [tokenizer(" " + answer, add_special_tokens=False)["input_ids"][0] for answer in ANSWERS[way]]
    with torch.no_grad():
        together = verdict_logits(model, tokenizer, rows, rules)
        for i, (text, *briefs) in enumerate(rows):
            for j, rule in enumerate(rules):
                asked = chat_prompt(tokenizer, judge_prompt(text, briefs, rule))
                ids = torch.tensor([tokenizer(asked, add_special_tokens=False)["input_ids"]])
                a, b = model(input_ids=ids).logits[0, -1, letters].tolist()
                assert together[i, j].item() == pytest.approx(a - b, abs=1e-3)
            alone = verdict_logits(model, tokenizer, [rows[i]], [None])  # one rule: one branch
            assert alone[0, 0].item() == pytest.approx(together[i, -1].item(), abs=1e-3)


def test_goals_say_what_a_brief_breaks():
    rows = contexts("train", 12)
    _, alone = cases(rows, "one")
    _, pairs = cases(rows, "pair")
    for i, row in enumerate(rows):
        first, second = alone[2 * i], alone[2 * i + 1]
        assert pairs[i] == [0.5 + (a - b) / 2 for a, b in zip(first, second, strict=True)]
        assert [n for n, kept in zip(RULES, first, strict=True) if not kept] == [
            n for n in RULES if n in broken(row["faults"][0])
        ]


def test_both_orders_speak_of_the_same_brief_and_the_mean_knows_no_place(base):
    model, tokenizer = base
    rows, rules = contexts("validation", 4), list(RULES.values())
    turned = [row | {"first": row["second"], "second": row["first"]} for row in rows]
    as_a, _ = lab.both_orders(model, tokenizer, rows, rules)
    _, other_b = lab.both_orders(model, tokenizer, turned, rules)
    for i in range(4):
        assert as_a[i] == pytest.approx([-v for v in other_b[i]], abs=1e-3)
    for name in lab.JUDGES:
        one, other = (lab.leaning(name, model, tokenizer, r, rules) for r in (rows, turned))
        for i in range(4):
            assert one[i] == pytest.approx([-v for v in other[i]], abs=1e-3)


def test_laying_out_at_random_keeps_agreement():
    ids = [str(n) for n in range(200)]
    one = ["first"] * 200
    two = ["first" if n % 4 else "second" for n in range(200)]
    left, _ = lab.at_random(ids, one)
    right, _ = lab.at_random(ids, two)
    assert sum(a == b for a, b in zip(left, right, strict=True)) == 150
    assert 60 < left.count("left") < 140
