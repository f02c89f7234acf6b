"""From a hidden record to English: draws records and renders the patterns of `reading`.

`python -m course_lib.gazette.grammar business` reports format errors, then prints twenty documents.
"""

from __future__ import annotations

import random
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from .reading import (
    PATTERNS,
    REACTION_LISTS,
    SECTIONS,
    TONES,
    WITHHELD,
    Event,
    PatternError,
    load_named,
    load_reactions,
    load_section,
    load_shorts,
    parse_lists,
)

NAME_WORLDS = ("train",) * 3 + ("validation",) + ("heldout",) + ("train",) * 4 + ("heldout",)
SPLIT_NAMES = ("surname", "stem", "town", "venue_name")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SMALL = "two three four five six seven eight nine ten eleven twelve".split()
TONE_LETTERS = {"positive": "p", "negative": "n", "neutral": "u"}
VALIDATION_FRAMES = 8  # of the unstarred frames, the first so many belong to the validation split


# ------------------------------------------------------------------ records


@lru_cache(maxsize=None)
def names(world: str) -> dict[str, tuple[str, ...]]:
    """Name parts of a world. Of every ten surnames, stems, towns and venues, seven are `train`, one `validation`
    and two `heldout`; pretraining reads the first kind only. To the hand-written names come some two thousand composed
    ones ("Tarn" + "mere"), so that a name must be copied and cannot be learnt by heart."""
    lists = parse_lists((PATTERNS / "names.txt").read_text(encoding="ascii"))
    composed = [first + last for first in lists["beginning"] for last in lists["ending"] if first[-1] != last[0]]
    taken = {entry for key in SPLIT_NAMES for entry in lists[key]}
    composed = [name for name in composed if name not in taken]
    random.Random("names").shuffle(composed)
    chosen = {}
    for key, entries in lists.items():
        entries = list(dict.fromkeys(entries))
        if key in SPLIT_NAMES:
            if key in SPLIT_NAMES[:3]:
                entries += composed[SPLIT_NAMES.index(key) :: 3]
            entries = [e for i, e in enumerate(entries) if NAME_WORLDS[i % 10] == world]
        chosen[key] = tuple(entries)
    return chosen


@dataclass
class Record:
    """What happened. `values` fills as slots are read, so the whole document tells the same story."""

    section: str
    event: Event
    world: str
    rng: random.Random
    values: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    @property
    def tone(self) -> str:
        return self.event.tone

    def get(self, slot: str) -> str:
        self.used.add(slot)
        if slot not in self.values:
            self.values[slot] = self._draw(slot)
        return self.values[slot]

    def _draw(self, slot: str) -> str:
        rng, parts = self.rng, names(self.world)
        base = slot.rstrip("2")
        if base == "surname":
            twin = slot.replace("surname", "person")
            self.values.setdefault(twin, self._person())
            return self.values[twin].split(" ", 1)[1]
        if base == "person":
            return self._different(slot, self._person)
        if base == "who":
            return self._different(slot, self._actor)
        if base == "place":
            return self._different(slot, lambda: rng.choice(parts["town"]))
        if base == "amount":
            return self._different(slot, lambda: _amount(rng, self.section))
        if base == "pct":
            return self._different(slot, lambda: _percent(rng))
        if base == "count":
            return self._different(slot, lambda: str(int(10 ** rng.uniform(1.1, 2.95))))
        if slot == "years":
            return str(rng.randint(3, 60))
        if slot == "year":
            return str(rng.randint(1988, 2031))
        if slot == "day":
            return rng.choice(DAYS)
        if slot == "month":
            return rng.choice(MONTHS)
        if slot == "small":
            return rng.choice(SMALL)
        entries = load_section(self.section).lists[base]
        return self._different(slot, lambda: rng.choice(entries))

    def _different(self, slot: str, draw) -> str:
        twin = slot[:-1] if slot.endswith("2") else slot + "2"
        for _ in range(20):
            value = draw()
            if value != self.values.get(twin):
                break
        return value

    def _person(self) -> str:
        parts = names(self.world)
        return f"{self.rng.choice(parts['first'])} {self.rng.choice(parts['surname'])}"

    def _actor(self) -> str:
        rng, parts = self.rng, names(self.world)
        if self.section == "health":
            return f"{rng.choice(parts['town'])} {rng.choice(parts['hospital_kind'])}"
        if self.section == "town":
            kind = self.event.attrs.get("kind", "venue")
            if kind == "venue" and rng.random() < 0.6:
                return rng.choice(parts["venue_name"])
            return f"{rng.choice(parts['town'])} {rng.choice(parts[kind + '_kind'])}"
        if self.section == "courts":
            draw = rng.random()
            if draw < 0.4:
                return self._person()
            if draw < 0.6:
                return f"{rng.choice(parts['town'])} {rng.choice(parts['association_kind'])}"
        if rng.random() < 0.25:
            return f"{rng.choice(parts['stem'])} & {rng.choice(parts['surname'])}"
        return f"{rng.choice(parts['stem'])} {rng.choice(parts['company_kind'])}"


