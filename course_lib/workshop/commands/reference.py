"""The base model and the reference runs: `pretrain`, `probe`, `rebuild`, `sweep`, `bench`."""

from __future__ import annotations

import json
from pathlib import Path

from ...base.errors import CourseError


def add(command) -> None:
    """Their options; `command(name, run, text)` makes the parser of one."""
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


def _pretrain(options) -> None:
    from ..base_recipe import Recipe
    from ..pretrain import pretrain

    seed = options.seed
    recipe = Recipe.of(int(options.tokens), seed=seed) if options.tokens else Recipe(seed=seed)
    folder = pretrain(
        recipe, options.folder, minutes=options.minutes, compile_model=not options.no_compile,
        progress=lambda text: print(text, flush=True),
    )  # fmt: skip
    if options.publish:
        from ..build_data import publish_model

        folder = publish_model(folder)
    print(f"The model is in {folder}")


def _probe(options) -> int:
    from ..probe import Probe, as_json

    say = (lambda text: None) if options.json else (lambda text: print(text, flush=True))
    bars = Probe(options.model, say=say).run()
    if options.json:
        print(as_json(bars, options.details))
    return 0 if all(bar.holds for bar in bars) else 1


def _rebuild(options) -> None:
    from ..rebuild import rebuild

    rebuild(options.first, tokens=options.tokens, fresh=options.fresh)


def _sweep(options) -> None:
    from ...lessons import reference

    if options.model:
        from ...lessons.real.jobs import repeat, sweep
        from ...lessons.real_preferences import column

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


def _bench(options) -> None:
    from .. import bench

    say = (lambda text: None) if options.json else (lambda text: print(text, flush=True))
    scored = 0 if options.json else 300
    asked = {"rows": options.rows, "rounds": options.rounds, "shape": options.shape, "remember": options.remember}
    found = bench.run(**asked, scored=scored, say=say)
    print(found.as_json() if options.json else found)


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
