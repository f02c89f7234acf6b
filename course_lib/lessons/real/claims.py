"""What the lessons on preferences, and lesson 05, say of the real model: a sentence each, computed from the committed runs.

A lesson takes its own into its `CLAIMS` (`from ..real.claims import dpo`), and the words into its Markdown.
"""

from __future__ import annotations

from ...measure.real_column import WRITER, bits, forgotten, interval, rise, runs, true_scores
from ...measure.statistics import Interval, difference_interval, mean_interval
from ..claims import points, signed
from .show_preferences import added, agreement, says_a, share, turns

MODEL = "smollm2"


def _run(technique: str) -> dict:
    found = runs(MODEL, technique)
    assert found, f"there is no run of {technique}: course sweep --model {MODEL} --only 'technique={technique}'"
    return found[0]


def _verdict(found: Interval) -> str:
    if found.low <= 0 <= found.high:
        return "an interval that does not exclude 0"
    return "a rise" if found.low > 0 else "a fall"


def _moved(technique: str, what: str) -> str:
    """From where to where the true score of a policy went, and what became of the shouting."""
    row, start, gain = _run(technique), _run(WRITER), rise(technique, MODEL)
    before, after = mean_interval(true_scores(WRITER, MODEL)).value, mean_interval(true_scores(technique, MODEL)).value
    before_it, now = (f"{100 * one['metrics']['shouts']:.0f} %" for one in (start, row))
    shouting = f"{now} of its briefs shout, {'as before' if now == before_it else f'instead of {before_it}'}"
    return (
        f"On the real model {what} takes the true score from {before:.3f} to {after:.3f}, {signed(gain)}: {_verdict(gain)}; "
        f"{shouting}"
    )


def dpo() -> str:
    """Lesson 13: DPO on the real model's own pairs."""
    row = _run("DPO")
    return _moved("DPO", f"DPO on {row['settings']['pairs']} pairs of its own, chosen by the simulated readers,")


def rloo() -> str:
    """Lesson 12: ten steps of RLOO."""
    settings = _run("RLHF (RLOO)")["settings"]
    replies = settings["prompts_a_step"] * settings["replies_a_prompt"]
    return _moved("RLHF (RLOO)", f"RLOO, {settings['steps']} steps of {replies} replies,")


def reward_model() -> str:
    """Lesson 11: agreement of the real model's reward model."""
    row = _run("reward model")
    return (
        f"On the real model {row['settings']['pairs']} pairs make a reward model that picks the readers' choice in "
        f"{share(row['metrics']['right'])} test pairs and the brief with the higher true score in {share(row['metrics']['gold_right'])}"
    )


def judge() -> str:
    """Lesson 14: what the untrained real model makes of the constitution."""
    row = _run("AI judge")
    with_rules, without = (agreement(row, rules, "gold") for rules in ("rules", "no rules"))
    more = added(row)
    verdict = "includes 0" if more.low <= 0 <= more.high else "does not include 0"
    return (
        f"With the rules before it the real model, untrained, answers A in {100 * says_a(row):.0f} % of cases and prefers another brief in "
        f"{100 * turns(row):.0f} % of pairs once they change places. With both orders averaged its kappa with the true score is "
        f"{with_rules:.2f}, without the rules {without:.2f}; the interval of what the rules add, {more:+.2f}, {verdict}".replace(
            "-", "−"
        )
    )


def rlaif() -> str:
    """Lesson 14: DPO on the real model's own labels."""
    technique = "RLAIF (DPO on the judge's labels)"
    right = bits(_run(technique)["metrics"]["label_right"])
    return (
        _moved(technique, "DPO on the labels of such a judge")
        + f". Of those labels {100 * sum(right) / len(right):.0f} % name the brief with the higher true score"
    )


def mixture() -> str:
    """Lesson 05: as many rows of all tasks beside rows of tone alone."""
    mixed, alone = _run("SFT on the mixture"), [r for r in runs(MODEL, "LoRA") if r["key"]["rows"] == 512]
    found = interval([mixed]).scaled(100)
    items = [[bits(row["metrics"]["in_the_wild"]["lenient_bits"]) for row in rows] for rows in ([mixed], alone)]
    lost = [forgotten(rows, MODEL) for rows in ([mixed], alone)]
    return (
        f"On the real model 512 rows of all tasks together give {found.value:.1f} % ({found.low:.1f}–{found.high:.1f}) of the hand-written "
        f"sentences, {points(difference_interval(*items)).replace('-', '−')} beside as many rows of tone alone, and {lost[0]:.1f} nats per token of common "
        f"English are forgotten instead of {lost[1]:.1f}"
    )


CLAIMS = [mixture, reward_model, rloo, dpo, judge, rlaif]
