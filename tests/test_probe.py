"""The gates: the instruments measure what they say, and the card prints what was measured on the committed weights."""

from __future__ import annotations

import json
import random
import re

import pytest

from course_lib.gazette import pages, records
from course_lib.models.identity import base_model_folder, sha256
from course_lib.workshop import probe, well_formed
from course_lib.workshop.card import _value


@pytest.fixture(scope="module")
def check():
    return well_formed.WellFormed(renderings=60, documents=150)


@pytest.fixture(scope="module")
def printed(check):
    rng = random.Random(4)
    return [s for _ in range(150) for s in check.split(pages.news(rng)) if well_formed.is_prose(s) and s[-1] in '.?!"']


@pytest.fixture(scope="module")
def committed():
    return json.loads((base_model_folder() / "probe.json").read_text())


def test_well_formed_accepts_print_and_rejects_shuffled_spliced_cut_and_unclosed(check, printed):
    rng = random.Random(4)

    def share(sentences):
        return sum(map(check, sentences)) / len(sentences)

    assert share(printed) > 0.95
    assert share([" ".join(rng.sample(s.split(), len(s.split()))) for s in printed]) < 0.01
    assert (
        share([" ".join(well_formed.halves(s)[0] + well_formed.halves(rng.choice(printed))[1]) for s in printed]) < 0.06
    )
    good = next(s for s in printed if check(s) and s[0].isalpha() and '"' not in s)
    assert not check(good[:-1]) and not check(good + '"') and not check(good[0].lower() + good[1:])
    assert not check(good.replace(" ", " the the ", 1))


def test_well_formed_does_not_mind_a_new_name_or_figure(check, printed):
    towns = records.names("train")["town"]
    named = [(s, t) for s in printed if check(s) for t in towns if f" {t} " in s]
    assert len(named) > 10
    for sentence, town in named:
        assert check(sentence.replace(f" {town} ", " Zorblax "))
    figures = [s for s in printed if check(s) and " per cent" in s]
    assert figures and all(check(re.sub(r"\d[\d.]*(?= per cent)", "99", s)) for s in figures)


def test_sentences_end_outside_quotations_only(check):
    text = 'YULE, Monday - He said: "It is over. We go home now," and left the hall. Nobody followed him at all.'
    assert check.split(text) == [
        'He said: "It is over. We go home now," and left the hall.',
        "Nobody followed him at all.",
    ]


def test_json_has_the_promised_shape(committed):
    bars = [probe.Bar("a", 0.5, 0.4, 0.6, "≥ 0.4", True, {"x": 1})]
    plain = json.loads(probe.as_json(bars))
    assert plain == {"bars": [{"name": "a", "value": 0.5, "low": 0.4, "high": 0.6, "bar": "≥ 0.4", "holds": True}]}
    assert json.loads(probe.as_json(bars, details=True))["bars"][0]["details"] == {"x": 1}
    assert len(committed["bars"]) == 9


def test_intervals_hold_their_value(committed):
    for bar in committed["bars"]:
        assert bar["low"] <= bar["value"] <= bar["high"], bar["name"]


def test_the_card_prints_what_was_measured(committed):
    card = (base_model_folder() / "README.md").read_text()
    for row in committed["bars"]:
        bar = probe.Bar(**row)
        assert f"| {bar.name} | {_value(bar)} | {bar.bar} | {'yes' if bar.holds else '**no**'} |" in card


def test_the_card_belongs_to_these_weights(committed):
    assert committed["model_sha256"] == sha256(base_model_folder() / "model.safetensors")


@pytest.mark.slow
def test_knowledge_and_obedience_measured_afresh_agree_with_the_card(committed):
    """On the first 300 items; the committed figures are over 1,000."""
    fresh = probe.Probe(count=300, say=lambda text: None)
    for part in ("knowledge", "obedience"):
        bar = getattr(fresh, part)()
        row = next(r for r in committed["bars"] if r["name"] == bar.name)
        assert bar.low <= row["value"] <= bar.high
