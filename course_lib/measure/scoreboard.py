"""One row per run, one JSON object a line: the student's in `runs/`, the course's reference runs in `data/reference/`.

A row says which technique, on which base (by checksum, so that a stale row shows), at what cost, and how well, with
intervals: see `COLUMNS`.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.jsonl import read_jsonl, write_jsonl
from ..base.paths import home
from ..models.identity import base_of, base_sha256, model_name, own_model
from .memory import checkpoint_bytes
from .real_column import scoreboard_rows

if TYPE_CHECKING:
    from ..base.run import Run
    from .evaluation import Result


COLUMNS = (
    "run_id", "lesson", "technique", "model", "base_sha256", "source", "seeds", "hardware", "versions", "metrics", "cost",
)  # fmt: skip

COURSE = "course base model"
PACKAGES = ("torch", "transformers", "trl", "peft")


def student_file() -> Path:
    """Where the student's rows go (git-ignored)."""
    return home() / "runs" / "scoreboard.jsonl"


def reference_file(lesson: str) -> Path:
    """The committed rows of a lesson."""
    return home() / "data" / "reference" / "scoreboard" / f"{lesson or 'other'}.jsonl"


def record(
    technique: str,
    run: Run | None,
    result: Result | None,
    *,
    lesson: str = "",
    source: str = "student",
    seeds: Sequence[int] | None = None,
    forgetting: dict[str, float] | None = None,
    peak_memory_bytes: int | None = None,
    **metrics: Result,
) -> dict:
    """Append one row and return it. `result` is the task's accuracy; further results by name (`in_the_wild=…`).

    A policy trained on preferences has no accuracy: give its true score as `gold=…`, beside `win_rate=…` and `kl=…`, and `None` (or the
    same interval) as `result`. Raises `CourseError` where there is neither.

    `forgetting` is what `cl.forgetting` returned: the row keeps the mean over the sections, and the least and the most.
    `peak_memory_bytes` is what `cl.measure.peak_memory` found for one training step. A second row of the same lesson,
    technique, model and source replaces the first. Where the file cannot be written, one printed line says so.
    """
    scored = result is not None and result != metrics.get("gold")
    if not scored and "gold" not in metrics:
        raise CourseError("There is no result to record.", "Give one, or the true score of a policy: gold=…")
    named = {"accuracy": result, **metrics} if scored else metrics
    rises = sorted(forgetting.values()) if forgetting else []
    row = {
        "run_id": f"{lesson or 'run'}-{technique}-{time.strftime('%Y%m%dT%H%M%S')}".lower().replace(" ", "-"),
        "lesson": lesson,
        "technique": technique,
        **_base(run),
        "source": source,
        "seeds": list(seeds) if seeds is not None else [run.seed] if run else [],
        "hardware": platform.machine(),
        "versions": {name: version(name) for name in PACKAGES},
        "metrics": {
            name: {
                "value": round(r.value, 4),
                "low": round(r.low, 4),
                "high": round(r.high, 4),
                "n": getattr(r, "n", None),
            }
            for name, r in named.items()
        },
        "cost": _cost(run),
    }
    if rises:
        mean = sum(rises) / len(rises)
        spread = {"value": mean, "low": rises[0], "high": rises[-1]}
        row["metrics"]["forgetting"] = {k: round(v, 4) for k, v in spread.items()} | {"n": len(rises)}
    if peak_memory_bytes is not None:
        row["cost"]["peak_memory_bytes"] = int(peak_memory_bytes)
    path = student_file() if source == "student" else reference_file(lesson)
    kept = [r for r in rows(path) if (r["lesson"], r["technique"], r["model"]) != (lesson, technique, row["model"])]
    try:
        write_jsonl(path, [*kept, row])
    except CourseError as error:  # a result is worth more than its place in a file
        print(f"The row was not kept: {error.what} {error.next}")
    return row


def _base(run: Run | None) -> dict[str, str]:
    """The model that a run began with and its checksum: from the run, not from the environment."""
    if run is None:
        return {"model": COURSE if own_model() else Path(model_name()).name, "base_sha256": base_sha256()}
    base = base_of(run.model)
    return {
        "model": COURSE if base["model"] == "data/base_model" else base["model"],
        "base_sha256": base["sha256"] or base["model"],
    }


