"""Run by the first cell in Colab, before anything is imported: install what Colab lacks, leave torch and numpy alone.

python course_lib/workshop/colab.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

NEEDED = {"trl": "1.16.0", "peft": "0.20", "transformers": "5.23", "datasets": "5.0", "accelerate": "1.14", "bitsandbytes": "0.50", "scipy": "1.13"}  # fmt: skip
EXACT = ("trl",)
UNTOUCHED = ("torch", "numpy")


def numbers(version: str) -> tuple[int, ...]:
    """`"1.14.0+cpu"` → `(1, 14, 0)`."""
    return tuple(int(part) for part in version.split("+")[0].split(".") if part.isdigit())


def plan(installed: dict[str, str]) -> list[str]:
    """Requirements to install, given the versions that are there; empty when nothing is lacking."""
    wanted = []
    for name, least in NEEDED.items():
        have = installed.get(name)
        if name in EXACT:
            if have != least:
                wanted.append(f"{name}=={least}")
        elif have is None or numbers(have) < numbers(least):
            major = numbers(least)[0]
            wanted.append(f"{name}>={least}" + (f",<{major + 1}" if major else ""))
    return wanted


def installed_versions() -> dict[str, str]:
    """Installed distributions and their versions."""
    return {dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions() if dist.metadata["Name"]}


def main() -> None:
    """Install the plan with torch and numpy held at their versions; remove an old torchao, beside which PEFT refuses to import."""
    have = installed_versions()
    if "torchao" in have and numbers(have["torchao"]) < (0, 16):
        subprocess.run([sys.executable, "-m", "pip", "uninstall", "-q", "-y", "torchao"], check=True)
    wanted = plan(have)
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.txt"
        held.write_text("".join(f"{name}=={have[name]}\n" for name in UNTOUCHED if name in have))
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--constraint", str(held), *wanted], check=True)


if __name__ == "__main__":
    main()
