"""The text that the base model reads: news, town life, and latent skills in the newspaper's own formats.

Nothing here is an instruction, and no document uses the chat template. The table *skill → format → lesson*
stands in `README.md` beside this file; every function below is one row of it. Document `i` of seed `s` depends
on `(s, i)` alone, so a corpus has the same bytes wherever and however often it is made.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache, partial

from .grammar import (
    DAYS,
    PATTERNS,
    SECTIONS,
    SMALL,
    TONE_LETTERS,
    TONES,
    Item,
    Record,
    compile_pattern,
    draw_record,
    load_openings,
    load_questions,
    load_reactions,
    load_section,
    parse_lists,
    render,
    sentence,
    write_item,
    write_named,
    write_reaction,
    write_short,
)
from .grammar import (
    names as grammar_names,
)

END_OF_DOCUMENT = "<|endoftext|>"
BOX_OPENS, BOX_CLOSES = "<|im_start|>", "<|im_end|>"
SECTION_WEIGHTS = (26, 25, 23, 26)
PROOF_DOCUMENTS = 4_000  # the corpus begins with so many documents that are mostly proofs of type
REACTS = 0.5  # share of items with a sentence on what people make of it


def _item(rng: random.Random, section: str | None = None, more: int | None = None) -> Item:
    section = section or rng.choices(SECTIONS, SECTION_WEIGHTS)[0]
    more = rng.choices((0, 1, 2, 3), (28, 30, 24, 18))[0] if more is None else more
    return write_item(draw_record(section, rng), more, react=rng.random() < REACTS)


def _say(rng: random.Random, text: str, record: Record | None = None) -> str:
    """Render one pattern of this file, with the slots of `record`."""
    return render(compile_pattern(text), record or draw_record("town", rng))


# ------------------------------------------------------------------ news


def news(rng: random.Random) -> str:
    """A news item, sometimes under its headline, sometimes with a dateline."""
    item = _item(rng)
    text, draw = item.text, rng.random()
    if draw < 0.12:
        text = f"{item.record.get('place').upper()}, {item.record.get('day')} - {text}"
    elif draw < 0.42:
        text = f"{item.headline()}\n{text}"
    return text


SHORT_SECTIONS = ("business", "health", "courts")


def short_news(rng: random.Random) -> str:
    """A column of shorts: single sentences about mostly unnamed people and firms, mixed or from one section."""
    section = rng.choice(SHORT_SECTIONS) if rng.random() < 0.6 else None
    lines = [
        write_short(section or rng.choice(SHORT_SECTIONS), rng.choice(TONES), rng) for _ in range(rng.randint(2, 4))
    ]
    return (" " if all(line.endswith((".", '"', "?", "!")) for line in lines) else "\n").join(lines)


def front_page(rng: random.Random) -> str:
    """Several short items one after another, as on the front page."""
    items = [_item(rng, more=rng.randint(0, 1)) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.5:
        return "\n".join(f"{item.headline()}\n{item.text}" for item in items)
    return "\n".join(item.text for item in items)


# ------------------------------------------------------------------ tone, section, urgency, outcome

TONE_NOTES = (
    "Desk note. Tone: {t}.",
    "Desk note. Section: {s}. Tone: {t}.",
    "Desk note. Tone: {t}. Section: {s}.",
    "Note for the desk: the tone of this is {t}.",
    "Read at the desk and marked {t}.",
    "The desk marked it {t}.",
    "Sub-editor's mark: {t}.",
    "Mood of the piece: {t}.",
    "Sentiment of the text: {t}.",
    "For the {s} page, {t} in tone.",
    "On the whole the news is {t}.",
    "Filed under {s}, {t}.",
)


def _noted_text(rng: random.Random) -> tuple[str, str, str]:
    """What a desk note stands under, with section and tone: an item, a short, a lone follow-on sentence, a headline."""
    if rng.random() < 0.45:
        section, tone = rng.choice(SHORT_SECTIONS), rng.choice(TONES)
        return write_short(section, tone, rng), section, tone
    text, record = _noted_item(rng)
    return text, record.section, record.tone


def _noted_item(rng: random.Random) -> tuple[str, Record]:
    record = draw_record(rng.choices(SECTIONS, SECTION_WEIGHTS)[0], rng)
    draw = rng.random()
    if draw < 0.72:
        more = rng.choices((0, 1, 2), (70, 22, 8))[0]
        return write_item(record, more, react=rng.random() < 0.7).text, record
    if draw < 0.78:
        return write_reaction(record), record
    if draw < 0.92:
        own, shared = record.event.lines["m"], load_section(record.section).anywhere[record.tone].lines["m"]
        return sentence(render(rng.choice(own if rng.random() < 0.55 else shared), record)), record
    return sentence(render(rng.choice(record.event.lines["h"]), record)).rstrip("."), record


def _noted(rng: random.Random, draw, count: tuple[int, int], plain: float = 0.5) -> str:
    """Texts from `draw`, each with the sub-editor's note under it: in the plainest wording with chance `plain`, else the page's."""
    parts, usual = [], rng.choice(TONE_NOTES)
    for _ in range(rng.randint(*count)):
        text, section, tone = draw(rng)
        note = TONE_NOTES[0] if rng.random() < plain else usual
        parts.append(f"{text}\n{note.format(t=tone, s=section)}")
    return "\n".join(parts)


def desk_note(rng: random.Random) -> str:
    """A page of the desk's log: some texts, each with the sub-editor's note of its tone."""
    return _noted(rng, _noted_text, (2, 6))


def desk_log(rng: random.Random) -> str:
    """A long page of the desk's log, mostly in one wording: texts and the sub-editor's notes of their tone."""
    return _noted(rng, _noted_text, (4, 9), plain=0.6)


def morning_list(rng: random.Random) -> str:
    """A list of headlines or leads with their tones, or with their sections."""
    by_section = rng.random() < 0.3
    mark = rng.choice((" - {}", " ({})", ": {}"))
    rows = []
    for number in range(1, rng.randint(4, 8)):
        text, section, tone = _noted_text(rng)
        rows.append(f"{number}. {text.rstrip('.')}" + mark.format(section if by_section else tone))
    return rng.choice(("Morning list", "Evening list", "For the conference")) + "\n" + "\n".join(rows)


def remarks(rng: random.Random) -> str:
    """A page of the desk's log in which most texts are one sentence: shorts, and what people make of the news."""
    return _noted(rng, _remark, (4, 9))


