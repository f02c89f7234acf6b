"""Asking the hub whether it can be reached, within seconds and in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path

from .errors import CourseError

HUB_PATIENCE = 4.0  # seconds to wait for the hub before saying that it is out of reach
Words = tuple[str, str]  # what happened, and what to do next
HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")


def reach_data_set(name: str) -> None:
    """Raise `CourseError` unless a data set of the hub lies in the cache of this machine, or can be had."""
    from huggingface_hub import HfApi, constants

    cached = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
    if cached.is_dir():
        return
    if constants.HF_HUB_OFFLINE:
        raise CourseError(
            f"There is no file '{name}' in {Path.cwd()}, no data set of that name is on this machine, and the hub is switched off "
            "(HF_HUB_OFFLINE=1, as the course sets it).",
            "Correct the path; or, if it is on the hub, start again with HF_HUB_OFFLINE=0 set before course_lib is imported; or download "
            "one of its files and name that.",
        )
    ask(
        HfApi().dataset_info,
        name,
        HUB_PATIENCE,
        gated=(f"The data set '{name}' is gated.", "Choose an open one, or ask its owners for a file."),
        unknown=(f"There is no file '{name}' here, and the hub knows no data set '{name}'.", "Check the spelling."),
        silent=(
            f"The data set '{name}' is not on this machine, and the hub is out of reach.",
            "Check the network, or download one of its files elsewhere and name that.",
        ),
    )


def ask(
    question: Callable[..., object], name: str, patience: float, *, gated: Words, unknown: Words, silent: Words
) -> None:
    """Put a question about `name` to the hub; raises `CourseError` with the words for its answer, or for none within `patience` seconds."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(question, name, timeout=patience).result(patience)
    except GatedRepoError:
        raise CourseError(*gated) from None
    except RepositoryNotFoundError:
        raise CourseError(*unknown) from None
    except (Exception, NoAnswer):  # no route, no name service, a proxy's refusal, silence: one answer
        raise CourseError(*silent) from None
    finally:
        pool.shutdown(wait=False)
