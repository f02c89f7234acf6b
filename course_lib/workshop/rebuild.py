"""`course rebuild`: everything that is derived from the world or the base model, again, in order, resumable.

Replacing the base model is `course rebuild --from base` and a review of `git diff`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from ..base.errors import CourseError
from ..base.paths import home

STEPS = ("world", "base", "card", "reference", "notebooks")


def rebuild(first: str = "world", *, tokens: float | None = None, fresh: bool = False, say: Callable = print) -> None:
    """Run the steps from `first` on. A step that an interrupted rebuild had finished is not repeated, unless `fresh`.

    world: `data/instructions` · base: pretrain and publish · card: probe and model card · reference: the course's own
    scoreboard rows · notebooks: execute all in place. Raises `CourseError` for an unknown step or a notebook that fails.
    """
    if first not in STEPS:
        raise CourseError(f"Unknown step '{first}'.", f"The steps, in order, are: {', '.join(STEPS)}.")
    marks = home() / "build" / "rebuild.json"
    done = json.loads(marks.read_text()) if marks.exists() and not fresh else {}
    if done.get("first") != first:
        done = {"first": first, "steps": []}
    for step in STEPS[STEPS.index(first) :]:
        if step in done["steps"]:
            say(f"{step}: done before")
            continue
        say(f"{step} …")
        {"world": _world, "base": _base, "card": _card, "reference": _reference, "notebooks": _notebooks}[step](tokens)
        done["steps"].append(step)
        marks.parent.mkdir(exist_ok=True)
        marks.write_text(json.dumps(done))
    marks.unlink(missing_ok=True)
    say("Everything is rebuilt. Review what changed: git diff --stat")


def _world(tokens) -> None:
    from .build_data import build

    build()


def _base(tokens) -> None:
    from .base_recipe import Recipe
    from .build_data import publish_model
    from .pretrain import pretrain

    recipe = Recipe.of(int(tokens)) if tokens else Recipe()
    publish_model(pretrain(recipe))


def _card(tokens) -> None:
    from .card import write_card

    write_card()


def _reference(tokens) -> None:
    from ..lessons.lesson_00_start_here.experiments import run_all
    from ..lessons.reference import lessons, sweep

    run_all()
    for lesson in lessons():
        sweep(lesson)


def _notebooks(tokens) -> None:
    from . import notebooks

    if notebooks.run(in_place=True):
        raise CourseError(
            "A notebook failed (named above).", "Fix it and run course rebuild again; it goes on from here."
        )
