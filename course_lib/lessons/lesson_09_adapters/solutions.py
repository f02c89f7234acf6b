"""Solutions of lesson 09, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def adapter(h, down, a, up, b):
    import torch.nn.functional as F

    inside = F.gelu(h @ down.T + a)
    return h + inside @ up.T + b


def start(down, up):
    import torch

    torch.nn.init.normal_(down.weight, std=0.02)
    torch.nn.init.zeros_(down.bias)
    torch.nn.init.zeros_(up.weight)
    torch.nn.init.zeros_(up.bias)
