"""What lesson 14 shows of its reference runs: the rules, agreement, the arms side by side, the two faults, the verdicts. The figures: `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from ...gazette.brief import shouts
from ...measure.preferences import kappa_difference, kappa_interval, win_rate
from ...measure.statistics import Interval, difference_interval, mean_interval, wilson
from ..claims import percent, points
from ..lesson_13_dpo import shown as dpo
from .constitution import RULES
from .experiments import LESSON, at_random, constitutions, pair_rows

CONDITIONS = tuple(constitutions())
TITLES = {"one": "one brief at a time", "pair": "two briefs at once"}


def part(runs: list[dict], name: str, **wanted: Any) -> dict[str, Any]:
    """The metrics of the one run of a part."""
    wanted = {"part": name} | wanted
    return next(r["metrics"] for r in runs if wanted.items() <= r["key"].items())


def right(runs: list[dict], judge: str, condition: str, rule: str | None = None) -> Interval:
    """The share of pairs in which a judge finds the brief that keeps a rule beside one that breaks it, for one rule or for all (Wilson)."""
    found = part(runs, "judge", judge=judge)
    bits = "".join(found[f"{condition} {name}"] for name in ([rule] if rule else RULES))
    return Interval(bits.count("1") / len(bits), *wilson(bits.count("1"), len(bits)))


def votes(runs: list[dict], judge: str, condition: str = "constitution") -> list[str]:
    """Which reply of each test pair a judge prefers; the judge of pairs with its two orders taken together, or only "a" or "b"."""
    return ["first" if value > 0 else "second" for value in part(runs, "agreement", judge=judge)[condition]]


def agreement(runs: list[dict], judge: str, condition: str, other: str) -> Interval:
    """Kappa of a judge with the truth ("gold", its ties left out) or with the readers; condition "a" is one order alone."""
    found = part(runs, "agreement", judge=judge)
    theirs = found["gold"] if other == "gold" else ["first"] * len(found["ids"])
    kept = [i for i, vote in enumerate(theirs) if vote]
    ids, mine = [found["ids"][i] for i in kept], votes(runs, judge, condition)
    one, _ = at_random(ids, [mine[i] for i in kept])
    two, _ = at_random(ids, [theirs[i] for i in kept])
    return kappa_interval(one, two)


def turns(runs: list[dict]) -> Interval:
    """The share of test pairs in which the judge of pairs changes its mind when the two briefs change places."""
    return mean_interval(
        [float(a != b) for a, b in zip(votes(runs, "pair", "a"), votes(runs, "pair", "b"), strict=True)]
    )


def says_a(runs: list[dict]) -> Interval:
    """How often the judge of pairs says A, over both orders; without a bias for a place it is one half."""
    found = part(runs, "agreement", judge="pair")
    return mean_interval([float(value > 0) for value in found["a"]] + [float(value < 0) for value in found["b"]])


def undecided(runs: list[dict]) -> tuple[float, float]:
    """The median size of the judge's mean log-odds: of the pairs whose verdict turns with the place, and of the others."""
    found, sizes = part(runs, "agreement", judge="pair"), {True: [], False: []}
    for a, b in zip(found["a"], found["b"], strict=True):
        sizes[(a > 0) != (b > 0)].append(abs(a + b) / 2)
    return median(sizes[True]), median(sizes[False])


def quiet_preferred(runs: list[dict], who: str) -> tuple[int, int]:
    """Of the test pairs in which one brief shouts and the other does not: how often the quiet one is preferred, and how many there are.

    `who` is "readers", "gold" (pairs that the truth leaves open are not counted), or a condition of the judge of one brief.
    """
    rows = pair_rows("test")
    chosen = {
        "readers": lambda: ["first"] * len(rows),
        "gold": lambda: part(runs, "agreement", judge="one")["gold"],
    }.get(who, lambda: votes(runs, "one", who))()
    loud = [(shouts(row["first"]), shouts(row["second"])) for row in rows]
    quiet = [(vote == "first") != a for vote, (a, b) in zip(chosen, loud, strict=True) if vote and a != b]
    return sum(quiet), len(quiet)


def shouting_believed(runs: list[dict], judge: str, rule: str = "true") -> Interval:
    """Of the test pairs in which one reply shouts and the other does not: how often a judge finds the shouting one more right by a rule."""
    values = part(runs, "agreement", judge=judge)[f"rule {rule}"]
    loud = [(shouts(row["first"]), shouts(row["second"])) for row in pair_rows("test")]
    return mean_interval([float((v > 0) == a) for v, (a, b) in zip(values, loud, strict=True) if a != b])


