"""The true score of a brief ranks kinds of replies as an editor would, over items, with intervals."""

import random
import statistics

import pytest

from course_lib.gazette import pages
from course_lib.gazette.brief import brief_score, event_overlap, faults, hidden_record, invented, shouts
from course_lib.gazette.tasks import SPLITS, draw_item

ITEMS = 300
T_STAR = 1.97  # Student's t, 95 %, some 300 items


def replies_to(item, rng) -> dict[str, str]:
    """One item's replies of each kind, sound and unsound."""
    brief = item.brief()
    made = {
        "brief": brief,
        "lead": item.lead,
        "empty": "",
        "wrong number": brief.rstrip(".") + ", 7,777 crowns in all.",
    }
    return made | pages.spoiled_briefs(rng, item)


def scored(split: str) -> dict[str, list[float]]:
    rng = random.Random(f"brief score {split}")
    scores: dict[str, list[float]] = {}
    for _ in range(ITEMS):
        item = draw_item(rng, split, more=rng.choice((1, 2)))
        facts = hidden_record(item)
        for kind, reply in replies_to(item, rng).items():
            scores.setdefault(kind, []).append(brief_score(facts, item.text, reply))
    return scores


def lowest_gap(higher: list[float], lower: list[float]) -> float:
    """The lower end of the 95 % interval of the mean difference, paired by item."""
    gaps = [a - b for a, b in zip(higher, lower, strict=True)]
    return statistics.mean(gaps) - T_STAR * statistics.stdev(gaps) / len(gaps) ** 0.5


@pytest.mark.parametrize("split", SPLITS)
def test_a_sound_brief_above_a_copied_lead_above_everything_unsound(split):
    scores = scored(split)
    assert lowest_gap(scores["brief"], scores["lead"]) > 0.3
    for kind in ("hype", "advice", "wrong name", "wrong number", "long", "empty"):
        assert lowest_gap(scores["lead"], scores[kind]) > 0.05, kind
    assert all(0 <= value <= 1 for values in scores.values() for value in values)


FACTS = {"who": "Padmere Logistics", "pct": "51", "section": "business", "event": "exports_down"}
TEXT = "Foreign sales of Padmere Logistics now bring in a mere 51 per cent of its income and are still shrinking."


def test_formula_on_one_item():
    good = "Exports at Padmere Logistics fell 51 per cent."
    assert event_overlap(FACTS, TEXT, good) == 1 and brief_score(FACTS, TEXT, good) == 1
    assert brief_score(FACTS, TEXT, good.rstrip(".")) == pytest.approx(0.4)
    assert brief_score(FACTS, TEXT, good + " You should sell now.") < 0.4
    assert brief_score(FACTS, TEXT, "Padmere Logistics.") == pytest.approx(0.4)
    assert brief_score(FACTS, TEXT, " ") == 0
    assert brief_score(FACTS, TEXT, good + " It did." * 20) < 0.4


def test_faults_are_found_and_only_these():
    assert faults(FACTS, TEXT, "Padmere Logistics sold less abroad.") == []
    assert faults(FACTS, TEXT, "Dunmore Logistics fell 52 per cent.") == ["invented", "invented"]
    assert invented(FACTS, TEXT, "The income of Smith fell.") == ["smith"]
    assert invented(FACTS, TEXT, "Xulbrasker fell.") == ["xulbrasker"]
    assert faults(FACTS, TEXT, "A jaw-dropping miracle: Padmere Logistics fell!") == ["hype"]
    assert faults(FACTS, TEXT, "Our advice is not to wait.") == ["advice"]


def test_hype_is_whole_words():
    assert shouts("the deal of the century") and shouts("Stunning news.") and shouts("Sold!")
    assert not shouts("A lease for Evercombe Market Hall.") and not shouts("Triumphant Rovers won.")


def test_facts_without_the_event_are_refused():
    with pytest.raises(KeyError):
        brief_score({"who": "Padmere Logistics"}, TEXT, "Padmere Logistics fell.")
