"""Plausible wrong answers to the exercises of lesson 03; the checks must refuse each with its reason."""

from __future__ import annotations


def first_step_wasted(step, steps, peak, warm):
    if step < warm:
        return peak * step / warm
    return peak * (steps - step) / (steps - warm)


def stairs_over_all_steps(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / steps
    return peak * (steps - step) / (steps - warm)


def falls_like_a_cosine(step, steps, peak, warm):
    import math

    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def zero_in_the_last_step(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (steps - 1 - step) / (steps - 1 - warm)


def divides_by_warm(step, steps, peak, warm):
    return peak * min((step + 1) / warm, (steps - step) / (steps - warm))


def falls_from_the_start(step, steps, peak, warm):
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (steps - step) / steps


def one_stair(step, steps, peak, warm):
    if step < warm:
        return peak / warm if step == 0 else peak
    return peak * (steps - step) / (steps - warm)
