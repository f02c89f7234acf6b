"""After the training: an ordinary model folder with its card, and the list of what an upload would send. Nothing here sends anything."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.jsonl import write_text
from ..base.quiet import hushed
from ..base.run import Run
from .carriers import check_not_inside, check_not_used_up, is_peft
from .generation import stop_tokens
from .identity import base_of, first_line, sha256
from .merging import merge
from .names import HUB_ID, PICKLED

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CARD = "README.md"
TRAINING = re.compile(r"(optimizer|scheduler|rng_state|trainer_state|training_args|scaler|checkpoint-\d+)(?:[_.-].*)?")
SECRET = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\bsk-[\w-]{16,}|\bgh[oprsu]_[A-Za-z0-9]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY")
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|work|content)/[\w.-]+|\b[A-Za-z]:\\\\?Users\\")
TEXT = (
    ".json",
    ".jsonl",
    ".md",
    ".txt",
    ".py",
    ".yaml",
    ".yml",
    ".toml",
    ".jinja",
    ".csv",
    ".ipynb",
    ".cfg",
    ".ini",
    "",
)
DATA = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow")
MOST = 20_000_000  # bytes of a text file that is looked through


def save_model(
    model: Run | PreTrainedModel,
    folder: str | os.PathLike,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    certificate: Any = None,
    data: str = "",
    licence: str = "",
) -> Path:
    """Save an ordinary model that plain transformers loads: adapter merged, tokenizer with its template, end marks, and the card.

    `save_model(run, folder)` or `save_model(model, folder, tokenizer)`; the model itself stays as it is, a copy is merged. `certificate`
    (of `cl.certify`), `data` (a sentence on the training data) and `licence` go into the card. Returns the folder.

    Raises `CourseError` for a folder that holds anything, one that cannot be written to, and an adapter that cannot be merged.
    """
    run = model if isinstance(model, Run) else None
    if run is not None:
        model, tokenizer = run.model, run.tokenizer
    if tokenizer is None:
        raise CourseError(
            "A model is of no use without its tokenizer.", "Call cl.save_model(model, folder, tokenizer)."
        )
    check_not_inside(model)
    check_not_used_up(model)
    folder = Path(folder).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} holds something already, and nothing is overwritten.", "Choose a new folder.")
    card = model_card(run or model, certificate=certificate, data=data, licence=licence)
    plain = merge(copy.deepcopy(model)) if is_peft(model) or getattr(model, "houlsby_configs", None) else model
    stops, before = stop_tokens(plain, tokenizer), copy.deepcopy(plain.generation_config)
    plain.generation_config.eos_token_id = stops[0] if len(stops) == 1 else stops
    plain.generation_config.pad_token_id = tokenizer.pad_token_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with hushed():
            plain.save_pretrained(folder, safe_serialization=True)
            tokenizer.save_pretrained(folder)
    except OSError as error:
        raise CourseError(
            f"The model cannot be saved in {folder} ({first_line(error)}).", "Choose another folder."
        ) from None
    finally:
        plain.generation_config = before
    write_text(folder / CARD, card)
    return folder


def model_card(model: Run | PreTrainedModel, *, certificate: Any = None, data: str = "", licence: str = "") -> str:
    """The card as Markdown: what it was made from and how, what was measured, how to ask it, and what is not known."""
    run = model if isinstance(model, Run) else None
    model = run.model if run else model
    base = base_of(model)
    head = {"library_name": "transformers", "pipeline_tag": "text-generation", "license": licence or "unknown"}
    if HUB_ID.fullmatch(str(base["model"])) and "/" in base["model"] and base["model"] != "data/base_model":
        head["base_model"] = base["model"]
    facts = {"made from": f"`{base['model']}`" + (f", SHA-256 {base['sha256'][:16]}…" if base["sha256"] else "")}
    facts |= _technique(model)
    if run:
        facts |= {
            "read in training": f"{run.rows:,} rows over all passes, {run.tokens:,} tokens",
            "parameters trained": f"{run.trainable_parameters:,} of {run.total_parameters:,}",
            "learning rate, seed": f"{run.learning_rate:g}, {run.seed}",
        }
    facts["versions"] = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft"))
    lines = ["---", *(f"{name}: {value}" for name, value in head.items()), "---", "", "# Model card", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items()), ""]
    lines += ["## Data", "", data or "Not described. Say where the rows come from and who may use them.", ""]
    measured = "## Did it help?\n\nNot measured. `cl.certify(run, test)` does."
    lines += [certificate.markdown() if certificate is not None else measured, ""]
    lines += ["## How to ask it", "", "```python", *ASK.splitlines(), "```", ""]
    limits = LIMITS if certificate is not None else "How well it does anything: nothing was measured."
    lines += ["## What is not known", "", limits, ""]
    return "\n".join(lines)


ASK = """from transformers import pipeline

