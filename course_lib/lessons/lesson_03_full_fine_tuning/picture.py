"""The picture of lesson 03: what a training step keeps in memory, over its course."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.drawing import note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(axes: Axes) -> str:
    """Weights, moments, gradients and activations over forward, backward and optimizer step."""
    import numpy as np

    time = np.linspace(0.8, 9.6, 300)
    forward, backward = (0.8, 4.2), (4.2, 7.8)
    weights, moments = np.full_like(time, 0.6), np.full_like(time, 1.2)
    gradients = np.clip((time - backward[0]) / (backward[1] - backward[0]), 0, 1) * 0.6
    gradients[time > 9.2] = 0.0
    up = np.clip((time - forward[0]) / (forward[1] - forward[0]), 0, 1)
    down = np.clip((backward[1] - time) / (backward[1] - backward[0]), 0, 1)
    activations = 2.0 * np.minimum(up, down)
    layers = (weights, moments, gradients, activations)
    colours = ("#bdbdbd", "#56B4E9", "#E69F00", "#D55E00")
    axes.stackplot(time, *layers, baseline="zero", colors=colours, alpha=0.9)
    for x, text in ((2.5, "forward"), (6.0, "backward"), (8.7, "optimizer")):
        note(axes, x, 4.75, text, bold=True)
    for x in (4.2, 7.8):
        axes.plot([x, x], [0, 4.6], color="#666666", lw=0.8, ls=":")
    note(axes, 1.0, 0.3, "weights: 4 bytes each", align="left", size=8.5)
    note(axes, 1.0, 1.2, "AdamW's two moments: 8 bytes each", align="left", size=8.5)
    note(axes, 6.9, 2.02, "gradients: 4", size=8.5)
    note(axes, 4.3, 2.9, "activations:\ngrow with batch × length", size=8.5)
    axes.annotate("the peak", (4.2, 3.85), (2.3, 4.1), arrowprops={"arrowstyle": "-|>"}, fontsize=9)
    return "Drawing: memory over one step; weights and moments stay, activations rise to the peak at the end of the forward pass, gradients grow in the backward pass."