def apart(runs: list[dict], judge: str) -> Interval:
    """The share of pairs with one fault a brief at most in which a judge finds the brief that keeps the rule, over all rules."""
    return right(runs, judge, "apart")


def shortcut_table(runs: list[dict]) -> str:
    """The judge trained on faults planted independently beside the one trained on one fault a brief."""
    lines = [
        f"{'faults in training':20s} {'planted apart':20s} {'planted together':20s} {'kappa with the truth':24s} shouting believed",
        "-" * 106,
    ]
    for judge, name in (("one", "independently"), ("single", "one a brief")):
        cells = [percent(apart(runs, judge), 0), percent(right(runs, judge, "constitution"), 0)]
        kappa = _short(agreement(runs, judge, "constitution", "gold"))
        lines.append(
            f"{name:20s} {cells[0]:20s} {cells[1]:20s} {kappa:24s} {percent(shouting_believed(runs, judge), 0)}"
        )
    return "\n".join(lines)


def readers_agreement(runs: list[dict]) -> Interval:
    """Kappa of the readers with the truth, on the same test pairs."""
    found = part(runs, "agreement", judge="one")
    kept = [i for i, vote in enumerate(found["gold"]) if vote]
    ids = [found["ids"][i] for i in kept]
    one, _ = at_random(ids, ["first"] * len(ids))
    two, _ = at_random(ids, [found["gold"][i] for i in kept])
    return kappa_interval(one, two)


def closer_than_readers(runs: list[dict]) -> Interval:
    """Kappa of the judge with the truth less that of the readers, paired by pair."""
    found = part(runs, "agreement", judge="one")
    kept = [i for i, vote in enumerate(found["gold"]) if vote]
    ids, mine = [found["ids"][i] for i in kept], votes(runs, "one")
    sides = ([mine[i] for i in kept], ["first"] * len(kept), [found["gold"][i] for i in kept])
    return kappa_difference(*(at_random(ids, side)[0] for side in sides))


def agreement_table(runs: list[dict]) -> str:
    """Kappa with truth and readers, for the judges, their controls and the readers."""
    lines = [f"{'who':34s} kappa with the truth     kappa with the readers", "-" * 82]
    rows = [(way, c, f"{TITLES[way]}, {c}") for way in TITLES for c in CONDITIONS]
    rows.insert(3, ("pair", "a", f"{TITLES['pair']}, one order only"))
    for way, condition, name in rows:
        gold, readers = (agreement(runs, way, condition, other) for other in ("gold", "readers"))
        lines.append(f"{name:34s} {_short(gold):24s} {_short(readers)}")
    lines.append(f"{'the readers':34s} {_short(readers_agreement(runs)):24s} –")
    return "\n".join(lines)


def _short(found: Interval) -> str:
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def arm(runs: list[dict], dpo_runs: list[dict], name: str) -> list[dict[str, Any]]:
    """The metrics of an arm, one dictionary a seed: "SFT" and "readers" are lesson 13's."""
    if name in ("SFT", "readers"):
        return dpo.arm(dpo_runs, {"SFT": "SFT", "readers": "DPO"}[name])
    found = [r for r in runs if r["key"].get("labels") == name]
    return [r["metrics"] for r in sorted(found, key=lambda r: r["key"]["seed"])]


def safe(metrics: Sequence[dict[str, Any]]) -> list[list[float]]:
    """1 for each reply that neither shouts nor advises, one row a seed."""
    return [[float(c) for c in m["harmless"]] for m in metrics]


def harmless_rate(runs: list[dict], dpo_runs: list[dict], name: str) -> Interval:
    """The share of an arm's replies that neither shout nor advise, over seeds and prompts."""
    return mean_interval(safe(arm(runs, dpo_runs, name)))


def words(runs: list[dict], dpo_runs: list[dict], name: str) -> float:
    """Words a reply, over the seeds of an arm."""
    found = arm(runs, dpo_runs, name)
    return sum(m["words"] for m in found) / len(found)


def against(runs: list[dict], dpo_runs: list[dict], first: str, second: str, field: str = "scores") -> Interval:
    """The difference of two arms, paired by prompt and seed: true scores, or the harmless rate."""
    one, other = arm(runs, dpo_runs, first), arm(runs, dpo_runs, second)
    seeds = min(len(one), len(other))
    if field == "harmless":
        return difference_interval(safe(one[:seeds]), safe(other[:seeds]))
    return difference_interval([m[field] for m in one[:seeds]], [m[field] for m in other[:seeds]])


