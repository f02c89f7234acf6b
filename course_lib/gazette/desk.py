"""What the desk writes about the news: its tone, urgency, outcome and page; cards, the index, questions and their answers.

The latent skills of the base model, each in the newspaper's own form and never as an instruction. The table
*skill → format → lesson* in `README.md` names every function below.
"""

from __future__ import annotations

import json
import random
from functools import lru_cache, partial

from .grammar import TONE_LETTERS, Item, render, sentence, write_item, write_named, write_reaction, write_short
from .pages import FACT_NAMES, QUESTIONS, SECTION_WEIGHTS, SHORT_SECTIONS, answers, any_item, facts, news, say
from .reading import PATTERNS, SECTIONS, TONES, load_openings, load_questions, load_reactions, load_section, parse_lists
from .records import Record, draw_record

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
        item = any_item(rng, section, rng.choice((0, 0, 0, 1)))
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
            item = any_item(rng, more=rng.choice((0, 0, 1)))
            text, section = item.text, item.record.section
        parts.append(f"{text}\n{note.format(section)}")
    return "\n".join(parts)


# ------------------------------------------------------------------ names, figures, questions


def record_card(rng: random.Random) -> str:
    """Items and their cards of `Name: value` lines."""
    return "\n".join(_card(rng) for _ in range(rng.randint(1, 3)))


def _card(rng: random.Random) -> str:
    item = any_item(rng, more=rng.choice((0, 1, 1, 2)))
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
        item = any_item(rng, more=rng.choice((0, 0, 0, 1)))
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
        item = any_item(rng, more=rng.choice((0, 0, 1)))
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
        item = any_item(rng, more=rng.choice((0, 0, 0, 1)))
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
            item = any_item(rng, more=rng.choice((0, 0, 1)))
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
        between = [sentence(say(rng, line, record)) for line in rng.sample(PRINTERS, rng.choice((1, 1, 2)))]
        parts.append("\n".join([text, " ".join(between), note]))
    return "\n".join(parts)


def _sheet_entry(rng: random.Random) -> tuple[str, str]:
    """A text and what the desk notes of it: mostly the tone, else its name, its one figure, or its section."""
    draw = rng.random()
    if draw < 0.6:
        text, section, tone = _noted_text(rng) if draw < 0.3 else _remark(rng, late=draw < 0.45)
        return text, rng.choice(TONE_NOTES).format(t=tone, s=section)
    item = any_item(rng, more=rng.choice((0, 0, 0, 1)))
    known = answers(item)
    figures = _figures(known)
    if draw < 0.75 and len(figures) == 1:
        return item.text, rng.choice(FIGURE_ROWS).format(figures[0])
    if draw < 0.92 and "who" in known:
        return item.text, rng.choice(INDEX_ROWS).format(known["who"])
    return item.text, rng.choice(PAGE_NOTES[:3]).format(item.record.section)


def archive_slip(rng: random.Random) -> str:
    """The archive's slip in braces, for answers in JSON."""
    item = any_item(rng, more=rng.choice((0, 1)))
    known = {"section": item.record.section, "tone": item.record.tone}
    known |= {{"who": "name", "pct": "figure"}.get(k, k): v for k, v in facts(item).items() if k != "years"}
    keys = rng.sample(sorted(known), min(len(known), rng.randint(2, 4)))
    return f"{item.text}\nArchive: {json.dumps({key: known[key] for key in keys})}"


def interview(rng: random.Random) -> str:
    """An item, then questions put to the reporter and the answers."""
    item = any_item(rng)
    known = answers(item)
    asker, teller = rng.choice((("Q", "A"), ("Reader", "Reporter"), ("Editor", "Reporter")))
    rows = []
    for slot in rng.sample(sorted(known), min(len(known), rng.randint(2, 5))):
        rows.append(f"{asker}: {rng.choice(QUESTIONS[slot])}\n{teller}: {known[slot]}.")
    return f"{item.text}\n" + "\n".join(rows)
