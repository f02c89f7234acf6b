"""The picture of lesson 16: the way of a file to a model that somebody else can use, with the two gates on it."""

from __future__ import annotations

from ...measure.drawing import PALE, arrow, box, note
from ...measure.plots import COLOURS

GATE = COLOURS["LoRA"]


def draw(axes) -> str:
    """File, report, training, certificate, model folder; below each gate what it finds. Returns the sentence that says so."""
    steps = (
        ("your file", PALE),
        ("report", "white"),
        ("training", PALE),
        ("certificate", "white"),
        ("model folder\nwith card", PALE),
    )
    for place, (text, fill) in enumerate(steps):
        gate = fill == "white"
        box(
            axes,
            0.15 + 2.0 * place,
            2.9,
            1.6,
            0.9,
            text,
            fill=fill,
            edge=GATE if gate else "#222222",
            ink=GATE if gate else "#222222",
            bold=gate,
        )
        if place:
            arrow(axes, (2.0 * place - 0.22, 3.35), (2.0 * place + 0.12, 3.35))
    note(axes, 5, 4.5, "A file goes in, a model comes out: two gates that can say no", size=12, bold=True)
    for x, lines in (
        (2.95, ("dropped, changed, cut", "duplicates, contradictions", "test rows among", "the training rows")),
        (6.95, ("nothing changed", "adapter switched off", "merged is not unmerged", "no difference shown")),
    ):
        arrow(axes, (x, 2.85), (x, 2.35), colour=GATE)
        for line, text in enumerate(lines):
            note(axes, x, 2.1 - 0.36 * line, text, colour=GATE, size=9.5)
    note(axes, 8.95, 2.5, "plain transformers,", size=9)
    note(axes, 8.95, 2.2, "serve, publish", size=9)
    note(axes, 0.95, 2.5, "JSON, CSV, Parquet,", size=9)
    note(axes, 0.95, 2.2, "a data set of the hub", size=9)
    return (
        "From left to right: your file, the report, the training, the certificate, a model folder with its card. The report names rows "
        "that are dropped, cut, contradictory or in the test; the certificate tells a training that helped from one that changed nothing."
    )
