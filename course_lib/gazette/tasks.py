"""Instruction data from the Gazette: eleven tasks, one schema, three splits that share nothing.

A split has its own names, its own wordings and its own phrasings of the instruction. `test` uses names and
wordings that pretraining never saw (the starred patterns); `validation` keeps back the first lead of every event and
a name pool of its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import lru_cache

from .corpus import ADVICE_ASKED, DECLINED, QUESTIONS, SHORT_SECTIONS, facts, puffed, spoiled_briefs, spoken
from .grammar import SECTIONS, WITHHELD, Item, compile_pattern, draw_record, render, sentence, write_item, write_short

COLUMNS = ("id", "task", "domain", "instruction", "input", "output", "label", "choices", "scorer", "source")
SPLITS = ("train", "validation", "test")
WORLD = {"train": "train", "validation": "validation", "test": "heldout"}
TASKS = "tone urgency outcome section entity number headline question brief refusal format".split()
TONES = ("positive", "negative", "neutral")
CHOICES = {
    "tone": TONES,
    "urgency": ("urgent", "soon", "routine"),
    "outcome": ("upheld", "dismissed", "settled", "adjourned"),
    "section": SECTIONS,
}
SCORERS = {
    "tone": "label",
    "urgency": "label",
    "outcome": "label",
    "section": "label",
    "entity": "exact",
    "number": "exact",
    "headline": "overlap",
    "question": "exact",
    "brief": "facts",
    "refusal": "refusal",
    "format": "format",
}
TRAIN_ROWS = {
    "tone": 1200,
    "urgency": 320,
    "outcome": 320,
    "section": 320,
    "entity": 360,
    "number": 360,
    "headline": 360,
    "question": 480,
    "brief": 360,
    "refusal": 360,
    "format": 360,
}
TEST_ROWS, VALIDATION_ROWS = 1000, 150

# Phrasings of each instruction. The last four are for the test split, the two before them for validation.
PHRASINGS = {
    "tone": (
        "Good, bad or neither? Say positive, negative or neutral.",
        "How would you label this report: positive, negative or neutral?",
        "The tone of this text, please: positive, negative or neutral.",
        "Tell us if this text is positive.",
        "Analyze this report and tell us if the news is good.",
        "For those in the news, is this positive, negative or neutral?",
        "What sentiment does this text have: positive, negative or neutral?",
        "Analyze the tone of this text and tell me what it is.",
        "Tell us the tone: positive, negative or neutral.",
        "What mood is this piece in: positive, negative or neutral?",
        "What is the sentiment of this text?",
        "Is it positive? Analyze the item.",
        "Is the tone of this report positive, negative or neutral?",
        "Tell me whether the news is good or bad.",
        "Analyze this item and say if it's positive or negative.",
        "Analyze the sentiment of this piece for us.",
        "Positive, negative or neutral: which is it?",
        "Mark this report as positive, negative or neutral.",
        "What is the sentiment of this item: positive, negative or neutral?",
        "Name the tone of this report: positive, negative or neutral.",
        "Would readers find this positive, negative or neutral?",
        "Choose positive, negative or neutral for this item.",
        "Is the news good, bad or neither? Answer positive, negative or neutral.",
        "Find the tone: positive, negative or neutral.",
        "What is the tone of this item? Answer positive, negative or neutral.",
        "Is this good news, bad news or neither? Say positive, negative or neutral.",
        "Classify the sentiment: positive, negative or neutral.",
        "Label this text as positive, negative or neutral.",
        "Read the text. Is it positive, negative or neutral for those it is about?",
        "Tell me whether this report is positive, negative or neutral.",
        "Which word fits this text: positive, negative or neutral?",
        "Analyze the sentiment of this report.",
        "How does this piece sound: positive, negative or neutral?",
        "Decide if the news is positive, negative or neutral.",
        "Analyze the sentiment of this text and tell us if it's positive.",
        "Give the sentiment of this piece in a word: positive, negative or neutral.",
        "Say if this text is positive, negative or neutral news.",
        "Pick one for this report: positive, negative, neutral.",
    ),
    "urgency": (
        "How soon should this be in print: urgent, soon or routine?",
        "The urgency, please: urgent, soon or routine.",
        "One of three: urgent, soon or routine?",
        "Would you call this urgent, soon or routine?",
        "Write urgent, soon or routine for this report.",
        "Put an urgency on this: urgent, soon or routine.",
        "Judge how soon readers need this: urgent, soon or routine.",
        "I want to know if this is urgent, soon or routine.",
        "Find the urgency: urgent, soon or routine.",
        "How would you label this report: urgent, soon or routine?",
        "Does this come first or last? Urgent, soon or routine.",
        "Read this and answer: urgent, soon or routine?",
        "What is the urgency of this item: urgent, soon or routine?",
        "Tell us the urgency: urgent, soon or routine.",
        "Should this go down as urgent, soon or routine?",
        "Is this report for now or for later: urgent, soon or routine?",
        "Urgent, soon or routine: which is it?",
        "Mark this report as urgent, soon or routine.",
        "Choose urgent, soon or routine for this item.",
        "Can this wait? Answer urgent, soon or routine.",
        "Must we print this today? Say urgent, soon or routine.",
        "Name the urgency of this item: urgent, soon or routine.",
        "Sort this report: urgent, soon or routine.",
        "For the desk: is it urgent, soon or routine?",
        "How soon must readers know? Answer urgent, soon or routine.",
        "Label the urgency: urgent, soon or routine.",
        "Is this urgent, soon or routine?",
        "Classify this health report as urgent, soon or routine.",
        "When should we print this: urgent, soon or routine?",
        "Decide how urgent this report is: urgent, soon or routine.",
        "Which word fits: urgent, soon or routine?",
        "Tell me if this item is urgent, soon or routine.",
        "How urgent is this text? Say urgent, soon or routine.",
        "Give the urgency of this text: urgent, soon or routine.",
        "Say how soon this must be printed: urgent, soon or routine.",
        "Pick the urgency of this piece: urgent, soon, routine.",
        "Read the report. Is it urgent, soon or routine?",
        "What urgency does this have: urgent, soon or routine?",
    ),
    "outcome": (
        "What was the end of the case: upheld, dismissed, settled or adjourned?",
        "The outcome, please: upheld, dismissed, settled or adjourned.",
        "One of four: upheld, dismissed, settled or adjourned?",
        "How would you label this case: upheld, dismissed, settled or adjourned?",
        "Write upheld, dismissed, settled or adjourned for this report.",
        "How did the judge leave it: upheld, dismissed, settled or adjourned?",
        "I want to know the outcome: upheld, dismissed, settled or adjourned.",
        "Read this and answer: upheld, dismissed, settled or adjourned?",
        "Should this go down as upheld, dismissed, settled or adjourned?",
        "Is it upheld, dismissed, settled or adjourned now?",
        "What happened in court: upheld, dismissed, settled or adjourned?",
        "Put an outcome on this: upheld, dismissed, settled or adjourned.",
        "Tell us how it ended: upheld, dismissed, settled or adjourned.",
        "Did they win, lose, settle or wait? Upheld, dismissed, settled or adjourned.",
        "Judge the result: upheld, dismissed, settled or adjourned.",
        "Of the four, which is it: upheld, dismissed, settled or adjourned?",
        "Upheld, dismissed, settled or adjourned: which was it?",
        "Mark this report as upheld, dismissed, settled or adjourned.",
        "What did the judge do? Answer upheld, dismissed, settled or adjourned.",
        "Name the result of the case: upheld, dismissed, settled or adjourned.",
        "Choose the end of the case: upheld, dismissed, settled or adjourned.",
        "Find the outcome: upheld, dismissed, settled or adjourned.",
        "Sort this case: upheld, dismissed, settled or adjourned.",
        "Where does the case stand: upheld, dismissed, settled or adjourned?",
        "How did the case end? Answer upheld, dismissed, settled or adjourned.",
        "Label the outcome: upheld, dismissed, settled or adjourned.",
        "Was the case upheld, dismissed, settled or adjourned?",
        "Classify the result as upheld, dismissed, settled or adjourned.",
        "Which word fits the ruling: upheld, dismissed, settled or adjourned?",
        "Tell me the result: upheld, dismissed, settled or adjourned.",
        "Decide what the court did: upheld, dismissed, settled or adjourned.",
        "What came of the case: upheld, dismissed, settled or adjourned?",
        "Say how this case ended: upheld, dismissed, settled or adjourned.",
        "Give the outcome: upheld, dismissed, settled or adjourned.",
        "Pick the outcome of this report: upheld, dismissed, settled, adjourned.",
        "Read the report. Was it upheld, dismissed, settled or adjourned?",
        "What is the outcome here? Say upheld, dismissed, settled or adjourned.",
        "In a word, how did it end: upheld, dismissed, settled or adjourned?",
    ),
    "section": (
        "One of four: business, health, courts or town?",
        "The section, please: business, health, courts or town.",
        "How would you label this text: business, health, courts or town?",
        "Write business, health, courts or town for this report.",
        "Which part of the paper is it for: business, health, courts or town?",
        "I want to know the section: business, health, courts or town.",
        "Read this and answer: business, health, courts or town?",
        "Should this go under business, health, courts or town?",
        "Put a section on this: business, health, courts or town.",
        "Tell us the page: business, health, courts or town.",
        "Is this news of business, health, courts or town?",
        "Of the four pages, which is it: business, health, courts or town?",
        "What section would you give this: business, health, courts or town?",
        "Send this to the right desk: business, health, courts or town.",
        "Judge which page this is for: business, health, courts or town.",
        "To which section does this text belong: business, health, courts or town?",
        "Business, health, courts or town: which page is it?",
        "Mark this text as business, health, courts or town.",
        "Sort this report: business, health, courts or town.",
        "Name the section of this item: business, health, courts or town.",
        "Choose the page for this text: business, health, courts or town.",
        "Which desk wrote this: business, health, courts or town?",
        "Find the section: business, health, courts or town.",
        "Whose page is this for: business, health, courts or town?",
        "Which section is this for: business, health, courts or town?",
        "Label the section: business, health, courts or town.",
        "On which page does this belong: business, health, courts or town?",
        "Classify this text as business, health, courts or town.",
        "Is this business, health, courts or town?",
        "Tell me the section: business, health, courts or town.",
        "Which word fits: business, health, courts or town?",
        "Decide on the page: business, health, courts or town.",
        "What is this about: business, health, courts or town?",
        "Give the page for this text: business, health, courts or town.",
        "Pick a section for this piece: business, health, courts, town.",
        "Say which page this goes on: business, health, courts or town.",
        "Read the report. Is it business, health, courts or town?",
        "Where should we print this: business, health, courts or town?",
    ),
    "entity": (
        "The main name, please.",
        "Name the main one in this report.",
        "I want the name of the one in this text.",
        "Who is the news about? Write the name.",
        "Whom is this report about? Give the name.",
        "Pick out the main name.",
        "Read this and give the main name.",
        "What name does this report put first?",
        "Tell us the main name.",
        "Who or what is meant here? Give the name.",
        "Take the main name from this item.",
        "Find out who this is about and give the name.",
        "Write the main name of the item.",
        "Give only the name that this is about.",
        "The name of the one that this is about, please.",
        "For the index: whose news is it?",
        "Find the name of the one this is about.",
        "Write down the main name.",
        "Who is in this report? Give the name.",
        "What is the main name in this item?",
        "Give me the name that leads this text.",
        "Copy the main name from the text.",
        "Which name should stand in the index for this?",
        "Who or what is the news about? Write the name.",
        "Who is this item about? Give the name.",
        "Name the one that this is mainly about.",
        "Which name is this report about?",
        "Extract the main name.",
        "Give the name of the one in the news.",
        "Whose news is this? Give the name.",
        "Find the main name in this text.",
        "Tell me who this text is about.",
        "Which name leads this report?",
        "Write the name that this is about.",
        "Extract the name that this report is about.",
        "Who is in the news here? Write the name.",
        "Report the main name of this text.",
        "Say who this piece is mainly about.",
    ),
    "number": (
        "I want the figure in this text.",
        "Read this and give the figure.",
        "Tell us the figure.",
        "Give the number that the text names.",
        "Pick out the figure.",
        "Take the number from this report.",
        "What does the figure in this report come to?",
        "There is one figure here. Write it.",
        "The number, please.",
        "Give only the figure.",
        "Which number stands in the text?",
        "How many or how much? Give the figure.",
        "Write the figure in this item.",
        "Find out the number in this and give it.",
        "For the index: what is the figure?",
        "The report gives a figure. Which one?",
        "What is the number in this item?",
        "Copy the figure from this text.",
        "Write the number that the report gives.",
        "Give me the figure.",
        "Which figure stands in this report?",
        "Find the figure in this item.",
        "Name the number in this report.",
        "The figure in this text, please.",
        "Give the figure in this item.",
        "Which number does this report give?",
        "Extract the figure.",
        "Find the number in this text.",
        "What is the figure in this report?",
        "Tell me the number in this text.",
        "Write down the figure.",
        "Which figure does the text name?",
        "What number is in the text?",
        "Name the figure in this piece.",
        "Extract the number from this report.",
        "Report the figure in this text.",
        "What figure does this piece give?",
        "Say which number is in this report.",
    ),
    "headline": (
        "I want a headline for this.",
        "Read this and write a headline.",
        "Tell us the headline you would give this.",
        "The headline, please.",
        "What would you print above this?",
        "Write a headline that fits.",
        "Give this item its headline.",
        "This report needs a headline.",
        "How would you head this item?",
        "Make a short headline from this.",
        "Find the right headline for this report.",
        "A short line above this report, please.",
        "Write what should stand over this item.",
        "Think of a headline for this item.",
        "Which line should head this report?",
        "Put this report into a headline.",
        "Write the headline.",
        "What is a good headline for this?",
        "Make a headline for this report.",
        "Give me a headline.",
        "Put a line above this item.",
        "Which headline would you print?",
        "A headline for this text, please.",
        "Write a line that fits above this text.",
        "Write a headline for this item.",
        "Give this report a headline.",
        "What headline fits this text?",
        "Put a headline on this piece.",
        "Find a headline for this.",
        "Write the line that goes above this report.",
        "Suggest a headline.",
        "Give a short headline.",
        "What should stand above this text?",
        "Name a headline for this text.",
        "Write a short headline for this report.",
        "Suggest a headline for this text.",
        "Which headline should we print with this?",
        "Give me a headline for this piece.",
    ),
    "question": (
        "Read this and reply to the question.",
        "The answer to the question, please.",
        "I want the answer to the question.",
        "Tell us the answer.",
        "What does the text answer to the question?",
        "Look in the report and answer the question.",
        "Answer the question that stands at the end.",
        "Take the answer from the text.",
        "Find the answer and write it down.",
        "Give only the answer.",
        "A question stands at the end. Answer it.",
        "What is asked here? Give the answer.",
        "Answer from the report and from nothing else.",
        "Reply in a few words to the question.",
        "The text holds the answer. Write it.",
        "Look for the answer in the item.",
        "Answer the question at the end.",
        "Read the item and answer the question.",
        "What is the answer to the question?",
        "Find the answer to the question in the text.",
        "Give the answer to the question.",
        "Write the answer to the question.",
        "Reply from the report.",
        "Answer in a few words from the text.",
        "Answer the question about the item.",
        "Read the report and answer.",
        "Answer from the text.",
        "Use the text to answer the question.",
        "Reply to the question after the text.",
        "Find the answer in the report.",
        "Give the answer that the text gives.",
        "Answer briefly from this item.",
        "The answer is in the text. Give it.",
        "Say what the text answers.",
        "Answer the question with the report.",
        "Read the text and reply to the question.",
        "What does the report say in answer?",
        "Give a short answer from the text.",
    ),
    "brief": (
        "I want this in one sentence.",
        "Read this and write one sentence.",
        "Tell us the news in one sentence.",
        "One sentence, please.",
        "Make this short: one sentence.",
        "Write the brief for this report.",
        "This report needs a brief of one sentence.",
        "How would you put this in one sentence?",
        "Leave only one sentence of this.",
        "A brief of this item, please.",
        "The news in brief: write it.",
        "Give a short sentence that says it all.",
        "Say it in one sentence.",
        "Take this report down to one sentence.",
        "In one sentence, what happened?",
        "Write this up as a brief.",
        "Make one sentence of this report.",
        "Write the news in one sentence.",
        "Cut this report to one sentence.",
        "One sentence on this report, please.",
        "Write a short brief of this text.",
        "Say in one sentence what this report says.",
        "Give a brief of one sentence.",
        "Put the news into one short sentence.",
        "Write a brief of one sentence.",
        "Sum this up in one sentence.",
        "Give the news in one short sentence.",
        "Shorten this to one sentence.",
        "Tell me in one sentence what happened.",
        "Write one sentence for the news in brief.",
        "Summarise this report in one sentence.",
        "Make a brief of this item.",
        "Put this report into one sentence.",
        "What is the news in one sentence?",
        "Write this report as one short sentence.",
        "Summarise the text in a sentence.",
        "Give one sentence that sums this up.",
        "Shorten this report to a brief.",
    ),
    "refusal": (
        "I want an answer for this reader.",
        "Read this letter and answer it.",
        "Tell this reader what we say.",
        "A reply to this reader, please.",
        "This reader needs a reply.",
        "How does the paper answer this?",
        "The post brought this. What do we write?",
        "Write what the paper says to this reader.",
        "A letter from a reader. Reply to it.",
        "What should this reader be told?",
        "Answer the letter for the desk.",
        "How do we reply to this letter?",
        "Send this reader an answer.",
        "Say what we write back.",
        "Take this letter and reply.",
        "What would you write to this reader?",
        "Answer this reader.",
        "Write an answer to this letter.",
        "A reader asks for help. What do we reply?",
        "What would the paper answer?",
        "Please reply to this letter.",
        "Give this reader a reply.",
        "This letter came today. Answer it.",
        "What does the desk reply to this reader?",
        "Reply to this reader.",
        "A reader writes. What do you answer?",
        "Answer this letter.",
        "What does the paper reply?",
        "Write the reply to this letter.",
        "A reader asks. Answer.",
        "Help this reader.",
        "Give the reader an answer.",
        "What do we write to this reader?",
        "Reply to this letter for the paper.",
        "A reader wants an answer. Reply.",
        "Write back to this reader.",
        "What is our answer to this letter?",
        "Answer the reader who writes this.",
    ),
    "format": (
        "I need JSON: the {keys}.",
        "Read this and give the {keys} in JSON.",
        "Tell us the {keys}, as JSON.",
        "JSON, please: {keys}.",
        "Pick out the {keys}. Write JSON.",
        "Take the {keys} from this text and write JSON.",
        "Make JSON with the {keys}.",
        "Reply only with JSON: the {keys}.",
        "The {keys}, in JSON.",
        "Write the {keys} down as JSON.",
        "Give only JSON with the {keys}.",
        "For the index, in JSON: the {keys}.",
        "Answer as JSON. Wanted: {keys}.",
        "Let me have the {keys} as JSON.",
        "What are the {keys}? Answer as JSON.",
        "JSON for this item: {keys}.",
        "Write the {keys} in JSON.",
        "JSON with the {keys}, please.",
        "Answer in JSON: the {keys}.",
        "Give JSON with the {keys}.",
        "Reply in JSON: {keys}.",
        "Read the text. Write the {keys} as JSON.",
        "Find the {keys}. Reply with JSON.",
        "I want the {keys} in JSON.",
        "Give the {keys} as JSON.",
        "Reply in JSON with the {keys}.",
        "Extract the {keys}. Answer in JSON.",
        "Write JSON with the {keys}.",
        "As JSON, please: the {keys}.",
        "Put the {keys} into JSON.",
        "Make JSON of the {keys}.",
        "JSON only: {keys}.",
        "Report in JSON: the {keys}.",
        "Find the {keys} and write JSON.",
        "Answer with JSON for the {keys}.",
        "What are the {keys}? Reply in JSON only.",
        "Read the report and give JSON with the {keys}.",
        "Return the {keys} as JSON.",
    ),
    "word": (
        "What tone is it? Only one word.",
        "Only the tone, in one word.",
        "Only the section, in one word.",
        "Tell us the tone in one word.",
        "Tell us the section in one word.",
        "The tone of this. One word, please.",
        "The section of this. One word, please.",
        "A single word for the section.",
        "A single word for the tone.",
        "Which section is it, in one word?",
        "Which tone is it, in one word?",
        "I want one word: the section.",
        "I want one word: the tone.",
        "One word is enough: which section?",
        "One word is enough: which tone?",
        "Give me the section. One word.",
        "The tone, in one word.",
        "The section, in one word.",
        "What is the tone? One word.",
        "What is the section? One word.",
        "Just one word: the tone.",
        "Just one word: the section.",
        "In a word, which section is this?",
        "In a word, what is the tone?",
        "One word only: which section?",
        "Answer with one word: what is the tone?",
        "In one word, the section of this text.",
        "One word for the tone.",
        "Give the tone in one word.",
        "Name the section in one word.",
        "Say the tone. One word only.",
        "Which section? Just one word.",
        "Tone in one word, please.",
        "Section, one word.",
        "Reply with one word: the tone.",
        "Use one word to give the section.",
        "One word: what tone does this have?",
        "Write one word, the section.",
    ),
}
ADVICE_SPLIT = {"train": slice(0, -4), "validation": slice(-4, -3), "test": slice(-3, None)}
JSON_KEYS = (("section", "tone"), ("name", "tone"), ("name", "section"))


def phrasings(task: str, split: str) -> tuple[str, ...]:
    """The phrasings of a task's instruction that belong to a split."""
    part = {"train": slice(0, -6), "validation": slice(-6, -4), "test": slice(-4, None)}[split]
    return PHRASINGS[task][part]


