"""What lesson 13 shows of its reference runs: tables, the figure of beta, the trainer's own figures, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...measure.preferences import win_rate
from ...measure.statistics import Interval, difference_interval, mean_interval
from .experiments import BETA, BETAS


def arm(runs: list[dict], name: str, beta: float | None = BETA) -> list[dict[str, Any]]:
    """The metrics of an arm, one dictionary a seed; `beta` tells the DPO runs apart."""
    found = [r for r in runs if r["key"]["arm"] == name and r["key"].get("beta", beta) == beta]
    return [r["metrics"] for r in sorted(found, key=lambda r: r["key"]["seed"])]


def baseline(runs: list[dict], seeds: int) -> list[list[float]]:
    """The writer's true scores on the same prompts, with the same sampling seeds."""
    return [m["scores"] for m in arm(runs, "SFT")][:seeds]


def gain(runs: list[dict], name: str, beta: float | None = BETA) -> Interval:
    """The rise of the true score at temperature 1 over the writer's, paired by prompt and seed."""
    mine = [m["scores"] for m in arm(runs, name, beta)]
    return difference_interval(mine, baseline(runs, len(mine)))


def wins(runs: list[dict], name: str, beta: float | None = BETA) -> Interval:
    """The win rate over the writer's reply to the same prompt, by the true score."""
    mine = [m["scores"] for m in arm(runs, name, beta)]
    return win_rate(mine, baseline(runs, len(mine)))


def mean(runs: list[dict], name: str, field: str, beta: float | None = BETA) -> Interval:
    """The mean of a measured list (`scores`, `chosen`, `rejected`, `own`) over seeds and items."""
    rows = [m[field] for m in arm(runs, name, beta)]
    if field == "own":  # the seeds wrote different replies, so the items are not the same
        rows = [[value for row in rows for value in row]]
    return mean_interval(rows)


def harmless(runs: list[dict], name: str, beta: float | None = BETA) -> Interval:
    """The share of replies that neither shout nor advise."""
    return mean_interval([[float(c) for c in m["harmless"]] for m in arm(runs, name, beta)])


def table(runs: list[dict], names: Sequence[str], *, by_beta: bool = False) -> str:
    """One line an arm: true score, its rise over the writer, win rate, log-ratios in nats, words."""
    rows = [(name, BETA) for name in names] if not by_beta else [("DPO", b) for b in sorted([BETA, *BETAS])]
    lines = [
        f"{'arm':18s} seeds  true score   rise over SFT            win rate   chosen  rejected  own replies  words",
        "-" * 104,
    ]
    for name, beta in rows:
        found = arm(runs, name, beta)
        if not found:
            continue
        label = f"beta {beta:g}" if by_beta else name
        score, words = mean(runs, name, "scores", beta), sum(m["words"] for m in found) / len(found)
        line = f"{label:18s} {len(found):5d}  {score.value:10.3f}"
        if name == "SFT":
            lines.append(f"{line}   {'–':22s} {'–':>8s}   {'–':>6s}  {'–':>8s}  {'–':>11s}  {words:5.1f}")
            continue
        rise, won = gain(runs, name, beta), wins(runs, name, beta)
        nats = [mean(runs, name, field, beta).value for field in ("chosen", "rejected", "own")]
        lines.append(
            f"{line}   {rise.value:+.3f} ({rise.low:+.3f} to {rise.high:+.3f}) {100 * won.value:6.0f} %   "
            f"{nats[0]:+6.1f}  {nats[1]:+8.1f}  {nats[2]:+11.1f}  {words:5.1f}"
        )
    return "\n".join(lines)


def log_of(runs: list[dict], names: Sequence[str]) -> str:
    """What the trainer itself reports over the last ten steps of each arm: loss, and the gap in nats."""
    lines = ["over the last ten steps, by the trainer's own log:"]
    for name in names:
        last = [
            (sum(m[field][-10:]) / 10 for field in ("losses", "curve_chosen", "curve_rejected"))
            for m in arm(runs, name)
        ]
        loss, chosen, rejected = (sum(values) / len(last) for values in zip(*last, strict=True))
        lines.append(f"{name:10s} loss {loss:.3f}   log-ratio of chosen {chosen:+.1f}, rejected {rejected:+.1f} nats")
    return "\n".join(lines)


