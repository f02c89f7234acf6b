"""The whiteboard drawing of lesson 11: two replies, one model read at the end mark, one number each, one probability."""

from __future__ import annotations


def draw(axes) -> str:
    """Draw it; returns the summary in one sentence."""
    axes.set_xlim(0, 10.2)
    axes.set_ylim(0.7, 5.3)
    axes.axis("off")
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "black"}
    rows = {
        "chosen": (4.6, "#0072B2", "Sales at Dunmore Mills fell."),
        "rejected": (1.4, "#D55E00", "A jaw-dropping drama!"),
    }
    for name, (y, colour, reply) in rows.items():
        edge = box | {"edgecolor": colour}
        arrow = {"arrowstyle": "->", "color": colour}
        axes.text(1.4, y, f"item + {name} reply\n“{reply}”", ha="center", va="center", fontsize=9, bbox=edge)
        axes.annotate("", (3.85, 3.0 + (y - 3) * 0.3), (1.4, y), arrowprops=arrow, zorder=0)
        axes.annotate("", (6.5, y), (4.8, 3.0), arrowprops=arrow, zorder=0)
        axes.text(7.1, y, f"r({name})", ha="center", va="center", fontsize=11, color=colour, bbox=edge)
        axes.annotate("", (8.5, 3.0 + (y - 3) * 0.3), (7.1, y), arrowprops=arrow, zorder=0)
    axes.text(
        4.8, 3.0, "language model\nread at the end mark\n↓\nscalar head", ha="center", va="center", fontsize=9, bbox=box
    )
    axes.text(
        9.0,
        3.0,
        "σ(r(chosen) − r(rejected))\n=\nchance that a reader\nchooses so",
        ha="center",
        va="center",
        fontsize=9,
    )
    return (
        "The same model reads the item with each of two replies and gives one number at the end mark; σ of the difference is the "
        "chance that a reader chooses the first."
    )