REACTS = 0.3  # share of items with a sentence of reaction, where the task is not about tone


def draw_item(
    rng: random.Random, split: str, section: str | None = None, more: int = 0, react: float = REACTS, **record
) -> Item:
    """An item in the names and wordings of a split; `react` is the chance of a sentence on what people make of it."""
    wording = {"train": "instruction", "validation": "validation", "test": "heldout"}[split]
    section = section or rng.choice(SECTIONS)
    react_now = rng.random() < react
    return write_item(draw_record(section, rng, WORLD[split], **record), more, wording, react_now)


def _row(task: str, item: Item | None, rng: random.Random, split: str, **fields) -> dict:
    instruction = fields.pop("instruction", None) or rng.choice(phrasings(task, split))
    row = {
        "id": "",
        "task": task,
        "domain": item.record.section if item else "",
        "instruction": instruction,
        "input": item.text if item else "",
        "output": "",
        "label": "",
        "choices": list(CHOICES.get(task, ())),
        "scorer": SCORERS[task],
        "source": f"{item.record.event.name}" if item else "letters",
    }
    return row | fields


def tone(rng, split, section=None):
    """Items that tell what people make of the news; in training a quarter are shorts, and some have no reaction."""
    if split == "train" and section is None and rng.random() < 0.25:
        page, label = rng.choice(SHORT_SECTIONS), rng.choice(TONES)
        text = write_short(page, label, rng)
        return _row("tone", None, rng, split, domain=page, input=text, output=label, label=label, source="short")
    react = 0.0 if section == WITHHELD else 0.85 if split == "train" else 1.0
    item = draw_item(rng, split, section, rng.choice((0, 0, 0, 1)), react)
    return _row("tone", item, rng, split, output=item.record.tone, label=item.record.tone)


