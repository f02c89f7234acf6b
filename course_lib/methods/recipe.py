"""A training as a file: `course train recipe.yaml` reads it and calls `cl.train`, `cl.train_reward`, `cl.train_dpo` or `cl.train_rl`.

    train:                                # the function; its keys are the names of its arguments
      data: {load_instructions: {task: tone}, split: train, count: 512}
      peft_config: {LoraConfig: {r: 8, lora_alpha: 16, target_modules: all-linear, task_type: CAUSAL_LM}}
      batch_size: 16
      output_dir: ../../runs/recipes/lora
    processes: 1                          # how many take part; another number is refused

Nothing else is in it: what a notebook's cell calls is called here, with the same defaults. Where an argument is an object, its maker stands
there with arguments of its own: one key, the name of a function or class (`makers_of`). A relative path begins at the recipe's folder.
"""

from __future__ import annotations

import difflib
import inspect
import io
import json
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import CourseError
from ..base.jsonl import write_text
from ..base.processes import check_world, is_first, wait
from ..base.yaml_lines import read_yaml
from .makers import makers_of, method_named, settings_of

if TYPE_CHECKING:
    from ..base.run import Run

METHODS = ("train", "train_reward", "train_dpo", "train_rl")
ROWS = {"train_rl": "prompts"}  # the name of the first argument; `data` for the others
NOT_HERE = ("tokenizer", "watch", "reference", "quiet")  # objects that only a program has
PATHS = ("folder", "path", "name", "task")  # a relative one begins at the recipe's folder
CHOICES = ("split", "count", "seed")  # beside the function that reads the rows
CONFIG, RECORD = "recipe.yaml", "run.json"


