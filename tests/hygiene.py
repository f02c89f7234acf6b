"""Checks of notebooks and pages: each function returns what is wrong, one sentence a fault, and an empty list when all is well."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
from markdown_it import MarkdownIt

LINES = 20  # in a code cell, at most

# A dot or hyphen in brackets, so that no pattern matches its own text.
TOKENS = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\bsk[-][\w-]{16,}|\bgh[oprsu]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}")
MACHINE = re.compile(r"/(?:home|root|Users|tmp|work)/|\bC:\\|\b[A-Z]:\\+[A-Z]")
FORBIDDEN = re.compile(r"trust_remote_code['\"]?\s*[=:]\s*True|\b\w*login\(|\bpickle\.loads?\(")
REGISTRY = re.compile(
    r"pypi[.]org|pythonhosted[.]org|anaconda[.](?:org|com)|download[.]pytorch[.]org|npmjs[.]|crates[.]io"
    r"|rubygems[.]org|proxy[.]golang[.]org|jfrog[.]io|index[-]url"
)
PICKLED = (".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib")
TIMING = {"execution", "ExecuteTime", "papermill", "execution_time", "duration", "start_time", "end_time"}


def codes(notebook) -> list:
    """The code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pages(notebook) -> list[str]:
    """The sources of the markdown cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def _where(notebook):
    """Each code cell with its place among the code cells, for messages."""
    return [(f"code cell {number}", cell) for number, cell in enumerate(codes(notebook), 1)]


def _texts(notebook):
    """Everything in a notebook that is text: sources, printed text, text outputs, metadata; images are left out."""
    yield "metadata", json.dumps(notebook.metadata)
    for number, cell in enumerate(notebook.cells):
        where = f"cell {number}"
        yield where, cell.source
        yield f"{where}, metadata", json.dumps(cell.metadata)
        for output in cell.get("outputs", []):
            yield f"{where}, output", output.get("text", "") + "\n".join(output.get("traceback", []))
            for kind, data in output.get("data", {}).items():
                if not kind.startswith("image/") or kind.endswith("svg+xml"):
                    yield f"{where}, {kind}", data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def executed_in_order(notebook) -> list[str]:
    """Run once, from a fresh kernel, from top to bottom."""
    counts = [cell.execution_count for cell in codes(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts are {counts}"]


def no_errors(notebook) -> list[str]:
    """No output is a traceback."""
    return [f"{w}: {o.ename}" for w, cell in _where(notebook) for o in cell.outputs if o.output_type == "error"]


def no_stderr(notebook) -> list[str]:
    """No warning was printed."""
    return [
        f"{w}: stderr {o.text[:80]!r}"
        for w, cell in _where(notebook)
        for o in cell.outputs
        if o.output_type == "stream" and o.name == "stderr"
    ]


def no_widgets(notebook) -> list[str]:
    """No widget state, which GitHub cannot show, and no output that is a widget."""
    found = ["metadata: widgets"] if "widgets" in notebook.metadata else []
    for where, cell in _where(notebook):
        kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
        found += [f"{where}: {kind}" for kind in kinds if "jupyter.widget" in kind]
    return found


def no_timing(notebook) -> list[str]:
    """No metadata about when or how long a cell ran."""
    holders = [("notebook", notebook.metadata)]
    for where, cell in enumerate(notebook.cells):
        holders += [(f"cell {where}", cell.metadata)]
        holders += [(f"cell {where}, output", output.get("metadata", {})) for output in cell.get("outputs", [])]
    return [f"{where}: {key}" for where, metadata in holders for key in sorted(TIMING & set(metadata))]


def figures_have_text(notebook) -> list[str]:
    """Each cell that shows a picture also says in words what it shows; the repr of an object does not count."""
    found = []
    for where, cell in _where(notebook):
        said = [o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
        said += [o.data.get("text/plain", "") for o in cell.outputs if "data" in o]
        summaries = [line for text in said for line in text.splitlines() if _is_sentence(line)]
        pictures = sum(any(kind.startswith("image/") for kind in o.get("data", {})) for o in cell.outputs)
        if pictures > len(summaries):
            found.append(f"{where}: {pictures} figure(s), {len(summaries)} line(s) of summary")
    return found


def _is_sentence(line: str) -> bool:
    line = line.strip().strip("'\"")
    return len(line.split()) >= 4 and not re.match(r"[\[(]*<|\w+\(", line)


def no_tokens(notebook) -> list[str]:
    """No access token of a hub or a host."""
    return [f"{where}: {hit[0][:8]}…" for where, text in _texts(notebook) if (hit := TOKENS.search(text))]


def no_machine_paths(notebook) -> list[str]:
    """No path of the machine on which it was executed."""
    found = [(where, text, MACHINE.search(text)) for where, text in _texts(notebook)]
    return [f"{where}: …{text[hit.start() : hit.start() + 40]!r}" for where, text, hit in found if hit]


def short_cells(notebook) -> list[str]:
    """A code cell fits on a screen."""
    sizes = [(where, len(cell.source.splitlines())) for where, cell in _where(notebook)]
    return [f"{where}: {size} lines" for where, size in sizes if size > LINES]


def nothing_forbidden(notebook) -> list[str]:
    """No code of strangers is run, no login is asked for, nothing is unpickled."""
    return [f"{where}: {said}" for where, cell in _where(notebook) for said in FORBIDDEN.findall(cell.source)]


def one_title_no_jumps(notebook) -> list[str]:
    """Exactly one H1, at the top, and no heading more than one level below the one before."""
    found, last = [], 0
    headings = [heading for page in pages(notebook) for heading in parse(page)["headings"]]
    for level, text in headings:
        if level > last + 1:
            found.append(f"'{text}' is an H{level} after an H{last}")
        last = level
    titles = [text for level, text in headings if level == 1]
    return found if len(titles) == 1 else [*found, f"{len(titles)} H1 headings: {titles}"]


def alt_texts(page: str) -> list[str]:
    """Pictures in markdown, or in HTML inside it, have an alternative text of at least two words."""
    return [f"{address}: alt text {alt!r}" for address, alt in parse(page)["images"] if len(alt.split()) < 2]


def notebook_alt_texts(notebook) -> list[str]:
    """The same for a notebook."""
    return [said for page in pages(notebook) for said in alt_texts(page)]


# ------------------------------------------------------------------ links


@functools.cache
def parse(page: str) -> dict[str, list]:
    """Headings `(level, text)`, links, images `(address, alt)` and the anchors set by hand in a markdown text."""
    found = {"headings": [], "links": [], "images": [], "anchors": []}
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    for before, token in zip([None, *tokens], tokens, strict=False):
        for part in [token] if token.type == "html_block" else token.children or []:
            if part.type == "link_open":
                found["links"].append(unquote(part.attrs["href"]))
            elif part.type == "image":
                found["images"].append((unquote(part.attrs["src"]), part.content.strip()))
            elif part.type in ("html_block", "html_inline"):
                html = part.content
                found["anchors"] += re.findall(r"\b(?:id|name)=[\"']([^\"']+)", html)
                found["links"] += re.findall(r"\bhref=[\"']([^\"']+)", html)
                for tag in re.findall(r"<img\b[^>]*>", html):
                    values = dict(re.findall(r"\b(src|alt)=[\"']([^\"']*)", tag))
                    found["images"].append((values.get("src", ""), values.get("alt", "")))
        if token.type == "inline" and before is not None and before.type == "heading_open":
            text = "".join(part.content for part in token.children if part.type in ("text", "code_inline"))
            found["headings"].append((int(before.tag[1]), text))
    return found


def page_texts(path: Path) -> list[str]:
    """The markdown of a page or a notebook."""
    return pages(nbformat.read(path, 4)) if path.suffix == ".ipynb" else [path.read_text(encoding="utf-8")]


def anchors(path: Path) -> set[str]:
    """What `#…` can point to: in a notebook as Jupyter names headings, on a page as GitHub does."""
    found, seen = set(), {}
    for page in map(parse, page_texts(path)):
        found |= set(page["anchors"])
        for _, text in page["headings"]:
            if path.suffix == ".ipynb":
                found.add(text.replace(" ", "-"))
                continue
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.add(f"{name}-{seen[name]}" if name in seen else name)
            seen[name] = seen.get(name, 0) + 1
    return found


def broken_links(path: Path) -> list[str]:
    """Relative links, pictures and anchors that lead nowhere. Addresses on the web are not asked."""
    found = []
    for page in map(parse, page_texts(path)):
        for address in page["links"] + [source for source, _ in page["images"]]:
            if re.match(r"[a-z]+:", address):
                continue
            name, _, anchor = address.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or not address:
                found.append(f"{address or 'an empty link'}: there is no such file")
            elif anchor and target.suffix in (".md", ".ipynb") and anchor not in anchors(target):
                found.append(f"{address}: there is no such heading")
    return found


# ------------------------------------------------------------------ all lessons together


def wrong_address(notebook, name: str, address: str) -> list[str]:
    """The first cell fetches the repository at `address`, and the Colab badge opens this lesson there."""
    first = codes(notebook)[0].source if codes(notebook) else ""
    found = [] if f'REPOSITORY = "{address}"\n' in first else [f"the first cell does not fetch {address}"]
    owner = address.removeprefix("https://github.com/")
    badge = f"https://colab.research.google.com/github/{owner}/blob/main/notebooks/{name}.ipynb"
    links = {link for page in pages(notebook) for link in parse(page)["links"] if "colab.research" in link}
    return found if links == {badge} else [*found, f"the Colab link is {sorted(links)}, not {badge}"]


def different_first_cells(notebooks: dict) -> list[str]:
    """The first code cell is the same in every lesson, but for the lesson's own name."""
    found, shapes = [], {}
    for name, notebook in notebooks.items():
        first = codes(notebook)[0].source if codes(notebook) else ""
        if f'cl.start("{name}")' not in first:
            found.append(f"{name}: the first cell does not start this lesson")
        shapes.setdefault(first.replace(name, "LESSON"), []).append(name)
    return found if len(shapes) <= 1 else [*found, f"first cells differ: {list(shapes.values())}"]


def pickled_files(names: list[str]) -> list[str]:
    """Committed files of a kind that can run code when loaded."""
    return [name for name in names if name.lower().endswith(PICKLED)]
