"""What the words of a recipe stand for: the four methods, their settings, and what can make the value of an argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def method_named(name: str) -> Callable[..., Any]:
    from . import dpo, reward, rl, sft

    return {
        "train": sft.train,
        "train_reward": reward.train_reward,
        "train_dpo": dpo.train_dpo,
        "train_rl": rl.train_rl,
    }[name]


def settings_of(method: str) -> set[str]:
    """The names that go on to TRL's configuration of a method."""
    import dataclasses

    import trl

    names = {"train": "SFTConfig", "train_reward": "RewardConfig", "train_dpo": "DPOConfig", "train_rl": "RLOOConfig"}
    return {f.name for f in dataclasses.fields(getattr(trl, names[method]))}


def makers_of(argument: str) -> dict[str, Callable[..., Any]]:
    """What can make the value of an argument, by name: the functions of `cl`, and PEFT's configurations."""
    if argument in ("data", "prompts"):
        from ..data.instructions import load_instructions
        from ..data.preferences import brief_prompts, load_preferences, reporters_rows

        known = (load_instructions, load_preferences)
        return {f.__name__: f for f in ((*known, brief_prompts) if argument == "prompts" else (*known, reporters_rows))}
    if argument == "model":
        from ..models.instruct import load_brief_writer, load_instruct
        from ..models.load import load_model

        return {f.__name__: f for f in (load_model, load_instruct, load_brief_writer)}
    if argument == "peft_config":
        import peft

        from ..models.houlsby import HoulsbyConfig

        found = {n: c for n, c in vars(peft).items() if inspect.isclass(c) and issubclass(c, peft.PeftConfig)}
        return found | {"HoulsbyConfig": HoulsbyConfig}
    if argument == "reward":
        from .reward import load_reward

        return {"load_reward": load_reward, "brief_score": brief_reward}
    return {}


def brief_reward() -> Callable[..., list[float]]:
    """The true score of a brief as a reward; the prompts must be `brief_prompts`, which hold the facts."""
    from ..gazette.brief import brief_score

    def gold(completions, text, facts, **_):
        return [brief_score(f, t, c) for f, t, c in zip(facts, text, completions, strict=True)]

    return gold
