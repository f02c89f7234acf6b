"""The newspaper's pages: news, headlines and briefs, letters, boxes, lists, and the printers' proofs of type.

Nothing here is an instruction. What the desk writes about the pages (tones, cards, the index) stands in `desk.py`; `corpus.py`
mixes both.
"""

from __future__ import annotations

import random
from functools import lru_cache

from .grammar import Item, render, sentence, write_item, write_short
from .reading import SECTIONS, TONES, compile_pattern, load_section
from .records import Record, draw_record

END_OF_DOCUMENT = "<|endoftext|>"
BOX_OPENS, BOX_CLOSES = "<|im_start|>", "<|im_end|>"
SECTION_WEIGHTS = (26, 25, 23, 26)
REACTS = 0.5  # share of items with a sentence on what people make of it


def any_item(rng: random.Random, section: str | None = None, more: int | None = None) -> Item:
    section = section or rng.choices(SECTIONS, SECTION_WEIGHTS)[0]
    more = rng.choices((0, 1, 2, 3), (28, 30, 24, 18))[0] if more is None else more
    return write_item(draw_record(section, rng), more, react=rng.random() < REACTS)


def say(rng: random.Random, text: str, record: Record | None = None) -> str:
    """Render one pattern of this file, with the slots of `record`."""
    return render(compile_pattern(text), record or draw_record("town", rng))


# ------------------------------------------------------------------ news


def news(rng: random.Random) -> str:
    """A news item, sometimes under its headline, sometimes with a dateline."""
    item = any_item(rng)
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
    items = [any_item(rng, more=rng.randint(0, 1)) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.5:
        return "\n".join(f"{item.headline()}\n{item.text}" for item in items)
    return "\n".join(item.text for item in items)


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


def shared(item: Item) -> bool:
    """Whether the text names two actors of one kind: of "A and B settled" neither is the main name."""
    return item.record.values.get("who2", "\0") in item.text


def answers(item: Item) -> dict[str, str]:
    """The item's facts as answers: those that stand in its text with their unit ("28 months" is no number of years).

    Of two actors of one kind neither is given as the name.
    """
    known = {slot: answer for slot, value in facts(item).items() if (answer := spoken(slot, value)) in item.text}
    if shared(item):
        known.pop("who", None)
    return known


# ------------------------------------------------------------------ headlines, briefs, choices


def headline_after(rng: random.Random) -> str:
    """An item whose headline is written last, or first."""
    item = any_item(rng)
    name = rng.choice(("Headline", "Headline", "Title", "Above it"))
    return f"{item.text}\n{name}: {item.headline()}"


def in_brief(rng: random.Random) -> str:
    """An item and its one-sentence brief."""
    item = any_item(rng, more=rng.choice((1, 2, 3)))
    return f"{item.text}\n{rng.choice(('In brief', 'In brief', 'In one sentence', 'Short'))}: {item.brief()}"


HYPE = (
    "sensational, unmissable and simply stunning",
    "an incredible triumph that nobody can afford to miss",
    "the deal of the century",
    "a jaw-dropping miracle",
    "an utterly shocking, explosive drama",
    "guaranteed to change everything for ever",
)


ADVICE_GIVEN = (
    " Readers should act on this now.",
    " Our advice is not to wait.",
    " You should make up your mind today.",
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
    faults["advice"] = brief + rng.choice(ADVICE_GIVEN)
    return faults


FAULT_WORDS = {
    "hype": ("the other shouted", "the other was all hype", "it kept to the facts without hype"),
    "long": ("it was shorter", "the other ran on too long", "it said the same in fewer words"),
    "wrong name": ("the other had the name wrong", "its facts were right", "the other was not accurate"),
    "advice": ("the other gave advice", "the paper does not tell readers what to do", "it left the advice out"),
}


def editors_choice(rng: random.Random) -> str:
    """Two briefs of one item; the editor prints one and says why."""
    item = any_item(rng, more=rng.choice((0, 1, 2)))
    fault, bad = rng.choice(sorted(spoiled_briefs(rng, item).items()))
    good, first = item.brief(), rng.random() < 0.5
    pair = (good, bad) if first else (bad, good)
    chosen = "first" if first else "second"
    verdict = rng.choice(("The editor printed the {}: {}.", "Better: the {}, since {}.", "Choice: {}. Reason: {}."))
    lines = f"First brief: {pair[0]}\nSecond brief: {pair[1]}"
    return f"{item.text}\n{lines}\n" + verdict.format(chosen, rng.choice(FAULT_WORDS[fault]))


# ------------------------------------------------------------------ letters, boxes, advertisements, lists

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
        asked = say(rng, rng.choice(ADVICE_ASKED[kind][:-4]), record)
        opening = rng.choice(("", "Dear editor, ", f"A reader in {record.get('place')} writes: "))
        name = record.get("person")
        reply = f"Editor's reply: {rng.choice(DECLINED[kind])}"
        return f"{opening}{asked}\n{name}, {record.get('place')}\n{reply}"
    item = any_item(rng, more=rng.choice((0, 1)))
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
        body = sentence(say(rng, rng.choice(BOXES[kind])))
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
    return say(rng, text.replace("{hype}", rng.choice(HYPE)), record)


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
    lines = [f"{say(rng, first)}: {'; '.join(names)}", f"{say(rng, again)}: {'; '.join(second)}"]
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
        body = any_item(rng, more=rng.choice((0, 0, 1))).text
    elif draw < 0.8:
        body = "; ".join(_names(rng, rng.choice(("who", "person", "place", "amount")), rng.randint(3, 5)))
    else:
        body = front_page(rng).split("\n")[0]
    heads = rng.choice(EDITIONS)[: rng.choice((2, 2, 3))]
    return "\n".join(f"{say(rng, head)}\n{body}" for head in heads)


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
    return " ".join(sentence(say(rng, line)) for line in rng.sample(READING_ROOM, rng.randint(1, 2)))