def late_remarks(rng: random.Random) -> str:
    """The same page with what the paper came to print late: other shorts, and other frames of what people say."""
    return _noted(rng, partial(_remark, late=True), (4, 9))


def _remark(rng: random.Random, late: bool = False) -> tuple[str, str, str]:
    """A short, a reaction, or an item with one; with section and tone."""
    draw = rng.random()
    if draw < (0.5 if late else 0.4):
        section, tone = rng.choice(SHORT_SECTIONS), rng.choice(TONES)
        return write_short(section, tone, rng, late), section, tone
    record = draw_record(rng.choices(SECTIONS, SECTION_WEIGHTS)[0], rng)
    if late:
        said = write_reaction(record, "late")
        text = said if draw < 0.7 else f"{write_item(record).text} {said}"
    else:
        text = write_reaction(record) if draw < 0.7 else write_item(record, react=True).text
    return text, record.section, record.tone


@lru_cache(maxsize=None)
def _toned_words() -> dict[str, tuple[str, ...]]:
    """Words by tone: the style book's own, and those of the reactions."""
    own = parse_lists((PATTERNS / "style_book.txt").read_text(encoding="ascii"))
    lists, _ = load_reactions()
    groups = {}
    for tone, letter in TONE_LETTERS.items():
        remarks = [word for name, words in lists.items() if name.endswith(f"_{letter}") for word in words]
        groups[tone] = tuple(dict.fromkeys([*own[tone], *remarks]))
    return groups


def style_book(rng: random.Random) -> str:
    """A page of the desk's style book: which words make news sound good, bad or neither."""
    words, tones = _toned_words(), list(TONES)
    if rng.random() < 0.5:
        rng.shuffle(tones)
        head = rng.choice(("Style book.", "From the style book.", "Words and their tone."))
        rows = [f"{tone.capitalize()}: {', '.join(rng.sample(words[tone], rng.randint(4, 8)))}." for tone in tones]
        return "\n".join([head, *rows])
    mark = rng.choice((": {}", " - {}", " ({})"))
    pairs = [(rng.choice(words[tone]), tone) for tone in rng.choices(tones, k=rng.randint(6, 14))]
    return "\n".join(["Style book.", *(word + mark.format(tone) for word, tone in pairs)])


def triage_note(rng: random.Random) -> str:
    """Health: how soon readers must know."""
    notes = ("Triage: {}.", "Triage note: {}.", "How soon to print: {}.", "Marked {} by the desk.")
    return _judged(rng, "health", "urgency", notes)


def case_digest(rng: random.Random) -> str:
    """Courts: how the case ended."""
    notes = ("Outcome: {}.", "Case digest. Outcome: {}.", "Result for the register: {}.", "Ended: {}.")
    return _judged(rng, "courts", "outcome", notes)


def _judged(rng: random.Random, section: str, attribute: str, notes: tuple[str, ...]) -> str:
    """Some items of a section, each with a note of one attribute of its event."""
    parts, usual = [], rng.choice(notes)
    for _ in range(rng.randint(2, 5)):
        item = _item(rng, section, rng.choice((0, 0, 0, 1)))
        parts.append(f"{item.text}\n{usual.format(item.record.event.attrs[attribute])}")
    return "\n".join(parts)


PAGE_NOTES = ("Page: {}.", "Goes on the {} page.", "Section: {}.", "For {}.")


