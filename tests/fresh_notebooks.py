"""A plugin for the run of nbval: each notebook once, in a home of its own, behind a closed network, its fresh outputs checked.

    python -m pytest -p fresh_notebooks --nbval-lax --nbval-current-env notebooks        (with tests/ on PYTHONPATH)

nbval keeps no outputs; here each cell's are handed to the checks of hygiene.py as soon as it has run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hygiene
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
FRESH = (
    hygiene.no_errors,
    hygiene.no_stderr,
    hygiene.no_widgets,
    hygiene.no_tokens,
    hygiene.no_machine_paths,
    hygiene.figures_have_text,
)


def home_of_its_own(folder: Path) -> Path:
    """A course home in `folder`, so that a run leaves nothing in the checkout: data by link, no runs."""
    (folder / "data").symlink_to(ROOT / "data")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def pytest_configure(config):
    """Close the network to the kernels, and send them home."""
    folder = tempfile.mkdtemp(prefix="course-home-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["COURSE_HOME"] = str(home_of_its_own(Path(folder)))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        p for p in (str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH")) if p
    )
    os.environ.pop("COURSE_MODEL", None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """After a cell of nbval has run: what is wrong with its fresh outputs."""
    outcome = yield
    outputs = getattr(item, "test_outputs", None)
    if outcome.excinfo is None and outputs:
        cell = new_code_cell(item.cell.source, outputs=outputs)
        complaints = [said for check in FRESH for said in check(new_notebook(cells=[cell]))]
        if complaints:
            outcome.force_exception(AssertionError("; ".join(complaints)))


def pytest_terminal_summary(terminalreporter):
    """What each notebook took, the slowest first: its cells and the start of its kernel."""
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration") and "::" in getattr(report, "nodeid", ""):
                name = report.nodeid.split("::")[0]
                seconds[name] = seconds.get(name, 0) + report.duration
    terminalreporter.section("seconds a notebook")
    for name, took in sorted(seconds.items(), key=lambda each: -each[1]):
        terminalreporter.write_line(f"{took:7.0f} s  {name}")