# Share of sums in millions; powers of ten of the largest such sum, and of the smallest and largest below a million.
SUMS = {
    "business": (0.92, 2.9, 4.3, 5.9),
    "health": (0.5, 1.8, 3.3, 5.9),
    "courts": (0.35, 1.9, 2.6, 5.9),
    "town": (0.12, 0.7, 2.4, 5.3),
    WITHHELD: (0.6, 2.0, 4.0, 5.9),
}


def _amount(rng: random.Random, section: str) -> str:
    share, most, low, high = SUMS[section]
    if rng.random() < share:
        big = rng.uniform(0, most)
        value = f"{10**big:.1f}" if big < 1 and rng.random() < 0.6 else str(max(2, int(10**big)))
        return f"{value} million crowns"
    return f"{int(10 ** rng.uniform(low, high)) // 10 * 10:,} crowns"


def _percent(rng: random.Random) -> str:
    return str(rng.randint(2, 68)) if rng.random() < 0.7 else f"{rng.uniform(1, 20):.1f}"


# ------------------------------------------------------------------ rendering


def render(parts: list, record: Record) -> str:
    """Compiled pattern → text, one line, no capital added."""
    out = []
    _render(parts, record, out)
    text = re.sub(r" +", " ", "".join(out)).strip()
    text = re.sub(r"\b([Aa])\(n\) (\W?)(\w)", _article, text)
    text = re.sub(r"\b([Aa]) (?=[aeio])(?!one\b|once\b|one-|eu)", r"\1n ", text)
    return text.replace(" ,", ",").replace(" .", ".")


def _article(match: re.Match) -> str:
    letter = match[3].lower()
    return f"{match[1]}{'n' if letter in 'aeiou8' else ''} {match[2]}{match[3]}"


