"""The wall around a run of the notebooks is real, and a notebook that fails behind it fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTE = """
import sys
from pathlib import Path
from course_lib.workshop.notebooks import execute

failure = execute(Path(sys.argv[1]), Path(sys.argv[2]))
sys.exit(failure or 0)
"""
LOCAL = """
import socket
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
socket.create_connection(("127.0.0.1", port), timeout=2).close()
socket.create_connection(("localhost", port), timeout=2).close()
print("connected")
"""


def python(code, *arguments, env, timeout=60):
    """Run a piece of Python in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=timeout)


@pytest.fixture()
def away(tmp_path, offline_env):
    """A course home of its own, so that a run leaves nothing in the checkout, and the environment that points to it."""
    home = tmp_path / "home"
    (home / "notebooks").mkdir(parents=True)
    (home / "data").symlink_to(ROOT / "data")
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, home)
    for path in NOTEBOOKS:
        shutil.copy(path, home / "notebooks")
    env = {name: value for name, value in offline_env.items() if name != "COURSE_MODEL"}
    return home, env | {"COURSE_HOME": str(home)}


# ------------------------------------------------------------------ the wall


@pytest.mark.parametrize(
    "attempt",
    [
        'socket.create_connection(("192.0.2.1", 80), timeout=2)',
        'socket.create_connection(("example.org", 80), timeout=2)',
        'socket.socket().connect(("192.0.2.1", 80))',
        'socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80))',
        'urllib.request.urlopen("http://192.0.2.1/", timeout=2)',
    ],
)
def test_another_machine_cannot_be_reached(attempt, offline_env):
    env = {name: value for name, value in offline_env.items() if not name.lower().endswith("_proxy")}
    result = python(f"import socket, urllib.request; {attempt}", env=env, timeout=20)
    assert result.returncode == 1
    assert "blocked: " in result.stderr.splitlines()[-1]


def test_this_machine_can_be_reached(offline_env):
    result = python(LOCAL, env=offline_env)
    assert result.stdout == "connected\n", result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=2)", "code cell 1: OSError: blocked"),
        ("1 / 0", "code cell 1: ZeroDivisionError"),
    ],
)
def test_a_notebook_that_fails_or_wants_the_network_fails_here(away, tmp_path, source, said):
    home, env = away
    path = home / "notebooks" / "99_bad.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    result = python(EXECUTE, path, tmp_path / path.name, env=env)
    assert result.returncode == 1 and f"99_bad.ipynb, {said}" in result.stderr