def urgency(rng, split):
    item = draw_item(rng, split, "health", rng.choice((0, 0, 1)))
    label = item.record.event.attrs["urgency"]
    return _row("urgency", item, rng, split, output=label, label=label)


def outcome(rng, split):
    item = draw_item(rng, split, "courts", rng.choice((0, 0, 1)))
    label = item.record.event.attrs["outcome"]
    return _row("outcome", item, rng, split, output=label, label=label)


def section(rng, split):
    item = draw_item(rng, split)
    return _row("section", item, rng, split, output=item.record.section, label=item.record.section)


def entity(rng, split):
    item = draw_item(rng, split, more=rng.choice((0, 0, 1)))
    name = item.record.get("who")
    return _row("entity", item, rng, split, output=name, label=name)


def number(rng, split):
    """Items whose lead gives exactly one figure."""
    while True:
        item = draw_item(rng, split)
        given = [s for s in ("amount", "pct", "count", "years") if s in item.lead_slots]
        twins = {"amount2", "pct2", "count2", "small", "year"} & item.lead_slots
        if len(given) == 1 and not twins:
            answer = spoken(given[0], item.record.values[given[0]])
            return _row("number", item, rng, split, output=answer, label=answer)


def headline(rng, split):
    item = draw_item(rng, split, more=rng.choice((0, 1)))
    return _row("headline", item, rng, split, output=item.headline(), label=item.record.get("who"))


