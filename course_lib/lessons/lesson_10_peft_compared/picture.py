"""The picture of lesson 10: one layer of the frozen model, and where each method puts its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FROZEN, EDGE = "#e8e8e8", "#8a8a8a"
PREFIX, IA3 = COLOURS["prefix tuning"], COLOURS["IA3"]


def draw(axes: Axes) -> str:
    """Draw the whiteboard picture on empty axes; returns its one-sentence summary."""
    from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle

    axes.set_xlim(0, 14)
    axes.set_ylim(0, 7.4)
    axes.axis("off")

    def box(x, y, width, height, text="", colour=FROZEN, edge=EDGE, size=9, **style):
        axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor=edge, lw=1.2, **style))
        axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size, color="#222222")

    def note(x, y, text, colour, **style):
        axes.text(x, y, text, fontsize=9, color=colour, weight="bold", **({"ha": "left", "va": "center"} | style))

    def arrow(start, end):
        axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "#555555", "lw": 1.3})

    def bottleneck(x, y):
        axes.add_patch(
            Polygon(
                [(x, y - 0.55), (x + 0.3, y - 0.18), (x + 0.6, y - 0.55), (x + 0.6, y + 0.55), (x + 0.3, y + 0.18), (x, y + 0.55)],
                facecolor=COLOURS["adapters"], edgecolor="#222222", lw=1,
            )
        )  # fmt: skip

    # The row of embeddings, virtual tokens in front.
    for place in range(9):
        virtual = place < 3
        colour = COLOURS["prompt tuning"] if virtual else FROZEN
        box(0.25 + 0.42 * place, 0.35, 0.36, 0.75, colour=colour)
    note(0.2, 1.45, "prompt tuning:\ntrained vectors in front", COLOURS["prompt tuning"], va="bottom")
    axes.text(2.75, 0.12, "embeddings of the text", ha="center", va="top", fontsize=9, color="#444444")
    arrow((4.1, 0.75), (6.1, 2.15))

    # One layer.
    axes.add_patch(
        FancyBboxPatch((4.6, 1.7), 8.9, 3.6, boxstyle="round,pad=0.15", facecolor="none", edgecolor=EDGE, ls="--")
    )
    axes.text(13.5, 5.62, "one layer of several, frozen", ha="right", va="bottom", fontsize=9, color="#444444")
    box(5.2, 2.2, 2.0, 2.4, "attention\nq  k  v  o")
    box(9.6, 2.2, 2.0, 2.4, "MLP\ngate  up\ndown")
    arrow((7.2, 3.4), (8.05, 3.4))
    arrow((8.75, 3.4), (9.6, 3.4))
    arrow((11.6, 3.4), (12.45, 3.4))
    arrow((13.1, 3.4), (13.9, 3.4))
    bottleneck(8.1, 3.4)
    bottleneck(12.5, 3.4)
    note(10.6, 1.05, "adapters: a narrow pass after attention and after the MLP", COLOURS["adapters"], ha="center")

    # LoRA beside the matrices, prefix before attention, IA3 on keys, values and inside the MLP.
    for x in (5.3, 9.7):
        box(x + 0.15, 4.68, 0.16, 0.55, colour=COLOURS["LoRA"], edge="#222222")
        box(x + 0.36, 4.86, 0.8, 0.16, colour=COLOURS["LoRA"], edge="#222222")
    note(6.6, 6.75, "LoRA: two thin matrices beside each", COLOURS["LoRA"], ha="left")
    note(6.6, 6.25, "QLoRA: the same, the grey in four bits", COLOURS["QLoRA"], ha="left")
    axes.plot([6.9, 6.3], [6.1, 5.3], color=COLOURS["LoRA"], lw=1)
    for place in range(3):
        box(4.75, 2.5 + 0.42 * place, 0.4, 0.34, colour=PREFIX, edge="#222222")
    note(0.2, 3.2, "prefix tuning:\ntrained keys and values,\nin every layer", PREFIX)
    axes.plot([3.6, 4.7], [3.2, 3.1], color=PREFIX, lw=1)
    for x, y in ((5.75, 4.25), (6.3, 4.25), (10.6, 4.25)):
        axes.plot(x, y, marker="o", ms=9, color=IA3, mec="#222222")
    note(0.2, 5.1, "IA3: keys, values and the\ninside of the MLP, stretched", IA3)
    axes.plot([4.15, 5.6], [4.85, 4.3], color=IA3, lw=1)
    note(0.2, 6.75, "full fine-tuning: all that is grey", COLOURS["full fine-tuning"])
    return (
        "One layer of the frozen model: prompt tuning trains vectors before the embeddings, prefix tuning keys and values in every "
        "layer, LoRA and QLoRA thin matrices beside the weights, adapters a narrow pass after attention and MLP, IA3 factors on keys, "
        "values and the inside of the MLP, and full fine-tuning everything."
    )
