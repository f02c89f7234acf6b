"""Techniques for Fine-Tuning LLMs: the helper package of the course.

`import course_lib as cl` is instant; torch, transformers, peft and trl are imported by the first function that needs
them. Everything takes and returns the ecosystem's own objects.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings

# Read by the hub library when it is imported, so decided here: the course's own model needs no network.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler of `measure.peak_memory` tells its own story on stderr
os.environ.setdefault("HF_HUB_OFFLINE", "0" if os.environ.get("COURSE_MODEL", "smollm2") != "smollm2" else "1")

# When it is imported it reports a kernel that is not installed, and that nobody needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

# tqdm asks for a widget library that the course does without; its bars are plain text here.
warnings.filterwarnings("ignore", message="IProgress not found")
# PEFT asks a model for a property that transformers has renamed.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")

__version__ = "0.1.0"

_PUBLIC = {
    "CourseError": "base.errors",
    "home": "base.paths",
    "start": "lessons.exercise",
    "load_model": "models.load",
    "load_tokenizer": "models.load",
    "save_adapter": "models.adapters",
    "load_adapter": "models.adapters",
    "merge": "models.adapters",
    "save_model": "models.handover",
    "upload_plan": "models.handover",
    "load_instructions": "data.instructions",
    "load_in_the_wild": "data.instructions",
    "load_instruct": "models.instruct",
    "load_preferences": "data.preferences",
    "to_messages": "data.instructions",
    "train": "methods.sft",
    "train_reward": "methods.reward",
    "train_dpo": "methods.dpo",
    "train_rl": "methods.rl",
    "HoulsbyConfig": "models.houlsby",
    "win_rate": "measure.preferences",
    "mean_interval": "measure.statistics",
    "difference_interval": "measure.statistics",
    "generate": "models.generation",
    "inspect_data": "measure.inspection",
    "certify": "measure.certificate",
    "evaluate": "measure.evaluation",
    "label_offered": "measure.losses",
    "perplexity": "measure.losses",
    "forgetting": "measure.losses",
    "wilson": "measure.statistics",
    "ask": "models.generation",
}
_MODULES = {
    "scoreboard": "measure.scoreboard",
    "plots": "measure.plots",
    "gazette": "gazette",
    "doctor": "workshop.doctor",
    "measure": "measure",
    "reference": "lessons.reference",
}
__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{_MODULES[name]}", __name__)
    raise AttributeError(f"course_lib has no '{name}'; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
