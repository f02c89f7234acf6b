"""The models that later lessons start from, each a LoRA adapter merged into the base model: the instruct model and the brief writer.

The instruct model is lesson 04's; the brief writer is where the lessons on preferences start.

A student's own adapter (`runs/04_supervised_fine_tuning/instruct`) comes before the course's (`data/reference/instruct`).
Beside each lies `log.json`: seed, rows, seconds, and the checksum of the base that it was trained on; on another base it
is refused, since its small matrices only mean something added to the weights that they were trained beside.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.paths import home
from .adapters import ADAPTER, ADAPTER_CONFIG, load_adapter, merge, save_adapter
from .identity import base_sha256, model_name, own_model
from .load import load_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ..base.run import Run


LESSON = "04_supervised_fine_tuning"
LOG = "log.json"
FACTS = ("seed", "rows", "seconds", "base_sha256")  # what the log must say


def own_folder() -> Path:
    """Where lesson 04 keeps the student's own instruct model (git-ignored)."""
    return home() / "runs" / LESSON / "instruct"


def reference_folder() -> Path:
    """Where the course's own instruct model lies, committed."""
    return home() / "data" / "reference" / "instruct"


def load_instruct(folder: str | Path | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model with the instruct adapter merged into its weights, and the tokenizer; prints whose adapter it is.

    Without `folder`: the student's own if there is one, else the course's. The model is an ordinary one, in evaluation
    mode, so it can be trained in full or given an adapter of its own. Raises `CourseError` when there is no adapter, when
    it is incomplete, or when it was trained on another base model than the one in use.
    """
    place = Path(folder) if folder else own_folder() if own_folder().exists() else reference_folder()
    log = read_log(place)
    model, tokenizer = load_adapter(place)
    whose = {own_folder(): "your own, from lesson 04", reference_folder(): "the course's"}.get(place, place.name)
    print(f"Instruct model: {whose} (seed {log['seed']}, {log['rows']:,} rows, {log['seconds']:.0f} s)")
    return merge(model).eval(), tokenizer


def brief_writer_folder() -> Path:
    """Where the brief writer's adapter lies: the course's own, committed; for another base model in `runs/`."""
    if own_model():
        return home() / "data" / "reference" / "brief_sft"
    return home() / "runs" / "brief_sft" / Path(model_name()).name


def load_brief_writer() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model that writes briefs as reporters do, and the tokenizer: where the lessons on preferences start.

    A LoRA adapter on the base, trained on `data.preferences.reporters_rows` and merged into the weights: an ordinary model, in
    evaluation mode, so it can be trained in full or given an adapter. On another base model (`COURSE_MODEL`) one's own writer in
    `runs/brief_sft/` is taken; without one the base itself, and a printed sentence says so. Raises `CourseError` like `load_instruct`.
    """
    place = brief_writer_folder()
    if not own_model() and not place.exists():
        print(f"Brief writer: none has been trained on {model_name()}, so the lesson starts from that model as it is.")
        return load_model()
    read_log(place)
    model, tokenizer = load_adapter(place)
    return merge(model).eval(), tokenizer


def read_log(folder: Path) -> dict[str, Any]:
    """The log beside an adapter, after checking that both are there and fit the base model in use (`CourseError`)."""
    mend = {
        own_folder(): f"Delete the folder runs/{LESSON}/instruct, or keep a new one by running lesson 04 with KEEP = True.",
        reference_folder(): "Restore it with: git checkout -- data/reference/instruct; or make it anew: course sweep "
        + LESSON,
        brief_writer_folder(): "Restore it with: git checkout -- data/reference/brief_sft; or make it anew: course sweep "
        "11_reward_model",
    }.get(folder, "Keep a LoRA run there again with course_lib.instruct.save_instruct.")
    missing = [name for name in (LOG, ADAPTER_CONFIG, ADAPTER) if not (folder / name).exists()]
    if missing:
        raise CourseError(f"The instruct model in {folder} is incomplete: {', '.join(missing)} is missing.", mend)
    try:
        log = json.loads((folder / LOG).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CourseError(f"{folder / LOG}, line {error.lineno}: not JSON.", mend) from None
    unsaid = [name for name in FACTS if not isinstance(log, dict) or name not in log]
    if unsaid:
        raise CourseError(f"{folder / LOG} does not say {', '.join(unsaid)}.", mend)
    if log["base_sha256"] != base_sha256():
        raise CourseError(
            f"The instruct model in {folder} was trained on another base model ({str(log['base_sha256'])[:12]}) than "
            f"the one in use ({base_sha256()[:12]}).",
            f"{mend} If COURSE_MODEL is set: only an instruct model of your own can fit that model.",
        )
    return log


def save_instruct(run: Run, folder: str | Path | None = None, **facts: Any) -> dict[str, Any]:
    """Keep the adapter of a LoRA run, with its log, as an instruct model; returns the log.

    `folder` defaults to the student's own place. `facts` (JSON values, such as accuracies) are added to the log. Raises
    `CourseError` for a run without an adapter.
    """
    if not hasattr(run.model, "peft_config"):
        raise CourseError(
            "This run trained no adapter, so there is nothing small to keep.",
            "Give train a peft_config, for example LoraConfig(r=8, lora_alpha=16, target_modules='all-linear').",
        )
    place = Path(folder) if folder else own_folder()
    save_adapter(run.model, place)
    log = {
        "seed": run.seed,
        "rows": run.rows,
        "tokens": run.tokens,
        "seconds": round(run.seconds, 1),
        "trainable_parameters": run.trainable_parameters,
        "learning_rate": run.learning_rate,
        "base_sha256": base_sha256(),
        "made": time.strftime("%Y-%m-%d"),
        **facts,
    }
    (place / LOG).write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
    return log