@dataclass
class Recipe:
    """A recipe as it was read: the method, its arguments as they stand in the file, and the line of each key, for messages."""

    path: Path
    method: str
    arguments: dict[str, Any]
    processes: int = 1
    lines: dict[tuple, int] = field(repr=False, default_factory=dict)

    def where(self, *keys: Any) -> str:
        """`recipe.yaml, line 3`, of the innermost key that is known."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.path.name}, line {self.lines.get(keys, 1)}"

    @property
    def output_dir(self) -> Path:
        """Where the run writes."""
        return self._place(self.arguments["output_dir"])

    def _place(self, name: str) -> Path:
        path = Path(name).expanduser()
        return path if path.is_absolute() else (self.path.parent / path).resolve()


def read(path: str | Path) -> Recipe:
    """Read and check a recipe; nothing is loaded or written. Raises `CourseError` that names the key and its line."""
    path = Path(path).expanduser()
    found, lines = read_yaml(path)
    recipe = Recipe(path, "", {}, 1, lines)
    methods = [name for name in found if name in METHODS]
    for key in found:
        if key not in (*METHODS, "processes"):
            _unknown(recipe, (key,), (*METHODS, "processes"), "a recipe")
    if len(methods) != 1:
        raise CourseError(
            f"{path.name} names {len(methods)} methods.",
            f"Give it exactly one of {', '.join(METHODS)}, with its arguments below it.",
        )
    recipe.method, recipe.processes = methods[0], found.get("processes", 1)
    if not isinstance(recipe.processes, int) or isinstance(recipe.processes, bool) or recipe.processes < 1:
        raise CourseError(
            f"{recipe.where('processes')}: processes is {recipe.processes!r}.", "Give a whole number, 1 or more."
        )
    recipe.arguments = found[recipe.method]
    _check_arguments(recipe)
    return recipe


def run(path: str | Path) -> tuple[Run, Path]:
    """Train what a recipe says, and write the result into its `output_dir`; returns the run and that folder.

    There: the adapter, or the whole model with its tokenizer, in a folder of that name; `recipe.yaml`, the recipe itself; and `run.json`,
    what the run took and what it logged. Checkpoints lie beside them, as `cl.train` writes them. Raises `CourseError` for a recipe with
    a fault, a folder that holds something already (unless `resume: true`), a world size other than `processes`, and whatever the method
    refuses.
    """
    with nullcontext() if is_first() else redirect_stdout(io.StringIO()):  # what one process says, all would say
        return _run(read(path))


def _run(recipe: Recipe) -> tuple[Run, Path]:
    check_world(recipe.processes)
    _check_empty(recipe)
    wait()  # nobody writes before all have looked
    arguments = {name: _made(recipe, name, value) for name, value in recipe.arguments.items()}
    arguments["output_dir"] = recipe.output_dir
    if isinstance(arguments.get("model"), tuple):
        arguments["model"], arguments["tokenizer"] = arguments["model"]
    finished = method_named(recipe.method)(
        arguments.pop(ROWS.get(recipe.method, "data")), quiet=not is_first(), **arguments
    )
    if is_first():
        _write(recipe, finished)
    wait()
    return finished, recipe.output_dir


# ------------------------------------------------------------------ what may stand in it


def _check_arguments(recipe: Recipe) -> None:
    method, given = recipe.method, recipe.arguments
    if not isinstance(given, dict):
        raise CourseError(
            f"{recipe.where(method)}: {method} has no arguments.", "Give it data and output_dir at least."
        )
    signature = inspect.signature(method_named(method)).parameters
    own = [n for n, p in signature.items() if p.kind is not p.VAR_KEYWORD and n not in NOT_HERE]
    settings = settings_of(method) if set(given) - set(own) else set()
    needed = [ROWS.get(method, "data"), "output_dir", *(["reward"] if method == "train_rl" else [])]
    for name in given:
        if name not in own and name not in settings:
            _unknown(recipe, (method, name), own, f"cl.{method}")
    missing = [name for name in needed if name not in given]
    if missing:
        raise CourseError(f"{recipe.where(method)}: {method} lacks {', '.join(missing)}.", "Add it below the method.")
    for name, value in given.items():
        makers = makers_of(name) if isinstance(value, dict) or name in needed else {}
        if name == "output_dir" or (not isinstance(value, dict) and name == "model"):
            if not isinstance(value, str):
                raise CourseError(f"{recipe.where(method, name)}: {name} is {value!r}.", "Give a name.")
        elif isinstance(value, dict) or makers:
            _check_made(recipe, name, value, makers)


def _check_made(recipe: Recipe, name: str, value: Any, makers: dict[str, Callable[..., Any]]) -> None:
    """A value that is made: one key, the maker, with its arguments; beside it, for rows, a split and how many."""
    place = (recipe.method, name)
    if not makers or not isinstance(value, dict):
        raise CourseError(
            f"{recipe.where(*place)}: {name} cannot be {value!r}.",
            f"Say how it is made: {name}: {{{' or '.join(list(makers)[:4])}: {{…}}}}."
            if makers
            else "Give a plain value.",
        )
    beside = CHOICES if name in ("data", "prompts") else ()
    makes = [key for key in value if key not in beside]
    for key in makes:
        if key not in makers:
            _unknown(recipe, (*place, key), [*makers, *beside], name)
    if len(makes) != 1:
        raise CourseError(
            f"{recipe.where(*place)}: {name} is made {len(makes)} times.", f"Name one of {', '.join(makers)}."
        )
    given = value[makes[0]] or {}
    if not isinstance(given, dict):
        raise CourseError(
            f"{recipe.where(*place, makes[0])}: {makes[0]} gets {given!r}.", f"Write its arguments: {makes[0]}: {{…}}."
        )
    takes = [n for n, p in inspect.signature(makers[makes[0]]).parameters.items() if p.kind is not p.VAR_KEYWORD]
    for key in given:
        if key not in takes:
            _unknown(recipe, (*place, makes[0], key), takes, makes[0])


def _unknown(recipe: Recipe, place: tuple, known: Any, whose: str) -> None:
    near = difflib.get_close_matches(str(place[-1]), list(known), 1)
    then = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(sorted(map(str, known))[:12])}."
    if place[-1] in NOT_HERE:
        then = "That is an object of a program; leave it out here."
    raise CourseError(f"{recipe.where(*place)}: there is no '{place[-1]}' in {whose}.", then)


# ------------------------------------------------------------------ making and writing


def _made(recipe: Recipe, name: str, value: Any) -> Any:
    """The object that an argument's text stands for."""
    if name == "model" and isinstance(value, str):
        return _named(recipe, value)
    if not isinstance(value, dict):
        return value
    makers = makers_of(name)
    maker = next(key for key in value if key in makers)
    given = {k: _named(recipe, v) if k in PATHS and isinstance(v, str) else v for k, v in (value[maker] or {}).items()}
    try:
        made = makers[maker](**given)
    except TypeError as error:
        raise CourseError(
            f"{recipe.where(recipe.method, name, maker)}: {maker} refuses this ({error}).", "See its arguments."
        ) from None
    if name == "reward" and maker == "load_reward":
        from .rollouts import reward_from

        return reward_from(*made)
    return _chosen(recipe, name, value, made) if name in ("data", "prompts") else made


