"""One writer of JSON lines for the whole course."""

from __future__ import annotations

import json
from pathlib import Path


def write_jsonl(path: Path, rows) -> None:
    """One JSON object a line, Unix line ends on every system."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
