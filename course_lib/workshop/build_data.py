"""Writes what is committed under `data/`: instruction files with checksums, the in-the-wild halves, the base model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ..base.errors import CourseError
from ..base.jsonl import write_jsonl
from ..base.paths import home
from ..gazette import tasks
from ..models.identity import base_model_folder, sha256

SEED = 0

WILD = ("finance", "health", "law")


def build(folder: Path | None = None, say=print) -> Path:
    """Regenerate `data/instructions` byte for byte from the world; returns the folder."""
    folder = folder or home() / "data" / "instructions"
    folder.mkdir(parents=True, exist_ok=True)
    for split in tasks.SPLITS:
        write_jsonl(folder / f"{split}.jsonl", tasks.rows(split, SEED))
        write_jsonl(folder / f"wool_{split}.jsonl", tasks.wool_rows(split, SEED))
    write_checksums(folder)
    for path in sorted(folder.glob("*.jsonl")):
        say(f"{path.name:24s} {sum(1 for _ in path.open()):6,} rows")
    return folder


def write_checksums(folder: Path) -> None:
    """`checksums.json` beside the files it lists."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in (".jsonl", ".json", ".safetensors"))
    listing = {p.name: sha256(p) for p in files if p.name not in ("checksums.json", "training_log.json", "probe.json")}
    (folder / "checksums.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")


def publish_model(source: Path, target: Path | None = None) -> Path:
    """Copy a finished model over `data/base_model`, with fresh checksums. The card is written by `course rebuild --from card`."""
    if not (source / "model.safetensors").exists():
        raise CourseError(f"There is no finished model in {source}.", "Run: course pretrain")
    target = target or base_model_folder()
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh)
    write_checksums(fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target
