"""A user's file before the first training: what was read and dropped, how long its rows are, what will be cut, what the model sees.

`cl.inspect_data("mine.csv")` returns an `Inspection`; printed, it is the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.quiet import hushed
from ..data.instructions import asked
from ..data.report import Report, read_source, said_places
from ..models.generation import ROW_TOKENS, encode_exchange
from ..models.load import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BARS, WIDTH = 8, 30  # of the histogram


@dataclass
class Inspection:
    """What is to be said of a file. `lengths` are (tokens of the prompt, tokens of prompt and answer), a list a split.

    `limit` is how many tokens of a row are read; `cut` names the places of rows that lose part of their answer, `lost` of those that have
    none left. `shown` is the first row: the text that the model reads, and the part of it that the loss counts.
    """

    report: Report
    lengths: dict[str, list[tuple[int, int]]] = field(repr=False)
    limit: int
    cut: list[str]
    lost: list[str]
    shown: tuple[str, str] = field(repr=False)

    @property
    def dropped(self) -> int:
        """How many records cannot be used."""
        return self.report.dropped

    @property
    def rows(self) -> dict[str, list[dict]]:
        """The rows that can be used, by split."""
        return {name: split.rows for name, split in self.report.splits.items()}

    def __str__(self) -> str:
        found = self.report.lines()
        totals = [whole for pairs in self.lengths.values() for _, whole in pairs]
        if totals:
            found += ["tokens a row, prompt and answer:", *(f"  {line}" for line in histogram(totals, self.limit))]
            found.append(
                f"of {len(totals)} rows {_told(self.cut)} cut and {_told(self.lost)} left without an answer at {self.limit} tokens"
            )
            found += [
                "the first row; the loss counts what stands in [[ ]]:",
                _indented(f"{self.shown[0]}[[{self.shown[1]}]]"),
            ]
        return "\n".join(found)


def inspect_data(
    source: str | Path | dict[str, str | Path],
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    max_length: int | None = None,
) -> Inspection:
    """Read a file of instructions or of preference pairs, and say everything about it that a training would not.

    `source`: a file (JSONL, JSON, CSV, Parquet), a folder with train.* and maybe validation.* and test.*, a data set of the hub, or a
    dictionary that names a file for each split. `tokenizer=None` takes that of the model in use. `max_length=None` is what `cl.train`
    reads of a row: 512 tokens, or the model's context where that is shorter; a row is a prompt and its answer, of a pair the longer reply.

    Raises `CourseError` for a source that cannot be read at all; records that cannot be used are in the report.
    """
    report = read_source(source)
    tokenizer = load_tokenizer() if tokenizer is None else tokenizer
    limit = max_length or min(ROW_TOKENS, context_of_tokenizer(tokenizer))
    lengths, cut, lost, shown = {}, [], [], ("", "")
    with hushed():  # a long row is counted below, and need not be remarked upon
        encoded = {name: [_encoded(tokenizer, row) for row in split.rows] for name, split in report.splits.items()}
    for name, split in report.splits.items():
        lengths[name] = []
        for row, (given, said) in zip(split.rows, encoded[name], strict=True):
            lengths[name].append((len(given), len(given) + len(said)))
            place = row["place"] if len(report.splits) == 1 else f"{name} {row['place']}"
            if len(given) >= limit:
                lost.append(place)
            elif len(given) + len(said) > limit:
                cut.append(place)
            if shown == ("", ""):
                shown = (tokenizer.decode(given[:limit]), tokenizer.decode((given + said)[len(given) : limit]))
    return Inspection(report, lengths, limit, cut, lost, shown)


def _encoded(tokenizer: PreTrainedTokenizerBase, row: dict) -> tuple[list[int], list[int]]:
    """Token ids of prompt and answer, as training has them; of a pair its longer reply."""
    if "chosen" not in row:
        return encode_exchange(tokenizer, asked(row), row["output"])
    both = [encode_exchange(tokenizer, row["prompt"], row[name]) for name in ("chosen", "rejected")]
    return max(both, key=lambda pair: len(pair[0]) + len(pair[1]))


def context_of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens the model holds that a tokenizer was loaded with; a very large number where nobody says."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(tokenizer.name_or_path, trust_remote_code=False)
    except Exception:  # a tokenizer without a model beside it
        return int(tokenizer.model_max_length or 10**9)
    return getattr(config, "max_position_embeddings", None) or 10**9


def histogram(lengths: Sequence[int], limit: int, bars: int = BARS) -> list[str]:
    """Lengths in tokens as lines of text: up to `bars` steps of equal width; rows longer than `limit` in one line of their own."""
    if not lengths:
        raise CourseError("There are no lengths to draw.", "Give at least one.")
    inside = [n for n in lengths if n <= limit]
    first, last = min(inside, default=0), max(inside, default=-1)
    step = max(1, -(-(last - first + 1) // bars))
    counts = [sum((n - first) // step == i for n in inside) for i in range(-(-(last - first + 1) // step))]
    most = max([*counts, len(lengths) - len(inside), 1])
    lines = [(f"{first + i * step}–{first + (i + 1) * step - 1}", count) for i, count in enumerate(counts)]
    if len(inside) < len(lengths):
        lines.append((f"over {limit}", len(lengths) - len(inside)))
    wide = max(len(name) for name, _ in lines)
    return [f"{name:>{wide}}  {'#' * -(-WIDTH * count // most):<{WIDTH}} {count}".rstrip() for name, count in lines]


def _told(places: list[str]) -> str:
    return f"{len(places)} ({said_places(places)})" if places else "none"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
