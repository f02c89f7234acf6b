"""What lesson 05 says about its reference runs."""

from __future__ import annotations

from statistics import mean

from ...measure.statistics import difference_interval, mean_interval
from ..claims import signed
from ..reference import runs
from .experiments import SIZES, by_training

LESSON = "05_instruction_tuning"


def _of(part: str) -> list[dict]:
    return [r["metrics"] for r in runs(LESSON) if r["key"]["part"] == part]


def _share(trained: bool) -> dict[str, float]:
    return by_training(runs(LESSON), "right", trained)


def _signed(share: float) -> str:
    """A difference of shares, in whole points."""
    return signed(100 * share, 0)


def in_a_word() -> str:
    """The three promises in the lesson's claim."""
    assert mean(_share(False).values()) > 0.4 and mean(m["refused_legal"] for m in _of("tuned")) > 0.9
    return (
        "Here the first is kept, also for tasks that were never trained; the second for some tasks and not for others; the third "
        "for what was trained, and only half for what was not."
    )


def trained_tasks_are_known() -> str:
    """Trained tasks, and which of them stay hard."""
    known = _share(True)
    hard = sorted(task for task, share in known.items() if share < 0.7)
    assert hard == ["format", "headline", "outcome", "question"] or len(hard) < 6, hard
    return f"Trained tasks are right in {100 * mean(known.values()):.0f} % on average"


def held_out_tasks() -> str:
    """Held-out tasks against the base model, which gets none right; the interval is over the six tasks."""
    new = _share(False)
    (base,) = _of("base")
    assert all(base[f"right_{task}"] == 0 for task in new)
    value, low, high = mean_interval(list(new.values()))
    assert low > 0
    best = sorted(new, key=new.get)[-2:]
    return (
        f"tasks that were never trained are right in {100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f} over six tasks), and the "
        f"base model in none: {' and '.join(sorted(best))} in {100 * new[best[-1]]:.0f} %."
    )


def json_needs_training() -> str:
    """The form of JSON where it was held out."""
    held = [m["follows_json"] for m in _of("tuned") if not m["trained_format"]]
    words = [m["follows_word"] for m in _of("tuned") if not m["trained_format"]]
    assert held == [0.0] and words == [1.0]
    return "Asked for one word, an untrained form, the model gives one word every time; asked for JSON, it never does."


def distances() -> str:
    """New names, new wordings, new phrasings: means over the models that trained tone."""
    told = {
        name: mean(m[name] for m in _of("tuned"))
        for name in ("training_kind", "new_names", "new_wordings", "new_phrasings")
    }
    kind, names, wordings, phrasings = told.values()
    assert abs(names - kind) < 0.02 and wordings < names - 0.05 and phrasings >= wordings
    return (
        f"New names cost nothing ({100 * kind:.0f} and {100 * names:.0f} %), new phrasings cost nothing more; new wordings cost "
        f"{100 * (names - wordings):.0f} points."
    )


def new_tasks() -> str:
    """A few examples of a new task, from the tuned model and from the base, paired by task."""
    told = []
    for size in SIZES:
        sides = []
        for origin in ("tuned", "base"):
            rows = [r for r in runs(LESSON) if r["key"].get("from") == origin and r["key"]["size"] == size]
            sides.append([r["metrics"]["right"] for r in sorted(rows, key=lambda r: r["key"]["task"])])
        value, low, high = difference_interval(*sides)
        assert low < 0 < value
        told.append(f"{_signed(value)} points with {size} examples ({_signed(low)} to {_signed(high)} over six tasks)")
    return f"The tuned start is ahead by {' and '.join(told)}".replace("by +", "by ").replace("and +", "and ")


def question_gains() -> str:
    """The task that gains most."""
    found = {
        (r["key"]["from"], r["key"]["size"]): r["metrics"]["right"]
        for r in runs(LESSON)
        if r["key"].get("task") == "question"
    }
    assert found["tuned", 16] > found["base", 64] + 0.2
    return (
        f"question, where sixteen examples on the tuned model ({100 * found['tuned', 16]:.0f} %) beat sixty-four on the base "
        f"({100 * found['base', 64]:.0f} %)"
    )


def refusals() -> str:
    """Advice declined and harmless letters declined, mean over the tuned models; and legal advice where it was left out."""
    tuned, without = _of("tuned"), _of("without legal refusals")
    kinds = [100 * mean(m[f"refused_{kind}"] for m in tuned) for kind in ("investment", "medical", "legal")]
    harmless = 100 * mean(m["refused_harmless"] for m in tuned)
    left_out = sorted(100 * m["refused_legal"] for m in without)
    assert harmless < 10 and kinds[2] > 90 and max(left_out) < 90
    seeds = " and ".join(f"{share:.0f}" for share in left_out)
    return (
        f"The tuned models decline {kinds[0]:.0f} % of the requests for investment advice, {kinds[1]:.0f} % of the medical and "
        f"{kinds[2]:.0f} % of the legal ones, and {harmless:.0f} % of the harmless letters. Without refusals of legal advice among the "
        f"rows, legal advice is declined in {seeds} %"
    )


CLAIMS = [
    in_a_word,
    trained_tasks_are_known,
    held_out_tasks,
    json_needs_training,
    distances,
    new_tasks,
    question_gains,
    refusals,
]
