"""Prompts for one-sentence briefs, and preference pairs: the course's own (`data/preferences`) and a user's file.

`brief_prompts` draws items in the names, wordings and phrasings of a split, each with its hidden record, so that
`gazette.brief.brief_score` can judge any reply to it.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.jsonl import read_jsonl
from ..base.paths import home
from ..gazette import renaming
from ..gazette.brief import hidden_record
from ..gazette.tasks import RENAMED, SPLITS, draw_item, phrasings, reporter_brief
from .pairs import Unusable, read_pair
from .sources import records, split_files

if TYPE_CHECKING:
    from datasets import DatasetDict

SEPARATOR = "\0"
LABELS = ("reader", "unbiased", "gold")
FILE_COLUMNS = dict.fromkeys("id domain prompt first second gold reader unbiased source".split(), str) | {
    "gold_first": float,
    "gold_second": float,
}
SHOWN = 8  # how many lines an error or a report names for one reason


def brief_prompts(split: str, count: int, seed: int = 0) -> list[dict]:
    """`count` different requests for a brief, the same for the same arguments.

    Each is a dictionary: `id`, `domain`, `text` (the item), `facts` (its hidden record, for `brief_score`), `prompt` (what the
    user says: the item and, below it, the instruction), and what a writer that is no model would reply: `lead` (the item's
    first sentence) and `brief` (the newspaper's own). Names, wordings and phrasings are those of `split` (train, validation,
    test), which share none; half of the training items have names that nobody has printed, as in the instruction data.
    """
    return [
        {key: row[key] for key in ("id", "domain", "text", "facts", "prompt", "lead", "brief")}
        for row in _briefed(split, count, f"prompts {seed}", f"{split}-preference")
    ]


def reporters_rows(split: str, count: int, seed: int = 0) -> list[dict]:
    """Instruction rows (`instruction`, `input`, `output`) whose answers are as reporters write briefs: half of them sound.

    The others are the item's first sentence, or have one fault: hype, too long, a wrong name, advice.
    """
    return [
        {"instruction": row["instruction"], "input": row["text"], "output": row["reporter"]}
        for row in _briefed(split, count, f"reporters {seed}", f"{split}-reporter")
    ]


def _briefed(split: str, count: int, seed: str, name: str) -> list[dict]:
    """Different items with everything that is made of them."""
    rng = random.Random(f"briefs {split} {seed}")
    made: list[dict] = []
    seen: set[str] = set()
    while len(made) < count:
        item = draw_item(rng, split, more=rng.choice((1, 2)))
        texts = {"text": item.text, "lead": item.lead, "brief": item.brief(), "reporter": reporter_brief(item, rng)}
        facts = hidden_record(item)
        if split == "train" and rng.random() < RENAMED:
            texts, facts = _renamed(rng, texts, facts)
        if texts["text"] in seen:
            continue
        seen.add(texts["text"])
        asked = rng.choice(phrasings("brief", split))
        row = {"id": f"{name}-{len(made):05d}", "domain": item.record.section, "facts": facts, "instruction": asked}
        made.append(row | texts | {"prompt": f"{texts['text']}\n{asked}"})
    return made


def _renamed(rng: random.Random, texts: dict[str, str], facts: dict[str, str]) -> tuple[dict, dict]:
    """The same item and record with names that nobody has printed, the same ones throughout."""
    whole = SEPARATOR.join([*texts.values(), *facts.values()])
    values = renaming.rename(rng, whole).split(SEPARATOR)
    return dict(zip(texts, values, strict=False)), dict(zip(facts, values[len(texts) :], strict=True))


# ------------------------------------------------------------------ loading


def load_preferences(path: str | Path | None = None, *, labels: str = "reader", skip: bool = False) -> DatasetDict:
    """Preference pairs with the columns `prompt` (bare text of the user turn), `chosen` and `rejected` (bare replies).

    Without `path`: the course's own, with `train`, `validation` and `test`, and with `id`, `domain`, `gold_chosen`, `gold_rejected`
    (true scores), `source`, and what each judge prefers (`gold`, `reader`, `unbiased`, and `ai`, the judge of lesson 14):
    "chosen", "rejected", or "" for a tie, and for a pair that the AI has not judged. `labels` says whose choice `chosen` is: `reader` (the simulated readers, with their
    bias), `unbiased` (simulated readers without one) or `gold` (the true score; its ties are left out, and counted aloud).

    `path`: a file of one's own (JSONL, JSON, CSV, Parquet), a folder with train.* and, if there are, validation.* and test.*, or a data set of
    the hub. The prompt may be
    a column, or the common beginning of both replies, cut at a turn or a word; replies may be text or lists of messages. Lines that
    are no pair (equal, empty, one the beginning of the other, no prompt, not JSON) raise one `CourseError` that counts them by reason
    and line; with `skip=True` that count is printed and they are left out.
    """
    from datasets import Dataset, DatasetDict

    if path is not None:
        files = split_files(path)
        return DatasetDict({split: Dataset.from_list(_own_file(file, skip)) for split, file in files.items()})
    if labels not in LABELS:
        raise CourseError(f"There are no labels '{labels}'.", f"Choose one of {', '.join(LABELS)}.")
    folder = home() / "data" / "preferences"
    restore = "Restore it with: git checkout -- data/preferences; or make it anew: course preferences"
    found = {split: read_jsonl(folder / f"{split}.jsonl", _fault, restore) for split in SPLITS}
    judged = ai_labels() if ai_labels_file().exists() else {}
    for row in (row for rows in found.values() for row in rows):
        row["ai"] = judged[row["id"]]["prefers"] if row["id"] in judged else ""
    ties = sum(row["gold"] == "" for rows in found.values() for row in rows) if labels == "gold" else 0
    if ties:
        print(f"{ties:,} pairs with equal true scores are left out.")
    return DatasetDict(
        {s: Dataset.from_list([_ordered(r, labels) for r in rows if r[labels]]) for s, rows in found.items()}
    )


def _fault(row: dict) -> str | None:
    """What is wrong with a row of the course's own files."""
    wrong = [name for name, kind in FILE_COLUMNS.items() if not isinstance(row.get(name), kind)]
    return f"no {', '.join(wrong)}" if wrong else None


