"""The techniques of the real column: from a profile and a model's name the PEFT configuration and the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...models.identity import base_model_folder, fetched_folder

if TYPE_CHECKING:
    from peft import LoraConfig, PeftConfig

VIRTUAL, RANK, BOTTLENECK = 20, 16, 64
SOFT_RATE = 3e-2  # of both kinds of virtual tokens here; for prompt tuning a third of what lesson 08 found best on the small model
SOFT_START = "Say whether the text is positive, negative or neutral for the people it is about."


def where(model: str) -> str:
    """The folder of a model of the real column, `course` or a fetched one."""
    return str(base_model_folder() if model == "course" else fetched_folder(model))


def _full(suits, where) -> tuple[None, float]:
    return None, suits.full


def lora(suits, where) -> tuple[LoraConfig, float]:
    """LoRA of rank 16 on all linear layers."""
    from peft import LoraConfig

    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    return config, suits.adapter


def _lora_low(suits, where) -> tuple[PeftConfig, float]:
    """A fifth of the rate: is it the adapter that forgets, or the rate?"""
    return lora(suits, where)[0], suits.adapter / 5


def _prompt_tuning(suits, where) -> tuple[PeftConfig, float]:
    from peft import PromptTuningConfig

    config = PromptTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL, prompt_tuning_init="TEXT", prompt_tuning_init_text=SOFT_START,
        tokenizer_name_or_path=where,
    )  # fmt: skip
    return config, SOFT_RATE


def _prefix_tuning(suits, where) -> tuple[PeftConfig, float]:
    from peft import PrefixTuningConfig

    return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL), SOFT_RATE


def _ia3(suits, where) -> tuple[PeftConfig, float]:
    from peft import IA3Config

    places = ["k_proj", "v_proj", "down_proj"]
    return IA3Config(task_type="CAUSAL_LM", target_modules=places, feedforward_modules=["down_proj"]), suits.ia3


def _houlsby(suits, where) -> tuple[Any, float]:
    from ...models.houlsby import HoulsbyConfig

    return HoulsbyConfig(bottleneck=BOTTLENECK), suits.adapter


TECHNIQUES = {
    "full fine-tuning": _full,
    "LoRA": lora,
    "prompt tuning": _prompt_tuning,
    "QLoRA": lora,
    "adapters (Houlsby)": _houlsby,
    "LoRA, a fifth of the rate": _lora_low,
    "IA3": _ia3,
    "prefix tuning": _prefix_tuning,
}