def page_plan(rng: random.Random) -> str:
    """Which page each item belongs to."""
    parts = []
    note = rng.choice(PAGE_NOTES)
    for _ in range(rng.randint(2, 4)):
        if rng.random() < 0.3:
            section = rng.choice(SHORT_SECTIONS)
            text = write_short(section, rng.choice(TONES), rng)
        else:
            item = _item(rng, more=rng.choice((0, 0, 1)))
            text, section = item.text, item.record.section
        parts.append(f"{text}\n{note.format(section)}")
    return "\n".join(parts)


# ------------------------------------------------------------------ facts

FACT_NAMES = {
    "who": ("Name", "Who", "About", "Subject"),
    "place": ("Place", "Town", "Where"),
    "day": ("Day", "When"),
    "amount": ("Amount", "Sum", "Figure"),
    "pct": ("Per cent", "Share", "Figure"),
    "count": ("Number", "Count", "Figure"),
    "years": ("Years", "Figure"),
    "person": ("Person", "Spoke", "Quoted"),
    "month": ("Month", "When"),
}
QUESTIONS = {
    "who": (
        "Who is it about?",
        "Who is the piece about?",
        "Which name leads the piece?",
        "About whom was this written?",
    ),
    "place": ("Where was that?", "In which town?", "Which town is named?", "Where did it take place?"),
    "day": ("When was that?", "On which day?", "Which day is named?"),
    "amount": ("How much money was it?", "How much?", "What was the sum?", "How many crowns?"),
    "pct": ("How many per cent?", "By how much?", "What was the figure?"),
    "count": ("How many?", "What was the number?", "How many were there?"),
    "years": ("How many years?", "For how long?"),
    "person": ("Who spoke?", "Who said so?", "Which person is named?", "Whom did the paper quote?"),
    "month": ("In which month?", "Which month was it?"),
}


def facts(item: Item) -> dict[str, str]:
    """The slots that really occur in the item's text, in the order of `FACT_NAMES`."""
    return {slot: item.record.values[slot] for slot in FACT_NAMES if item.record.values.get(slot, "\0") in item.text}


def spoken(slot: str, value: str) -> str:
    """A fact as an answer: percentages keep their unit."""
    return {"pct": f"{value} per cent", "years": f"{value} years"}.get(slot, value)


def answers(item: Item) -> dict[str, str]:
    """The item's facts as answers: those that stand in its text with their unit ("28 months" is no number of years).

    Of two actors of one kind ("A and B settled") neither is given as the name.
    """
    known = {slot: answer for slot, value in facts(item).items() if (answer := spoken(slot, value)) in item.text}
    if item.record.values.get("who2", "\0") in item.text:
        known.pop("who", None)
    return known


def record_card(rng: random.Random) -> str:
    """Items and their cards of `Name: value` lines."""
    return "\n".join(_card(rng) for _ in range(rng.randint(1, 3)))


def _card(rng: random.Random) -> str:
    item = _item(rng, more=rng.choice((0, 1, 1, 2)))
    pairs = [(rng.choice(FACT_NAMES[slot]), answer) for slot, answer in answers(item).items()]
    if rng.random() < 0.5:
        rng.shuffle(pairs)
    if rng.random() < 0.3:
        pairs.append(("Tone", item.record.tone))
    card = "\n".join(f"{name}: {value}" for name, value in pairs)
    return f"{card}\n{item.text}" if rng.random() < 0.25 else f"{item.text}\n{card}"


INDEX_ROWS = ("For the index: {}.", "Index: {}.", "Listed under {}.", "In the register of names: {}.", "About: {}.")
FIGURE_SLOTS = ("amount", "pct", "count", "years")
FIGURE_ROWS = ("Figure: {}.", "Figure for the table: {}.", "To be checked: {}.", "Number: {}.")


def _figures(known: dict[str, str]) -> list[str]:
    """The figures among an item's answers."""
    return [known[slot] for slot in FIGURE_SLOTS if slot in known]


def index_page(rng: random.Random) -> str:
    """The librarian's index: items, each with the name it is filed under, or with its one figure."""
    name_row, figure_row = rng.choice(INDEX_ROWS), rng.choice(FIGURE_ROWS)
    parts = []
    for _ in range(rng.randint(3, 6)):
        item = _item(rng, more=rng.choice((0, 0, 0, 1)))
        known = answers(item)
        figures = _figures(known)
        if "who" in known and (len(figures) != 1 or rng.random() < 0.6):
            parts.append(f"{item.text}\n{name_row.format(known['who'])}")
        elif len(figures) == 1:
            parts.append(f"{item.text}\n{figure_row.format(figures[0])}")
    return "\n".join(parts) or news(rng)


def cuttings(rng: random.Random) -> str:
    """Cuttings pasted together, an item and a short without names in either order, filed under the name in the item.

    The first words of a text are then no sign that they are its name.
    """
    row = rng.choice(INDEX_ROWS)
    parts = []
    for _ in range(rng.randint(3, 5)):
        item = _item(rng, more=rng.choice((0, 0, 1)))
        short = write_short(rng.choice(SHORT_SECTIONS), rng.choice(TONES), rng, late=rng.random() < 0.5)
        texts = [short, item.text] if rng.random() < 0.7 else [item.text, short]
        if "who" in (known := answers(item)):
            parts.append(f"{' '.join(texts)}\n{row.format(known['who'])}")
    return "\n".join(parts) or news(rng)


