"""Names that nobody has printed before: documents with other names, so that names must be copied and cannot be learnt by heart."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from .reading import SECTIONS, load_section
from .records import names as grammar_names

ONSETS = "b br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sc sh sk sl sm sn sp st str sw t th tr tw v w wh y z".split()
VOWELS = "a a a e e e i i o o o u ai au ea ee ei ie oa oo ou".split()
CODAS = "b ck d f g k l ld ll lm m mb n n nd ng nk nt p r r rd rk rl rn rt s sh ss st t th tt x z".split()
LAST = "an ard ell en er ero es ez i in ino is o ock on ova ski son ton um us well wood y".split()


def _held_out_words(*parts: str) -> frozenset[str]:
    """The words of all names of these parts that are kept from the training world."""
    names = (name for world in ("validation", "heldout") for part in parts for name in grammar_names(world)[part])
    return frozenset(word for name in names for word in re.findall(r"\w+", name))


def _any_of(names: Iterable[str]) -> re.Pattern:
    """A pattern that finds each of these names, the longest that fits."""
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(r"\b(?=[A-Z])(?:" + "|".join(map(re.escape, longest_first)) + r")\b")


@lru_cache(maxsize=None)
def _printed_names() -> tuple[re.Pattern, frozenset[str]]:
    """A pattern that finds the surnames, stems and towns of the training world, and the names that may never be coined."""
    parts = ("surname", "stem", "town")
    known = {name for part in parts for name in grammar_names("train")[part]}
    return _any_of(known | {name.upper() for name in grammar_names("train")["town"]}), _held_out_words(*parts)


def coin(rng: random.Random, initial: str) -> str:
    """A name of two or three made-up syllables that begins with `initial`, so that the article before it still fits."""
    if initial in "aeiou":
        start = initial + rng.choice(CODAS)
    else:
        start = rng.choice([onset for onset in ONSETS if onset[0] == initial] or [initial]) + rng.choice(VOWELS)
    middle = rng.choice(ONSETS) + rng.choice(VOWELS) if rng.random() < 0.4 else ""
    return (start + middle + rng.choice(CODAS) + rng.choice(LAST)).capitalize()


def blend(rng: random.Random, initial: str) -> str:
    """A name half like the printed ones: a beginning or an ending of theirs, or both, and a made-up rest ("Ulbrasker", "Stoathythe").

    What follows a printed beginning is then no longer to be guessed, only to be copied.
    """
    parts, made = grammar_names("train"), coin(rng, initial)
    starts = [start for start in parts["beginning"] if start[0].lower() == initial]
    start = rng.choice(starts) if starts and rng.random() < 0.6 else made[: rng.randint(2, 4)]
    return start + (rng.choice(parts["ending"]) if rng.random() < 0.6 else made[-rng.randint(3, 5) :].lower())


def recast(rng: random.Random, text: str, new_name: Callable[[random.Random, str], str] = coin) -> str:
    """The same document with every surname, stem and town replaced by a `new_name`, each by the same one throughout."""
    pattern, kept = _printed_names()
    given: dict[str, str] = {}

    def instead(match: re.Match) -> str:
        name = match[0].title() if match[0].isupper() else match[0]
        while given.setdefault(name, new_name(rng, name[0].lower())) in kept:
            del given[name]
        return given[name].upper() if match[0].isupper() else given[name]

    return pattern.sub(instead, text)


SIGNS = frozenset(
    "The Theatre Picture House Arts Centre Studio Playhouse Cinema Gallery Cafe Hall Arms Tearooms Music Kitchen Ballroom Museum".split()
)  # words of venues' names that stay
THINGS = frozenset(
    "animal bequest crew device equipment food goods invention material premises product stall worker".split()
)  # word lists


@lru_cache(maxsize=None)
def _venues() -> tuple[re.Pattern, frozenset[str], tuple[str, ...]]:
    """A pattern that finds the venues of the training world, the words of all others, and words for new names."""
    kept = _held_out_words("venue_name")
    lists = [entries for s in SECTIONS for name, entries in load_section(s).lists.items() if name in THINGS]
    words = {word for entries in lists for entry in entries for word in entry.split()}
    plain = {word.capitalize() for word in words if re.fullmatch(r"[a-z]{4,9}", word)}
    return _any_of(grammar_names("train")["venue_name"]), kept, tuple(sorted(plain - kept))


def repaint(rng: random.Random, text: str) -> str:
    """The same document with other words on every venue's sign ("The Copper Kettle" → "The Turnip Ledger"), the same throughout."""
    pattern, kept, words = _venues()

    def another(match: re.Match) -> str:
        if match[0] in SIGNS:
            return match[0]
        word = rng.choice(words) if rng.random() < 0.6 else coin(rng, match[0][0].lower())
        return another(match) if word in kept else word

    @cache
    def instead(sign: str) -> str:
        return re.sub(r"[A-Z][a-z]+", another, sign)

    return pattern.sub(lambda match: instead(match[0]), text)


def rename(rng: random.Random, text: str) -> str:
    """The same document with new names for all that have one: half of the time blends, else coined ones; and venues repainted."""
    return repaint(rng, recast(rng, text, blend if rng.random() < 0.5 else coin))