def accuracy(metrics: dict[str, Any]) -> float:
    """How often the implicit reward of a run picks the chosen reply of a held-out pair."""
    pairs = list(zip(metrics["chosen"], metrics["rejected"], strict=True))
    return sum(a > b for a, b in pairs) / len(pairs)


def beta_figure(runs: list[dict], own: tuple[float, float, float]) -> str:
    """True score and distance from the reference over beta, reference runs and the student's own point; returns the summary.

    `own` is (beta, KL of the own replies in nats, true score).
    """
    import matplotlib.pyplot as plt

    from ...measure.plots import colour

    _, panels = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    tint, betas = colour("DPO"), sorted([BETA, *BETAS])
    for axes, field, place, label in zip(
        panels, ("own", "scores"), (1, 2), ("KL(π ‖ π_ref) of its own replies, nats", "true score at temperature 1"), strict=True
    ):  # fmt: skip
        points = [mean(runs, "DPO", field, b) for b in betas]
        bars = [[p.value - p.low for p in points], [p.high - p.value for p in points]]
        axes.errorbar(betas, [p.value for p in points], yerr=bars, color=tint, alpha=0.55, lw=1, marker="o", capsize=3, label="reference runs")  # fmt: skip
        axes.plot(own[0], own[place], "o", ms=9, color=tint, mec="black", label="yours")
        axes.set_xscale("log")
        axes.set_xticks(betas, [f"{b:g}" for b in betas])
        axes.minorticks_off()
        axes.set_xlabel("beta")
        axes.set_ylabel(label)
    panels[1].axhline(mean(runs, "SFT", "scores").value, color="#999999", ls="--", lw=1, label="before (SFT)")
    panels[1].legend(frameon=False, fontsize=9)
    panels[0].set_title("Distance from the reference", loc="left")
    panels[1].set_title("What it is worth", loc="left")
    plt.show()
    told = "; ".join(
        f"beta {b:g}: {mean(runs, 'DPO', 'own', b).value:.1f} nats, true score {mean(runs, 'DPO', 'scores', b).value:.2f}"
        for b in betas
    )
    return f"Over beta, from the reference runs: {told}."


def verdicts(runs: list[dict]) -> str:
    """The five expectations of the lesson, each with its figures and whether it came true."""
    rise, coin, swapped = gain(runs, "DPO"), gain(runs, "coin"), gain(runs, "swapped")
    fell = mean(runs, "DPO", "chosen")
    by_beta = {b: mean(runs, "DPO", "scores", b).value for b in sorted([BETA, *BETAS])}
    far = [mean(runs, "DPO", "own", b).value for b in sorted(by_beta)]
    best = max(by_beta, key=by_beta.get)
    seen = [accuracy(m) for m in arm(runs, "DPO")]
    told = [
        (f"1. true score {rise.value:+.3f} ({rise.low:+.3f} to {rise.high:+.3f}), by coin {coin.value:+.3f} ({coin.low:+.3f} to {coin.high:+.3f})",
         rise.low > 0 >= coin.low),
        (f"2. held-out chosen replies {fell.value:+.1f} nats ({fell.low:+.1f} to {fell.high:+.1f})", fell.high < 0 < rise.low),
        (f"3. swapped labels: true score {swapped.value:+.3f} ({swapped.low:+.3f} to {swapped.high:+.3f})", swapped.high < 0),
        (f"4. KL over beta {', '.join(f'{k:.1f}' for k in far)}; best beta {best:g}",
         far == sorted(far, reverse=True) and best not in (min(by_beta), max(by_beta))),
        (f"5. the implicit reward picks the readers' choice in {100 * sum(seen) / len(seen):.0f} % of held-out pairs", None),
    ]  # fmt: skip
    return "\n".join(f"{line}   {'see the text' if ok is None else ok}" for line, ok in told)


def record(run: Any, scores: Sequence[float], won: Interval, own: Sequence[float]) -> dict:
    """The student's row on the scoreboard: true score, win rate and KL, since a policy has no accuracy."""
    from ...measure import scoreboard
    from .experiments import LESSON

    gold, drift = mean_interval(list(scores)), mean_interval(list(own))
    return scoreboard.record("DPO", run, None, lesson=LESSON, gold=gold, win_rate=won, kl=drift)