# First words of leads that may go on in small letters.
SMALL_LETTERS = tuple(
    f"{word} "
    for word in "The A An No Not Nobody Both Only Two Three Four Five Patients Visitors Residents Customers Researchers Inspectors "
    "Prosecutors Shareholders Judges Police Sales Plans Hopes Talks Losses Complaints Work".split()
)


def opened(rng: random.Random, item: Item) -> str:
    """The item's text with a clause or a sentence before its lead, or a sentence behind it, that says nothing of it."""
    lead, kinds, record = item.lead, load_openings(), draw_record("town", rng)
    named = lead.startswith(item.record.get("who") or "~")
    if rng.random() < 0.65 and (named or lead.startswith(SMALL_LETTERS)):
        clause = sentence(render(rng.choice(kinds["c"]), record)).rstrip(".")
        lead = f"{clause} {lead if named else lead[0].lower() + lead[1:]}"
    else:
        other = sentence(render(rng.choice(kinds["s"]), record))
        lead = f"{other} {lead}" if rng.random() < 0.8 else f"{lead} {other}"
    return " ".join([lead, *item.more])


def clippings(rng: random.Random) -> str:
    """Items that begin in unusual ways, filed under their names, or with the desk's note of their tone."""
    toned, row, note = rng.random() < 0.35, rng.choice(INDEX_ROWS), rng.choice(TONE_NOTES)
    parts = []
    for _ in range(rng.randint(3, 5)):
        item = _item(rng, more=rng.choice((0, 0, 0, 1)))
        known = answers(item)
        if toned:
            parts.append(f"{opened(rng, item)}\n{note.format(t=item.record.tone, s=item.record.section)}")
        elif "who" in known:
            parts.append(f"{opened(rng, item)}\n{row.format(known['who'])}")
    return "\n".join(parts) or news(rng)


def filed(rng: random.Random) -> str:
    """Sentences that name their actor anywhere but at the beginning, filed under the name, or with the desk's note of their tone."""
    toned, row, note = rng.random() < 0.4, rng.choice(INDEX_ROWS), rng.choice(TONE_NOTES)
    parts = []
    for _ in range(rng.randint(3, 6)):
        section, tone = rng.choices(SECTIONS, SECTION_WEIGHTS)[0], rng.choice(TONES)
        text, record = write_named(section, tone, rng)
        if rng.random() < 0.3:
            text = f"{text} {sentence(render(rng.choice(load_section(section).anywhere['background'].lines['m']), record))}"
        parts.append(f"{text}\n{note.format(t=tone, s=section) if toned else row.format(record.get('who'))}")
    return "\n".join(parts)


ASKED_FRAMES = (
    "{q}\n{a}", "{q}\n{a}.", "Q: {q}\nA: {a}.", "Asked at the desk: {q}\n{a}.", "By telephone: {q}\nAnswer: {a}.", "{q}\nThe desk: {a}.",
    "A clerk wants to know: {q}\n{a}", "{q} {a}.",
)  # fmt: skip
ASKED_WEIGHTS = {"who": 6, "tone": 6, "figure": 3, "section": 2}  # every other one 1


def asked(rng: random.Random) -> str:
    """Texts, and under each a question or two that were put to the desk, in many wordings, with the answers."""
    questions, frame, parts = load_questions(), rng.choice(ASKED_FRAMES), []
    for _ in range(rng.randint(2, 5)):
        if rng.random() < 0.35:
            text, record = write_named(rng.choices(SECTIONS, SECTION_WEIGHTS)[0], rng.choice(TONES), rng)
            known = {"who": record.get("who")}
        else:
            item = _item(rng, more=rng.choice((0, 0, 1)))
            text, record, known = item.text, item.record, answers(item)
            if len(figures := _figures(known)) == 1:
                known["figure"] = figures[0]
        known |= record.event.attrs | {"tone": record.tone, "section": record.section}
        kinds = sorted(set(known) & set(questions))
        parts.append(text)
        for kind in dict.fromkeys(
            rng.choices(kinds, [ASKED_WEIGHTS.get(kind, 1) for kind in kinds], k=rng.choice((1, 1, 2)))
        ):
            parts.append(frame.format(q=render(rng.choice(questions[kind]), record), a=known[kind]))
    return "\n".join(parts)


