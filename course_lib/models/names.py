"""What a student may call a model: a folder, a hub id, an address of the hub; and what each other kind of file or folder is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..base import hub
from ..base.errors import CourseError
from ..base.hub import HUB_ID
from .identity import FETCHABLE, RESTORE, base_model_folder, fetched_folder

HUB_PATIENCE = 4.0  # seconds to wait for the hub before saying that it is out of reach

HUB_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)(?:/(?:tree|blob|resolve)/.*)?/?$"
)
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tokenizer_config.json")
OWN = "Correct the name, or leave COURSE_MODEL unset to use the course's own model."
GGUF = (
    "Convert it once: AutoModelForCausalLM.from_pretrained(folder, gguf_file=name), the tokenizer the same way, then save both with "
    "save_pretrained into one new folder."
)
CONVERT = "Convert it once where you trust it: load it with transformers and save it with save_pretrained, which writes safetensors."


def resolve_name(name: str) -> str:
    """A local folder that holds a whole model, or a hub id after asking whether it is cached or can be reached.

    White space around, `~`, a closing slash and an address of the hub are understood. Raises `CourseError` for anything else: a file,
    an adapter, a folder of checkpoints, GGUF, pickled weights, a missing shard, a name that is nothing.
    """
    name = str(name).strip()
    address = HUB_ADDRESS.fullmatch(name)
    name = address.group(1) if address else name
    folder = Path(name).expanduser()
    if folder.is_dir():
        check_folder(folder)
        return str(folder)
    if folder == base_model_folder():
        raise CourseError(f"The course's base model is missing: there is no folder {name}.", RESTORE)
    if folder in [fetched_folder(known) for known in FETCHABLE]:
        raise CourseError(
            f"The model {folder.name} has not been fetched: there is no folder {folder}.",
            f"Type: course fetch {folder.name}",
        )
    if folder.is_file():
        raise CourseError(f"{name} is a file, and a model is a folder.", _about_file(folder))
    local = name.startswith((".", "/", "~")) or "\\" in name
    name = name if local else name.rstrip("/")
    if local or "://" in name or not HUB_ID.fullmatch(name):
        raise CourseError(f"There is no folder '{name}', and a hub id has the form 'owner/name'.", OWN)
    _find_on_hub(name)
    return name


def _about_file(path: Path) -> str:
    if path.suffix == ".gguf":
        return GGUF
    if path.suffix in PICKLED:
        return CONVERT
    return f"Name its folder: {path.parent}"


def check_folder(folder: Path) -> None:
    """Raises `CourseError` unless a folder holds a configuration and all of its weights as safetensors; says what it holds instead."""
    names = {path.name for path in folder.iterdir()}
    weights = sorted(name for name in names if name.endswith(".safetensors") and not name.startswith("adapter_"))
    pickled = sorted(
        name
        for name in names
        if name.endswith(PICKLED) and name not in ("training_args.bin", "optimizer.pt", "scheduler.pt")
    )
    gguf = sorted(name for name in names if name.endswith(".gguf"))
    if "adapter_config.json" in names and not weights:
        raise CourseError(
            f"The folder {folder} holds an adapter, not a whole model.",
            f"Load it with cl.load_adapter({str(folder)!r}).",
        )
    if "config.json" not in names:
        raise CourseError(
            f"The folder {folder} holds no model: config.json is missing.", _instead(folder, gguf, pickled)
        )
    if not weights:
        held = ", ".join(gguf or pickled)
        raise CourseError(
            f"The folder {folder} holds no weights as safetensors{f', but {held}' if held else ''}.",
            GGUF if gguf else CONVERT if pickled else "Copy model.safetensors into it, or name another folder.",
        )
    absent = _absent_shards(folder, weights)
    if absent:
        raise CourseError(
            f"The model in {folder} is incomplete: {', '.join(absent)} is missing.",
            "Copy or download the missing part.",
        )


def _instead(folder: Path, gguf: list[str], pickled: list[str]) -> str:
    """What to do with a folder that has no configuration."""
    if gguf:
        return f"It holds {gguf[0]}. {GGUF}"
    inner = [
        path
        for path in folder.iterdir()
        if path.is_dir() and any((path / c).exists() for c in ("config.json", "adapter_config.json"))
    ]
    if inner:
        number = lambda path: int(path.name.rpartition("-")[2]) if path.name.rpartition("-")[2].isdigit() else -1  # noqa: E731
        newest = max(inner, key=number)
        load = "cl.load_adapter" if (newest / "adapter_config.json").exists() else "cl.load_model"
        return f"There are models inside: {load}({str(newest)!r})."
    return CONVERT if pickled else OWN


def _absent_shards(folder: Path, weights: list[str]) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError):
            raise CourseError(f"{index} cannot be read.", "Copy or download it again.") from None
        return sorted(wanted - set(weights))
    shards = [re.fullmatch(r"(.+)-\d{5}-of-(\d{5})\.safetensors", name) for name in weights]
    if all(shards) and "model.safetensors" not in weights:
        stem, total = shards[0].group(1), int(shards[0].group(2))
        wanted = {f"{stem}-{i:05d}-of-{total:05d}.safetensors" for i in range(1, total + 1)} | {index.name}
        return sorted(wanted - set(weights))
    return []


def check_tokenizer_files(where: str) -> None:
    """Raises `CourseError` for a folder without a tokenizer."""
    folder = Path(where)
    if folder.is_dir() and not any((folder / name).exists() for name in TOKENIZERS):
        raise CourseError(
            f"The folder {folder} holds no tokenizer.",
            f"Save it beside the weights: tokenizer.save_pretrained({where!r}).",
        )


def _find_on_hub(name: str) -> None:
    from huggingface_hub import constants, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    if constants.HF_HUB_OFFLINE:
        raise CourseError(
            f"There is no folder '{name}' in {Path.cwd()}, no model of that name is on this machine, and the hub is switched off "
            "(HF_HUB_OFFLINE=1).",
            f"Correct the path; or, if it is on the hub, start again with COURSE_MODEL={name} set before course_lib is imported, which "
            "switches the hub on.",
        )
    ask_hub(name)


def ask_hub(name: str) -> None:
    """Raise `CourseError` unless the hub knows the model, within `HUB_PATIENCE` seconds."""
    from huggingface_hub import HfApi

    hub.ask(
        HfApi().model_info,
        name,
        HUB_PATIENCE,
        gated=(f"The model '{name}' is gated.", "Choose an open one, such as HuggingFaceTB/SmolLM2-135M."),
        unknown=(
            f"There is no folder '{name}' here, and the hub knows no model '{name}'.",
            "Check the spelling, or leave COURSE_MODEL unset for the course's own.",
        ),
        silent=(
            f"The model '{name}' is not on this machine, and the hub is out of reach.",
            "Check the network, or leave COURSE_MODEL unset: the course's own model needs none.",
        ),
    )