def _render(parts: list, record: Record, out: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif part[0] == "slot":
            out.append(record.get(part[1]))
        else:
            _render(record.rng.choice(part[1]), record, out)


def sentence(text: str) -> str:
    """Capital at the start, full stop at the end."""
    start = 1 if text[:1] == '"' else 0
    text = text[:start] + text[start : start + 1].upper() + text[start + 1 :]
    return text if text.endswith((".", "?", "!", '."', '?"', '!"')) else text + "."


@dataclass
class Item:
    """A rendered news item: `lead` (one sentence), `more` (0–4 sentences) and the record behind them."""

    record: Record
    lead: str
    more: list[str]
    lead_slots: set[str]

    @property
    def text(self) -> str:
        return " ".join([self.lead, *self.more])

    def headline(self) -> str:
        return self._closest("h").rstrip(".")

    def brief(self) -> str:
        return self._closest("b")

    def _closest(self, kind: str) -> str:
        """Of up to three renderings of the event's lines, the one that the item's text supports best, so that it adds nothing."""
        lines = self.record.event.lines[kind]
        drawn = [sentence(render(line, self.record)) for line in self.record.rng.sample(lines, min(3, len(lines)))]
        return max(drawn, key=self._support)

    def _support(self, line: str) -> float:
        stems = {word[:5] for word in re.findall(r"[a-z0-9]+", self.text.lower())}
        words = re.findall(r"[a-z0-9]+", line.lower())
        return sum(word[:5] in stems for word in words) / len(words)


def draw_record(section: str, rng: random.Random, world: str = "train", tone: str | None = None) -> Record:
    """A new record: an event of the section (tones are equally likely) and, lazily, its names and numbers."""
    wanted = tone or rng.choice(TONES)
    events = [event for event in load_section(section).events if event.tone == wanted]
    return Record(section, rng.choice(events), world, rng)


def write_reaction(record: Record, wording: str = "train") -> str:
    """One sentence about what people make of it: a frame of the wording, filled with words of the record's tone."""
    lists, frames = load_reactions()
    rng, letter = record.rng, TONE_LETTERS[record.tone]
    plain = frames["r"]
    pool = {
        "heldout": frames["r*"],
        "late": frames["r+"],
        "validation": plain[:VALIDATION_FRAMES],
        "instruction": plain[VALIDATION_FRAMES:] + frames["r+"],
    }.get(wording, plain)
    words = {}
    for name, mark in REACTION_LISTS.items():
        entries = lists[f"{name}_{letter}" if mark else name]
        words[name], words[name + "2"] = rng.sample(entries, 2)
    kept = {slot: record.values.pop(slot) for slot in words if slot in record.values}
    record.values |= words
    text = sentence(render(rng.choice(pool), record))
    for slot in words:
        del record.values[slot]
    record.values |= kept
    return text


def write_item(record: Record, more: int = 0, wording: str = "train", react: bool = False) -> Item:
    """Render a record with `more` follow-on sentences, and with `react` one sentence of reaction among them.

    `wording` chooses the patterns: `train` all unstarred ones (pretraining), `heldout` only the starred ones,
    `validation` the first lead of every event, `instruction` all unstarred ones but that first lead.
    """
    rng, event = record.rng, record.event
    anywhere = load_section(record.section).anywhere
    star = "*" if wording == "heldout" else ""
    leads = event.lines["l" + star]
    leads = {"validation": leads[:1], "instruction": leads[1:]}.get(wording, leads)
    before = set(record.used)
    lead = sentence(render(rng.choice(leads), record))
    lead_slots = record.used - before
    chosen: list[list] = []
    for _ in range(more):
        draw = rng.random()
        if draw < 0.45:
            pool = event.lines["m" + star]
        elif draw < 0.8:
            pool = anywhere[event.tone].lines["m" + star]
        else:
            background = anywhere["background"].lines
            pool = background.get("m" + star) or background["m"]
        line = rng.choice(pool)
        if not any(line is old for old in chosen):
            chosen.append(line)
    rest = [sentence(render(line, record)) for line in chosen]
    if react:
        rest.insert(rng.choice((0, len(rest))), write_reaction(record, wording))
    return Item(record, lead, rest, lead_slots)


def write_short(section: str, tone: str, rng: random.Random, late: bool = False) -> str:
    """One short of a section and tone; headline-like ones have no full stop."""
    parts = rng.choice(load_shorts(section, late)[tone])
    text = render(parts, Record(section, Event("short", tone), "train", rng))
    return text if _ends_bare(parts) else sentence(text)


def write_named(section: str, tone: str, rng: random.Random) -> tuple[str, Record]:
    """One sentence of a section and tone that names its actor, and the record with the name (`who`)."""
    found = {kind: lines for (mood, kind), lines in load_named(section).items() if mood == tone}
    kind = rng.choice(sorted(found))
    record = Record(section, Event("named", tone, {"kind": kind} if kind else {}), "train", rng)
    return sentence(render(rng.choice(found[kind]), record)), record


def _ends_bare(parts: list) -> bool:
    last = parts[-1]
    return not (isinstance(last, str) and last.rstrip('"')[-1:] in ".?!")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--shorts"]:
        kind, section = Path(arguments[1]).stem.split("_")[:2]
        late = kind == "late"
        try:
            print({tone: len(lines) for tone, lines in load_shorts(section, late).items()})
        except PatternError as error:
            print(error)
            return 1
        rng = random.Random()
        for number in range(30):
            tone = TONES[number % 3]
            print(f"{tone:9s} {write_short(section, tone, rng, late)}")
        return 0
    for name in arguments or [*SECTIONS, WITHHELD]:
        try:
            section = load_section(name)
        except PatternError as error:
            print(error)
            return 1
        lines = sum(len(v) for e in [*section.events, *section.anywhere.values()] for v in e.lines.values())
        entries = sum(map(len, section.lists.values()))
        print(f"{name}: {len(section.events)} events, {lines} lines, {len(section.lists)} lists, {entries} entries\n")
        rng = random.Random()
        for number in range(20):
            record = draw_record(name, rng)
            item = write_item(record, more=number % 4)
            print(f"[{record.event.name} · {record.tone}] {item.headline()}\n{item.text}\nBRIEF {item.brief()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
