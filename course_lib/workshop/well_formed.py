"""Is a sentence Gazette English? What the probe's gate of fluency asks, answered by the newspaper's grammar and never by a model."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator

from ..gazette import corpus, desk, grammar, pages, reading, records
from ..gazette.tasks import CHOICES


class WellFormed:
    """Is a sentence Gazette English? It begins and ends like a sentence, its quotes are closed, and every three words in a
    row are three that the newspaper's grammar puts in a row.

    A word list of the grammar counts as one word there, and so do names (`N`) and figures (`#`): "a loaf of" is known if
    "a {food} of" is. A sentence passes if it can be cut into such words in at least one way. The triples come from
    renderings of every pattern that the corpus uses (the more, the more choices it holds, but at most `renderings`), and from
    `documents` documents of each format, however rarely it is printed; never from a model.
    """

    def __init__(self, renderings: int = 400, documents: int = 800, seed: int = 0) -> None:
        self.known: set[tuple[str, ...]] = set()
        self.lists: dict[tuple[str, ...], set[str]] = {}
        rng = random.Random(seed)
        for name, entries in _word_lists():
            for entry in entries:
                words = tuple(_words(entry))
                self.lists.setdefault((words[0].lower(), *words[1:]), set()).add(name)
        self.longest = max(map(len, self.lists))
        for text in _outlines(rng, renderings):
            self._learn(text)
        first = {word for *before, word in self.known if before == ["so", ","]}  # of leads, as `_outlines` gives them
        for clause in reading.load_openings()["c"]:  # any of them may stand before any lead
            outline = _Outline("town", reading.Event("opening", "neutral"), "train", rng)
            *_, last, comma = _words(grammar.render(clause, outline))
            self.known.update((last if last.islower() else "N", comma, word) for word in first)
        for writer, _ in corpus.MAIN:
            for _ in range(documents):
                for sentence in self.split(writer(rng)):
                    self._learn(sentence)

    def _learn(self, sentence: str) -> None:
        words, at = _words(sentence), 0
        row = ["^"]
        while at < len(words):
            at, word = next(_plain(words, at))
            row.append(word)
        row.append("$")
        self.known.update(zip(row, row[1:], row[2:], strict=False))

    @staticmethod
    def split(text: str) -> list[str]:
        """Sentences of a text, one line at a time, datelines off; a full stop inside a quotation does not end one."""
        parts = []
        for line in text.splitlines():
            start = 0
            for match in re.finditer(r'[.!?]"?\s+(?=[A-Z"0-9])', line):
                if line.count('"', start, match.end()) % 2 == 0:
                    parts.append(line[start : match.end()].strip())
                    start = match.end()
            parts.append(line[start:].strip())
        parts = [re.sub(r"^[A-Z][A-Z ]+, [A-Z][a-z]+ - ", "", part) for part in parts]
        return [part for part in parts if len(part.split()) > 3]

    def __call__(self, sentence: str) -> bool:
        whole = sentence[:1].isupper() or sentence[:1] in '"0123456789'
        closed = ends(sentence) and sentence.count('"') % 2 == 0
        article = re.search(r"\b[Aa] (?=[aeio])(?!one\b|once\b|one-|eu)", sentence)
        return whole and closed and not article and self._cuts(_words(sentence))

    def _cuts(self, words: list[str]) -> bool:
        """Whether some way of cutting the words into known ones has known triples only (depth first, each state once)."""
        todo, seen = [(0, "", "^")], set()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            at, first, second = state
            if at == len(words):
                if (first, second, "$") in self.known:
                    return True
                continue
            for end, word in [*_plain(words, at), *self._entries(words, at)]:
                if not first or (first, second, word) in self.known:
                    todo.append((end, second, word))
        return False

    def _entries(self, words: list[str], at: int) -> Iterator[tuple[int, str]]:
        """Entries of word lists that stand at a place, with where each ends."""
        for size in range(1, min(self.longest, len(words) - at) + 1):
            entry = (words[at].lower(), *words[at + 1 : at + size])
            for name in self.lists.get(entry, ()):
                yield at + size, name


def _words(text: str) -> list[str]:
    return re.findall(r"<\w+>|[A-Za-z'-]*[A-Za-z']|\d[\d.,]*\d|\d|[^\sA-Za-z\d]", text)


def _plain(words: list[str], at: int) -> Iterator[tuple[int, str]]:
    """What stands at a place, with where it ends: a run of names is `N` (or `N's`), a figure `#`, all else itself in small
    letters. The first word of a sentence or a quotation may be either, its likelier reading first."""
    word = words[at]
    first = at == 0 or words[at - 1] == '"'
    if not word[0].isupper() and word != "<N>":
        yield at + 1, "#" if word[0].isdigit() else "a" if word == "an" else word
        return
    if first and word != "<N>":
        yield at + 1, "a" if word == "An" else word.lower()
    end = at + 1
    while end < len(words):
        joined = words[end] == "&" and end + 1 < len(words)
        if words[end + joined][0].isupper() or words[end + joined] == "<N>":
            end += 1 + joined
        else:
            break
    if words[end : end + 1] in (["'s"], ["'"]):
        end += 1
    yield end, "N's" if words[end - 1].endswith(("'s", "'")) else "N"


class _Outline(records.Record):
    """A record whose word-list slots are filled with the lists' names, `<town_food>`, and its names with `<N>`; figures are drawn."""

    def _draw(self, slot: str) -> str:
        base = slot.rstrip("2")
        if base in ("who", "person", "surname", "place", "day", "month"):
            return "<N>"
        if base == "small":
            return "<small>"
        in_list = base not in reading.BUILT_IN and slot not in reading.BUILT_IN
        return f"<{self.section}_{base}>" if in_list else super()._draw(slot)


