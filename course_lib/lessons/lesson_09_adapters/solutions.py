"""Solutions of lesson 09, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def merge(W, c, down, a, up, b):
    weight = W + up @ down @ W
    bias = c + up @ (down @ c + a) + b
    return weight, bias


def start(down, up):
    import torch

    torch.nn.init.normal_(down.weight, std=0.02)
    torch.nn.init.zeros_(down.bias)
    torch.nn.init.zeros_(up.weight)
    torch.nn.init.zeros_(up.bias)
