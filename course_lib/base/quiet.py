"""Silence for loading and tokenizing: progress bars and remarks that a student can do nothing about. Errors still come through."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def printable() -> None:
    """From now on a character that the terminal's encoding lacks (→ in a Windows code page) prints as "?" instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextmanager
def hushed() -> Iterator[None]:
    """Within it, transformers and datasets draw no bars, and transformers logs errors only."""
    from transformers.utils import logging as transformers_logging

    datasets = sys.modules.get("datasets")  # not imported for this: it takes a second
    bars = datasets is not None and not datasets.utils.are_progress_bars_disabled()
    had_bars = transformers_logging.is_progress_bar_enabled()
    verbosity = transformers_logging.get_verbosity()
    if bars:
        datasets.utils.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bars:
            transformers_logging.enable_progress_bar()
        if bars:
            datasets.utils.enable_progress_bars()
