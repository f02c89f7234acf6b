"""Asking the hub whether it can be reached, within seconds and in plain words."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from pathlib import Path

from .errors import CourseError

HUB_PATIENCE = 4.0  # seconds to wait for the hub before saying that it is out of reach
HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")


def reach_data_set(name: str) -> None:
    """Raise `CourseError` unless a data set of the hub lies in the cache of this machine, or can be had."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

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
    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(HfApi().dataset_info, name, timeout=HUB_PATIENCE).result(HUB_PATIENCE)
    except GatedRepoError:
        raise CourseError(
            f"The data set '{name}' is gated.", "Choose an open one, or ask its owners for a file."
        ) from None
    except RepositoryNotFoundError:
        raise CourseError(
            f"There is no file '{name}' here, and the hub knows no data set '{name}'.", "Check the spelling."
        ) from None
    except (Exception, NoAnswer):  # no route, no name service, a proxy's refusal, silence: one answer
        raise CourseError(
            f"The data set '{name}' is not on this machine, and the hub is out of reach.",
            "Check the network, or download one of its files elsewhere and name that.",
        ) from None
    finally:
        pool.shutdown(wait=False)
