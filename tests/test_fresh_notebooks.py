"""The one run of each notebook: a cell that fails, wants the network or prints what it should not, fails the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
CELLS = {  # source → what the report says; None: it passes
    "print('all is well here')": None,
    "import course_lib as cl\nassert str(cl.home()) != REPOSITORY and (cl.home() / 'data').is_dir()": None,
    "1 / 0": "ZeroDivisionError",
    "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)": "blocked: ",
    "import sys\nprint('careful', file=sys.stderr)": "stderr 'careful",
    "import os\nprint(os.sep + 'home' + os.sep + 'ada')": "output: …",
}


@pytest.mark.slow
def test_fresh_outputs_are_checked_and_the_network_is_closed(tmp_path):
    for number, source in enumerate(CELLS):
        source = source.replace("REPOSITORY", repr(str(ROOT)))
        nbformat.write(new_notebook(cells=[new_code_cell(source)]), tmp_path / f"n{number}.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "fresh_notebooks", "--nbval-lax", "--nbval-current-env", "-q"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
    env = {name: value for name, value in env.items() if not name.lower().endswith("_proxy")}
    options = ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", os.devnull]
    result = subprocess.run([*command, *options, str(tmp_path)], env=env, capture_output=True, text=True, timeout=300)
    wrong = [said for said in CELLS.values() if said]
    assert f"{len(wrong)} failed, {len(CELLS) - len(wrong)} passed" in result.stdout, result.stdout[-3000:]
    assert all(said in result.stdout for said in wrong), result.stdout[-3000:]
