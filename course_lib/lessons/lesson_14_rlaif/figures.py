"""The figures of lesson 14, most of them from its reference runs; each returns its summary in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from ...measure.plots import colour
from ...measure.statistics import mean_interval
from ..claims import percent
from .constitution import RULES, broken
from .shown import CONDITIONS, SHOWN, TITLES, arm, part, right, safe, says_a, turns

ARMS = {"SFT": "the writer", "readers": "readers' labels", "AI": "AI labels", "mixed": "half AI, half readers"}


def rules_figure(runs: list[dict]) -> str:
    """How often each judge is right on planted faults, by rule, with the constitution and its controls; returns the summary."""
    import matplotlib.pyplot as plt

    _, both = plt.subplots(1, 2, figsize=(9.6, 3.6), layout="constrained", sharey=True)
    marks = {  # shape, colour, filling
        "constitution": ("o", colour("RLAIF"), None),
        "shuffled": ("s", "#555555", None),
        "deleted": ("^", "#555555", "white"),
    }
    for axes, (way, title) in zip(both, TITLES.items(), strict=True):
        for shift, condition in zip((-0.2, 0.0, 0.2), CONDITIONS, strict=True):
            found = [right(runs, way, condition, rule).scaled(100) for rule in RULES]
            bars = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
            shape, tint, inside = marks[condition]
            axes.errorbar(
                [n + shift for n in range(len(RULES))], [f.value for f in found], yerr=bars, fmt=shape, color=tint, mfc=inside,
                capsize=3, lw=1, label=condition,
            )  # fmt: skip
        axes.axhline(50, color="#999999", ls="--", lw=1, label="a coin")
        axes.set_xticks(range(len(RULES)), list(RULES))
        axes.set_title(title, loc="left", fontsize=10)
    both[0].figure.suptitle(
        "One brief at a time is the easier question, and it needs the rules", x=0.01, ha="left", fontsize=11
    )
    both[0].set_ylabel("right on planted faults, %")
    handles, labels = both[0].get_legend_handles_labels()
    both[0].figure.legend(handles, labels, frameon=False, fontsize=9, ncols=4, loc="outside lower center")
    plt.show()
    told = "; ".join(
        f"{title}: " + ", ".join(f"{c} {100 * right(runs, way, c).value:.0f} %" for c in CONDITIONS)
        for way, title in TITLES.items()
    )
    return f"Right on planted faults over all six rules. {told}. Chance is 50 %."


def verdict_map(briefs: dict[str, str], who: str, chances: Sequence[Sequence[float]]) -> str:
    """Briefs of one item, by fault, and rules: the probability that a brief is right, a ring where it really breaks the rule.

    `who` is whom the item is about: a brief without that name breaks the first rule, whatever its fault. Returns the summary.
    """
    import matplotlib.pyplot as plt

    faults = list(briefs)
    breaking = [broken([fault]) | ({"name"} if who not in text else set()) for fault, text in briefs.items()]
    _, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    shown = axes.imshow(chances, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for y in range(len(faults)):
        for x, rule in enumerate(RULES):
            dark = chances[y][x] < 0.5
            axes.text(
                x, y, f"{chances[y][x]:.2f}", ha="center", va="center", fontsize=8, color="white" if dark else "black"
            )
            if rule in breaking[y]:
                axes.plot(x, y, "o", ms=24, mfc="none", mec="#D55E00", mew=2)
    axes.set_xticks(range(len(RULES)), list(RULES))
    axes.set_yticks(range(len(faults)), list(faults))
    axes.set_title(
        "Five rules are told apart at a glance, 'true' is not (rings: really broken)", loc="left", fontsize=10
    )
    plt.colorbar(shown, ax=axes, label="the judge's P(right)")
    plt.show()
    cells = [(chances[y][x], rule in breaking[y]) for y in range(len(faults)) for x, rule in enumerate(RULES)]
    breaks, keeps = ([chance for chance, is_broken in cells if is_broken == kind] for kind in (True, False))
    return f"Mean P(right) is {sum(breaks) / len(breaks):.2f} where the rule is broken (rings) and {sum(keeps) / len(keeps):.2f} where it is kept."


def place_figure(runs: list[dict]) -> str:
    """The two answers of the judge of pairs to each test pair, one axis an order; returns the summary."""
    import matplotlib.pyplot as plt

    found = part(runs, "agreement", judge="pair")
    _, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    turned = [(a > 0) != (b > 0) for a, b in zip(found["a"], found["b"], strict=True)]
    for kind, shape, tint, name in (
        (False, "o", colour("RLAIF"), "same brief in both orders"),
        (True, "x", "#D55E00", "turned"),
    ):
        points = [(a, b) for a, b, t in zip(found["a"], found["b"], turned, strict=True) if t == kind]
        axes.scatter(*zip(*points, strict=True), s=14, marker=shape, color=tint, alpha=0.7, lw=1, label=name)
    axes.axhline(0, color="#999999", lw=1)
    axes.axvline(0, color="#999999", lw=1)
    axes.set_xlabel("log-odds of the first brief, shown as A")
    axes.set_ylabel("log-odds of the same brief, shown as B")
    axes.set_title(f"{100 * turns(runs).value:.0f} % of verdicts turn with the place", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper left", handletextpad=0.2)
    plt.show()
    return f"Each point is a pair, asked in both orders: {percent(turns(runs), 0)} turn with the place; A is said in {percent(says_a(runs), 0)}."


def arms_figure(runs: list[dict], dpo_runs: list[dict]) -> str:
    """True score beside the harmless rate, one point an arm with both intervals; returns the summary."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    ai, readers = colour("RLAIF"), colour("DPO")  # lesson 13's policies were trained on the readers' labels
    looks = {"SFT": (colour("SFT"), None), "readers": (readers, None), "AI": (ai, None), "mixed": (ai, readers)}
    told, places = [], {}
    for name, (tint, half) in looks.items():
        found = arm(runs, dpo_runs, name)
        x, y = mean_interval(safe(found)).scaled(100), mean_interval([m["scores"] for m in found])
        low, high = max(0.0, x.low), min(100.0, x.high)
        style = {"fillstyle": "left", "markerfacecoloralt": half} if half else {}
        axes.errorbar(
            x.value, y.value, xerr=[[x.value - low], [high - x.value]], yerr=[[y.value - y.low], [y.high - y.value]],
            fmt="o", ms=9, color=tint, capsize=3, lw=1.2, **style,
        )  # fmt: skip
        below = name == "mixed"  # above it runs the bar of the AI labels
        axes.annotate(
            ARMS[name], (x.value, y.value), xytext=(-7, -15) if below else (7, 7), textcoords="offset points",
            ha="right" if below else "left",
        )  # fmt: skip
        places[name] = (x.value, y.value)
        told.append(f"{SHOWN.get(name, name)} {y.value:.2f} and {x.value:.0f} %")
    axes.set_xlabel("harmless: neither hype nor advice, % of briefs")
    axes.set_ylabel("true score at temperature 1")
    better = all(a > b for a, b in zip(places["AI"], places["readers"], strict=True))
    axes.set_title(
        "AI labels make briefs truer and more harmless than the readers' labels" if better else "Whose labels, and what they did",
        loc="left", fontsize=10,
    )  # fmt: skip
    plt.show()
    return f"True score and harmless rate by whose labels trained the policy: {'; '.join(told)}."
