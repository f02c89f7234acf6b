"""The committed runs of the real column (`data/reference/real/runs.jsonl`): read, summarised, and as rows of the scoreboard."""

from __future__ import annotations

from pathlib import Path

from ..base.errors import CourseError
from ..base.jsonl import read_jsonl
from ..base.paths import home
from .preferences import win_rate
from .statistics import Interval, difference_interval, mean_interval, wilson

MODELS = {
    "course": "the course's 5M model",
    "smollm2": "SmolLM2-135M-Instruct, weights rounded to 4 bits (Q4_1) by llama.cpp",
}
SHORT = {"course": "the course's 5M model", "smollm2": "SmolLM2-135M"}
PLAIN, PROMPTED, WRITER = "base, asked plainly", "base, prompted", "SFT on briefs"
LESSON = "real"  # what stands in a scoreboard row instead of a lesson


def runs_file() -> Path:
    """Where the runs are kept (committed)."""
    return home() / "data" / "reference" / "real" / "runs.jsonl"


def runs(model: str | None = None, technique: str | None = None) -> list[dict]:
    """The runs: `key` (model, technique, rows, seed), `metrics`, `cost`, `settings`, `losses`, processor and versions.

    Raises `CourseError` when the file is missing or a line is broken.
    """
    mend = "Delete these lines; course sweep --model smollm2 makes them again."
    found = read_jsonl(runs_file(), mend=mend) if runs_file().exists() else []
    if not found:
        raise CourseError(
            f"The runs on the real model are missing: {runs_file()}.",
            "Restore them with: git checkout -- data/reference; or make them: course sweep --model smollm2",
        )
    return [r for r in found if model in (None, r["key"]["model"]) and technique in (None, r["key"]["technique"])]


def bits(text: str) -> list[int]:
    """The items that were right, from a row's string of bits."""
    return [int(bit) for bit in text]


def interval(rows: list[dict], place: str = "in_the_wild", how: str = "lenient") -> Interval:
    """Share of right items over runs (seeds) on the same items, with its 95 % interval; Wilson's where all or none are right."""
    found = [bits(row["metrics"][place][f"{how}_bits"]) for row in rows]
    right, count = sum(map(sum, found)), len(found[0])
    if right in (0, len(found) * count):  # no spread to take an interval from
        return Interval(right / (len(found) * count), *wilson(min(right, count), count))
    return mean_interval(found)


def chosen_prompt(model: str) -> dict:
    """The prompt that is best on the validation items; drawings of the examples anew are not among those to choose from."""
    tried = [row for row in runs(model, PROMPTED) if "drawn again" not in row["key"]["prompt"]]
    return max(tried, key=lambda row: row["metrics"]["validation"]["lenient"])


def forgotten(rows: list[dict], model: str) -> float:
    """Rise of the cross-entropy of common English over the untrained model, nats per token, mean over the runs."""
    plain = runs(model, PLAIN)
    if not plain:
        raise CourseError(f"There is no run of the untrained model {model}.", f"Type: course sweep --model {model}")
    before = plain[0]["metrics"]["common_english"]
    return sum(row["metrics"]["common_english"] for row in rows) / len(rows) - before


def true_scores(technique: str, model: str) -> list[float]:
    """The true score of the reply of one policy to each test prompt, in their order; of no run, none."""
    found = runs(model, technique)
    return found[0]["metrics"]["gold"] if found and "gold" in found[0]["metrics"] else []


def rise(technique: str, model: str) -> Interval:
    """By how much a policy's true score is above that of the writer it started from, paired by prompt."""
    return difference_interval(true_scores(technique, model), true_scores(WRITER, model))


def wins(technique: str, model: str) -> Interval:
    """How often a policy's reply has a higher true score than the writer's to the same prompt; ties count half."""
    return win_rate(true_scores(technique, model), true_scores(WRITER, model))


# ------------------------------------------------------------------ as rows of the scoreboard


def scoreboard_rows(model: str) -> list[dict]:
    """The real column as scoreboard rows, one a technique and number of rows. Raises `CourseError` for a model that has no column.

    `accuracy`: 300 Gazette items, exact; `in_the_wild`: 342 hand-written sentences, lenient; `forgetting`: common English. A policy
    has `gold`, `win_rate` over its start, and `kl` instead. Runs that are neither (a judge, a reward model) are left out.
    """
    if model not in MODELS:
        raise CourseError(f"There is no real column for '{model}'.", f"Choose one of {', '.join(MODELS)}.")
    groups: dict[str, list[dict]] = {}
    for row in runs(model):
        key = row["key"]
        if key["technique"] == PROMPTED and row != chosen_prompt(model):
            continue
        groups.setdefault(_name(key), []).append(row)
    return [_row(name, rows, model) for name, rows in groups.items() if _measured(rows[0])]


def _name(key: dict) -> str:
    technique = "base, prompt chosen" if key["technique"] == PROMPTED else key["technique"]
    return f"{technique}, {key['rows']:,} rows" if "rows" in key else technique


def _measured(row: dict) -> bool:
    return "in_the_wild" in row["metrics"] or ("gold" in row["metrics"] and "id" not in row["metrics"])


def _row(name: str, rows: list[dict], model: str) -> dict:
    first = rows[0]
    cost = dict(first["cost"])
    total = cost.get("total_parameters")
    cost["trainable_percent"] = round(100 * cost["trainable_parameters"] / total, 3) if total else 0.0
    cost["seconds"] = cost.get("train_seconds", 0.0)
    return {
        "run_id": f"{LESSON}-{model}-{name}".lower().replace(" ", "-"),
        "lesson": LESSON,
        "technique": name,
        "model": SHORT[model],
        "base_sha256": first["base_sha256"],
        "source": "reference",
        "seeds": [row["key"]["seed"] for row in rows],
        "hardware": first["processor"],
        "versions": first["versions"],
        "metrics": _metrics(rows, model),
        "cost": cost,
    }


def _metrics(rows: list[dict], model: str) -> dict[str, dict]:
    first = rows[0]["metrics"]
    found: dict[str, Interval] = {}
    if "gold" in first:
        technique = rows[0]["key"]["technique"]
        found["gold"] = mean_interval(first["gold"])
        if technique != WRITER:
            found["win_rate"] = wins(technique, model)
            found["kl"] = mean_interval(first["own"])
        return {name: _told(value, len(first["gold"])) for name, value in found.items()}
    counts = {"accuracy": "gazette", "in_the_wild": "in_the_wild"}
    told = {
        name: _told(interval(rows, place, "exact" if name == "accuracy" else "lenient"), first[place]["n"])
        for name, place in counts.items()
        if place in first
    }
    if model != "course" and rows[0]["key"]["technique"] not in (PLAIN, PROMPTED):
        rises = [forgotten([row], model) for row in rows]
        told["forgetting"] = _told(Interval(sum(rises) / len(rises), min(rises), max(rises)), len(rises))
    return told


def _told(found: Interval, n: int) -> dict:
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4), "n": n}
