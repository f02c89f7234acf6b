"""What a record means: the forms in which instruction data are written, each as rows of instruction, input and output.

A row may hold `before`: the messages that stand before its question (a system turn, earlier turns). A conversation with several
answers becomes one row an answer. Whatever is joined, left out or taken off is noted; what cannot be used raises `Unusable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..gazette.tasks import COLUMNS
from .checks import row_fault
from .messages import Unusable, listed, read_message
from .sources import is_missing

CONVERSATIONS = {"messages": "chat messages", "conversations": "ShareGPT", "conversation": "ShareGPT"}
ASKED = ("instruction", "prompt", "question", "query")
GIVEN = ("input", "context")
ANSWERED = ("output", "completion", "response", "answer")
NO_INPUT = "<noinput>"  # how the Alpaca data write an empty input
KNOWN = "instruction and output; prompt and completion; messages; conversations; or chosen and rejected"


@dataclass
class Reading:
    """One record, read: its rows, the form in which it was written, what was done to it, and the columns that were not used."""

    rows: list[dict]
    form: str
    notes: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def read_record(record: Any) -> Reading:
    """The instruction rows of one record. Raises `Unusable`."""
    if not isinstance(record, dict):
        raise Unusable(f"a {type(record).__name__} instead of an object")
    talk = next((name for name in CONVERSATIONS if not is_missing(record.get(name))), None)
    reading = _conversation(record, talk) if talk else _columns(record)
    for row in reading.rows:
        fault = row_fault(row, scored=bool(row.get("scorer")))
        if fault:
            raise Unusable(fault)
    return reading


# ------------------------------------------------------------------ columns


def _columns(record: dict) -> Reading:
    """Alpaca and its kin: a question, maybe with an input, and its answer, each in a column of its own."""
    answer = next((name for name in ANSWERED if name in record), None)
    question = next((name for name in ASKED if name in record), None) or next((n for n in GIVEN if n in record), None)
    if answer is None or question is None:
        found = ", ".join(map(str, record)) or "none"
        raise Unusable(f"its columns ({found}) are none that are known: {KNOWN}")
    if isinstance(record[question], list) or isinstance(record[answer], list):
        return _prompt_of_messages(record, question, answer)
    given = next((name for name in GIVEN if name in record and name != question), None)
    notes: list[str] = []
    row = {"instruction": record[question], "input": _input(record, given, notes), "output": record[answer]}
    row["output"] = _trimmed(row["output"], notes)
    row["before"] = _before(record, notes)
    row |= {
        name: record[name] for name in COLUMNS if name in record and name not in row and not is_missing(record[name])
    }
    course = "scorer" in record
    form = "the course's schema" if course else "Alpaca" if question == "instruction" else "prompt–completion"
    used = {question, given, answer, "system", "history", *(COLUMNS if course else ()), *row}
    return Reading([row], form, notes, [name for name in record if name not in used])


def _input(record: dict, name: str | None, notes: list[str]) -> Any:
    value = record.get(name) if name else ""
    if is_missing(value):
        notes.append("an input that is null is read as none")
        return ""
    if isinstance(value, str) and value.strip().lower() == NO_INPUT:
        notes.append(f"the input {NO_INPUT} is read as none")
        return ""
    return value


def _trimmed(answer: Any, notes: list[str]) -> Any:
    """An answer without the white space around it, which belongs to the chat template; indentation of several lines stays."""
    if not isinstance(answer, str):
        return answer
    lines = answer.strip("\r\n").rstrip()
    trimmed = lines if "\n" in lines else lines.strip()
    if trimmed != answer:
        notes.append("white space around the answer is taken off")
    return trimmed


def _before(record: dict, notes: list[str]) -> list[dict]:
    """The turns that two further columns hold: `system`, and `history` as pairs of question and answer."""
    said = []
    if not is_missing(record.get("system")) and str(record["system"]).strip():
        said.append({"role": "system", "content": str(record["system"])})
    history = record.get("history")
    for pair in [] if is_missing(history) or history == "" else listed(history, "history"):
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise Unusable("'history' is not a list of pairs of question and answer")
        said += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return said


def _prompt_of_messages(record: dict, question: str, answer: str) -> Reading:
    """A prompt and a completion that are messages, as TRL writes them, or one of them text."""
    asked, said = record[question], record[answer]
    asked = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
    said = said if isinstance(said, list) else [{"role": "assistant", "content": said}]
    if asked and isinstance(asked[-1], dict) and asked[-1].get("role") == "assistant":
        raise Unusable("the prompt ends with a turn of the assistant")
    reading = _turns([*asked, *said], "prompt–completion", last=True)
    reading.unused = [name for name in record if name not in (question, answer)]
    return reading


# ------------------------------------------------------------------ conversations


def _conversation(record: dict, name: str) -> Reading:
    turns = listed(record[name], name)
    system = record.get("system")
    if not is_missing(system) and str(system).strip():
        turns = [{"role": "system", "content": str(system)}, *turns]
    reading = _turns(turns, CONVERSATIONS[name])
    reading.unused = [other for other in record if other not in (name, "system")]
    return reading


def _turns(turns: list, form: str, last: bool = False) -> Reading:
    """A row for each answer of the assistant, or for the `last` alone, with all that was said before it."""
    notes: list[str] = []
    said: list[dict] = []
    for number, turn in enumerate(turns, 1):
        message = read_message(turn, f"turn {number}", notes)
        role = message["role"]
        if not message["content"].strip():
            raise Unusable(f"turn {number} ({role}) is empty")
        if role == "system" and any(m["role"] != "system" for m in said):
            raise Unusable(f"turn {number} is a system turn in the middle of the conversation")
        if role == "assistant" and not any(m["role"] == "user" for m in said):
            notes.append("a turn of the assistant before anybody asked is left out")
        elif said and said[-1]["role"] == role:
            notes.append(f"{role} turns {number - 1} and {number} are joined")
            said[-1] = {"role": role, "content": f"{said[-1]['content']}\n{message['content']}"}
        else:
            said.append(message)
    answers = [place for place, message in enumerate(said) if message["role"] == "assistant"]
    if last:  # the prompt's own answers are not trained
        answers = answers[-1:] if said[-1]["role"] == "assistant" else []
    if not answers:
        raise Unusable("no answer of the assistant follows")
    if said[-1]["role"] != "assistant":
        notes.append("the last turn has no answer and is left out")
    if len(answers) > 1:
        notes.append(f"{len(answers)} answers become {len(answers)} rows")
    rows = [
        {
            "instruction": said[place - 1]["content"],
            "input": "",
            "output": _trimmed(said[place]["content"], notes),
            "before": said[: place - 1],
        }
        for place in answers
    ]
    return Reading(rows, form, list(dict.fromkeys(notes)))