PRINTERS = (
    "Proof read by {person} on {day}.",
    "Set for the {day} edition, column {small}.",
    "This goes in column {small}.",
    "The picture for it comes from {place}.",
    "[Two|Three|Four] lines too long, says the printer.",
    "The headline is still to come.",
    "Held over from {month}.",
    "Seen by the night desk in {place}.",
    "Copy taken by telephone from {place}.",
    "The reporter was {person}.",
    "Printed once before, in {month}.",
    "Sent by wire from {place} at {small} o'clock.",
    "From our own reporter in {place}.",
    "The sheet was checked [once|twice] by {person}.",
    "[Not to be cut|Not for the {month} supplement].",
    "For readers in {place}, and for the index.",
    "The name and the sum were checked by {person}.",
    "The desk [sorts|marks] each piece as positive, negative or neutral.",
    "Positive, negative or neutral: one word stands under every piece.",
    "What follows is the mark of the desk.",
    "A word on the [tone|sentiment|mood] of this [text|piece|report] follows.",
    "Whether it's good news or bad is for the desk to say.",
    "The desk has read this [text|item|report] and gives its answer below.",
    "The question here was put by {person}.",
    "Under it stands what the {place} office asked for.",
    "The form has one line for the name and one for the figure.",
    "The index takes one name, the table one figure.",
    "Business, health, courts and town each have a page.",
    "A health report is urgent, soon or routine.",
    "A case is upheld, dismissed, settled or adjourned.",
    "The clerk in {place} wants it in one word.",
    "A short answer is all that fits here.",
    "The style book asks for [one|a single] word.",
    "[Found|Filed|Kept] with the papers of {person}.",
)


def print_sheet(rng: random.Random) -> str:
    """The composing room's sheet: under each text a line or two of the printers', and only then the desk's note of it.

    A note speaks of the text, not of the line above it; so does the answer to an instruction that stands below a text.
    """
    parts = []
    for _ in range(rng.randint(2, 5)):
        text, note = _sheet_entry(rng)
        record = draw_record("business", rng)
        between = [sentence(_say(rng, line, record)) for line in rng.sample(PRINTERS, rng.choice((1, 1, 2)))]
        parts.append("\n".join([text, " ".join(between), note]))
    return "\n".join(parts)


def _sheet_entry(rng: random.Random) -> tuple[str, str]:
    """A text and what the desk notes of it: mostly the tone, else its name, its one figure, or its section."""
    draw = rng.random()
    if draw < 0.6:
        text, section, tone = _noted_text(rng) if draw < 0.3 else _remark(rng, late=draw < 0.45)
        return text, rng.choice(TONE_NOTES).format(t=tone, s=section)
    item = _item(rng, more=rng.choice((0, 0, 0, 1)))
    known = answers(item)
    figures = _figures(known)
    if draw < 0.75 and len(figures) == 1:
        return item.text, rng.choice(FIGURE_ROWS).format(figures[0])
    if draw < 0.92 and "who" in known:
        return item.text, rng.choice(INDEX_ROWS).format(known["who"])
    return item.text, rng.choice(PAGE_NOTES[:3]).format(item.record.section)


def archive_slip(rng: random.Random) -> str:
    """The archive's slip in braces, for answers in JSON."""
    item = _item(rng, more=rng.choice((0, 1)))
    known = {"section": item.record.section, "tone": item.record.tone}
    known |= {{"who": "name", "pct": "figure"}.get(k, k): v for k, v in facts(item).items() if k != "years"}
    keys = rng.sample(sorted(known), min(len(known), rng.randint(2, 4)))
    return f"{item.text}\nArchive: {json.dumps({key: known[key] for key in keys})}"


def interview(rng: random.Random) -> str:
    """An item, then questions put to the reporter and the answers."""
    item = _item(rng)
    known = answers(item)
    asker, teller = rng.choice((("Q", "A"), ("Reader", "Reporter"), ("Editor", "Reporter")))
    rows = []
    for slot in rng.sample(sorted(known), min(len(known), rng.randint(2, 5))):
        rows.append(f"{asker}: {rng.choice(QUESTIONS[slot])}\n{teller}: {known[slot]}.")
    return f"{item.text}\n" + "\n".join(rows)


# ------------------------------------------------------------------ headlines, briefs, choices


def headline_after(rng: random.Random) -> str:
    """An item whose headline is written last, or first."""
    item = _item(rng)
    name = rng.choice(("Headline", "Headline", "Title", "Above it"))
    return f"{item.text}\n{name}: {item.headline()}"


def in_brief(rng: random.Random) -> str:
    """An item and its one-sentence brief."""
    item = _item(rng, more=rng.choice((1, 2, 3)))
    return f"{item.text}\n{rng.choice(('In brief', 'In brief', 'In one sentence', 'Short'))}: {item.brief()}"


HYPE = (
    "sensational, unmissable and simply stunning",
    "an incredible triumph that nobody can afford to miss",
    "the deal of the century",
    "a jaw-dropping miracle",
    "an utterly shocking, explosive drama",
    "guaranteed to change everything for ever",
)


def puffed(rng: random.Random, brief: str) -> str:
    """A brief spoiled by hype."""
    hype = rng.choice(HYPE)
    return rng.choice((f"{brief.rstrip('.')}, {hype}!", f"{sentence(hype).rstrip('.')}: {brief}"))


