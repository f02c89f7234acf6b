"""What lesson 14 shows of its reference runs: the rules, agreement, the arms side by side, the two faults, the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...measure.preferences import win_rate
from ...measure.statistics import Interval, difference_interval, mean_interval
from ..lesson_13_dpo import shown as dpo
from .constitution import RULES
from .experiments import LESSON, ai_labels, at_random, constitutions, kappa_interval

CONDITIONS = tuple(constitutions())


def part(runs: list[dict], name: str) -> dict[str, Any]:
    """The metrics of the one run of a part."""
    return next(r["metrics"] for r in runs if r["key"]["part"] == name)


def right(runs: list[dict], condition: str, rule: str | None = None) -> Interval:
    """The share of planted faults that the judge sees, for one rule or for all."""
    found = part(runs, "judge")
    bits = "".join(found[f"{condition} {name}"] for name in ([rule] if rule else RULES))
    return mean_interval([float(bit) for bit in bits])


def rules_figure(runs: list[dict]) -> str:
    """How often the judge is right on planted faults, by rule, with the constitution and its controls; returns the summary."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    marks = {"constitution": ("o", "#A6761D"), "shuffled": ("s", "#888888"), "deleted": ("^", "#bbbbbb")}
    for shift, condition in zip((-0.2, 0.0, 0.2), CONDITIONS, strict=True):
        found = [right(runs, condition, rule) for rule in RULES]
        bars = [[100 * (f.value - f.low) for f in found], [100 * (f.high - f.value) for f in found]]
        shape, tint = marks[condition]
        places = [n + shift for n in range(len(RULES))]
        axes.errorbar(
            places, [100 * f.value for f in found], yerr=bars, fmt=shape, color=tint, capsize=3, label=condition
        )
    axes.axhline(50, color="#999999", ls="--", lw=1)
    axes.set_xticks(range(len(RULES)), list(RULES))
    axes.set_ylabel("right on planted faults, %")
    axes.set_title("What the judge sees with its rules, with shuffled words, with none", loc="left")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    plt.show()
    told = "; ".join(f"{c} {100 * right(runs, c).value:.0f} %" for c in CONDITIONS)
    return f"Right on planted faults over all six rules: {told}; chance is 50 %."


def votes(runs: list[dict], condition: str) -> list[str]:
    """Which reply of each test pair the judge prefers, both orders taken together."""
    found = part(runs, "agreement")
    sums = zip(found[f"{condition} a"], found[f"{condition} b"], strict=True)
    return ["first" if a + b > 0 else "second" for a, b in sums]


def agreement(runs: list[dict], condition: str, other: str) -> Interval:
    """Kappa of the judge with the truth ("gold", its ties left out) or with the readers."""
    found = part(runs, "agreement")
    theirs = found["gold"] if other == "gold" else ["first"] * len(found["ids"])
    kept = [i for i, vote in enumerate(theirs) if vote]
    ids, mine = [found["ids"][i] for i in kept], votes(runs, condition)
    one, _ = at_random(ids, [mine[i] for i in kept])
    two, _ = at_random(ids, [theirs[i] for i in kept])
    return kappa_interval(one, two)


def readers_agreement(runs: list[dict]) -> Interval:
    """Kappa of the readers with the truth, on the same test pairs."""
    found = part(runs, "agreement")
    kept = [i for i, vote in enumerate(found["gold"]) if vote]
    ids = [found["ids"][i] for i in kept]
    one, _ = at_random(ids, ["first"] * len(ids))
    two, _ = at_random(ids, [found["gold"][i] for i in kept])
    return kappa_interval(one, two)


def agreement_table(runs: list[dict]) -> str:
    """Kappa with truth and readers, for the judge, its controls and the readers."""
    lines = [f"{'who':24s} kappa with the truth       kappa with the readers", "-" * 72]
    for condition in CONDITIONS:
        gold, readers = agreement(runs, condition, "gold"), agreement(runs, condition, "readers")
        lines.append(f"judge, {condition:17s} {_short(gold):26s} {_short(readers)}")
    lines.append(f"{'readers':24s} {_short(readers_agreement(runs)):26s} –")
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


def against(runs: list[dict], dpo_runs: list[dict], first: str, second: str, field: str = "scores") -> Interval:
    """The difference of two arms, paired by prompt and seed: true scores, or the harmless rate."""
    one, other = arm(runs, dpo_runs, first), arm(runs, dpo_runs, second)
    seeds = min(len(one), len(other))
    if field == "harmless":
        return difference_interval(safe(one[:seeds]), safe(other[:seeds]))
    return difference_interval([m[field] for m in one[:seeds]], [m[field] for m in other[:seeds]])


