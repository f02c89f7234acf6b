"""Hidden records: what happened in an item, with names and figures drawn as they are asked for, from one of three worlds of names."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import lru_cache

from .reading import PATTERNS, TONES, WITHHELD, Event, load_section, parse_lists

NAME_WORLDS = ("train",) * 3 + ("validation",) + ("heldout",) + ("train",) * 4 + ("heldout",)
SPLIT_NAMES = ("surname", "stem", "town", "venue_name")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SMALL = "two three four five six seven eight nine ten eleven twelve".split()


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


def draw_record(section: str, rng: random.Random, world: str = "train", tone: str | None = None) -> Record:
    """A new record: an event of the section (tones are equally likely) and, lazily, its names and numbers."""
    wanted = tone or rng.choice(TONES)
    events = [event for event in load_section(section).events if event.tone == wanted]
    return Record(section, rng.choice(events), world, rng)
