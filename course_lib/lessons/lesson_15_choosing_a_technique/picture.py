"""The picture of lesson 15: the questions in the order in which to ask them, what a yes leads to, and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import INK, arrow, box, note
from ...measure.plots import COLOURS
from ..lesson_10_peft_compared import findings as ten
from ..lesson_14_rlaif import shown as fourteen
from ..reference import runs
from . import evidence, scorecard

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREY = "#555555"


def branches() -> list[tuple[str, str, str, str]]:
    """(question, what a yes leads to, its colour's method, the measured reason), in the order of asking."""
    rows = {m: {r.technique: r for r in evidence.rows(m)} for m in evidence.MODELS}
    here, there = rows["course"], rows["smollm2"]
    full, lora, qlora, soft = "full fine-tuning", "LoRA", "QLoRA", "prompt tuning"
    wool = {m: ten.accuracy("new", "wool_bits", **ten.chosen("new", m)).value for m in (full, lora, soft)}
    (comment,) = runs("01_why_fine_tune", part="comment")
    own, other = (100 * comment["metrics"][n].count("1") / len(comment["metrics"][n]) for n in ("own", "misplaced"))
    few = {m: ten.accuracy("few", method=m, size=16).value for m in (lora, soft)}
    best = max(ten.methods_of("compare"), key=lambda m: here[m].right["gazette"].value)
    prompts = [rows[m][evidence.PROMPT[m]].right for m in ("course", "smollm2")]
    far, found = scorecard.out_of_domain().figures.split(";")[0].rsplit("fine-tuning ", 1)[1], evidence.preferences()
    dpo, rl = (found[n]["rise"] for n in ("DPO, biased readers", "RLHF on the true score"))
    ai = found["RLAIF: DPO on AI labels"]
    sound, blind = (
        fourteen.agreement(runs("14_rlaif"), judge, "constitution", "gold").value for judge in ("one", "single")
    )
    return [
        ("Do the facts change\nfaster than you train?", "retrieval", "",
         f"lesson 01: what it lacks, put beside the question:\n{own:.0f} % right, with another item's note {other:.0f} %"),
        ("Has the base read\nwhat the task needs?", "a prompt first", "",
         f"5M: prompt {prompts[0]['gazette'].value:.0f} %, best training ({best}) {here[best].right['gazette'].value:.0f} %\n"
         f"135M: prompt {prompts[1]['in_the_wild'].value:.0f} %, LoRA {there[lora].right['in_the_wild'].value:.0f} %"),
        ("Fewer than\n16 labelled rows?", "collect rows", "",
         f"trained on 16 rows: LoRA {few[lora]:.0f} %,\nprompt tuning {few[soft]:.0f} % (chance 33 %)"),
        ("Is the knowledge\nabsent?", "full, or LoRA\nat a higher rate", full,
         f"withheld section: full {wool[full]:.0f} %, LoRA {wool[lora]:.0f} %,\nprompt tuning {wool[soft]:.0f} %"),
        ("Many tasks\non one base?", "LoRA; thousands:\nprompt tuning", soft,
         f"a task keeps {here[lora].file / 1e3:,.0f} kB, or {here[soft].file / 1e3:.0f} kB,\ninstead of {here[full].file / 1e3:,.0f} kB"),
        ("Does a LoRA step\nnot fit?", "QLoRA", qlora,
         f"peak at 135M: full {there[full].peak / 1e9:.1f}, LoRA {there[lora].peak / 1e9:.1f}, QLoRA {there[qlora].peak / 1e9:.1f} GB;\n"
         f"QLoRA is right in {there[qlora].right['in_the_wild'].value:.0f} %, LoRA in {there[lora].right['in_the_wild'].value:.0f} %"),
        ("Must the old\nabilities stay?", "a low rate,\nand measure", lora,
         f"forgotten at 135M: full {there[full].forgetting:+.2f}, LoRA {there[lora].forgetting:+.2f} nats\n(each at its own rate)"),
        ("Another domain\nthan the rows?", "no method helps:\ntest there" if scorecard.out_of_domain().here == scorecard.OPEN else "test there", "",
         f"trained on business, asked elsewhere,\nLoRA minus full {far}"),
        ("Do readers compare\ntwo replies?", "then DPO", "DPO",
         f"true score {dpo:+.3f},\n{_seeds(found['DPO, biased readers'])}"),
        ("Can rules say\nwhat is good?", "then RLAIF, once\nthe judge is tested", "RLAIF",
         f"true score {ai['rise']:+.3f},\n{_seeds(ai)}; kappa of the judge {sound:.2f}, of a worse one {blind:.2f}"),
        ("Can any reply\nbe scored?", "then RL", "RLHF", f"true score {rl:+.3f},\n{_seeds(found['RLHF on the true score'])}"),
    ]  # fmt: skip


def _seeds(found: dict) -> str:
    return "one seed" if found["seeds"] == 1 else f"{found['seeds']} seeds"


def draw(axes: Axes) -> str:
    """The questions from top to bottom; returns the sentence that says so."""
    found = branches()
    axes.figure.set_size_inches(9.2, 8.5)
    axes.set(xlim=(0, 10), ylim=(-0.35, len(found)))
    for place, (question, leads_to, method, reason) in enumerate(found):
        y = len(found) - 1 - place
        tint = COLOURS.get(method, "#8a8a8a")
        box(axes, 0.05, y + 0.12, 2.55, 0.72, question, size=9)
        arrow(axes, (2.6, y + 0.48), (3.35, y + 0.48))
        note(axes, 2.95, y + 0.66, "yes", size=8, colour=GREY)
        box(axes, 3.4, y + 0.12, 2.0, 0.72, leads_to, edge=tint, size=9, bold=True)
        note(axes, 5.6, y + 0.48, reason, size=8.5, align="left", colour=INK)
        if place < len(found) - 1:
            arrow(axes, (0.6, y + 0.12), (0.6, y - 0.16), colour=GREY)
    note(
        axes,
        0.05,
        -0.15,
        "Otherwise LoRA. A yes is where to begin; go on down, the answers add up.",
        size=9,
        align="left",
        bold=True,
    )
    reasons = "; ".join(f"{q} {t}".replace("\n", " ") for q, t, _, _ in found)
    return f"The questions in order, and what a yes leads to: {reasons}; otherwise LoRA. Beside each branch stands what a lesson measured."
