"""The invented newspaper: records, grammar, corpus, tasks. Knows nothing of models."""

from __future__ import annotations

import random

from .grammar import write_item
from .reading import SECTIONS
from .records import draw_record


def front_page_for(name: str) -> str:
    """Today's front page for a reader: four items, one a section, drawn from the reader's name."""
    rng = random.Random(f"front page {name}")
    rule = "=" * 76
    parts = [rule, f"THE GAZETTE{f'printed for {name}':>65}", rule]
    for section in SECTIONS:
        item = write_item(draw_record(section, rng), more=2)
        parts += [f"{section.upper()} · {item.headline()}", *_wrap(item.text), ""]
    return "\n".join(parts).rstrip()


def _wrap(text: str, width: int = 76) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)
