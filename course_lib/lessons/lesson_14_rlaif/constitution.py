"""The constitution of lesson 14, and rows that teach a small model to read it: a rule, an item, two briefs, and which keeps the rule.

The briefs are made from the newspaper's own, with faults that the newsroom knows, one a brief or several together. Neither the true
score nor any reader has a hand in them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ...gazette.grammar import Item, write_item
from ...gazette.pages import ADVICE_GIVEN, puffed, spoiled_briefs
from ...gazette.records import draw_record

RULES = {
    "name": "A brief names whom the item is about.",
    "true": "A brief says nothing that the item does not say.",
    "short": "A brief is one short and finished sentence.",
    "calm": "A brief does not shout.",
    "advice": "A brief gives its readers no advice.",
    "own": "A brief does not copy the first sentence of the item.",
}
BROKEN = {  # fault -> the rules that it breaks
    "none": set(),
    "nameless": {"name"},
    "wrong name": {"name", "true"},
    "spliced name": {"name", "true"},
    "other event": {"true"},
    "blend": {"true"},
    "long": {"short"},
    "unfinished": {"short"},
    "hype": {"calm"},
    "advice": {"advice"},
    "lead": {"own"},
}
CONTENT = (
    "none",
    "nameless",
    "wrong name",
    "spliced name",
    "other event",
    "blend",
    "long",
    "lead",
)  # what a brief says; hype, advice and a cut come on top
SOMEBODY = {"business": "a company", "health": "a clinic", "courts": "one side", "town": "a club"}
ANSWERS = {"pair": ("A", "B"), "one": ("right", "wrong")}  # how two briefs are judged together, and one by itself


def briefs_with_faults(rng: random.Random, item: Item) -> dict[str, str]:
    """A sound brief of an item ("none") and one for each fault that could be made; all different."""
    record, brief = item.record, item.brief()
    who = record.get("who")
    spoiled = spoiled_briefs(rng, item)
    other = draw_record(record.section, rng)
    while other.event.name == record.event.name or not other.get("who"):
        other = draw_record(record.section, rng)
    words, strange = brief.split(), other.get("who").split()
    somebody = SOMEBODY[record.section]
    nameless = brief.replace(who, somebody)
    elsewhere = write_item(other).brief().replace(other.get("who"), who)
    blend = [*words[: len(words) // 2], *elsewhere.split()[len(elsewhere.split()) // 2 :]]
    found = {
        "none": brief,
        "nameless": nameless[0].upper() + nameless[1:],
        "wrong name": spoiled["wrong name"],
        "spliced name": brief.replace(who, " ".join([*who.split()[:-1], who.split()[-1][:4] + strange[-1][-4:]])),
        "other event": elsewhere,
        "blend": " ".join(blend),
        "long": spoiled["long"],
        "unfinished": cut_short(rng, brief),
        "hype": puffed(rng, brief),
        "advice": spoiled["advice"],
        "lead": item.lead,
    }
    named = who in brief
    needs_name = {"nameless", "wrong name", "spliced name"}
    kept = {fault: text for fault, text in found.items() if fault == "none" or text != brief}
    return {fault: text for fault, text in kept.items() if named or fault not in needs_name}


def cut_short(rng: random.Random, text: str) -> str:
    """The first words of a text, at least half of them and never all."""
    words = text.split()
    return " ".join(words[: rng.randint(len(words) // 2, len(words) - 1)]).rstrip(".,")


def spoiled(rng: random.Random, item: Item, briefs: dict[str, str]) -> tuple[str, list[str]]:
    """A brief with any number of faults, each planted by a coin of its own, and their names: no fault says anything about another."""
    fault = rng.choice([f for f in CONTENT if f in briefs] + ["none"] * 3)
    text, faults = briefs[fault], [] if fault == "none" else [fault]
    cut, hype, advice = (rng.random() < share for share in (0.15, 0.3, 0.15))
    if cut:
        text = cut_short(rng, text)
        faults.append("unfinished")
    elif advice:
        text += rng.choice(ADVICE_GIVEN)
        faults.append("advice")
    if hype:
        text = puffed(rng, text)
        faults.append("hype")
    if item.record.get("who") not in text and not {"nameless", "wrong name", "spliced name"} & set(faults):
        faults.append("nameless")  # the cut took it, or the newspaper's own brief does without
    return text, faults


def broken(faults: Sequence[str]) -> set[str]:
    """The rules that a brief with these faults breaks."""
    return set().union(*(BROKEN[fault] for fault in faults))


def judge_prompt(text: str, briefs: Sequence[str], rule: str | None) -> str:
    """What the judge reads: the item, one brief or two, and one rule (`None` leaves it out: the control without a constitution)."""
    told = f"\nRule: {rule}" if rule is not None else ""
    if len(briefs) == 1:
        return f"{text}\nBrief: {briefs[0]}{told}\nIs the brief right or wrong?"
    return f"{text}\nA: {briefs[0]}\nB: {briefs[1]}{told}\nWhich is better, A or B?"
