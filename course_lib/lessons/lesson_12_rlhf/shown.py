"""What lesson 12 shows of its runs: the arms side by side, their courses, the two figures of a proxy pressed too hard, and four logs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean
from typing import Any

from ...measure.preferences import win_rate
from ...measure.statistics import difference_interval, mean_interval
from .experiments import BETA, COUNTS, WATCHED, gold, scored, test_prompts

READERS = {"biased": "#D55E00", "unbiased": "#0072B2"}  # lesson 11's colours of the two
WINDOW = 5  # steps over which a course is averaged
METHODS = {"REINFORCE": ":", "REINFORCE with baseline": "--", "RLOO": "-", "PPO": "-."}
LOGS = {"A": ("RLOO", {"reward": "biased", "beta": BETA}), "B": ("broken", {"how": "rate"}),
        "C": ("broken", {"how": "leash"}), "D": ("broken", {"how": "cut"})}  # fmt: skip


def arm(runs: list[dict], part: str, **key: Any) -> list[dict[str, Any]]:
    """The metrics of the runs of one part whose key holds all of `key`, one dictionary a seed, in the order of the seeds."""
    found = [r for r in runs if ({"part": part} | key).items() <= r["key"].items()]
    return [r["metrics"] for r in sorted(found, key=lambda r: r["key"].get("seed", 0))]


def arms(runs: list[dict]) -> dict[str, list[dict[str, Any]]]:
    """The lesson's arms by name, those that have runs."""
    named = {
        "brief writer": arm(runs, "start"),
        "base model": arm(runs, "base"),
        "RLOO, biased": arm(runs, "RLOO", reward="biased", beta=BETA),
        "RLOO, unbiased": arm(runs, "RLOO", reward="unbiased", beta=BETA),
        "RLOO, true score": arm(runs, "RLOO", reward="gold"),
        "RLOO, biased, beta 0": arm(runs, "RLOO", reward="biased", beta=0.0),
        "no SFT, biased": arm(runs, "no SFT"),
    }
    return {name: found for name, found in named.items() if found}


def unwritten() -> dict[str, list[float]]:
    """True scores of what needs no model, on the test prompts: the item's first sentence, copied, and the newspaper's own brief."""
    rows = test_prompts()
    return {
        "the lead, copied": scored(gold, rows, [row["lead"] for row in rows]),
        "the paper's brief": scored(gold, rows, [row["brief"] for row in rows]),
    }


def table(runs: list[dict]) -> str:
    """One line an arm: true score, its gain over the writer's and the win rate against it, shouting, words; then what needs no model."""
    found = arms(runs)
    start = [m["gold"] for m in found["brief writer"]]
    lines = [
        f"{'arm':21s}seeds  true score            gain over the writer       win rate            shouting  words",
        "-" * 108,
    ]
    for name, seeds in found.items():
        after = [m["gold"] for m in seeds]
        shout, words = (mean(m[key] for m in seeds) for key in ("shouts", "words"))
        gain = won = "–"
        if name.startswith("RLOO"):
            gain = f"{difference_interval(after, start[: len(after)]):+.3f}"
            won = f"{win_rate(after, start[: len(after)]):.2f}"
        lines.append(
            f"{name:21s}{len(seeds):5d}  {mean_interval(after):.3f}  {gain:26s} {won:19s} {100 * shout:6.0f} % {words:6.1f}"
        )
    lines += [f"{name:21s}{'–':>5s}  {mean_interval(scores):.3f}" for name, scores in unwritten().items()]
    return "\n".join(lines)


def course(runs: list[dict], name: str, keys: Sequence[str] = WATCHED, every: int = 6) -> str:
    """What was watched in training, every so many steps, of the first seed of an arm."""
    return log_of(
        arms(runs)[name][0]["history"], name, keys, range(0, len(arms(runs)[name][0]["history"]["kl"]), every)
    )


def log_of(history: dict[str, list[float]], name: str, keys: Sequence[str], places: Sequence[int]) -> str:
    """Some steps of what was watched, a line a quantity."""
    words = {"reward": "proxy", "watch": "true score", "kl": "KL, nats", "length": "tokens", "cut": "without end"}
    lines = [f"{name:22s}step {''.join(f'{place + 1:8d}' for place in places)}"]
    lines += [f"{'':11s}{words[key]:16s}" + "".join(f"{history[key][i]:8.2f}" for i in places) for key in keys]
    return "\n".join(lines)


def four_logs(runs: list[dict]) -> str:
    """The runs of exercise 4, five steps of each."""
    told = []
    for letter, (part, key) in LOGS.items():
        history = arm(runs, part, **key)[0]["history"]
        last = len(history["kl"]) - 1
        told.append(log_of(history, f"run {letter}", WATCHED, [round(last * share / 4) for share in range(5)]))
    return "\n\n".join(told)