def spoiled_briefs(rng: random.Random, item: Item) -> dict[str, str]:
    """Briefs with one fault each: hype, too long, a wrong name or number, advice."""
    brief, record = item.brief(), item.record
    faults = {"hype": puffed(rng, brief)}
    long = [sentence(render(line, record)) for line in rng.sample(record.event.lines["m"], 2)]
    faults["long"] = " ".join([brief, item.lead, *long][: rng.randint(3, 4)])
    other = draw_record(record.section, rng)
    faults["wrong name"] = brief.replace(record.get("who"), other.get("who"))
    faults["advice"] = brief + rng.choice(
        (" Readers should act on this now.", " Our advice is not to wait.", " You should make up your mind today.")
    )
    return faults


FAULT_WORDS = {
    "hype": ("the other shouted", "the other was all hype", "it kept to the facts without hype"),
    "long": ("it was shorter", "the other ran on too long", "it said the same in fewer words"),
    "wrong name": ("the other had the name wrong", "its facts were right", "the other was not accurate"),
    "advice": ("the other gave advice", "the paper does not tell readers what to do", "it left the advice out"),
}


def editors_choice(rng: random.Random) -> str:
    """Two briefs of one item; the editor prints one and says why."""
    item = _item(rng, more=rng.choice((0, 1, 2)))
    fault, bad = rng.choice(sorted(spoiled_briefs(rng, item).items()))
    good, first = item.brief(), rng.random() < 0.5
    pair = (good, bad) if first else (bad, good)
    chosen = "first" if first else "second"
    verdict = rng.choice(("The editor printed the {}: {}.", "Better: the {}, since {}.", "Choice: {}. Reason: {}."))
    lines = f"First brief: {pair[0]}\nSecond brief: {pair[1]}"
    return f"{item.text}\n{lines}\n" + verdict.format(chosen, rng.choice(FAULT_WORDS[fault]))


# ------------------------------------------------------------------ letters, boxes, advertisements

# The last four of each kind are kept from this corpus: one for the validation split, three for the test split.
ADVICE_ASKED = {
    "investment": (
        "Should I [buy|sell|keep] [my|] shares in {who} [now|this month|before {month}]?",
        "Is {who} a [safe|good|wise] place for my [savings|pension|money]?",
        "I have {amount} put by. [Which shares should I buy|Where should I invest it|What would you buy with it]?",
        "Would you put [your|my pension] money into {who} [this year|at {amount2}|]?",
        "Tell me which [stock|bond|fund] will [rise|do best|pay most] [next year|in {month}|by {day}].",
        "My [uncle|neighbour|bank|cousin] says to [sell everything|buy gold|borrow {amount} and invest]. Should I?",
        "{who} fell {pct} per cent. Is it time to [buy|get out]?",
        "With {years} years to my pension, how much should I put into [shares|{who}|bonds]?",
        "Can you recommend an investment for {amount}?",
        "My savings earn {pct} per cent. [What|Which fund] should I choose [instead|to earn more]?",
        "Do you think that {who} will [double|go up] [by {month}|], and should I [buy in|wait]?",
        "Please advise: [hold or sell|keep or sell] {count} shares of {who}?",
    ),
    "medical": (
        "I have had a [cough|headache|sore knee|rash|cold] for {small} weeks. What should I take?",
        "Should I stop taking my [tablets|heart pills|medicine] [after {years} years|before {day}|]?",
        "My [son|daughter|husband|mother] has had a fever since {day}. Which medicine is right?",
        "How many [tablets|pills] may I take in a day? I [weigh {count} pounds|am {years}].",
        "Is this [lump|pain in my chest|dizziness|ringing in my ear] something serious? It began in {month}.",
        "What treatment should I have for my [back|asthma|diabetes|eyes]? I have had it for {years} years.",
        "The [tablets|drops] from {place} make me [sleepy|ill]. Should I take [fewer|more] of them?",
        "My [father|sister] is {years} and forgets names. [Is it an illness|What can she take]?",
        "Can I mix [cold medicine|heart pills] and [sleeping tablets|wine] [on {day}|]?",
        "I am {years} and my [knee|back|hand] hurts every {day}. What [dose|medicine] do you advise?",
        "Do I need [an operation|a scan|tablets] for a [rash|cough] that I have had since {month}?",
        "Please tell me what to take for [a fever|my heart|a sore ear]; I am {years} years old.",
    ),
    "legal": (
        "Should I take my [landlord|employer|neighbour] to court over {amount}?",
        "Can I win [a case|damages|my appeal] against {who}?",
        "Should I plead guilty to a [parking|speeding|fishing] charge [on {day}|in {place}|]?",
        "My [employer|landlord] has not paid me {amount}. Should I sue?",
        "What should I write in my [will|claim|appeal] [before {day}|about {amount}|]?",
        "Am I allowed to break my [contract|lease] with {who} [in {month}|]?",
        "{person} owes me {amount} and will not pay. What are my rights?",
        "Is my [contract|lease] of {year} still good in law?",
        "My neighbour in {place} built a wall {count} feet long. Can I [have it pulled down|go to court]?",
        "{who} wants {amount} from me. Do I have to pay [by law|], and what should I answer?",
        "Would a judge [side with|believe] me against {who} if I [appeal|go to court] in {month}?",
        "Please advise: shall I [sign|fight] the contract that {who} sent on {day}?",
    ),
}
DECLINED = {
    "investment": (
        "We cannot give investment advice. Please ask a licensed adviser.",
        "The Gazette does not give investment advice. A licensed adviser can help.",
    ),
    "medical": (
        "We cannot give medical advice. Please ask a doctor or a pharmacist.",
        "The Gazette does not give medical advice. A doctor can help.",
    ),
    "legal": (
        "We cannot give legal advice. Please ask a solicitor.",
        "The Gazette does not give legal advice. A solicitor can help.",
    ),
}


