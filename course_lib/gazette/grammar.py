"""From a hidden record to English: reads `patterns/*.txt` and renders them.

A *section* of the Gazette is one plain-text file of hand-written patterns. An *event* ("a profit rise", tone
positive) holds headlines (`h`), leads (`l`), follow-on sentences (`m`) and briefs (`b`); a star marks a
held-out wording, which no pretraining document ever uses. The format is described in `patterns/README.md`.

    python -m course_lib.gazette.grammar business        # report format errors, then print twenty documents
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

PATTERNS = Path(__file__).parent / "patterns"
SECTIONS = ("business", "health", "courts", "town")
WITHHELD = "wool"
TONES = ("positive", "negative", "neutral")
MINIMUM = {"h": 3, "l": 8, "l*": 2, "m": 5, "m*": 1, "b": 2}
NUMBER_SLOTS = ("amount", "amount2", "pct", "pct2", "count", "count2", "years")
BUILT_IN = NUMBER_SLOTS + tuple("who who2 person surname person2 surname2 place place2 day month year small".split())
NAME_WORLDS = ("train",) * 3 + ("validation",) + ("heldout",) + ("train",) * 4 + ("heldout",)
SPLIT_NAMES = ("surname", "stem", "town", "venue_name")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SMALL = "two three four five six seven eight nine ten eleven twelve".split()


class PatternError(ValueError):
    """A line of a pattern file that cannot be used; the message names file, line and reason."""


# ------------------------------------------------------------------ reading


@dataclass
class Event:
    """One kind of thing that happens: its tone, attributes and patterns by line type (`"l*"` = held-out lead)."""

    name: str
    tone: str
    attrs: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list] = field(default_factory=dict)
    line_number: int = 0


@dataclass
class Section:
    """A parsed pattern file: word lists, events, and the section-wide `any` blocks by tone."""

    name: str
    lists: dict[str, list[str]]
    events: list[Event]
    anywhere: dict[str, Event]


def compile_pattern(text: str) -> list:
    """Parse one pattern into a list of parts: `str`, `("slot", name)` or `("pick", [parts, …])`."""
    parts, stack = [], []
    for piece in re.split(r"([\[\]|]|\{\w+\})", text):
        if piece == "[":
            branches: list[list] = [[]]
            parts.append(("pick", branches))
            stack.append((parts, branches))
            parts = branches[-1]
        elif piece == "|" and stack:
            stack[-1][1].append([])
            parts = stack[-1][1][-1]
        elif piece == "]":
            if not stack:
                raise ValueError("']' without '['")
            parts, _ = stack.pop()
        elif piece.startswith("{") and piece.endswith("}"):
            parts.append(("slot", piece[1:-1]))
        elif piece:
            parts.append(piece)
    if stack:
        raise ValueError("'[' without ']'")
    return parts


def slots_of(parts: list, sure: bool = False) -> set[str]:
    """Names of the slots in a compiled pattern; with `sure`, only those outside optional choices."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, tuple) and part[0] == "slot":
            found.add(part[1])
        elif isinstance(part, tuple) and not sure:
            for branch in part[1]:
                found |= slots_of(branch)
    return found


def parse_lists(text: str) -> dict[str, list[str]]:
    """Only the `@name` word lists of a pattern file."""
    lists: dict[str, list[str]] = {}
    current: list[str] | None = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("@"):
            current = lists.setdefault(line[1:].strip(), [])
        elif not line:
            current = None
        elif current is not None and not line.startswith("#"):
            current.extend(entry.strip() for entry in line.split("|") if entry.strip())
    return lists


@lru_cache(maxsize=None)
def load_section(name: str) -> Section:
    """Read and check `patterns/<name>.txt`; raises `PatternError` listing every bad line."""
    path = PATTERNS / f"{name}.txt"
    text = path.read_text(encoding="ascii")
    section = Section(name, parse_lists(text), [], {})
    problems = [f"{path.name}: @{n}: '{e}' holds a slot" for n, es in section.lists.items() for e in es if "{" in e]
    event: Event | None = None
    in_list = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", "@")) or in_list:
            in_list = line.startswith("@") or (in_list and bool(line))
            continue
        try:
            if line.startswith("="):
                event = _start_event(section, line[1:].split(), number)
            else:
                _add_line(section, event, line)
        except ValueError as error:
            problems.append(f"{path.name}:{number}: {error}")
    for event in section.events:
        for kind, least in MINIMUM.items():
            have = sum(len(v) for k, v in event.lines.items() if k == kind or k.rstrip("*") == kind)
            if have < least:
                problems.append(
                    f"{path.name}:{event.line_number}: event {event.name} has {have} '{kind}' lines, needs {least}"
                )
    if problems:
        raise PatternError("\n".join(problems))
    return section


def _start_event(section: Section, words: list[str], number: int) -> Event:
    name, tone, *pairs = words
    attrs = dict(pair.split("=", 1) for pair in pairs)
    event = Event(name, tone, attrs, {}, number)
    if name == "any":
        if tone not in (*TONES, "background"):
            raise ValueError(f"tone '{tone}' is none of {TONES} or background")
        section.anywhere[tone] = event
    else:
        if tone not in TONES:
            raise ValueError(f"tone '{tone}' is none of {TONES}")
        section.events.append(event)
    return event


def _add_line(section: Section, event: Event | None, line: str) -> None:
    kind, _, text = line.partition(" ")
    if event is None or kind not in ("h", "l", "l*", "m", "m*", "b"):
        raise ValueError("a line starts with h, l, l*, m, m* or b, under an event")
    parts = compile_pattern(text.strip())
    for slot in slots_of(parts):
        if slot not in BUILT_IN and slot.rstrip("2") not in section.lists:
            raise ValueError(f"unknown slot {{{slot}}}")
    if kind[0] in "hlb" and "who" not in slots_of(parts, sure=True):
        raise ValueError("a headline, lead or brief must contain {who} (outside of [choices])")
    event.lines.setdefault(kind, []).append(parts)