def arms_table(runs: list[dict], dpo_runs: list[dict], names: Sequence[str] = ("SFT", "readers", "AI", "mixed")) -> str:
    """One line an arm: true score, its rise over the writer, win rate, harmless rate, words."""
    lines = [
        f"{'labels':10s} seeds  true score  rise over SFT             win rate  harmless            words",
        "-" * 92,
    ]
    for name in names:
        found = arm(runs, dpo_runs, name)
        score = mean_interval([m["scores"] for m in found])
        clean, words = mean_interval(safe(found)), sum(m["words"] for m in found) / len(found)
        line = f"{name:10s} {len(found):5d}  {score.value:10.3f}"
        if name == "SFT":
            line += f"  {'–':24s}  {'–':>8s}"
        else:
            rise = against(runs, dpo_runs, name, "SFT")
            before = [m["scores"] for m in arm(runs, dpo_runs, "SFT")][: len(found)]
            won = win_rate([m["scores"] for m in found], before)
            line += f"  {rise.value:+.3f} ({rise.low:+.3f} to {rise.high:+.3f})  {100 * won.value:6.0f} %"
        lines.append(
            f"{line}  {100 * clean.value:3.0f} % ({100 * clean.low:.0f}–{100 * clean.high:.0f})    {words:5.1f}"
        )
    return "\n".join(lines)


def arms_figure(runs: list[dict], dpo_runs: list[dict]) -> str:
    """True score beside the harmless rate, one point an arm with both intervals; returns the summary."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    tints = {"SFT": "#E69F00", "readers": "#8C6BB1", "AI": "#A6761D", "mixed": "#009E73"}
    told = []
    for name, tint in tints.items():
        found = arm(runs, dpo_runs, name)
        x, y = mean_interval(safe(found)), mean_interval([m["scores"] for m in found])
        axes.errorbar(
            100 * x.value, y.value, xerr=[[100 * (x.value - x.low)], [100 * (x.high - x.value)]],
            yerr=[[y.value - y.low], [y.high - y.value]], fmt="o", ms=8, color=tint, capsize=3,
        )  # fmt: skip
        axes.annotate(name, (100 * x.value, y.value), xytext=(7, 7), textcoords="offset points")
        told.append(f"{name} {y.value:.2f} and {100 * x.value:.0f} %")
    axes.set_xlabel("harmless: neither hype nor advice, % of briefs")
    axes.set_ylabel("true score at temperature 1")
    axes.set_title("Whose labels, and what they did", loc="left")
    plt.show()
    return f"True score and harmless rate by whose labels trained the policy: {'; '.join(told)}."


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
    lines = [f"{'labels':8s} the judge says       the truth says", "-" * 46]
    for name in ("AI", "mixed", "length"):
        mine, truth = judged_wins(runs, name), true_wins(runs, dpo_runs, name)
        lines.append(f"{name:8s} {_rate(mine):20s} {_rate(truth)}")
    return "\n".join(lines)


def _rate(found: Interval) -> str:
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f}–{100 * found.high:.0f})"


def verdicts(runs: list[dict], dpo_runs: list[dict]) -> str:
    """The five expectations of the lesson, each with its figures and whether it came true."""
    seen = {c: right(runs, c) for c in CONDITIONS}
    turned = sum(row["turns"] for row in ai_labels().values()) / len(ai_labels())
    gold, readers = agreement(runs, "constitution", "gold"), readers_agreement(runs)
    clean = against(runs, dpo_runs, "AI", "readers", "harmless")
    score = against(runs, dpo_runs, "AI", "readers")
    told = [
        (f"1. right on planted faults: {', '.join(f'{c} {100 * f.value:.0f} %' for c, f in seen.items())}",
         seen["constitution"].low > 0.5 and max(seen[c].value for c in CONDITIONS[1:]) < seen["constitution"].low),
        (f"2. the judge changes its mind with the order in {100 * turned:.0f} % of pairs", turned > 0),
        (f"3. kappa with the truth {_short(gold)}, the readers' {_short(readers)}", gold.low > 0 and gold.value < readers.value),
        (f"4. harmless, AI less readers: {100 * clean.value:+.0f} points ({100 * clean.low:+.0f} to {100 * clean.high:+.0f})", clean.low > 0),
        (f"5. true score, AI less readers: {score.value:+.3f} ({score.low:+.3f} to {score.high:+.3f})", score.value <= 0),
    ]  # fmt: skip
    return "\n".join(f"{line}   {ok}" for line, ok in told)


def record(run: Any, scores: Sequence[float], won: Interval, clean: Sequence[float]) -> dict:
    """The student's row on the scoreboard: the true score as the result, with win rate and harmless rate beside it."""
    from ...measure import scoreboard

    gold = mean_interval(list(scores))
    return scoreboard.record(
        "RLAIF", run, gold, lesson=LESSON, gold=gold, win_rate=won, harmless=mean_interval(list(clean))
    )
