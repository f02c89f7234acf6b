"""Techniques for Fine-Tuning LLMs: the helper package of the course.

`import course_lib as cl` is instant; torch, transformers, peft and trl are imported by the first function that needs
them. Everything takes and returns the ecosystem's own objects.
"""

from __future__ import annotations

import importlib
import os
import warnings

# Read by the hub library when it is imported, so decided here: the course's own model needs no network.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler of `measure.peak_memory` tells its own story on stderr
os.environ.setdefault("HF_HUB_OFFLINE", "0" if os.environ.get("COURSE_MODEL") else "1")

# tqdm asks for a widget library that the course does without; its bars are plain text here.
warnings.filterwarnings("ignore", message="IProgress not found")
# PEFT asks a model for a property that transformers has renamed.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")

__version__ = "0.1.0"

_PUBLIC = {
    "CourseError": "errors",
    "home": "paths",
    "start": "exercises",
    "load_model": "models",
    "load_tokenizer": "models",
    "save_adapter": "models",
    "load_adapter": "models",
    "merge": "models",
    "load_instructions": "data",
    "load_in_the_wild": "data",
    "load_instruct": "instruct",
    "to_messages": "data",
    "train": "training",
    "generate": "evaluation",
    "evaluate": "evaluation",
    "label_offered": "evaluation",
    "perplexity": "evaluation",
    "forgetting": "evaluation",
    "wilson": "evaluation",
    "ask": "evaluation",
}
_MODULES = ("scoreboard", "plots", "gazette", "doctor", "measure", "reference")
__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"course_lib has no '{name}'; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
