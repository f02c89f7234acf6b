"""Two ways to choose the wrong method by luck: one seed, and the test set. Both from the committed bits of single items."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from ..lesson_09_adapters.experiments import answers
from ..lesson_10_peft_compared import findings as ten
from ..reference import runs
from .evidence import aligned

Table = list[list[int]]  # one row a seed, one column an item


class Duel(NamedTuple):
    """Two methods on the same items: the better by the mean of all seeds, points ahead, and how often one seed each says otherwise."""

    where: str
    better: str
    worse: str
    ahead: float
    wrong: float
    seeds: tuple[int, int]


def duel(where: str, first: str, second: str, one: Table, other: Table) -> Duel:
    """Every pair of one seed of the one and one seed of the other: the share in which the wrong method is ahead; a tie counts half."""
    means = [[sum(row) / len(row) for row in table] for table in (one, other)]
    gap = sum(means[0]) / len(means[0]) - sum(means[1]) / len(means[1])
    sign = 1 if gap >= 0 else -1
    drawn = [(a - b) * sign for a, b in product(*means)]
    wrong = sum(1.0 if d < 0 else 0.5 if d == 0 else 0.0 for d in drawn) / len(drawn)
    names = (first, second) if gap >= 0 else (second, first)
    return Duel(where, *names, 100 * abs(gap), wrong, (len(one), len(other)))


def bits_of(lesson: str, **wanted) -> Table:
    """Right or wrong of the runs of a lesson whose keys hold `wanted`: one row a seed, one column an item."""
    found = sorted(runs(lesson, **wanted), key=lambda r: r["key"]["seed"])
    return [[int(bit) for bit in r["metrics"]["bits"]] for r in found]


def duels() -> list[Duel]:
    """All comparisons of two methods in the course with at least two seeds on either side, on the same items."""
    full = "full fine-tuning"
    six = [bits_of("06_lora", part="compare", method=m) for m in ("LoRA", full)]
    seven = [bits_of("07_qlora", part="tuning", base=b) for b in ("float32", "nf4")]
    adapters = answers("compare", method="adapters", placement="houlsby")
    lora, whole = (answers("compare", method=m) for m in ("LoRA", full))
    found = [
        ("06, tone", "LoRA", full, *six),
        ("07, tone", "LoRA", "QLoRA", *seven),
        ("09, question", "LoRA", "adapters", lora, adapters),
        ("09, question", full, "LoRA", whole, lora),
        ("09, question", full, "adapters", whole, adapters),
    ]
    methods = ten.methods_of("compare")
    tables = {m: ten.scores("compare", method=m) for m in methods}
    found += [("10, tone", a, b, tables[a], tables[b]) for i, a in enumerate(methods) for b in methods[i + 1 :]]
    return [duel(*each) for each in found if min(len(each[3]), len(each[4])) > 1]


def duel_table() -> str:
    """The duels as text, those first in which one seed is least to be trusted."""
    lines = [("where", "ahead over all seeds", "behind", "points", "seeds", "one seed each: wrong")]
    for d in sorted(duels(), key=lambda d: -d.wrong):
        seeds = f"{d.seeds[0]} and {d.seeds[1]}"
        lines.append((d.where, d.better, d.worse, f"{d.ahead:.1f}", seeds, f"{100 * d.wrong:.0f} %"))
    return aligned(lines, left=(0, 1, 2))


def candidates() -> dict[str, list[int]]:
    """Everything trained that answered the same 1,000 test items of tone in lesson 10: name → right or wrong, an item each."""
    found = {}
    for method in ten.methods_of("compare"):
        for seed, row in enumerate(ten.scores("compare", method=method), 1):
            found[f"{method}, seed {seed}"] = row
    return found


def curse(tables: Sequence[Sequence[int]], items: int, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Choose the best on `items` items drawn with replacement: the winner's per cent there, and on all items; means over draws."""
    import numpy as np

    scores, rng = np.asarray(tables, float), np.random.default_rng(seed)
    true, there, real = scores.mean(1), 0.0, 0.0
    for _ in range(draws):
        drawn = scores[:, rng.integers(0, scores.shape[1], items)].mean(1)
        winner = rng.choice(np.flatnonzero(drawn == drawn.max()))
        there, real = there + drawn[winner], real + true[winner]
    return 100 * there / draws, 100 * real / draws


def equals(count: int = 20) -> Table:
    """`count` candidates that are equally good by construction: LoRA's bits, each time in another random order."""
    import random

    bits = ten.scores("compare", method="LoRA")[0]
    return [random.Random(f"equal {i}").sample(bits, len(bits)) for i in range(count)]


def curse_figure(sizes: Sequence[int] = (25, 50, 100, 200, 500)) -> str:
    """What the winner seems to be worth and what it is worth, over the number of items that chose it; returns the summary."""
    import matplotlib.pyplot as plt

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100, "font.size": 10})
    figure, panels = plt.subplots(1, 2, figsize=(9.2, 3.7), sharey=True, layout="constrained")
    own = list(candidates().values())
    cases = {f"{len(own)} trained models of lesson 10": own, "20 models that are equal": equals()}
    said = []
    for axes, (name, tables) in zip(panels, cases.items(), strict=True):
        found = [curse(tables, n) for n in sizes]
        axes.plot(sizes, [f[0] for f in found], "o--", color="#D55E00", label="on the items that chose it")
        axes.plot(sizes, [f[1] for f in found], "s-", color="#0072B2", label="on all 1,000 items")
        axes.fill_between(sizes, [f[0] for f in found], [f[1] for f in found], color="#D55E00", alpha=0.12, lw=0)
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
        axes.minorticks_off()
        axes.set_xlabel("items used to choose (logarithmic)")
        axes.set_title(name, loc="left", fontsize=10)
        gaps = ", ".join(f"{a - b:.1f} at {n}" for n, (a, b) in zip(sizes, found, strict=True))
        said.append(f"{name}: {gaps}")
    panels[0].set_ylabel("the winner, right answers, %")
    panels[1].legend(frameon=False, fontsize=9)
    figure.suptitle("The winner looks better on the items that chose it", x=0.01, ha="left", fontsize=11)
    plt.show()
    return "Points that the winner seems better than it is, by number of items: " + "; ".join(said) + "."