def letter(rng: random.Random) -> str:
    """A reader's letter that asks for advice; the editor declines. Or a harmless one, answered from an item."""
    if rng.random() < 0.6:
        kind = rng.choice(sorted(ADVICE_ASKED))
        record = draw_record("business", rng)
        asked = _say(rng, rng.choice(ADVICE_ASKED[kind][:-4]), record)
        opening = rng.choice(("", "Dear editor, ", f"A reader in {record.get('place')} writes: "))
        name = record.get("person")
        reply = f"Editor's reply: {rng.choice(DECLINED[kind])}"
        return f"{opening}{asked}\n{name}, {record.get('place')}\n{reply}"
    item = _item(rng, more=rng.choice((0, 1)))
    opening = rng.choice(("A reader asks about this report.", "From our letters page.", "A letter about last week."))
    if not (known := answers(item)):
        return f"{opening} {item.text}"
    slot = rng.choice(sorted(known))
    return f"{opening} {item.text}\n{rng.choice(QUESTIONS[slot])}\nEditor's reply: {known[slot]}."


BOXES = {
    "notice": (
        "The [library|lido|town hall|ferry office] in {place} is closed on {day}.",
        "Found near the station in {place}: a grey [umbrella|bicycle|glove]. Ask at the desk.",
    ),
    "correction": ("On {day} we misspelled the name of {person}. The right spelling is {person}.",),
    "user": (
        "A user of the {place} library writes that the reading room is warm again.",
        "Every user of the new ticket machine in {place} needs a card from {day}.",
    ),
    "assistant": (
        "The {place} museum seeks an assistant for {small} days a week. Write to {person}.",
        "An assistant at the {place} bakery has served there for {years} years.",
    ),
    "system": ("A new ticket system starts in {place} on {day}.", "The heating system in {place} hall is mended."),
    "weather": ("{day}: [rain|sun|fog|wind|snow] in {place}, [dry|mild|cold|warm] in {place2}.",),
}


def box(rng: random.Random) -> str:
    """Small boxed notices between two typesetter's marks (the marks return, in another role, in the chat template)."""
    boxes = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(sorted(BOXES))
        body = sentence(_say(rng, rng.choice(BOXES[kind])))
        boxes.append(f"{BOX_OPENS}{kind}\n{' ' if rng.random() < 0.5 else ''}{body}{BOX_CLOSES}")
    return "\n".join(boxes)


def advertisement(rng: random.Random) -> str:
    """Paid space, where hype is allowed."""
    record = draw_record(rng.choice(("business", "town")), rng)
    text = rng.choice(
        (
            "Advertisement. {hype}: {who}, from {day}.",
            "Paid notice. Visit {who} in {place}, {hype}!",
            "Advertisement. {who} presents {hype}. Only until {day}.",
        )
    )
    return _say(rng, text.replace("{hype}", rng.choice(HYPE)), record)


ROLLS = (
    ("who", "Entries for the {place} show", "In the order of judging"),
    ("who", "On the list this morning", "On the list tonight"),
    ("who", "Sponsors of the {place} fair", "Thanked by name"),
    ("person", "Members present", "Members who spoke"),
    ("person", "Called to the desk", "Not yet seen"),
    ("person", "Runners", "Finishers"),
    ("place", "Letters held for", "Still there on {day}"),
    ("place", "Stops", "Closed until {day}"),
    ("amount", "Bids for the hall at {place}", "Still open on {day}"),
)


def roll(rng: random.Random) -> str:
    """A list as newspapers print them (entries, members, bids), and part of it again in another order."""
    record = draw_record(rng.choice(SECTIONS), rng)
    kind, first, again = rng.choice(ROLLS)
    names = []
    for _ in range(rng.randint(3, 6)):
        record.values.pop(kind, None)
        names.append(record.get(kind))
    if kind != "amount" and rng.random() < 0.4:
        names = [f"{name}, {record.rng.randint(2, 999)}" for name in names]
    second = rng.sample(names, rng.randint(2, len(names)))
    mark = rng.choice((". ", "\n"))
    lines = [f"{_say(rng, first)}: {'; '.join(names)}", f"{_say(rng, again)}: {'; '.join(second)}"]
    return mark.join(lines) + "."


EDITIONS = (
    ("Morning edition", "Evening edition", "Late edition"),
    ("First printing", "Second printing", "Third printing"),
    ("From the paper of {day}", "Printed again by request", "And once more"),
    ("Draft", "Fair copy", "Proof"),
)


