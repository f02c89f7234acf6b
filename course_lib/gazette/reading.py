"""The hand-written patterns, read and checked: `patterns/*.txt` as word lists, events and compiled sentences.

A *section* of the Gazette is one plain-text file of hand-written patterns. An *event* ("a profit rise", tone
positive) holds headlines (`h`), leads (`l`), follow-on sentences (`m`) and briefs (`b`); a star marks a
held-out wording, which no pretraining document ever uses. The format is described in `README.md`.
"""

from __future__ import annotations

import re
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


class PatternError(ValueError):
    """A line of a pattern file that cannot be used; the message names file, line and reason."""


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
