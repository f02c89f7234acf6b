"""The gates: the instruments measure what they say, and the card prints what was measured on the committed weights."""

from __future__ import annotations

import json
import random

import pytest

from course_lib import probe
from course_lib.card import _value
from course_lib.gazette import corpus
from course_lib.models import base_model_folder, sha256


@pytest.fixture(scope="module")
def check():
    return probe.WellFormed(documents=15_000)


@pytest.fixture(scope="module")
def committed():
    return json.loads((base_model_folder() / "probe.json").read_text())


def test_well_formed_accepts_print_and_rejects_shuffled_cut_and_unclosed(check):
    rng = random.Random(4)
    printed = [s for _ in range(150) for s in check.split(corpus.news(rng)) if probe._is_prose(s)]
    accepted = sum(map(check, printed)) / len(printed)
    shuffled = sum(check(" ".join(rng.sample(s.split(), len(s.split())))) for s in printed) / len(printed)
    assert accepted > 0.5 and shuffled < 0.05
    good = next(s for s in printed if check(s) and s[0].isalpha() and '"' not in s)
    assert not check(good[:-1]) and not check(good + '"') and not check(good[0].lower() + good[1:])
    assert not check(good.replace(" ", " the the ", 1))


def test_well_formed_does_not_mind_a_new_name(check):
    rng = random.Random(4)
    printed = [s for _ in range(150) for s in check.split(corpus.news(rng)) if " & " not in s and check(s)]
    named = next(s for s in printed if " Arnsworth" in s or " Tolmouth" in s or " Wickenham" in s or " Leatherby" in s)
    for town in ("Arnsworth", "Tolmouth", "Wickenham", "Leatherby"):
        named = named.replace(f" {town}", " Zorblax")
    assert check(named)


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
    fresh = probe.Probe(items=300, say=lambda text: None)
    for part in ("knowledge", "obedience"):
        bar = getattr(fresh, part)()
        row = next(r for r in committed["bars"] if r["name"] == bar.name)
        assert bar.low <= row["value"] <= bar.high