SHOWN = {"SFT": "none (the writer)"}  # what an arm is called in tables and figures


def arms_table(runs: list[dict], dpo_runs: list[dict], names: Sequence[str] = ("SFT", "readers", "AI", "mixed")) -> str:
    """One line an arm: true score, its rise over the writer, win rate, harmless rate, words."""
    lines = [
        f"{'labels':18s} seeds  true score  rise over the writer      win rate  harmless         words",
        "-" * 97,
    ]
    for name in names:
        found = arm(runs, dpo_runs, name)
        score = mean_interval([m["scores"] for m in found])
        clean = mean_interval(safe(found))
        line = f"{SHOWN.get(name, name):18s} {len(found):5d}  {score.value:10.3f}"
        if name == "SFT":
            line += f"  {'–':24s}  {'–':>8s}"
        else:
            rise = against(runs, dpo_runs, name, "SFT")
            before = [m["scores"] for m in arm(runs, dpo_runs, "SFT")][: len(found)]
            won = win_rate([m["scores"] for m in found], before)
            line += f"  {rise.value:+.3f} ({rise.low:+.3f} to {rise.high:+.3f})  {100 * won.value:6.0f} %"
        lines.append(f"{line}  {percent(clean, 0):15s} {words(runs, dpo_runs, name):6.1f}")
    return "\n".join(lines)


def length_table(runs: list[dict], dpo_runs: list[dict]) -> str:
    """The arm of the judge that likes length, beside the writer and the AI labels."""
    return arms_table(runs, dpo_runs, ("SFT", "AI", "length"))


def judged_wins(runs: list[dict], name: str) -> Interval:
    """How often the judge itself prefers an arm's reply to the writer's, over seeds and prompts."""
    return mean_interval([[float(c) for c in m["judge"]] for m in arm(runs, [], name)])


def true_wins(runs: list[dict], dpo_runs: list[dict], name: str) -> Interval:
    """How often the true score prefers an arm's reply to the writer's, ties as half."""
    found = arm(runs, dpo_runs, name)
    return win_rate([m["scores"] for m in found], [m["scores"] for m in arm(runs, dpo_runs, "SFT")][: len(found)])


def circle_table(runs: list[dict], dpo_runs: list[dict]) -> str:
    """Win rates over the writer by the judge and by the truth."""
    lines = [f"{'labels':8s} wins by the judge    wins by the true score", "-" * 50]
    for name in ("AI", "mixed", "length"):
        mine, truth = judged_wins(runs, name), true_wins(runs, dpo_runs, name)
        lines.append(f"{name:8s} {_rate(mine):20s} {_rate(truth)}")
    return "\n".join(lines)


def _rate(found: Interval) -> str:
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f}–{100 * found.high:.0f})"


def verdicts(runs: list[dict], dpo_runs: list[dict]) -> str:
    """The five expectations of the lesson, each with its figures and whether it came true."""
    seen = {c: right(runs, "one", c) for c in CONDITIONS}
    turned = turns(runs)
    gold, readers = agreement(runs, "one", "constitution", "gold"), readers_agreement(runs)
    clean = against(runs, dpo_runs, "AI", "readers", "harmless")
    score = against(runs, dpo_runs, "AI", "readers")
    told = [
        (f"right on planted faults: {', '.join(f'{c} {100 * f.value:.0f} %' for c, f in seen.items())}",
         seen["constitution"].low > 0.5 and max(seen[c].value for c in CONDITIONS[1:]) < seen["constitution"].low),
        (f"asked of two briefs, {percent(turned, 0)} of the verdicts turn with the place", turned.value > 0.1),
        (f"kappa with the truth {_short(gold)}, the readers' {_short(readers)}", gold.low > 0 and gold.value < readers.value),
        (f"harmless, AI less readers: {points(clean)}", clean.low > 0),
        (f"true score, AI less readers: {score:+.3f}", score.value <= 0),
    ]  # fmt: skip
    words = {True: "confirmed", False: "not confirmed"}
    return "\n".join(f"{n}. {words[ok]:14s} {line}" for n, (line, ok) in enumerate(told, 1))


def record(run: Any, scores: Sequence[float], won: Interval, clean: Sequence[float]) -> dict:
    """The student's row on the scoreboard: the true score as the result, with win rate and harmless rate beside it."""
    from ...measure import scoreboard

    gold = mean_interval(list(scores))
    return scoreboard.record(
        "RLAIF", run, gold, lesson=LESSON, gold=gold, win_rate=won, harmless=mean_interval(list(clean))
    )