def _named(recipe: Recipe, value: str) -> str:
    """A path as it is meant: a relative one that is there, or that begins with a dot, begins at the recipe's folder."""
    place = recipe._place(value)
    return str(place) if place.exists() or value.startswith((".", "~")) else value


def _chosen(recipe: Recipe, name: str, value: dict, made: Any) -> Any:
    """The split and so many rows of it, drawn with `seed`; the first where none is given."""
    from datasets import Dataset, DatasetDict

    if isinstance(made, (DatasetDict, dict)):
        split = value.get("split", "train")
        if split not in made:
            raise CourseError(
                f"{recipe.where(recipe.method, name, 'split')}: there is no split {split!r}.",
                f"There are {', '.join(made)}.",
            )
        made = made[split]
    elif not isinstance(made, Dataset):
        made = Dataset.from_list(list(made))
    count = value.get("count")
    if count is None:
        return made
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= len(made):
        raise CourseError(
            f"{recipe.where(recipe.method, name, 'count')}: count is {count!r}, and there are {len(made):,}.",
            "Give as many or fewer, or none for all.",
        )
    return (made.shuffle(value["seed"]) if "seed" in value else made).select(range(count))


def _check_empty(recipe: Recipe) -> None:
    """Raises `CourseError` for an output_dir that holds something, unless a run is to be resumed in it."""
    folder = recipe.output_dir
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"{folder} is a file.", "Name another output_dir.")
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    finished = RECORD in there
    if there and (finished or recipe.arguments.get("resume") is not True):
        raise CourseError(
            f"{recipe.where(recipe.method, 'output_dir')}: {folder} holds {', '.join(there[:3])}, and nothing is written over.",
            "Name another output_dir."
            if finished
            else "Name another output_dir, or go on with the stopped run in it: resume: true.",
        )


def _write(recipe: Recipe, finished: Run) -> None:
    """The weights, the recipe and the record of a run."""
    from ..base.hardware import computed_on
    from ..models.adapters import save_adapter
    from ..models.reward_model import save_reward
    from .run import has_adapter

    folder = recipe.output_dir
    if recipe.method == "train_reward":
        save_reward(finished.model, folder / "reward")
    elif has_adapter(finished.model):
        save_adapter(finished.model, folder / "adapter")
    else:
        finished.model.save_pretrained(folder / "model", safe_serialization=True)
        finished.tokenizer.save_pretrained(folder / "model")
    write_text(folder / CONFIG, recipe.path.read_text(encoding="utf-8-sig"))
    told = {
        "method": recipe.method,
        "processes": recipe.processes,
        "hardware": computed_on(),
        "rows": finished.rows,
        "seconds": round(finished.seconds, 1),
        "trainable_parameters": finished.trainable_parameters,
        "learning_rate": finished.learning_rate,
        "seed": finished.seed,
        "losses": finished.losses,
    }
    write_text(folder / RECORD, json.dumps(told, indent=1) + "\n")