def _ordered(row: dict, labels: str) -> dict:
    """A row of the course's files with its replies as chosen and rejected by one judge."""
    sides = ("first", "second") if row[labels] == "first" else ("second", "first")
    names = {sides[0]: "chosen", sides[1]: "rejected", "": ""}
    made = {"id": row["id"], "domain": row["domain"], "prompt": row["prompt"]}
    made |= {name: row[side] for side, name in names.items() if side}
    made |= {f"gold_{name}": row[f"gold_{side}"] for side, name in names.items() if side}
    judges = {judge: names[row[judge]] for judge in LABELS}
    other = {"chosen": "rejected", "rejected": "chosen"}
    ai = row["ai"] and (judges["reader"] if row["ai"] == "chosen" else other[judges["reader"]])
    return made | judges | {"ai": ai, "source": row["source"]}


def ai_labels_file() -> Path:
    """Where the AI labels of the preference pairs are kept (committed)."""
    return home() / "data" / "preferences" / "ai_labels.jsonl"


def ai_labels() -> dict[str, dict]:
    """The AI label of each pair that has one, by id: `prefers`, "chosen" or "rejected" in the order of the *readers'* labels, and the
    judge's scores of both replies, `first` (the readers' choice) and `second`. Raises `CourseError` when the file is missing or broken."""
    if not ai_labels_file().exists():
        raise CourseError(
            f"The AI labels are missing: {ai_labels_file()}.",
            "Restore them with: git checkout -- data/preferences; or make them: course sweep 14_rlaif",
        )
    mend = "Restore them with: git checkout -- data/preferences"
    return {row["id"]: row for row in read_jsonl(ai_labels_file(), mend=mend) if "id" in row}


def _own_file(path: str | Path, skip: bool) -> list[dict]:
    """The pairs of a user's file. Raises `CourseError`, or prints what was left out."""
    rows: list[dict] = []
    faults: dict[str, list[int]] = {}
    nested: list[int] = []
    for place, found, reason in records(path):
        number = int(re.search(r"\d+", place)[0])
        try:
            if reason:
                raise Unusable(reason.split(": ", 1)[-1])
            rows.append(read_pair(found))
        except Unusable as fault:
            faults.setdefault(str(fault), []).append(number)
        else:
            if _nested(rows[-1]):
                nested.append(number)
    bad = sum(map(len, faults.values()))
    report = "; ".join(f"{reason}: {_lines(numbers)}" for reason, numbers in faults.items())
    if bad and not (skip and rows):
        raise CourseError(
            f"{path} has {bad} line{'s' if bad > 1 else ''} of {bad + len(rows)} that cannot be used: {report}.",
            "Each line is one JSON object with chosen, rejected and, best, prompt. Correct these lines, or leave them out "
            "with load_preferences(path, skip=True).",
        )
    if not rows:
        raise CourseError(f"{path} is empty.", "Give it at least one pair, or point to another file.")
    if bad:
        print(f"{Path(path).name}: {len(rows)} pairs read, {bad} left out: {report}.")
    if nested:
        print(
            f"{Path(path).name}: one reply is the beginning of the other in {_lines(nested)}; kept, since the prompt is given."
        )
    return rows


def _nested(row: dict) -> bool:
    return row["chosen"].startswith(row["rejected"]) or row["rejected"].startswith(row["chosen"])


def _lines(numbers: list[int]) -> str:
    """Line numbers in words, the first few of many."""
    shown = ", ".join(map(str, numbers[:SHOWN]))
    rest = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{rest}"
