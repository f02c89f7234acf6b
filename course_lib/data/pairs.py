"""One line of a preference file as prompt, chosen and rejected, whatever form it has, or the reason why it cannot be used.

Four forms are read: a prompt of its own; a prompt that is only the common beginning of both replies; messages, in lists or one a
reply; and turns written as "\\n\\nHuman: … \\n\\nAssistant: …". A common beginning ends at a turn or at a word, never inside one: "Positive." and
"Poor." begin alike, and "Po" belongs to the replies.
"""

from __future__ import annotations

import re

from .messages import Unusable, read_message

PROMPTS = (
    "prompt",
    "question",
    "instruction",
    "messages",
    "conversations",
)  # where the question stands, whatever it is called
HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
TURN = re.compile(r"\n\n(Human|Assistant):")

SHOWN = 5  # faults that an error names

EQUAL = "the two replies are equal"
EMPTY = "a reply is empty"
PREFIX = "one reply is the beginning of the other, so nothing says where the prompt ends"
NO_PROMPT = "there is no prompt, and the two replies have no common beginning"


def first_of(faults: list[str]) -> str:
    """What an error says of many faults: the first five, and how many more there are."""
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return "; ".join(faults[:SHOWN]) + more


def read_pair(row: object) -> dict[str, str]:
    """`prompt`, `chosen`, `rejected` as bare text, of one line's object. Raises `Unusable`."""
    if not isinstance(row, dict):
        raise Unusable(f"a {type(row).__name__} instead of an object")
    missing = [name for name in ("chosen", "rejected") if name not in row]
    if missing:
        raise Unusable(" and ".join(f"column '{name}' is missing" for name in missing))
    chosen, rejected = ([row[name]] if isinstance(row[name], dict) else row[name] for name in ("chosen", "rejected"))
    prompt = next((row[name] for name in PROMPTS if row.get(name) is not None), None)
    if isinstance(prompt, str) and isinstance(row.get("input"), str) and row["input"].strip():
        prompt = f"{row['input']}\n{prompt}"  # as in instruction rows: the question stands last
    kinds = {type(chosen), type(rejected)}
    if kinds == {list}:
        pair = _from_messages(prompt, _messages(chosen, "chosen"), _messages(rejected, "rejected"))
    elif kinds == {str}:
        pair = _from_text(_prompt_text(prompt), chosen, rejected)
    else:
        found = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise Unusable(f"'chosen' and 'rejected' hold {found}; both must be text, or both lists of messages")
    prompt, chosen, rejected = (text.strip() for text in pair)
    if not chosen or not rejected:
        raise Unusable(EMPTY)
    if chosen == rejected:
        raise Unusable(EQUAL)
    if not prompt:
        raise Unusable(NO_PROMPT)
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _from_text(prompt: str | None, chosen: str, rejected: str) -> tuple[str, str, str]:
    """Bare texts with a prompt of their own, or with one that is their common beginning."""
    if not chosen.strip() or not rejected.strip():
        raise Unusable(EMPTY)
    if prompt is not None:
        repeated = len(prompt.split()) > 2 and chosen.startswith(prompt) and rejected.startswith(prompt)
        start = len(prompt) if repeated else 0
        return _asked(prompt), chosen[start:], rejected[start:]
    if chosen.strip() == rejected.strip():
        raise Unusable(EQUAL)
    end = common_beginning(chosen, rejected)
    if end in (len(chosen.rstrip()), len(rejected.rstrip())):
        raise Unusable(PREFIX)
    return _asked(chosen[:end]), chosen[end:], rejected[end:]


def common_beginning(first: str, second: str) -> int:
    """How many characters of two replies are their common prompt: up to the last common turn, else the last common whole word."""
    end = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    turns = [turn.end() for turn in TURN.finditer(first[:end]) if turn[1] == "Assistant"]
    if turns:
        return turns[-1]
    border = (not first[end:] or first[end].isspace()) and (not second[end:] or second[end].isspace())
    if border or not end:
        return end
    return len(re.sub(r"\S+$", "", first[:end]))


def _asked(prompt: str) -> str:
    """What the user said: the text of a single turn; several turns as one text, so that nothing is lost."""
    text = re.sub(
        rf"{ASSISTANT}\s*$", "", "\n\n" + prompt.lstrip("\n") if prompt.lstrip().startswith("Human:") else prompt
    )
    turns = TURN.findall(text)
    return text.split(":", 1)[1] if turns == ["Human"] and text.startswith(HUMAN) else text


def _prompt_text(prompt: object) -> str | None:
    if prompt is None or isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list):
        return _spoken(_messages(prompt, "prompt"))
    raise Unusable(f"the prompt holds a {type(prompt).__name__}, not text or messages")


def _messages(value: list, name: str) -> list[dict]:
    if not value:
        raise Unusable(EMPTY)
    return [read_message(message, f"message {number} of '{name}'", []) for number, message in enumerate(value, 1)]


def _from_messages(prompt: object, chosen: list[dict], rejected: list[dict]) -> tuple[str, str, str]:
    """Lists of messages, the prompt given or repeated at their beginning."""
    if chosen == rejected:
        raise Unusable(EQUAL)
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    said, other = chosen[shared:], rejected[shared:]
    if len(said) != 1 or len(other) != 1 or said[0]["role"] != "assistant" or other[0]["role"] != "assistant":
        raise Unusable("the two conversations must differ in their last message only, and that must be the assistant's")
    given = _prompt_text(prompt)
    return given if given is not None else _spoken(chosen[:shared]), said[0]["content"], other[0]["content"]


def _spoken(messages: list[dict]) -> str:
    """Messages as the text of a prompt: a single user turn bare; several turns, or a system message, one under the other."""
    if [message["role"] for message in messages] == ["user"]:
        return messages[0]["content"]
    names = {"system": "System", "user": "Human", "assistant": "Assistant"}
    return "\n\n".join(f"{names[message['role']]}: {message['content']}" for message in messages)
