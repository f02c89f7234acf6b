"""Prepare the virtual environment: `python3 tools/setup.py .venv`. Runs on any Python 3, to be able to say what is wrong."""

import os
import subprocess
import sys


def fault(version, has_venv):
    """One clear sentence about what is missing, or an empty string."""
    if tuple(version[:2]) < (3, 11):
        found = ".".join(str(part) for part in version[:3])
        return "Python " + found + " is too old: the course needs 3.11 or newer. Try: make PYTHON=python3.11 setup"
    if not has_venv:
        return "This Python has no venv module. On Debian or Ubuntu: apt install python3-venv; elsewhere use conda (see README)."
    return ""


def has_venv():
    """Whether an environment with pip can be made (Debian splits ensurepip off)."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def main(folder):
    problem = fault(sys.version_info, has_venv())
    if problem:
        sys.exit(problem)
    scripts = os.path.join(folder, "Scripts" if os.name == "nt" else "bin")
    python = os.path.join(scripts, "python")
    if not os.path.exists(python) and not os.path.exists(python + ".exe"):
        print("Making the virtual environment " + folder)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    print("Installing the tested versions (two minutes or so on a good line)")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", "requirements.txt"], check=True)
    subprocess.run([*pip, "--no-deps", "-e", "."], check=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".venv")