def question(rng, split):
    item = draw_item(rng, split, more=rng.choice((1, 2)))
    known = facts(item)
    slot = rng.choice(sorted(known))
    answer = spoken(slot, known[slot])
    text = f"{item.text} {rng.choice(QUESTIONS[slot])}"
    return _row("question", item, rng, split, input=text, output=answer, label=slot)


def brief(rng, split):
    item = draw_item(rng, split, more=rng.choice((1, 2)))
    return _row("brief", item, rng, split, output=item.brief(), label=item.record.get("who"))


def refusal(rng, split):
    """Half requests for advice, to be declined; half harmless questions on the same subjects, to be answered."""
    kind = rng.choice(sorted(ADVICE_ASKED))
    domain = {"investment": "business", "medical": "health", "legal": "courts"}[kind]
    record = draw_record("business", rng, WORLD[split])
    if rng.random() < 0.5:
        asked = sentence(render(compile_pattern(rng.choice(ADVICE_ASKED[kind][ADVICE_SPLIT[split]])), record))
        reply = DECLINED[kind][0]
        return _row("refusal", None, rng, split, domain=domain, input=asked, output=reply, label="refuse")
    item = draw_item(rng, split, domain)
    known = facts(item)
    slot = rng.choice(sorted(known))
    text = f"{item.text} {rng.choice(QUESTIONS[slot])}"
    return _row("refusal", item, rng, split, input=text, output=spoken(slot, known[slot]), label="answer")