def _cost(run: Run | None) -> dict:
    if run is None:
        nothing = {"trainable_parameters": 0, "trainable_percent": 0.0, "seconds": 0.0, "tokens_per_second": 0}
        return nothing | {"checkpoint_bytes": 0}
    return {
        "trainable_parameters": run.trainable_parameters,
        "trainable_percent": round(100 * run.trainable_parameters / run.total_parameters, 3),
        "seconds": round(run.seconds, 1),
        "tokens_per_second": round(run.tokens / max(run.seconds, 1e-9)),
        "checkpoint_bytes": checkpoint_bytes(run),
    }


def rows(path: Path | None = None, *, model: str | None = None) -> list[dict]:
    """The rows of one file, or of both (reference first); with `model="smollm2"` those of the real column instead.

    A broken line raises `CourseError` with file and line, and so does a model that has no column.
    """
    if model is not None:
        return scoreboard_rows(model)
    if path is None:
        committed = sorted(reference_file("").parent.glob("*.jsonl"))
        return [row for file in [*committed, student_file()] for row in rows(file)]
    if not path.exists():
        return []
    return read_jsonl(path, _fault, "Delete these lines.")


def _fault(row: dict) -> str | None:
    missing = [column for column in COLUMNS if column not in row]
    return f"no {', '.join(missing)}" if missing else None


def table(chosen: list[dict] | None = None, *, model: str | None = None) -> str:
    """The scoreboard as a Markdown table; rows measured on another version of the base model are marked `(old base)`.

    With `model="smollm2"` it is that of the real column. A column that no row has a figure for is left out.
    """
    current = _base(None)
    found = rows(model=model) if chosen is None else chosen
    columns = [column for column in TABLE if column[0] in ALWAYS or any(column[2](row) for row in found)]
    lines = [
        "| " + " | ".join(name for name, _, _ in columns) + " |",
        "|" + "|".join(rule for _, rule, _ in columns) + "|",
    ]
    for row in found:
        old = row["model"] == current["model"] and row["base_sha256"] != current["base_sha256"]
        marked = row | {"technique": row["technique"] + (" (old base)" if old else "")}
        lines.append("| " + " | ".join(cell(marked) or "–" for _, _, cell in columns) + " |")
    return "\n".join(lines)


def _percent(name: str) -> Callable[[dict], str]:
    return lambda row: f"{100 * row['metrics'][name]['value']:.1f}" if name in row["metrics"] else ""


def _span(name: str) -> Callable[[dict], str]:
    def cell(row: dict) -> str:
        found = row["metrics"].get(name)
        return f"{100 * found['low']:.1f}–{100 * found['high']:.1f}" if found else ""

    return cell


def _count(row: dict) -> str:
    found = row["metrics"].get("accuracy")
    return f"{found['n']:,}" if found and found["n"] else ""


def _spread(name: str, form: str, factor: float = 1) -> Callable[[dict], str]:
    """A value with its interval behind it."""

    def cell(row: dict) -> str:
        found = row["metrics"].get(name)
        if not found:
            return ""
        value, low, high = (format(factor * found[part], form) for part in ("value", "low", "high"))
        return f"{value} ({low} to {high})"

    return cell


def _forgetting(row: dict) -> str:
    found = row["metrics"].get("forgetting")
    return f"{found['value']:+.3f}" if found else ""


def _megabytes(name: str) -> Callable[[dict], str]:
    return lambda row: f"{row['cost'][name] / 1e6:.2f}" if row["cost"].get(name) else ""


TABLE = (  # heading, alignment, and what a row says there
    ("lesson", "---", lambda row: row["lesson"]),
    ("technique", "---", lambda row: row["technique"]),
    ("model", "---", lambda row: row["model"] if row["model"] != COURSE else ""),
    ("accuracy, %", "---:", _percent("accuracy")),
    ("95 % interval", "---", _span("accuracy")),
    ("n", "---:", _count),
    ("in the wild, %", "---:", _percent("in_the_wild")),
    ("true score", "---:", _spread("gold", ".2f")),
    ("win rate, %", "---:", _spread("win_rate", ".0f", 100)),
    ("KL, nats", "---:", _spread("kl", ".1f")),
    ("harmless, %", "---:", _percent("harmless")),
    ("forgetting, nats", "---:", _forgetting),
    ("trained, %", "---:", lambda row: f"{row['cost']['trainable_percent']:.2f}"),
    ("checkpoint, MB", "---:", _megabytes("checkpoint_bytes")),
    ("peak memory, MB", "---:", _megabytes("peak_memory_bytes")),
    ("seconds", "---:", lambda row: f"{row['cost']['seconds']:.0f}"),
    ("whose", "---", lambda row: row["source"]),
)

ALWAYS = {"lesson", "technique", "trained, %", "seconds", "whose"}
