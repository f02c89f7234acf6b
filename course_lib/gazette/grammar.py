"""From a hidden record to English: renders the patterns of `reading` with what the record holds.

`python -m course_lib.gazette.grammar business` reports format errors, then prints twenty documents.
"""

from __future__ import annotations

import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .reading import (
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
)
from .records import Record, draw_record

TONE_LETTERS = {"positive": "p", "negative": "n", "neutral": "u"}
VALIDATION_FRAMES = 8  # of the unstarred frames, the first so many belong to the validation split


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
