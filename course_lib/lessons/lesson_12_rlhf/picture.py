"""The loop of RLHF, as on a whiteboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, POLICY, JUDGE, FROZEN = "#222222", "#000000", "#0072B2", "#7f7f7f"


def draw(axes: Axes) -> str:
    """Prompt, policy, replies, reward model and back; the reference holds the policy, the true score only looks on."""

    def box(x, y, w, h, text, tint, dashed=False):
        style = {"fc": "white", "ec": tint, "lw": 1.8, "ls": "--" if dashed else "-", "boxstyle": "round,pad=0.05"}
        axes.text(
            x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=10, color=tint if dashed else INK, zorder=3
        )
        from matplotlib.patches import FancyBboxPatch

        axes.add_patch(FancyBboxPatch((x, y), w, h, **style))

    def arrow(start, end, text="", where=(0, 0), tint=INK, bend=0.0):
        axes.annotate(
            "",
            end,
            start,
            arrowprops={"arrowstyle": "->", "lw": 1.6, "color": tint, "connectionstyle": f"arc3,rad={bend}"},
        )
        if text:
            axes.text(*where, text, fontsize=9, color=tint, ha="center", va="center")

    box(0.1, 3.0, 1.2, 0.9, "prompt", INK)
    box(2.1, 3.0, 1.8, 0.9, "policy\n(is trained)", POLICY)
    box(4.9, 3.0, 1.6, 0.9, "8 replies\nsampled", INK)
    box(7.6, 3.0, 2.1, 0.9, "reward model\n(lesson 11)", JUDGE)
    box(2.1, 0.6, 1.8, 0.9, "reference:\nthe start, frozen", FROZEN)
    box(4.9, 0.6, 2.1, 0.9, "advantage: reward\n− mean of the others", INK)
    box(7.6, 4.3, 2.1, 0.55, "true score: looks on", FROZEN, dashed=True)
    arrow((1.4, 3.45), (2.0, 3.45))
    arrow((4.0, 3.45), (4.8, 3.45))
    arrow((6.6, 3.45), (7.5, 3.45))
    arrow((7.9, 2.9), (6.6, 1.6), "8 rewards", (7.95, 2.2), JUDGE)
    arrow((4.8, 1.25), (3.6, 2.9), "above 0: made likelier\nbelow 0: less likely", (5.7, 2.2), POLICY, bend=0.15)
    arrow((2.6, 1.6), (2.6, 2.9), "− β · KL:\na leash", (1.75, 2.2), FROZEN)
    arrow((6.3, 4.0), (7.5, 4.6), tint=FROZEN)
    axes.text(0.1, 4.6, "RLHF: the model learns from scores of its own replies", fontsize=12, color=INK)
    return (
        "The loop of RLHF: the policy writes eight replies to a prompt, the reward model scores them, each reply's advantage is its "
        "reward less the mean of the others, the policy makes replies with a positive advantage likelier, a frozen reference "
        "holds it back through β · KL, and the true score only looks on."
    )
