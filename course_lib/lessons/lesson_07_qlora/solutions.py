"""Solutions of lesson 07, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def round_trip(values, book, block):
    blocks = values.reshape(-1, block)
    scales = blocks.abs().amax(1, keepdim=True).clamp(min=1e-38)
    nearest = (blocks / scales).unsqueeze(-1).sub(book).abs().argmin(-1)
    return (book[nearest] * scales).reshape(values.shape)