def smoothed(runs: list[dict], name: str, key: str) -> tuple[list[int], list[float]]:
    """Mean over an arm's seeds and over a window of steps: the middle steps, and the values."""
    histories = [m["history"][key] for m in arms(runs)[name]]
    means = [mean(step) for step in zip(*histories, strict=True)]
    places = range(len(means) - WINDOW + 1)
    return [i + WINDOW // 2 + 1 for i in places], [mean(means[i : i + WINDOW]) for i in places]


# ------------------------------------------------------------------ figures


def climb(curves: dict[str, Any], optimum: float) -> str:
    """J over the steps of four methods, mean of the seeds and their range; `curves` are tensors (seeds, steps). Returns the summary."""
    import matplotlib.pyplot as plt

    from ...measure.plots import canvas

    _, axes = canvas(7, 3.6)
    tints = ("#999999", "#E69F00", "#000000", "#56B4E9")
    for (name, values), tint in zip(curves.items(), tints, strict=True):
        steps = range(1, values.shape[1] + 1)
        axes.plot(steps, values.mean(0), ls=METHODS[name], color=tint, lw=1.8, label=name)
        axes.fill_between(steps, values.amin(0), values.amax(0), color=tint, alpha=0.15, lw=0)
    axes.axhline(optimum, color="#009E73", lw=1)
    axes.annotate("the best policy", (250, optimum), xytext=(0, 3), textcoords="offset points", color="#009E73", fontsize=9, ha="right")  # fmt: skip
    axes.set(
        xlabel="steps of sixteen replies (bands: all seeds)", ylabel="J: reward − β · KL", ylim=(None, optimum + 0.12)
    )
    axes.set_title("With a baseline all reach the best policy; without, it is slow", loc="left")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    plt.show()
    told = ", ".join(
        f"{name} {values.mean(0)[19]:.3f}, {values.mean(0)[49]:.3f} and {values.mean(0)[-1]:.3f}"
        for name, values in curves.items()
    )
    return f"J, mean of {len(values)} seeds, after 20, 50 and {values.shape[1]} steps: {told}; the best possible is {optimum:.3f}."


def own_course(history: list[dict]) -> str:
    """The student's run: proxy, true score, KL and length over the steps; returns the summary."""
    import matplotlib.pyplot as plt

    from ...measure.plots import colour

    names = {"reward": "proxy (it is trained on this)", "watch": "true score (only looks on)", "kl": "KL, nats a reply", "length": "tokens a reply"}  # fmt: skip
    figure, panels = plt.subplots(2, 2, figsize=(8, 4.8), layout="constrained", sharex=True)
    for panel, (key, name) in zip(panels.flat, names.items(), strict=True):
        panel.plot([h["step"] for h in history], [h[key] for h in history], color=colour("RLHF"), lw=1.5)
        panel.set_title(name, loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[1]:
        panel.set_xlabel("step")
    figure.suptitle("What it is trained on rises; the truth turns", x=0.01, ha="left")
    plt.show()
    first, last = history[0], history[-1]
    told = ", ".join(f"{name.split(' (')[0]} {first[key]:.2f} to {last[key]:.2f}" for key, name in names.items())
    return f"Your run from its first to its last step: {told}; the highest true score is {max(h['watch'] for h in history):.2f}."


def turning(runs: list[dict]) -> str:
    """Proxy and true score over the steps, with biased and with unbiased readers; returns the summary."""
    import matplotlib.pyplot as plt

    _, panels = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    told = []
    for (readers, tint), style in zip(READERS.items(), ("-", "--"), strict=True):
        ends = []
        for panel, key in zip(panels, ("reward", "watch"), strict=True):
            x, y = smoothed(runs, f"RLOO, {readers}", key)
            panel.plot(x, y, color=tint, ls=style, lw=1.8, label=f"{readers} readers")
            ends += [y[0], y[-1]]
        told.append(
            f"{readers} readers, proxy {ends[0]:.2f} to {ends[1]:.2f}, true score {ends[2]:.2f} to {ends[3]:.2f}"
        )
    panels[1].axhline(mean_interval([m["gold"] for m in arm(runs, "start")]).value, color="#999999", ls=":", lw=1.2, label="before, test prompts")  # fmt: skip
    for panel, title, label in zip(
        panels, ("The proxy rises for both", "The true score turns for one"), ("reward model", "true score"), strict=True
    ):  # fmt: skip
        panel.set(xlabel="step (mean of five)", ylabel=label)
        panel.set_title(title, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    panels[1].legend(frameon=False, fontsize=9)
    plt.show()
    return f"From the first to the last steps: {'; '.join(told)}."


def distance(n: int) -> float:
    """The bound on the KL of best-of-n, in nats: ln n − (n − 1)/n."""
    return math.log(n) - (n - 1) / n


def pressure(runs: list[dict]) -> str:
    """True score over √KL, of best-of-n and of RLOO, with both kinds of readers; returns the summary."""
    import matplotlib.pyplot as plt

    from ...measure.plots import canvas

    _, axes = canvas(7, 3.8)
    (best,), told = arm(runs, "best of n"), []
    for readers, tint in READERS.items():
        x = [math.sqrt(distance(n)) for n in COUNTS]
        y = [mean_interval(best[f"{readers} {n}"]["gold"]) for n in COUNTS]
        bars = [[v.value - v.low for v in y], [v.high - v.value for v in y]]
        axes.errorbar(x, [v.value for v in y], yerr=bars, fmt="o--", color=tint, ms=4, lw=1.3, elinewidth=0.8, label=f"best of n, {readers} readers")  # fmt: skip
        kl, truth = (smoothed(runs, f"RLOO, {readers}", key)[1] for key in ("kl", "watch"))
        root = [math.sqrt(max(0.0, value)) for value in kl]
        axes.plot(root, truth, color=tint, lw=1.8, label=f"RLOO, {readers} readers")
        told.append(f"{readers} readers: best of {COUNTS[-1]} {y[-1].value:.2f} from {y[0].value:.2f}, RLOO {truth[-1]:.2f} at √KL {root[-1]:.1f}")  # fmt: skip
    axes.set(xlabel="√KL, the KL in nats (best of n: at most so far)", ylabel="true score")
    axes.set_title("Pressed further, an unbiased proxy helps and a biased one harms", loc="left")
    axes.legend(frameon=False, fontsize=9, bbox_to_anchor=(1.0, 0.5), loc="center left")
    plt.show()
    return f"True score over distance from the start: {'; '.join(told)}."
