"""The true score of a one-sentence brief: a pure function of the hidden record and the reply, between 0 and 1.

The lessons on preferences measure every reward model, every policy and every judge against this function, and hide it from all
of them. It asks what an editor would ask. Does the brief name whom the item is about? Does it say what happened, in the few
words that this needs? Is it a finished sentence, without invention, hype or advice?

`gold.gold_score` answers another question (is it made of the item's words?) and gives a copied first sentence more than a
brief; this one does not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

from .gold import ADVICE, HYPE_PHRASES, HYPE_WORDS, NAME, NUMBER
from .grammar import Item
from .reading import PATTERNS, SECTIONS, load_section, slots_of

SUBJECT, EVENT = 0.4, 0.6  # the two parts of what a brief says
FAULT = 0.4  # each fault leaves so much of the score
MOST_INVENTED = 2  # invented names and numbers are counted up to here
WORDS = 16  # a longer brief loses in proportion
OF_RECORD = ("section", "event")  # keys of a record's facts that are no slots
SMALL_WORDS = frozenset(
    "a an and are as at be been by for from had has have in into is it its of off on or out than that the their them then there "
    "they this to up was were who will with".split()
)
HYPE = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(HYPE_WORDS) + list(HYPE_PHRASES))})(?![\w-])", re.IGNORECASE)
WORD = re.compile(r"\d[\d,.]*\d|\d|[a-z]+(?:-[a-z]+)*")


def hidden_record(item: Item) -> dict[str, str]:
    """The facts behind an item, as `brief_score` wants them: every slot's value so far, the section and the event's name."""
    return dict(item.record.values) | {"section": item.record.section, "event": item.record.event.name}


def brief_score(facts: dict[str, str], text: str, reply: str) -> float:
    """Score `reply` as a brief of the item `text`, whose hidden record holds `facts` (from `hidden_record`): 0 to 1.

    score = (0.4 subject + 0.6 event) · 0.4^faults · min(1, 16 / words)

    subject: 1 if the reply has the name of whom the item is about, else 0. event: how well the reply says what happened: the
    largest F1 between its content words and those of any line in which the newspaper itself briefs such an event (ROUGE-1,
    Lin 2004, on stems of five letters; the subject's name is left out; of what a line says, only what the item says too is
    asked for). faults: each invented name or number, at most two, that neither the item nor the record has; hype or an
    exclamation mark; advice to the reader; no closing full stop. words: the reply's. An empty reply scores 0.

    Raises `KeyError` when `facts` lacks `who`, `section` or `event`.
    """
    words = reply.split()
    if not words:
        return 0.0
    said = SUBJECT * (facts["who"] in reply) + EVENT * event_overlap(facts, text, reply)
    return said * FAULT ** len(faults(facts, text, reply)) * min(1.0, WORDS / len(words))


def faults(facts: dict[str, str], text: str, reply: str) -> list[str]:
    """What is wrong with a brief, by name: `invented` (once or twice), `hype`, `advice`, `unfinished`."""
    found = ["invented"] * min(MOST_INVENTED, len(invented(facts, text, reply)))
    if shouts(reply):
        found.append("hype")
    if ADVICE.search(reply):
        found.append("advice")
    if not reply.rstrip().rstrip("\"'").endswith((".", "?", "!")):
        found.append("unfinished")
    return found


def shouts(reply: str) -> bool:
    """Whether a reply holds hype or an exclamation mark."""
    return "!" in reply or bool(HYPE.search(reply))


def invented(facts: dict[str, str], text: str, reply: str) -> list[str]:
    """Numbers and names of the reply that stand neither in the item nor in the record.

    A name is a capitalised word inside a sentence, or any word that the newspaper's lexicon does not have.
    """
    known = " ".join([text, *(value for slot, value in facts.items() if slot not in OF_RECORD)])
    numbers, words = set(NUMBER.findall(known)), set(re.findall(r"[a-z]+", known.lower()))
    names = {w.lower() for w in NAME.findall(reply)}
    strange = {w for w in re.findall(r"[a-z]+", reply.lower()) if w not in lexicon()}
    return [n for n in NUMBER.findall(reply) if n not in numbers] + sorted((names | strange) - words)


@lru_cache(maxsize=1)
def lexicon() -> frozenset[str]:
    """Every word of the newspaper's own sentences: of all pattern files but the names."""
    files = sorted(path for path in PATTERNS.glob("*.txt") if path.name != "names.txt")
    texts = [path.read_text(encoding="ascii").lower() for path in files]
    return frozenset(re.findall(r"[a-z]+", " ".join(texts))) | HYPE_WORDS | {"jaw", "dropping", "t", "s"}


def event_overlap(facts: dict[str, str], text: str, reply: str) -> float:
    """The largest F1 between the content words of the reply and of any brief of the record's event, 0 to 1."""
    without = stems(facts["who"])
    said, told = stems(reply) - without, stems(text)
    best = 0.0
    for plain, slots in _brief_lines(facts["section"], facts["event"]):
        wanted = set(plain)
        for slot in slots:
            if slot in facts:
                wanted |= stems(facts[slot]) & told
        wanted -= without
        if common := len(wanted & said):
            best = max(best, 2 * common / (len(wanted) + len(said)))
    return best


def stems(text: str) -> set[str]:
    """Content words of a text, cut to five letters; numbers as they stand."""
    return {word[:5] for word in WORD.findall(text.lower()) if word not in SMALL_WORDS}


@lru_cache(maxsize=None)
def _brief_lines(section: str, event: str) -> tuple[tuple[frozenset[str], tuple[str, ...]], ...]:
    """Every wording of an event's briefs: the stems of its fixed words, and its slots but for the subject."""
    if section not in SECTIONS:
        raise KeyError(section)
    found = {one.name: one for one in load_section(section).events}[event]
    lines = []
    for parts in found.lines["b"]:
        for wording in _wordings(parts):
            plain = " ".join(part for part in wording if isinstance(part, str))
            lines.append((frozenset(stems(plain)), tuple(sorted(slots_of(wording) - {"who"}))))
    return tuple(lines)


def _wordings(parts: list) -> list[list]:
    """A compiled pattern with its choices taken in every way."""
    options = []
    for part in parts:
        if isinstance(part, tuple) and part[0] == "pick":
            options.append([wording for branch in part[1] for wording in _wordings(branch)])
        else:
            options.append([[part]])
    return [[piece for some in way for piece in some] for way in product(*options)]
