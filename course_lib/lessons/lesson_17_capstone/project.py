"""What the capstone takes from here: the plan that is kept before any run, a rule as baseline, the kinds of errors, and the rubric."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...base.errors import CourseError
from ...base.jsonl import add_line
from ...base.paths import home
from ...gazette.reading import SECTIONS, TONES

LESSON = "17_capstone"
KEYS = ("name", "section", "tone")


def keep(plan: dict, path: Path | None = None) -> str:
    """Keep a plan before any run: one line of `runs/17_capstone_plans.jsonl`, with the time; earlier plans stay. Returns that time.

    Where nothing can be written the plan is printed with a sentence that says so.
    """
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        add_line(path or home() / "runs" / "17_capstone_plans.jsonl", {"kept": now, **plan})
    except CourseError as error:
        print(f"The plan could not be kept ({error.what}); copy it by hand: {json.dumps(plan)}")
    return now


# ------------------------------------------------------------------ the rule and the errors of the default task


def rule(row: dict, usual: dict[str, str]) -> str:
    """A baseline of no model: the keys that the instruction names, a name by its capitals, the most frequent section and tone of training.

    The name is the longest run of capitalised words that does not begin the text, else the one that does.
    """
    runs = re.findall(r"[A-Z][\w']+(?:(?: (?:&|of|and the))? [A-Z][\w']+)*", row["input"])
    inner = [r for r in runs if not row["input"].startswith(r)] or runs or [""]
    values = usual | {"name": max(runs[:1] + inner[:1], key=len, default="")}
    asked = [key for key in KEYS if key in row["instruction"].lower()]
    if "json" in row["instruction"].lower():
        return json.dumps({key: values[key] for key in asked})
    return values["tone" if "tone" in asked else "section"]


def read(reply: str) -> dict | str:
    """A reply as its JSON object, or as the text that it is."""
    try:
        found = json.loads(reply)
    except json.JSONDecodeError:
        return reply.strip()
    return found if isinstance(found, dict) else reply.strip()


def kind_of_error(row: dict, reply: str) -> str:
    """What is wrong with a reply of the default task, the first that applies: form, keys, word, name, section or tone."""
    wanted, got = read(row["output"]), read(reply)
    if isinstance(wanted, dict) != isinstance(got, dict):
        return "JSON instead of a word" if isinstance(got, dict) else "no JSON"
    if isinstance(wanted, str):
        asked = next((kind for kind in (TONES, SECTIONS) if wanted in kind), ())
        return "a wrong word" if got in asked else "a word that was not asked for"
    if set(wanted) != set(got):
        return "other keys"
    return next((f"another {key}" for key in KEYS if wanted.get(key) != got.get(key)), "another order")


# ------------------------------------------------------------------ verdict and rubric


def unmet(plan: dict, outcome: dict) -> list[str]:
    """Which of the plan's criteria an outcome misses. `plan`: `at_least` (% right), `ahead` (points), `forgetting` (nats, at most).

    `outcome`: `right` (%), `ahead` as (value, low, high) in points, `forgetting`. Ahead is met when the mean reaches it *and* the whole
    interval lies above zero.
    """
    value, low, _ = outcome["ahead"]
    checks = {
        "at_least": outcome["right"] >= plan["at_least"],
        "ahead": value >= plan["ahead"] and low > 0,
        "forgetting": outcome["forgetting"] <= plan["forgetting"],
    }
    return [name for name, held in checks.items() if not held]


def rubric(done: Sequence[tuple[str, bool | Callable[[], bool]]]) -> str:
    """A checklist as text: a sentence and whether it holds, and how many do."""
    held = [(text, bool(value() if callable(value) else value)) for text, value in done]
    lines = [f"[{'x' if ok else ' '}] {text}" for text, ok in held]
    return "\n".join([*lines, f"{sum(ok for _, ok in held)} of {len(held)}"])
