"""The text that the base model reads: `documents`, one mix of the newspaper's pages and the desk's formats.

Nothing here is an instruction, and no document uses the chat template. The table *skill → format → lesson*
stands in `README.md` beside this file. Document `i` of seed `s` depends
on `(s, i)` alone, so a corpus has the same bytes wherever and however often it is made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from .desk import (
    archive_slip,
    asked,
    case_digest,
    clippings,
    cuttings,
    desk_log,
    desk_note,
    filed,
    index_page,
    interview,
    late_remarks,
    morning_list,
    page_plan,
    print_sheet,
    record_card,
    remarks,
    style_book,
    triage_note,
)
from .pages import (
    advertisement,
    box,
    editors_choice,
    front_page,
    headline_after,
    in_brief,
    letter,
    news,
    reading_room,
    reprint,
    roll,
    short_news,
    type_proof,
)
from .renaming import rename

PROOF_DOCUMENTS = 4_000  # the corpus begins with so many documents that are mostly proofs of type

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
