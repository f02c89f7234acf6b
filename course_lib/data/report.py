"""What became of a user's file: what was read, joined, split and dropped, by line and with the reason; duplicates and contradictions.

`read_source` reads a file, a folder of splits or a data set of the hub, of instructions or of preferences, and leaves nothing unsaid:
each record is in `rows`, or in `dropped` with its reason.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import CourseError
from .formats import read_record
from .messages import Unusable
from .pairs import PROMPTS, read_pair
from .sources import records, split_files

SHOWN = 8  # places that a sentence names
PAIRS, INSTRUCTIONS = "preference pairs", "instructions"


@dataclass
class Split:
    """One file, read. `rows` carry their `place`; `notes` and `dropped` are pairs (place, what was done or the reason)."""

    source: str
    records: int = 0
    rows: list[dict] = field(default_factory=list)
    forms: Counter = field(default_factory=Counter)
    notes: list[tuple[str, str]] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    unused: Counter = field(default_factory=Counter)


@dataclass
class Report:
    """A source, read: its splits, and what kind of data they hold (`instructions` or `preference pairs`)."""

    kind: str
    splits: dict[str, Split]

    @property
    def dropped(self) -> int:
        """How many records could not be used."""
        return sum(len(split.dropped) for split in self.splits.values())

    def lines(self) -> list[str]:
        """The report as lines of text, a split after the other, then what two splits share."""
        found = []
        for name, split in self.splits.items():
            found += [f"{name}: {split.source}", *(f"  {line}" for line in said_of(split, self.kind))]
        return found + [f"{said}" for said in said_between(self.splits)]


def read_source(source: str | Path | dict[str, str | Path]) -> Report:
    """Read everything of a source; a dictionary names a file for each split.

    Raises `CourseError` for what is no such source, for a split with nothing in it, and where one split holds pairs and another does not.
    """
    files = {k: f for k, v in source.items() for f in split_files(v).values()} if isinstance(source, dict) else split_files(source)  # fmt: skip
    splits, kinds = {}, {}
    for name, file in files.items():
        splits[name], kinds[name] = _read(file)
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{name} holds {kind}" for name, kind in kinds.items())
        raise CourseError(f"The splits are of different kinds: {told}.", "Read them separately.")
    return Report(next(iter(kinds.values())), splits)


def _read(file: str | Path) -> tuple[Split, str]:
    split = Split(Path(file).name if Path(file).is_file() else str(file))
    kind = None
    for place, record, reason in records(file):
        split.records += 1
        if kind is None and isinstance(record, dict):
            kind = PAIRS if {"chosen", "rejected"} & set(record) else INSTRUCTIONS
        try:
            if reason:
                raise Unusable(reason.lstrip(", "))
            _take(split, place, record, kind)
        except Unusable as fault:
            split.dropped.append((place, str(fault)))
    if not split.records:
        raise CourseError(f"{file} is empty.", "Give it at least one row, or point to another file.")
    return split, kind or INSTRUCTIONS


def _take(split: Split, place: str, record: dict, kind: str | None) -> None:
    """Put the rows of one record, and what was done to it, into the split. Raises `Unusable`."""
    if kind == PAIRS:
        split.rows.append(read_pair(record) | {"place": place})
        split.forms["prompt, chosen, rejected" if any(name in record for name in PROMPTS) else "chosen and rejected alone"] += 1  # fmt: skip
        split.unused.update(name for name in record if name not in ("chosen", "rejected", "input", *PROMPTS))
        return
    reading = read_record(record)
    many = len(reading.rows) > 1
    split.rows += [row | {"place": f"{place}, answer {n}" if many else place} for n, row in enumerate(reading.rows, 1)]
    split.forms[reading.form] += 1
    split.notes += [(place, said) for said in reading.notes]
    split.unused.update(reading.unused)


# ------------------------------------------------------------------ what is the same twice


def question_of(row: dict) -> str:
    """All that stands before the answer, in one form: lower case, single spaces."""
    asked = row.get("prompt") or "\n".join((row.get("input") or "", row.get("instruction") or ""))
    return plain("\n".join([*(m["content"] for m in row.get("before") or []), asked]))


def answer_of(row: dict) -> str:
    """The answer in the same form; of a pair the chosen reply before the rejected."""
    return plain(row["output"] if "output" in row else f"{row['chosen']} > {row['rejected']}")


def plain(text: str) -> str:
    """A text in lower case with single spaces: two rows that differ in nothing else are the same row."""
    return " ".join(text.lower().split())


def duplicates(rows: Sequence[dict]) -> list[list[str]]:
    """The places of rows with the same question and the same answer, a list a group."""
    return [[r["place"] for r in group] for group in _groups(rows, lambda r: (question_of(r), answer_of(r)))]


def contradictions(rows: Sequence[dict]) -> list[list[tuple[str, str]]]:
    """Groups of (place, answer) with the same question and different answers; for labels one of them must be wrong."""
    found = _groups(rows, question_of)
    found = [group for group in found if len({answer_of(row) for row in group}) > 1]
    if (
        rows and "chosen" in rows[0]
    ):  # of one prompt many pairs may be made; only both orders of one pair contradict each other
        both = _groups(rows, lambda r: (question_of(r), frozenset((plain(r["chosen"]), plain(r["rejected"])))))
        found = [group for group in both if len({answer_of(row) for row in group}) > 1]
    return [[(row["place"], row.get("output") or row["chosen"]) for row in group] for group in found]


def overlap(first: Sequence[dict], second: Sequence[dict]) -> list[tuple[str, str]]:
    """Pairs of places with the same question in two splits: what was learnt there is asked here."""
    where = {question_of(row): row["place"] for row in reversed(first)}
    return [(where[q], row["place"]) for row in second if (q := question_of(row)) in where]


def _groups(rows: Iterable[dict], key) -> list[list[dict]]:
    found = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return [group for group in found.values() if len(group) > 1]


# ------------------------------------------------------------------ in words


def said_of(split: Split, kind: str) -> list[str]:
    """What is to be said of one split."""
    forms = ", ".join(
        f"{form} ({count})" if len(split.forms) > 1 else form for form, count in split.forms.most_common()
    )
    found = [f"form: {forms or 'none that is known'}"]
    found.append(f"{len(split.rows)} rows of {kind} from {split.records} records; {len(split.dropped)} dropped")
    found += [f"dropped: {reason}: {said_places(places)}" for reason, places in by_reason(split.dropped)]
    found += [f"changed: {said}: {said_places(places)}" for said, places in by_reason(split.notes)]
    if split.unused:
        found.append("columns not used: " + ", ".join(f"{name} ({n})" for name, n in split.unused.items()))
    twice = duplicates(split.rows)
    if twice:
        extra = sum(len(group) - 1 for group in twice)
        told = "; ".join(" = ".join(map(_short, group)) for group in twice[:SHOWN]) + _more(twice)
        found.append(f"duplicates: {extra} {'rows say' if extra > 1 else 'row says'} the same as another: {told}")
    against = contradictions(split.rows)
    if against:
        told = "; ".join(", ".join(f"{_short(place)} {answer!r:.30}" for place, answer in g) for g in against[:SHOWN])
        questions = f"{len(against)} questions have" if len(against) > 1 else "1 question has"
        found.append(f"contradictory: {questions} different answers: {told}{_more(against)}")
    if not twice and not against:
        found.append("no duplicates, no contradictory answers")
    return found


def said_between(splits: dict[str, Split]) -> list[str]:
    """What splits share with each other."""
    names, found = list(splits), []
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            shared = overlap(splits[one].rows, splits[other].rows)
            told = "; ".join(f"{_short(a)} = {_short(b)}" for a, b in shared[:SHOWN]) + _more(shared)
            count = f"{len(shared)} of {len(splits[other].rows)} questions of {other} stand in {one} too"
            found.append(f"overlap: {count}{': ' + told if shared else ''}")
    return found


def by_reason(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    found = defaultdict(list)
    for place, reason in pairs:
        found[reason].append(place)
    return list(found.items())


def said_places(places: Sequence[str]) -> str:
    """`lines 2, 5, 9 and 3 more` for places of one kind."""
    kinds = {re.sub(r"\d+", "#", place) for place in places}
    shown = places[:SHOWN]
    if len(kinds) == 1 and len(places) > 1 and re.fullmatch(r"(line|row) #.*", next(iter(kinds))):
        word, rest = re.fullmatch(r"(line|row) #(.*)", next(iter(kinds))).groups()
        numbers = ", ".join(re.search(r"\d+", place)[0] for place in shown)
        return f"{word}s {numbers}{rest if '#' not in rest else ''}{_more(places)}"
    return ", ".join(shown) + _more(places)


def _short(place: str) -> str:
    return place.removesuffix(" of the array")


def _more(found: Sequence) -> str:
    return f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
