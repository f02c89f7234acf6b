"""The constitution of lesson 14, and rows that teach a small model to read it: a rule, an item, two briefs, and which keeps the rule.

The briefs are made from the newspaper's own, each with at most one fault that the newsroom knows. Neither the true score nor any
reader has a hand in them.
"""

from __future__ import annotations

import random

from ...gazette.grammar import Item, draw_record, write_item
from ...gazette.pages import puffed, spoiled_briefs

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
    "long": {"short"},
    "unfinished": {"short"},
    "hype": {"calm"},
    "advice": {"advice"},
    "lead": {"own"},
}
SOMEBODY = {"business": "a company", "health": "a clinic", "courts": "one side", "town": "a club"}
ANSWERS = ("A", "B")


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
    found = {
        "none": brief,
        "nameless": nameless[0].upper() + nameless[1:],
        "wrong name": spoiled["wrong name"],
        "spliced name": brief.replace(who, " ".join([*who.split()[:-1], who.split()[-1][:4] + strange[-1][-4:]])),
        "other event": write_item(other).brief().replace(other.get("who"), who),
        "long": spoiled["long"],
        "unfinished": " ".join(words[: rng.randint(len(words) // 2, len(words) - 1)]).rstrip(".,"),
        "hype": puffed(rng, brief),
        "advice": spoiled["advice"],
        "lead": item.lead,
    }
    named = who in brief
    needs_name = {"nameless", "wrong name", "spliced name"}
    kept = {fault: text for fault, text in found.items() if fault == "none" or text != brief}
    return {fault: text for fault, text in kept.items() if named or fault not in needs_name}


def judge_prompt(text: str, first: str, second: str, rule: str | None) -> str:
    """What the judge reads: the item, two briefs, and one rule (`None` leaves it out: the control without a constitution)."""
    told = f"\nRule: {rule}" if rule is not None else ""
    return f"{text}\nA: {first}\nB: {second}{told}\nWhich is better, A or B?"