def _word_lists() -> Iterator[tuple[str, list[str]]]:
    """Every word list of the grammar, by the name that stands for it."""
    yield "<small>", records.SMALL
    for section in reading.SECTIONS:
        for name, entries in reading.load_section(section).lists.items():
            yield f"<{section}_{name}>", entries
    for name, entries in reading.load_reactions()[0].items():
        base = name[:-2] if name[:-2] in reading.REACTION_LISTS else name
        yield f"<reaction_{base}>", entries


def _choices(parts: list) -> int:
    """In how many ways a pattern can be rendered, slots aside."""
    return math.prod(sum(map(_choices, part[1])) for part in parts if not isinstance(part, str) and part[0] == "pick")


def _outlines(rng: random.Random, most: int) -> Iterator[str]:
    """Each pattern that the corpus uses, five times for every way to render it but at most `most`, its lists unfilled."""
    jobs: list[tuple[list, str, reading.Event, dict[str, str]]] = []
    leads: set[int] = set()
    for section in reading.SECTIONS:
        world = reading.load_section(section)
        for event in (*world.events, *world.anywhere.values()):
            lines = [line for kind, found in event.lines.items() if not kind.endswith("*") for line in found]
            jobs += [(line, section, event, {}) for line in lines]
            leads |= {id(line) for line in event.lines.get("l", ())}
    for section in pages.SHORT_SECTIONS:
        for late in (False, True):
            for tone, lines in reading.load_shorts(section, late).items():
                jobs += [(line, section, reading.Event("short", tone), {}) for line in lines]
    for section in reading.SECTIONS:
        for (tone, kind), lines in reading.load_named(section).items():
            jobs += [
                (line, section, reading.Event("named", tone, {"kind": kind} if kind else {}), {}) for line in lines
            ]
    markers = {name: f"<reaction_{name}>" for name in reading.REACTION_LISTS}
    markers |= {f"{name}2": marker for name, marker in markers.items()}
    frames = reading.load_reactions()[1]
    jobs += [(line, "town", reading.Event("reaction", "neutral"), markers) for line in frames["r"] + frames["r+"]]
    for kind, lines in reading.load_questions().items():
        for line in lines:
            for _ in range(min(most, 5 * _choices(line))):
                question = grammar.render(line, _Outline("town", reading.Event("question", "neutral"), "train", rng))
                yield question
                yield from (f"{question} {label}." for label in CHOICES.get(kind, ()))
    for line, section, event, given in jobs:
        for _ in range(min(most, 5 * _choices(line))):
            text = grammar.sentence(grammar.render(line, _Outline(section, event, "train", rng, dict(given))))
            yield text
            if id(line) in leads and text.startswith((*desk.SMALL_LETTERS, "<")):  # as after a clause in `desk.opened`
                yield f"So, {text if text[0] == '<' else text[0].lower() + text[1:]}"


def halves(sentence: str) -> tuple[list[str], list[str]]:
    words = sentence.split()
    return words[: len(words) // 2], words[len(words) // 2 :]


def ends(sentence: str) -> bool:
    """Whether it closes with a full stop, a question mark or an exclamation mark, quotes aside."""
    return sentence.rstrip('"')[-1:] in ".?!"


def is_prose(sentence: str) -> bool:
    """Lists, cards, boxes and marks are not sentences."""
    return not re.search(r"<\||^\d\.|^[A-Z][\w ]{0,20}: |^\S+ - |^\(|[{}]", sentence)