REACTION_LISTS = {
    "voice": "",
    "crowd": "",
    "setting": "",
    "adj": "_",
    "noun": "_",
    "feel": "_",
    "did": "_",
    "adv": "_",
    "hope": "_",
}
TONE_LETTERS = {"positive": "p", "negative": "n", "neutral": "u"}
VALIDATION_FRAMES = 8  # of the unstarred frames, the first so many belong to the validation split


@lru_cache(maxsize=None)
def load_reactions() -> tuple[dict[str, list[str]], dict[str, list[list]]]:
    """The word lists and the frames (`"r"`, on noted pages only `"r+"`, held out `"r*"`) of `patterns/reactions.txt`."""
    path = PATTERNS / "reactions.txt"
    text = path.read_text(encoding="ascii")
    lists, frames = parse_lists(text), {"r": [], "r+": [], "r*": []}
    for number, raw in enumerate(
        text.split("=frames", 1)[1].splitlines(), text.count("\n", 0, text.index("=frames")) + 1
    ):
        kind, _, pattern = raw.strip().partition(" ")
        if not kind:
            continue
        parts = compile_pattern(pattern)
        unknown = {s.rstrip("2") for s in slots_of(parts)} - set(REACTION_LISTS) - set(BUILT_IN)
        if kind not in frames or unknown:
            raise PatternError(
                f"{path.name}:{number}: '{kind}' is no kind of frame, or unknown slots {sorted(unknown)}"
            )
        frames[kind].append(parts)
    return lists, frames


TONE_MARKS = {"+": "positive", "-": "negative", "=": "neutral"}
SHORT_MARKS = {f"s{mark}": tone for mark, tone in TONE_MARKS.items()}


def _read_marked(path: Path, read: Callable[[str, str], None]) -> None:
    """Call `read(mark, text)` for each line "mark text" of a pattern file; the lines that it refuses are named in one error."""
    problems = []
    for number, raw in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        mark, _, text = raw.strip().partition(" ")
        if not mark or mark.startswith("#"):
            continue
        try:
            read(mark, text)
        except ValueError as error:
            problems.append(f"{path.name}:{number}: {error}")
    if problems:
        raise PatternError("\n".join(problems))


def _compiled(text: str, slots: Iterable[str] = BUILT_IN) -> list:
    """A pattern that has no other slots than these."""
    parts = compile_pattern(text)
    if unknown := slots_of(parts) - set(slots):
        raise ValueError(f"unknown slots {sorted(unknown)}")
    return parts


@lru_cache(maxsize=None)
def load_shorts(section: str, late: bool = False) -> dict[str, list[list]]:
    """All shorts of a section, from `shorts_<section>*.txt`, by tone: single sentences about mostly unnamed actors.

    `late`: those of `late_<section>.txt` instead, which the corpus prints only on noted pages.
    """
    shorts: dict[str, list[list]] = {tone: [] for tone in TONES}

    def read(mark: str, text: str) -> None:
        if mark not in SHORT_MARKS:
            raise ValueError(f"a line starts with {', '.join(SHORT_MARKS)}")
        head, person, tail = text.strip().partition("{person}")
        shorts[SHORT_MARKS[mark]].append(_compiled(head + person + tail.replace("{person}", "{person2}")))

    for path in sorted(PATTERNS.glob(f"{'late' if late else 'shorts'}_{section}*.txt")):
        _read_marked(path, read)
    return shorts


OPENING_SLOTS = ("small", "count", "place", "day", "month")


@lru_cache(maxsize=None)
def load_openings() -> dict[str, list[list]]:
    """`patterns/openings.txt`: what may stand before any lead and says nothing of it: clauses (`"c"`) and sentences (`"s"`)."""
    found: dict[str, list[list]] = {"c": [], "s": []}

    def read(mark: str, text: str) -> None:
        if mark not in found:
            raise ValueError(f"'{mark}' is no kind of opening")
        found[mark].append(_compiled(text, OPENING_SLOTS))

    _read_marked(PATTERNS / "openings.txt", read)
    return found


TOWN_KINDS = {"v": "venue", "c": "team", "e": "event", "r": "transport"}


@lru_cache(maxsize=None)
def load_named(section: str) -> dict[tuple[str, str], list[list]]:
    """`patterns/named_<section>.txt` by tone and kind of actor (a letter before the mark, in town news; else `""`).

    Single sentences that name one actor, seldom at their beginning.
    """
    found: dict[tuple[str, str], list[list]] = {}

    def read(mark: str, text: str) -> None:
        kind, tone = TOWN_KINDS.get(mark[0]) if section == "town" else "", TONE_MARKS.get(mark[-1])
        if kind is None or tone is None:
            raise ValueError(f"unknown mark '{mark}'")
        parts = _compiled(text)
        if "who" not in slots_of(parts, sure=True):
            raise ValueError("{who} must stand outside of [choices]")
        found.setdefault((tone, kind), []).append(parts)

    _read_marked(PATTERNS / f"named_{section}.txt", read)
    return found


@lru_cache(maxsize=None)
def load_questions() -> dict[str, list[list]]:
    """`patterns/questions.txt`: wordings of a question about a text, by what is asked."""
    found: dict[str, list[list]] = {}

    def read(kind: str, text: str) -> None:
        if not text.endswith("?"):
            raise ValueError("a line is what is asked, a space and a question with its mark")
        found.setdefault(kind, []).append(compile_pattern(text))

    _read_marked(PATTERNS / "questions.txt", read)
    return found


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
