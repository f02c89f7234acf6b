"""Where the course lives: `COURSE_HOME`, else the checkout that this package is installed from."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import CourseError


def home() -> Path:
    """The folder that holds `data/` and `notebooks/`; raises `CourseError` when there is none."""
    folder = Path(os.environ.get("COURSE_HOME") or Path(__file__).resolve().parents[2])
    if not (folder / "data").is_dir():
        raise CourseError(
            f"The course's data folder was not found in {folder}.",
            "Install the package from a checkout (pip install -e .) or set COURSE_HOME to the checkout's folder.",
        )
    return folder