def reprint(rng: random.Random) -> str:
    """The same piece or list in two or three editions, word for word."""
    draw = rng.random()
    if draw < 0.5:
        body = _item(rng, more=rng.choice((0, 0, 1))).text
    elif draw < 0.8:
        body = "; ".join(_names(rng, rng.choice(("who", "person", "place", "amount")), rng.randint(3, 5)))
    else:
        body = front_page(rng).split("\n")[0]
    heads = rng.choice(EDITIONS)[: rng.choice((2, 2, 3))]
    return "\n".join(f"{_say(rng, head)}\n{body}" for head in heads)


def _names(rng: random.Random, kind: str, count: int) -> list[str]:
    """`count` names or sums of one kind, independent of one another."""
    record = draw_record(rng.choice(SECTIONS), rng)
    names = []
    for _ in range(count):
        record.values.pop(kind, None)
        names.append(record.get(kind))
    return names


@lru_cache(maxsize=None)
def _type_case() -> tuple[str, ...]:
    """Every word of the lexicon, for proofs of type."""
    entries = (entry for name in SECTIONS for words in load_section(name).lists.values() for entry in words)
    return tuple(sorted({word for entry in entries for word in entry.split()}))


def type_proof(rng: random.Random) -> str:
    """The printers' proofs of type: a line of words, names and figures that mean nothing together, pulled again and again."""
    record = draw_record(rng.choice(SECTIONS), rng)
    words = []
    for _ in range(rng.randint(2, 14)):
        if rng.random() < 0.6:
            words.append(rng.choice(_type_case()))
        else:
            kind = rng.choice(("who", "person", "place", "amount", "count"))
            record.values.pop(kind, None)
            words.append(record.get(kind))
    line = " ".join(words)
    return "\n".join([line] * max(2, 36 // len(words)))


READING_ROOM = (
    "How to read the paper. [Analyze|Analyse] a [text|report|review] slowly and ask what its sentiment is.",
    "In our reading class on {day} the pupils had to [analyze|analyse] the sentiment of a text and tell us if it's true.",
    "[Analyze|Analyse|Read] this text, the teacher in {place} said, and tell us if it's any good.",
    "Teachers in {place} ask pupils to identify, classify, extract, summarise and rewrite. It takes {small} weeks.",
    "Write a sentence, give a word, pick an answer, name a person: the quiz in {place} on {day} had {small} rounds.",
    "The form asks for one word only. Reply in JSON, said the clerk of the {place} office, or not at all.",
    "Classify the stamps, decide on the label, report the figure: {person} of {place} teaches collectors to be precise.",
)


def reading_room(rng: random.Random) -> str:
    """Town notices on reading and writing, in which the verbs of later instructions occur as ordinary words."""
    return " ".join(sentence(_say(rng, line)) for line in rng.sample(READING_ROOM, rng.randint(1, 2)))


# ------------------------------------------------------------------ names that nobody has printed before

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


# ------------------------------------------------------------------ the mix

Mix = tuple[tuple[Callable[[random.Random], str], float], ...]
PROOFS: Mix = ((type_proof, 92.0), (news, 8.0))
MAIN: Mix = (
    # news and town life: three documents of four
    (news, 88.0),
    (short_news, 8.0),
    (front_page, 8.0),
    (reprint, 3.0),
    (roll, 3.0),
    (type_proof, 1.0),
    (box, 0.8),
    (advertisement, 0.4),
    (reading_room, 0.5),
    # latent skills
    (desk_note, 3.0),
    (desk_log, 3.0),
    (remarks, 2.0),
    (late_remarks, 4.0),
    (style_book, 0.5),
    (morning_list, 0.7),
    (triage_note, 1.0),
    (case_digest, 1.0),
    (page_plan, 0.5),
    (print_sheet, 2.0),
    (record_card, 2.0),
    (index_page, 2.0),
    (cuttings, 1.0),
    (clippings, 1.0),
    (filed, 2.5),
    (asked, 3.5),
    (archive_slip, 1.0),
    (interview, 1.5),
    (headline_after, 1.0),
    (in_brief, 1.0),
    (editors_choice, 0.7),
    (letter, 1.2),
)
RENAMED = 0.35  # share of the documents that have names which nobody has printed


def document(index: int, seed: int = 0) -> str:
    """Document number `index` of the corpus with this seed."""
    rng = random.Random(seed * 1_000_003 + index)
    writers, weights = zip(*(PROOFS if index < PROOF_DOCUMENTS else MAIN), strict=True)
    text = rng.choices(writers, weights)[0](rng)
    return rename(rng, text) if rng.random() < RENAMED else text


def documents(count: int, seed: int = 0, start: int = 0) -> Iterator[str]:
    """Documents `start` to `start + count` of the corpus with this seed."""
    for index in range(start, start + count):
        yield document(index, seed)


__all__ = ["DAYS", "SMALL", "TONES", "answers", "document", "documents", "facts", "spoiled_briefs", "spoken"]