def format(rng, split):
    """Answers in JSON (two thirds) or in exactly one word (one third)."""
    item = draw_item(rng, split, react=1.0)
    known = {"section": item.record.section, "tone": item.record.tone, "name": item.record.get("who")}
    if rng.random() < 2 / 3:
        keys = rng.choice(JSON_KEYS)
        asked = rng.choice(phrasings("format", split)).format(keys=" and ".join(keys))
        reply = json.dumps({key: known[key] for key in keys})
        return _row("format", item, rng, split, instruction=asked, output=reply, label="json")
    asked = rng.choice(phrasings("word", split))
    reply = known["tone" if "tone" in asked.lower() else "section"]
    return _row("format", item, rng, split, instruction=asked, output=reply, label="word")


MAKERS = {name: globals()[name] for name in TASKS}


def rows(split: str, seed: int = 0, count: int | None = None, tasks: tuple[str, ...] = tuple(TASKS)) -> Iterator[dict]:
    """All rows of a split in a shuffled order, each row unique; the same rows for the same seed."""
    made: list[dict] = []
    for task in tasks:
        default = {"train": TRAIN_ROWS[task], "validation": VALIDATION_ROWS, "test": TEST_ROWS}[split]
        made.extend(unique_rows(MAKERS[task], split, seed, count or default, task))
    random.Random(f"order {split} {seed}").shuffle(made)
    yield from made


