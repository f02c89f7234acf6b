"""Execute the notebooks in order, with progress, and write what a student takes home to `build/course/`."""

from __future__ import annotations

import html
import json
import os
import time
from pathlib import Path

from ..base.errors import CourseError, NotOnThisModel
from ..base.paths import home
from ..lessons.exercise import lesson_names

CELL_TIMEOUT = 1800  # seconds; a cell of the course takes one minute at most, on a real model ten or so
GITHUB = "https://github.com/"
ROUTES = {"half-day": ("00", "01", "02", "05", "06", "10", "13", "15")}


def route(name: str | None) -> list[str] | None:
    """The lessons of a route, as far as they exist; `None` for no route."""
    return None if name is None else [lesson for lesson in lesson_names() if lesson[:2] in ROUTES[name]]


def address() -> str:
    """The repository's address, from pyproject.toml, its only source."""
    import tomllib

    return tomllib.loads((home() / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def set_address(url: str) -> list[str]:
    """Write another address into pyproject.toml, the first cells and the Colab badges; returns the files that changed."""
    old, new = address(), url.rstrip("/")
    if not new.startswith(GITHUB) or new.count("/") != 4:
        raise CourseError(
            f"'{url}' is not the address of a repository.", "It looks like https://github.com/owner/name."
        )
    changed = []
    for path in [home() / "pyproject.toml", *sorted((home() / "notebooks").glob("*.ipynb"))]:
        text = path.read_text(encoding="utf-8")
        fresh = text.replace(old.removeprefix(GITHUB), new.removeprefix(GITHUB))
        if fresh != text:
            path.write_text(fresh, encoding="utf-8", newline="\n")
            changed.append(path.relative_to(home()).as_posix())
    return changed


def run(names: list[str] | None = None, *, in_place: bool = False, say=print) -> int:
    """Execute notebooks (default: all), each in a fresh kernel; returns 0, or 1 after naming notebook and cell that failed.

    A lesson that stops with `NotOnThisModel` is reported with its sentence, and the next one follows.
    Writes executed copies, `scoreboard.json`, `scoreboard.md`, `scoreboard.png` and `index.html` to `build/course/`; with
    `in_place` the notebooks themselves get the outputs.
    """
    known = lesson_names()
    chosen = [Path(name).stem for name in names or known]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise CourseError(f"There is no notebook {', '.join(unknown)}.", f"The notebooks are: {', '.join(known)}.")
    out = home() / "build" / "course"
    _check_writable(out if not in_place else home() / "notebooks")
    _check_writable(home() / "runs")  # where the lessons keep results
    notes: dict[str, str] = {}  # what the index says beside each lesson
    failure = None
    for number, name in enumerate(chosen, 1):
        source = home() / "notebooks" / f"{name}.ipynb"
        target = source if in_place else out / source.name
        started = time.monotonic()
        failure = execute(source, target, lambda i, n, k=number, f=name: say(_bar(k, len(chosen), f, i, n)))
        notes[name] = f"{time.monotonic() - started:.0f} s"
        if failure and (why := not_on_this_model(failure)):
            notes[name], failure = f"not on this model: {why}", None
        if failure:
            break
        say(f"[{number}/{len(chosen)}] {name}  {notes[name]}")
    if not in_place:
        write_index(out, notes, failure)
        say(f"Open {(out / 'index.html').relative_to(home())}")
    if failure:
        say(f"FAILED: {failure}")
    return 1 if failure else 0


def _check_writable(folder: Path) -> None:
    """Raises `CourseError` before an hour of work whose results could not be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".course_can_write_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CourseError(
            f"Nothing can be written to {folder} ({error.strerror}).",
            "Copy the course to a folder of your own and run it there (or set COURSE_HOME to such a copy).",
        ) from None


def not_on_this_model(failure: str) -> str | None:
    """The lesson's sentence on why it does not go on with the chosen model, where that is what `execute` found, else `None`."""
    _, stopped, why = failure.partition(f"{NotOnThisModel.__name__}: ")
    return why.removesuffix(NotOnThisModel.ADVICE).strip() if stopped else None


def _bar(number: int, total: int, name: str, cell: int, cells: int) -> str:
    filled = round(20 * cell / cells)
    return f"[{number}/{total}] {name}  [{'#' * filled}{'.' * (20 - filled)}] cell {cell} of {cells}"


def execute(source: Path, target: Path, progress=None) -> str | None:
    """Run one notebook from a fresh kernel and write it with its outputs; returns `None`, or what failed and where."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(source, as_version=4)
    codes = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    last = {"cell": 0}

    def started(cell, cell_index, **_):
        last["cell"] = codes.index(cell_index) + 1 if cell_index in codes else last["cell"]
        if progress and (last["cell"] % 6 == 0 or last["cell"] == 1):
            progress(last["cell"], len(codes))

    client = NotebookClient(
        notebook, timeout=CELL_TIMEOUT, kernel_name="python3", on_cell_start=started,
        resources={"metadata": {"path": str(source.parent)}},
    )  # fmt: skip
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    failure = None
    try:
        client.execute()
    except CellExecutionError as error:
        failure = f"{source.name}, code cell {last['cell']}: {error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        failure = f"{source.name}, code cell {last['cell']}: {type(error).__name__}"
    clean(notebook)
    nbformat.write(notebook, target)
    return failure


def clean(notebook) -> None:
    """Keep outputs, drop what changes from run to run or from machine to machine: timings, ids of displays, widget state."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        if cell.cell_type != "code":
            continue
        merged = []
        for output in cell.outputs:
            output.get("metadata", {}).clear()
            if merged and output.output_type == "stream" and merged[-1].get("name") == output.get("name"):
                merged[-1]["text"] += output["text"]
            else:
                merged.append(output)
        cell.outputs = merged


def write_index(out: Path, notes: dict[str, str], failure: str | None) -> None:
    """`index.html`: the executed notebooks, the scoreboard and its figure, readable without a server or a network."""
    from nbconvert import HTMLExporter

    from ..measure import plots, scoreboard

    rows = scoreboard.rows()
    (out / "scoreboard.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (out / "scoreboard.md").write_text(scoreboard.table(rows) + "\n", encoding="utf-8")
    summary = plots.scoreboard(rows, out / "scoreboard.png") if rows else "No runs yet."
    exporter = HTMLExporter(template_name="basic")
    lessons = []
    for name, note in notes.items():
        body, _ = exporter.from_filename(str(out / f"{name}.ipynb"))
        page = f"<meta charset='utf-8'><title>{name}</title><style>{STYLE}</style><main>{body}</main>"
        (out / f"{name}.html").write_text(page, encoding="utf-8")
        lessons.append(f"<li><a href='{name}.html'>{name}</a> <small>{html.escape(note)}</small></li>")
    figure = "<img src='scoreboard.png' alt='" + html.escape(summary, quote=True) + "'>" if rows else ""
    table = _html_table(scoreboard.table(rows))
    warning = f"<p><strong>Stopped: {html.escape(failure)}</strong></p>" if failure else ""
    (out / "index.html").write_text(
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Your run of the course</title><style>{STYLE}</style>"
        f"<main><h1>Your run of the course</h1>{warning}<h2>Lessons</h2><ul>{''.join(lessons)}</ul>"
        f"<h2>Scoreboard</h2>{figure}<p>{html.escape(summary)}</p>{table}</main></html>\n",
        encoding="utf-8",
    )


def _html_table(markdown: str) -> str:
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in markdown.splitlines()]
    head = "".join(f"<th>{html.escape(c)}</th>" for c in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows[2:])
    return f"<table><tr>{head}</tr>{body}</table>"


STYLE = (
    "body{font:16px/1.5 Georgia,serif;margin:0;color:#222}main{max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}table{border-collapse:collapse;font-size:14px}td,th{border:1px solid #bbb;padding:.2rem .5rem}"
    "pre{background:#f5f5f5;padding:.6rem;overflow-x:auto;font-size:13px}.jp-InputPrompt,.jp-OutputPrompt,.prompt{display:none}"
)
