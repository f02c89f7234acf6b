"""What lesson 13 shows of its runs: tables, the two figures, the trainer's own figures, DPO beside its relatives, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...measure.preferences import win_rate
from ...measure.statistics import Interval, difference_interval, mean_interval
from .experiments import ALL_STEPS, AS_MANY, BETA, BETAS, PROMPTS

RELATIVES = ("IPO", "KTO", "DPO + SFT", "unbiased readers", "base as reference")
CHOSEN, REJECTED = "#009E73", "#D55E00"  # as in the picture


def arm(runs: list[dict], name: str, beta: float | None = BETA) -> list[dict[str, Any]]:
    """The metrics of an arm, one dictionary a seed; `beta` tells the DPO runs apart."""
    found = [r for r in runs if r["key"]["arm"] == name and r["key"].get("beta", beta) == beta]
    return [r["metrics"] for r in sorted(found, key=lambda r: r["key"]["seed"])]


def one_seed(runs: list[dict]) -> list[dict]:
    """The runs of seed 0, for comparisons of which one side has no other."""
    return [run for run in runs if run["key"]["seed"] == 0]


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
    runs = one_seed(runs) if by_beta else runs
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
            [sum(m[field][-10:]) / 10 for field in ("losses", "curve_chosen", "curve_rejected")]
            for m in arm(runs, name)
        ]
        loss, chosen, rejected = (sum(values) / len(last) for values in zip(*last, strict=True))
        lines.append(f"{name:10s} loss {loss:.3f}   log-ratio of chosen {chosen:+.1f}, rejected {rejected:+.1f} nats")
    return "\n".join(lines)


def against_dpo(runs: list[dict], name: str) -> Interval:
    """An arm's true score less DPO's, paired by prompt and seed."""
    mine = [m["scores"] for m in arm(runs, name)]
    return difference_interval(mine, [m["scores"] for m in arm(runs, "DPO")][: len(mine)])


def relatives(runs: list[dict]) -> str:
    """DPO beside its relatives and other settings: true score, its difference from the writer's and from DPO's, harmless, log-ratios."""
    lines = [
        f"{'arm':18s}seeds  true score  rise over SFT              against DPO                harmless  chosen   own",
        "-" * 102,
    ]
    for name in ("SFT", "DPO", *RELATIVES):
        found = arm(runs, name)
        if not found:
            continue
        score, calm = mean(runs, name, "scores").value, harmless(runs, name).value
        rise = f"{gain(runs, name):+.3f}" if name != "SFT" else "–"
        other = f"{against_dpo(runs, name):+.3f}" if name in RELATIVES else "–"
        nats = [f"{mean(runs, name, field).value:+.1f}" if name != "SFT" else "–" for field in ("chosen", "own")]
        lines.append(
            f"{name:18s}{len(found):5d} {score:11.3f}  {rise:26s} {other:26s} {100 * calm:5.0f} % {nats[0]:>7s} {nats[1]:>5s}"
        )
    return "\n".join(lines)


# ------------------------------------------------------------------ the other way: a reward model and RLOO (lesson 12)

READERS = {
    "biased": "DPO",
    "unbiased": "unbiased readers",
}  # lesson 12's name of the readers, and the arm with their labels here
ALL_PAIRS = {
    "biased": AS_MANY["reader"],
    "unbiased": AS_MANY["unbiased"],
}  # the same, with all the pairs of the reward model


def rloo(rloo_runs: list[dict], readers: str) -> list[dict[str, Any]]:
    """Lesson 12's runs through the reward model of these readers, one a seed; their first prompts are this lesson's."""
    from ..lesson_12_rlhf import shown as lesson_12
    from ..lesson_12_rlhf.experiments import BETA as LEASH

    return lesson_12.arm(rloo_runs, "RLOO", reward=readers, beta=LEASH)


def against_rloo(runs: list[dict], rloo_runs: list[dict], name: str, readers: str) -> Interval:
    """The true score of an arm of DPO less RLOO's, with labels of the same readers, paired by prompt, over the seeds that both have."""
    mine = [m["scores"] for m in arm(runs, name)]
    other = [m["gold"][: len(mine[0])] for m in rloo(rloo_runs, readers)]
    seeds = min(len(mine), len(other))
    return difference_interval(mine[:seeds], other[:seeds])