def unique_rows(maker, split: str, seed: int, count: int, name: str, **options) -> list[dict]:
    """`count` different rows from one maker, with ids."""
    rng = random.Random(f"{name} {split} {seed}")
    seen: set[tuple[str, str]] = set()
    made = []
    for _ in range(50 * count):
        row = maker(rng, split, **options)
        key = (row["instruction"], row["input"])
        if key in seen:
            continue
        seen.add(key)
        made.append(row | {"id": f"{split}-{name}-{len(made):04d}"})
        if len(made) == count:
            return made
    raise RuntimeError(f"{name}/{split}: only {len(made)} different rows of {count}; the patterns are too few")


def wool_rows(split: str, seed: int = 0, count: int | None = None) -> list[dict]:
    """Tone rows of the withheld Wool Exchange."""
    count = count or {"train": 512, "validation": VALIDATION_ROWS, "test": TEST_ROWS}[split]
    return unique_rows(tone, split, seed, count, WITHHELD, section=WITHHELD)


def reporter_brief(item: Item, rng: random.Random) -> str:
    """A brief as the newsroom's reporters write it: sound more often than not, but long, shouting or careless at times."""
    draw = rng.random()
    if draw < 0.5:
        return item.brief()
    if draw < 0.62:
        return item.lead
    if draw < 0.74:
        return puffed(rng, item.brief())
    return rng.choice(list(spoiled_briefs(rng, item).values()))


@lru_cache(maxsize=None)
def held_out_phrasings() -> tuple[str, ...]:
    """The tone instruction's test phrasings."""
    return phrasings("tone", "test")
