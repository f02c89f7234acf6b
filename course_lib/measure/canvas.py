"""What all figures share: one colour per method through the whole course, the size, the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette (2008), which readers with any colour vision can tell apart, and a few beside it.
COLOURS = {
    "base model": "#7f7f7f",
    "full fine-tuning": "#D55E00",
    "SFT": "#E69F00",
    "LoRA": "#0072B2",
    "QLoRA": "#56B4E9",
    "adapters": "#009E73",
    "IA3": "#B8860B",
    "prefix tuning": "#7B5EA7",
    "prompt tuning": "#CC79A7",
    "RLHF": "#000000",
    "DPO": "#8C6BB1",
    "RLAIF": "#A6761D",
    # Four-bit code books. NF4 is QLoRA's, and so is its colour.
    "NF4": "#56B4E9",
    "INT4": "#882255",
    "FP4": "#117733",
}
REFERENCE = "#b0b0b0"


def colour(technique: str) -> str:
    """The colour of a technique; an unknown one gets the first of the same beginning, else a dark grey."""
    for name, value in COLOURS.items():
        if technique.lower().startswith(name.lower()):
            return value
    return "#444444"


def canvas(width: float = 7.0, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure in the course's style and its axes; sizes in inches."""
    import matplotlib.pyplot as plt

    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 100, "font.size": 10})
    return plt.subplots(figsize=(width, height), layout="constrained")


def finish(figure: Figure, path: Path | None) -> None:
    """Show a figure, or save it to `path`."""
    import matplotlib.pyplot as plt

    if path is not None:
        figure.savefig(path, dpi=150)
        plt.close(figure)
    else:
        plt.show()