def bill(runs: list[dict], rloo_runs: list[dict]) -> dict[str, dict[str, float]]:
    """What one run of each way costs: labelled pairs, replies sampled while training, and token passes in millions.

    A forward pass over a token counts one, a training pass three. DPO: policy 3, reference 1. RLOO, with every prompt read once for its
    replies: sampling 1, reference 1, reward model 1, policy 3. The reward model of lesson 11 saw 1,920 pairs once, 3 passes, of which the
    tokens are taken to be those of DPO's pairs.
    """
    from ..lesson_11_reward_model.experiments import SIZES
    from ..lesson_12_rlhf.experiments import BATCH as PROMPTS_A_STEP
    from ..lesson_12_rlhf.experiments import GENERATIONS
    from .experiments import BATCH, STEPS

    tokens = [m["tokens"] for m in arm(runs, "DPO")]
    of_dpo, pairs = sum(tokens) / len(tokens), BATCH * STEPS
    told = rloo(rloo_runs, "biased")
    replies = PROMPTS_A_STEP * GENERATIONS * len(told[0]["history"]["length"])
    written = sum(PROMPTS_A_STEP * GENERATIONS * sum(m["history"]["length"]) for m in told) / len(told)
    read_once = written + (sum(m["tokens"] for m in told) / len(told) - written) / GENERATIONS
    many = ALL_STEPS * BATCH
    return {
        "DPO": {"pairs": pairs, "sampled": 0, "policy": 4 * of_dpo / 1e6, "reward model": 0.0},
        "DPO, all pairs": {"pairs": many, "sampled": 0, "policy": 4 * of_dpo / pairs * many / 1e6, "reward model": 0.0},
        "RLOO": {
            "pairs": max(SIZES),
            "sampled": replies,
            "policy": 5 * read_once / 1e6,
            "reward model": (read_once + 3 * of_dpo / pairs * max(SIZES)) / 1e6,
        },
    }


def two_ways(runs: list[dict], rloo_runs: list[dict]) -> str:
    """DPO and RLOO through the reward model: true score on the same prompts with either kind of readers, and what a run costs."""
    lines = [f"{'readers':10s}{'method':16s}seeds  true score               DPO less RLOO", "-" * 76]
    for readers in READERS:
        other = [m["gold"] for m in rloo(rloo_runs, readers)]
        for method, name in {"DPO": READERS[readers], "DPO, all pairs": ALL_PAIRS[readers]}.items():
            mine = [m["scores"] for m in arm(runs, name)]
            if not mine or not other:
                continue
            apart = f"{against_rloo(runs, rloo_runs, name, readers):+.3f}"
            lines.append(f"{readers:10s}{method:16s}{len(mine):5d}  {mean_interval(mine):.3f}    {apart}")
        same = [scores[:PROMPTS] for scores in other]  # the prompts that DPO was judged on
        lines.append(f"{readers:10s}{'RLOO':16s}{len(other):5d}  {mean_interval(same):.3f}")
    lines += ["", "one run        labelled pairs  replies sampled  token passes, millions: policy, reward model"]
    for name, cost in bill(runs, rloo_runs).items():
        lines.append(f"{name:14s}{cost['pairs']:15,.0f}{cost['sampled']:17,.0f}{cost['policy']:31.2f}{cost['reward model']:14.2f}")  # fmt: skip
    return "\n".join(lines)


# ------------------------------------------------------------------ figures


def both_fall(history: list[dict], beta: float) -> str:
    """The log-ratios of the chosen and the rejected replies of each step's batch, and their means over five steps; returns the summary."""
    import matplotlib.pyplot as plt

    from ...measure.plots import canvas

    _, axes = canvas(7, 3.8)
    steps, told, smooth = [e["step"] for e in history], [], {}
    for name, tint, style in (("chosen", CHOSEN, "-"), ("rejected", REJECTED, "--")):
        values = [e[f"rewards/{name}"] / beta for e in history]
        smooth[name] = [sum(values[i : i + 5]) / 5 for i in range(len(values) - 4)]
        axes.plot(steps, values, color=tint, ls=style, lw=0.7, alpha=0.5)
        axes.plot(steps[2:-2], smooth[name], color=tint, ls=style, lw=2.2)
        axes.annotate(name, (steps[-3], smooth[name][-1]), xytext=(16, 0), textcoords="offset points", color=tint, va="center", weight="bold")  # fmt: skip
        told.append(f"{name} {smooth[name][0]:.1f} to {smooth[name][-1]:.1f}")
    axes.fill_between(steps[2:-2], smooth["rejected"], smooth["chosen"], color="#999999", alpha=0.15, lw=0)
    axes.axhline(0, color="#999999", lw=1)
    axes.set_xlim(0, steps[-1] + 3)
    axes.set(xlabel="step (thick: mean of five)", ylabel="log π/π_ref of the batch, nats")
    axes.set_title("Both replies fall, the rejected one further: the gap opens", loc="left")
    plt.show()
    return f"Log-ratios in nats from the first five steps to the last five: {'; '.join(told)}."


