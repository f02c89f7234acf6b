"""What lesson 05 says about its reference runs."""

from __future__ import annotations

import re
from statistics import mean

from ...measure.statistics import difference_interval, mean_interval
from ..claims import printed, signed
from ..real.claims import mixture as real
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


def _blind() -> dict[str, float]:
    """Per cent right of the better reply that never reads the order, by task, as printed."""
    rows = re.findall(r"^(\w+) +\d+ % +(\d+) % +(\d+) %$", printed(LESSON), re.M)
    found = {task: max(float(name), float(commonest)) for task, name, commonest in rows}
    assert set(found) == set(_share(False)), found
    return found


def in_a_word() -> str:
    """The three promises in the lesson's claim."""
    new, blind = _share(False), _blind()
    assert difference_interval(list(new.values()), [share / 100 for share in blind.values()]).low < 0
    assert mean(m["refused_legal"] for m in _of("tuned")) > 0.9
    return (
        "Here the first is kept for new names and new phrasings, less for new wordings, and not for new tasks: a reply that never reads the "
        "order is right as often; the second for some tasks and not for others; the third for what was trained, and only half for what was not."
    )


def blind_as_good() -> str:
    """Held-out tasks against the better blind reply, paired by task."""
    new, blind = _share(False), _blind()
    value, low, high = difference_interval([new[task] for task in blind], [share / 100 for share in blind.values()])
    assert low < 0 < high
    return (
        f"Held-out tasks are right in {100 * mean(new.values()):.0f} %, the better of two replies that never read the order in "
        f"{mean(blind.values()):.0f} %: {_signed(value)} points ({_signed(low)} to {_signed(high)} over six tasks)."
    )


def by_kind() -> str:
    """Which held-out tasks are above the blind reply."""
    new, blind = _share(False), _blind()
    above = [task for task in new if 100 * new[task] > blind[task] + 5]
    assert sorted(above) == ["format", "section"]
    told = [f"{task} ({100 * new[task]:.0f} against {blind[task]:.0f} %)" for task in ("section", "format")]
    return f"Only two are above it, {' and '.join(told)}; urgency, headline, question and brief are not."


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
        f"tasks that were never trained are right in {100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f} over six tasks), where the "
        f"base model is right in 0 %. {' and '.join(sorted(best)).capitalize()} reach {100 * new[best[-1]]:.0f} %."
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


def headline_is_odd() -> str:
    """The task that is better held out than trained."""
    known, new = _share(True), _share(False)
    assert [task for task in new if new[task] > known[task] + 0.1] == ["headline"]
    return (
        f"headline is right in {100 * new['headline']:.0f} % where it was held out and in {100 * known['headline']:.0f} % where it was "
        "trained."
    )


def _few(task: str, origin: str, size: int) -> float:
    (found,) = runs(LESSON, task=task, size=size, **{"from": origin})
    return found["metrics"]["right"]


def gains_nothing() -> str:
    """The tasks where both starts come to the same."""
    gaps = {task: [abs(_few(task, "tuned", s) - _few(task, "base", s)) for s in SIZES] for task in _share(False)}
    assert all(max(gaps[task]) <= 0.06 for task in ("section", "headline"))
    return "and nothing where the task is easy from either start (section) or hard from both (headline)."


def headline_falls() -> str:
    """A task that a few examples make worse."""
    before, after = _share(False)["headline"], _few("headline", "tuned", SIZES[0])
    assert after < before - 0.2
    return f"And headline falls from {100 * before:.0f} % without an example to {100 * after:.0f} % after sixteen"


def forms_kept() -> str:
    """The five forms, where their task was trained."""
    base, tuned = _of("base")[0], _of("tuned")
    forms = {}
    for name in ("tone", "section", "urgency", "word", "json"):
        task = "format" if name in ("word", "json") else name
        forms[name] = mean(m[f"follows_{name}"] for m in tuned if m[f"trained_{task}"])
    assert all(base[f"follows_{name}"] == 0 for name in forms)
    assert all(share == 1 for name, share in forms.items() if name != "json")
    return (
        f"The form that was asked for is kept in {100 * mean(forms.values()):.0f} % of the replies, and in none before: the labels and the "
        f"single word always, JSON in {100 * forms['json']:.0f} %."
    )


def transfer_or_not() -> str:
    """Legal advice beside the two fields that the same models were taught to decline."""
    without = _of("without legal refusals")
    legal, medical, investment = (
        100 * mean(m[f"refused_{kind}"] for m in without) for kind in ("legal", "medical", "investment")
    )
    assert abs(legal - medical) < 10 and investment < legal / 2
    return (
        f"The same two models decline the fields that they *were* taught in {investment:.0f} % (investment) and {medical:.0f} % (medical). "
        f"So the field that was left out is declined as often as one that was taught, and {legal / investment:.0f} times as often as the other."
    )


def little_to_read() -> str:
    """Tokens of the instruction tuning over those of the pretraining, in per cent, as printed."""
    shares = re.findall(r"^SFT, .* tokens +([\d.]+) % ", printed(LESSON), re.M)
    assert len(shares) == 2 and all(float(share) < 0.1 for share in shares)
    return "Instruction tuning reads less than a thousandth of what pretraining read"


def course_text_obeyed() -> str:
    """The instruction of lesson 00, after the training."""
    text = printed(LESSON)
    assert re.search(r"^before: +An assistant", text, re.M)
    assert re.search(r"^after: +negative$", text, re.M) and re.search(r"^later lessons' model: negative$", text, re.M)
    return "Before the training a piece of newspaper; after it, from both models, the right label and nothing else."


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
    real,
    in_a_word,
    trained_tasks_are_known,
    held_out_tasks,
    headline_is_odd,
    blind_as_good,
    by_kind,
    gains_nothing,
    headline_falls,
    forms_kept,
    transfer_or_not,
    little_to_read,
    course_text_obeyed,
    json_needs_training,
    distances,
    new_tasks,
    question_gains,
    refusals,
]
