"""Which model is in use, where its files lie, and whether they are the ones that were committed."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CourseError
from ..base.paths import home

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def base_model_folder() -> Path:
    """The folder of the course's own base model."""
    return home() / "data" / "base_model"


FETCHABLE = ("smollm2",)  # names that stand for a folder which `course fetch` makes


def fetched_folder(name: str) -> Path:
    """Where `course fetch` puts a model: `models/smollm2`, `models/owner--name`."""
    return home() / "models" / name.replace("/", "--")


def model_name(name: str | os.PathLike | None = None) -> str:
    """What to load: `name`, else `COURSE_MODEL`, else the course's own model; a model that was fetched is its folder."""
    chosen = str(name or os.environ.get("COURSE_MODEL") or base_model_folder())
    if chosen in FETCHABLE or (re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", chosen) and fetched_folder(chosen).is_dir()):
        return str(fetched_folder(chosen))
    return chosen


def own_model() -> bool:
    """Whether the model in use is the course's own: no other was named in `COURSE_MODEL`."""
    return model_name() == str(base_model_folder())


RESTORE = "Restore it with: git checkout -- data/base_model"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify_base_model(folder: Path | None = None) -> dict[str, str]:
    """Compare the base model's files with `checksums.json`; return the checksums or raise `CourseError`."""
    folder = folder or base_model_folder()
    listing = folder / "checksums.json"
    if not listing.exists():
        raise CourseError(f"The course's base model is missing or incomplete: {listing} is not there.", RESTORE)
    expected = json.loads(listing.read_text())
    for name, digest in expected.items():
        path = folder / name
        if not path.exists():
            raise CourseError(f"The course's base model is incomplete: {path} is missing.", RESTORE)
        if sha256(path) != digest:
            if hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest() == digest:
                raise CourseError(
                    f"git has changed the line ends of {path} (core.autocrlf).",
                    "Clone again with a present git, or: git config core.autocrlf false, then git checkout-index --force --all",
                )
            raise CourseError(
                f"The course's base model was altered or cut short: {path} has another checksum.", RESTORE
            )
    return expected


def base_of(model: PreTrainedModel) -> dict[str, str | None]:
    """Name and checksum of the files that a model was loaded from; a hub model has no checksum."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = str(inner.config.name_or_path)
    if Path(name) == base_model_folder():
        return {"model": "data/base_model", "sha256": sha256(base_model_folder() / "model.safetensors")}
    digest = _weights_sha256(Path(name))
    return {"model": Path(name).name if digest else name, "sha256": digest}


def _weights_sha256(folder: Path) -> str | None:
    """Checksum of the weights in a folder, one of several joined by hyphens; `None` where there are none."""
    return "-".join(sha256(path) for path in sorted(folder.glob("*.safetensors"))) or None


def first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:160]}" if text else type(error).__name__


def base_sha256() -> str:
    """Checksum of the base model in use, as `base_of` gives it; of a model on the hub its name."""
    listing = Path(model_name()) / "checksums.json"
    if listing.exists():
        return json.loads(listing.read_text(encoding="utf-8")).get("model.safetensors", model_name())
    if own_model():
        verify_base_model()
    return _weights_sha256(Path(model_name())) or model_name()