def beta_figure(runs: list[dict], own: tuple[float, float, float]) -> str:
    """True score and distance from the reference over beta, reference runs and the student's own point; returns the summary.

    `own` is (beta, KL of the own replies in nats, true score).
    """
    import matplotlib.pyplot as plt

    from ...measure.plots import colour

    runs = one_seed(runs)
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
        axes.spines[["top", "right"]].set_visible(False)
    before = mean(runs, "SFT", "scores")
    panels[1].axhline(before.value, color="#E69F00", ls="--", lw=1.2, label="before (SFT)")
    panels[1].axhspan(before.low, before.high, color="#E69F00", alpha=0.12, lw=0)
    panels[0].legend(frameon=False, fontsize=9, loc="lower left")
    handles, labels = panels[1].get_legend_handles_labels()
    place = labels.index("before (SFT)")
    panels[1].legend([handles[place]], [labels[place]], frameon=False, fontsize=9, loc="lower left")
    panels[0].set_title("A larger beta stays nearer, by the means", loc="left", fontsize=10)
    panels[1].set_title("β = 1 is worth less than β = 0.1 (paired)", loc="left", fontsize=10)
    plt.show()
    told = "; ".join(
        f"beta {b:g}: {mean(runs, 'DPO', 'own', b).value:.1f} nats, true score {mean(runs, 'DPO', 'scores', b).value:.2f}"
        for b in betas
    )
    return f"Over beta, from the reference runs of one seed: {told}."


def picks(runs: list[dict], name: str = "DPO") -> Interval:
    """How often the implicit reward picks the chosen reply of a held-out pair, over seeds and pairs."""
    found = arm(runs, name)
    return mean_interval([[float(a > b) for a, b in zip(m["chosen"], m["rejected"], strict=True)] for m in found])


def verdicts(runs: list[dict]) -> str:
    """The five expectations of the lesson, each with its figures and whether these runs confirm it."""
    rise, coin, swapped = gain(runs, "DPO"), gain(runs, "coin"), gain(runs, "swapped")
    fell, seen = mean(runs, "DPO", "chosen"), picks(runs)
    by_beta = {b: mean(one_seed(runs), "DPO", "scores", b).value for b in sorted([BETA, *BETAS])}
    far = [mean(one_seed(runs), "DPO", "own", b).value for b in sorted(by_beta)]
    best = max(by_beta, key=by_beta.get)
    told = [
        (f"true score {rise:+.3f}, by coin {coin:+.3f}", rise.low > 0 >= coin.low),
        (f"held-out chosen replies {fell:+.1f} nats, true score {rise:+.3f}", fell.high < 0 < rise.low),
        (f"swapped labels: true score {swapped:+.3f}", swapped.high < 0),
        (f"KL over beta {', '.join(f'{k:.1f}' for k in far)} nats; highest mean true score at beta {best:g}",
         far == sorted(far, reverse=True) and best not in (min(by_beta), max(by_beta))),
        (f"the implicit reward picks the readers' choice in {100 * seen.value:.0f} % ({100 * seen.low:.0f} to {100 * seen.high:.0f}) of held-out pairs",
         seen.low > 0.5),
    ]  # fmt: skip
    words = {True: "confirmed", False: "not confirmed"}
    return "\n".join(f"{n}. {words[ok]:14s} {line}" for n, (line, ok) in enumerate(told, 1))


def record(run: Any, scores: Sequence[float], won: Interval, own: Sequence[float]) -> dict:
    """The student's row on the scoreboard: true score, win rate and KL, since a policy has no accuracy."""
    from ...measure import scoreboard
    from .experiments import LESSON

    gold, drift = mean_interval(list(scores)), mean_interval(list(own))
    return scoreboard.record("DPO", run, None, lesson=LESSON, gold=gold, win_rate=won, kl=drift)
