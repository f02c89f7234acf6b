"""The real column of the lessons on preferences as small tables of text: policies, the reward model, and the judge that reads its rules."""

from __future__ import annotations

from ...measure.preferences import kappa_difference, kappa_interval
from ...measure.real_column import WRITER, bits, rise, runs, true_scores, wins
from ...measure.statistics import Interval, mean_interval, wilson
from .judge import choices

ORIGIN = "SmolLM2-135M is the instruct model; its weights were rounded to four bits by llama.cpp. "
NOTES = {
    "policy": ORIGIN + "It learnt to write briefs from 256 rows first,\nthe course's model from 4,800. True score: brief_score of one reply "
    "at temperature 1 to each of the same prompts. Intervals: 95 %, over prompts.",
    "reward": ORIGIN + "Both start from models that write briefs.\nTest pairs are the course's own. Intervals: 95 %, over pairs (Wilson).",
    "judge": ORIGIN + "It judges untrained, by the log-odds of the\nletters A and B; for kappa both orders are averaged. Intervals: 95 %, bootstrap over pairs.",
}  # fmt: skip


def is_about_preferences(rows: list[dict]) -> bool:
    """Whether runs are those of a policy, a reward model or a judge, which have no right answers to tasks."""
    return bool(rows) and "in_the_wild" not in rows[0]["metrics"] and "validation" not in rows[0]["metrics"]


def note_of(technique: str) -> str:
    """What stands under the table of a technique."""
    return NOTES[_kind(runs(technique=technique)[0])]


def table_of(technique: str, models: dict[str, str]) -> list[list[str]]:
    """Heading and lines of a technique, a column a model; a cell of a model that has no run is a dash."""
    columns = [(model, runs(model, technique)) for model in models]
    first = next(rows[0] for _, rows in columns if rows)
    cells = _cells(first)
    head = [technique, *(models[model] for model, _ in columns)]
    lines = [[name, *(cell(model, rows[0]) if rows else "–" for model, rows in columns)] for name, cell in cells]
    return [head, *(line for line in lines if set(line[1:]) != {"–"})]


def _kind(row: dict) -> str:
    return "judge" if "rules a" in row["metrics"] else "reward" if "right" in row["metrics"] else "policy"


def _cells(row: dict) -> list:
    if row["key"]["technique"] == WRITER:
        return [*POLICY[:1], ("true score", _after), *POLICY[-4:]]
    return {"judge": JUDGE, "reward": REWARD, "policy": POLICY}[_kind(row)]


def _trained_on(model: str, row: dict) -> str:
    settings = row["settings"]
    what = next((f"{settings[name]:,} {name}" for name in ("rows", "pairs", "steps") if name in settings), "")
    return f"{what}, rate {settings['learning_rate']:.2g}" if what else settings.get("start", "untrained")


def _before(model: str, row: dict) -> str:
    return _plain(mean_interval(true_scores(WRITER, model)))


def _after(model: str, row: dict) -> str:
    return _plain(mean_interval(row["metrics"]["gold"]))


def _rise(model: str, row: dict) -> str:
    found = rise(row["key"]["technique"], model)
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _wins(model: str, row: dict) -> str:
    return _percent(wins(row["key"]["technique"], model))


def _drift(model: str, row: dict) -> str:
    found = mean_interval(row["metrics"]["own"])
    return f"{found.value:.1f} nats a reply ({found.low:.1f} to {found.high:.1f})"


def _shouts(model: str, row: dict) -> str:
    start = runs(model, WRITER)
    before = f", {100 * start[0]['metrics']['shouts']:.0f} % before" if start and start[0] != row else ""
    return f"{100 * row['metrics']['shouts']:.0f} %{before}"


def _right(name: str):
    def cell(model: str, row: dict) -> str:
        return share(row["metrics"][name]) if name in row["metrics"] else "–"

    return cell


def share(right: str) -> str:
    """The share of a string of bits with its interval (Wilson's) and count."""
    found = bits(right)
    return f"{_percent(Interval(sum(found) / len(found), *wilson(sum(found), len(found))))} of {len(found)}"


def agreement(row: dict, rules: str, who: str) -> Interval:
    """Kappa of the judge, with the `rules` or with "no rules", with `who`: "gold" or "reader"."""
    metrics = row["metrics"]
    return kappa_interval(choices(metrics[f"{rules} a"], metrics[f"{rules} b"]), metrics[who])


def added(row: dict) -> Interval:
    """What reading the rules adds to the judge's kappa with the true score, paired by pair."""
    metrics = row["metrics"]
    read, unread = (choices(metrics[f"{rules} a"], metrics[f"{rules} b"]) for rules in ("rules", "no rules"))
    return kappa_difference(read, unread, metrics["gold"])


def says_a(row: dict, rules: str = "rules") -> float:
    """The share of all answers, both orders, that are A; 0.5 without a position bias."""
    a, b = row["metrics"][f"{rules} a"], row["metrics"][f"{rules} b"]
    return (sum(v > 0 for v in a) + sum(v < 0 for v in b)) / (len(a) + len(b))


def turns(row: dict, rules: str = "rules") -> float:
    """The share of pairs in which the judge prefers another brief when the two change places."""
    a, b = row["metrics"][f"{rules} a"], row["metrics"][f"{rules} b"]
    return sum((x > 0) != (y > 0) for x, y in zip(a, b, strict=True)) / len(a)


def _added(model: str, row: dict) -> str:
    return f"{added(row):+.2f}"


def _kappa(rules: str, who: str):
    def cell(model: str, row: dict) -> str:
        found = agreement(row, rules, who)
        return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"

    return cell


def _plain(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def _percent(found: Interval) -> str:
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f}–{100 * found.high:.1f})"


def _size(model: str, row: dict) -> str:
    size = row["cost"].get("checkpoint_bytes")
    return f"{size / 1e6:,.4g} MB" if size else "–"


COST = [
    ("trained parameters", lambda model, row: f"{row['cost']['trainable_parameters']:,}"),
    ("checkpoint", _size),
]
POLICY = [
    ("trained on", _trained_on),
    ("true score before", _before),
    ("true score after", _after),
    ("rise, paired", _rise),
    ("win rate over the start", _wins),
    ("KL from the start", _drift),
    ("judge's labels right", _right("label_right")),
    ("shouts", _shouts),
    ("words a reply", lambda model, row: f"{row['metrics']['words']:.1f}"),
    *COST,
]
REWARD = [
    ("trained on", _trained_on),
    ("picks the readers' choice", _right("right")),
    ("picks the higher true score", _right("gold_right")),
    *COST,
]
JUDGE = [
    ("asked about", lambda model, row: f"{len(row['metrics']['id'])} test pairs, both orders"),
    ("kappa with the true score", _kappa("rules", "gold")),
    ("the same without rules", _kappa("no rules", "gold")),
    ("what the rules add", _added),
    ("kappa with the readers", _kappa("rules", "reader")),
    ("answers that are A", lambda model, row: f"{100 * says_a(row):.0f} %, without rules {100 * says_a(row, 'no rules'):.0f} %"),
    ("turned by the order", lambda model, row: f"{100 * turns(row):.0f} % of pairs, without rules {100 * turns(row, 'no rules'):.0f} %"),
]  # fmt: skip