ask = pipeline("text-generation", model="FOLDER_OR_NAME")
reply = ask([{"role": "user", "content": "…"}], max_new_tokens=32, do_sample=False)
print(reply[0]["generated_text"][-1]["content"])"""
LIMITS = (
    "It was measured on the test items above and on nothing else: not on other tasks, other languages or other ways of asking, and not "
    "for harm. The intervals are for other items of the same kind, not for another seed of the training."
)


def _technique(model: PreTrainedModel) -> dict[str, str]:
    if not is_peft(model):
        return {"technique": "all weights, or an adapter that was merged"}
    found = []
    for config in model.peft_config.values():
        told = {n: getattr(config, n, None) for n in ("r", "lora_alpha", "num_virtual_tokens", "target_modules")}
        told = {n: sorted(v) if isinstance(v, (set, list)) else v for n, v in told.items() if v is not None}
        found.append(" ".join([str(config.peft_type.value), *(f"{n}={v}" for n, v in told.items())]))
    return {"technique": "; ".join(found)}


# ------------------------------------------------------------------ publishing, dry


@dataclass
class UploadPlan:
    """What an upload of a folder would send: `files` as (name, bytes, SHA-256), what to look at first, and the command to type."""

    folder: Path
    files: list[tuple[str, int, str]]
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = sum(size for _, size, _ in self.files)
        found = [f"An upload would send {len(self.files)} files, {total / 1e6:.1f} MB; nothing has been sent:"]
        found += [f"  {size:>12,}  {digest[:12]}  {name}" for name, size, digest in self.files]
        found += [f"look at: {remark}" for remark in self.remarks]
        return "\n".join([*found, f"To send it yourself, logged in: hf upload OWNER/NAME {self.folder.name} ."])


def upload_plan(folder: str | os.PathLike) -> UploadPlan:
    """Exactly which files of a folder an upload would send. A dry run: no account is asked for, and nothing is sent.

    Raises `CourseError` that names every file which must not be published: pickles, states of an optimizer or a training, hidden files,
    links, text with an access token, a private key or a path of this machine, and safetensors that are damaged.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise CourseError(f"There is no folder {folder}.", "Make it with cl.save_model(run, folder).")
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    refused = [(path.relative_to(folder).as_posix(), reason) for path in paths if (reason := _refusal(path, folder))]
    if refused:
        told = "; ".join(f"{name}: {reason}" for name, reason in refused)
        raise CourseError(
            f"{len(refused)} of {len(paths)} files in {folder} must not be published: {told}.",
            "Save the model into a new folder with cl.save_model, and publish that; nothing was deleted, and nothing was sent.",
        )
    if not paths:
        raise CourseError(f"{folder} is empty.", "Save a model into it with cl.save_model(run, folder).")
    files = [(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path)) for path in paths]
    return UploadPlan(folder, files, _remarks(folder, {name for name, _, _ in files}))


def _refusal(path: Path, folder: Path) -> str | None:
    """Why a file must not be published, or `None`."""
    inside = path.relative_to(folder)
    if path.is_symlink():
        return "a link; an upload would send what it points to"
    if any(part.startswith(".") for part in inside.parts):
        return "hidden, such files hold settings and tokens"
    if any(TRAINING.fullmatch(part) for part in inside.parts):
        return "the state of a training, which nobody needs to use the model"
    if path.suffix.lower() in (*PICKLED, ".pickle", ".joblib", ".npy"):
        return "pickled, it can run code when opened"
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt"):
                return None
        except (SafetensorError, OSError) as error:
            return f"damaged or cut short ({first_line(error)})"
    if path.suffix.lower() not in TEXT or path.stat().st_size > MOST:
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    if SECRET.search(text):
        return "it holds an access token or a private key"
    if path.name != "tokenizer.json" and (found := MACHINE.search(text)):
        return f"it names a path of this machine ({found[0][:40]})"
    return None


def _remarks(folder: Path, names: set[str]) -> list[str]:
    """What is no reason to refuse, and still to be looked at."""
    found = []
    if not any(name.endswith(".safetensors") for name in names):
        found.append("there are no weights as safetensors")
    if "config.json" not in names and "adapter_config.json" not in names:
        found.append("there is no config.json, so nothing can load it")
    card = folder / CARD
    text = card.read_text(encoding="utf-8", errors="replace") if card.exists() else ""
    if not text:
        found.append("there is no card (README.md)")
    elif not (licence := re.search(r"^license:\s*(\S+)", text, re.MULTILINE)) or licence[1] == "unknown":
        found.append("the card names no licence: say who may use it, and what the base model's licence asks")
    if "Not measured" in text:
        found.append("the card says that nothing was measured")
    data = sorted(name for name in names if name.lower().endswith(DATA))
    if data:
        found.append(f"{', '.join(data)} hold data: are they yours to publish, and is nobody named in them?")
    code = sorted(name for name in names if name.endswith(".py"))
    if code:
        found.append(f"{', '.join(code)} are code, which others would have to trust")
    return found
