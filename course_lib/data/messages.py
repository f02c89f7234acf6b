"""One turn of a conversation, in the words of OpenAI and of ShareGPT, with content as text or as a list of parts."""

from __future__ import annotations

import json
from typing import Any

ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "model": "assistant",
    "system": "system", "developer": "system",
}  # fmt: skip


class Unusable(ValueError):
    """A record that cannot be used; the message says why."""


def read_message(turn: Any, where: str, notes: list[str]) -> dict[str, str]:
    """One turn as `{"role": …, "content": text}`; what was done to it goes to `notes`. Raises `Unusable`."""
    if not isinstance(turn, dict):
        raise Unusable(f"{where} is a {type(turn).__name__}, not a message")
    role = turn.get("role", turn.get("from"))
    if role not in ROLES:
        raise Unusable(f"{where} has the role {role!r}; known are {', '.join(ROLES)}")
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        kinds = [part.get("type") if isinstance(part, dict) else type(part).__name__ for part in content]
        other = sorted({str(kind) for kind in kinds if kind != "text"})
        if other or not content:
            raise Unusable(f"{where} holds {', '.join(other) or 'an empty list'}, and only text can be read")
        content = "".join(str(part.get("text") or "") for part in content)
        notes.append("content that is a list of parts is read as text")
    if not isinstance(content, str):
        raise Unusable(f"{where} ({role}) is {content!r:.40}, not text")
    return {"role": ROLES[role], "content": content}


def listed(value: Any, name: str) -> list:
    """A list; a cell of text that holds one as JSON is read, since a CSV file can hold no list. Raises `Unusable`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Unusable(f"'{name}' is text and no list in JSON; save such data as JSONL or Parquet") from None
    if not isinstance(value, list):
        raise Unusable(f"'{name}' holds a {type(value).__name__}, not a list")
    return value
