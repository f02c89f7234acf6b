"""The notebooks and pages as committed: executed, clean, readable, linked. The checks stand in hygiene.py and are tested here."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import hygiene
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = ["README.md", "CONTRIBUTING.md", "notebooks/glossary.md", "data/README.md", "course_lib/gazette/README.md"]
CARD = "data/base_model/README.md"  # written with the model
CHECKS = (
    hygiene.executed_in_order,
    hygiene.no_errors,
    hygiene.no_stderr,
    hygiene.no_widgets,
    hygiene.no_timing,
    hygiene.figures_have_text,
    hygiene.no_tokens,
    hygiene.no_machine_paths,
    hygiene.short_cells,
    hygiene.nothing_forbidden,
    hygiene.one_title_no_jumps,
    hygiene.notebook_alt_texts,
)
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def committed():
    """The names of all committed files."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if listed.returncode:
        pytest.skip("this copy of the course is not a git checkout")
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


# ------------------------------------------------------------------ the course as it stands


def test_there_are_notebooks_named_by_number():
    assert NOTEBOOKS
    assert [path.stem[:2] for path in NOTEBOOKS] == sorted({path.stem[:2] for path in NOTEBOOKS})
    assert all(re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem) for path in NOTEBOOKS)


@each_notebook
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_notebook(check, path):
    assert check(nbformat.read(path, 4)) == []


@each_notebook
def test_notebook_is_valid_and_fetches_the_repository(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert hygiene.wrong_address(notebook, path.stem, ADDRESS) == []


def test_first_cells_are_the_same():
    assert hygiene.different_first_cells({path.stem: nbformat.read(path, 4) for path in NOTEBOOKS}) == []


@each_notebook
def test_links_of_notebook_lead_somewhere(path):
    assert hygiene.broken_links(path) == []


@pytest.mark.parametrize("name", [*PAGES, *([CARD] if (ROOT / CARD).exists() else [])])
def test_page_has_working_links_and_alt_texts(name):
    assert hygiene.broken_links(ROOT / name) == []
    assert hygiene.alt_texts((ROOT / name).read_text(encoding="utf-8")) == []


def test_no_pickled_file_is_committed(committed):
    assert hygiene.pickled_files(committed) == []


def test_no_code_asks_for_a_login_or_trusts_strangers(committed):
    sources = [name for name in committed if name.endswith(".py") and not name.startswith("tests/")]
    assert "course_lib/models/load.py" in sources
    found = {name: hygiene.FORBIDDEN.findall((ROOT / name).read_text(encoding="utf-8")) for name in sources}
    assert {name: said for name, said in found.items() if said} == {}


def test_no_package_registry_is_named(committed):
    texts = {name: (ROOT / name).read_bytes().decode("utf-8", errors="replace") for name in committed}
    found = {name: hygiene.REGISTRY.findall(text) for name, text in texts.items()}
    assert {name: said for name, said in found.items() if said} == {}


# ------------------------------------------------------------------ the checks themselves

FIRST = f'import course_lib as cl\n\nREPOSITORY = "{ADDRESS}"\nlesson = cl.start("00_good")'
BADGE = ADDRESS.replace("github.com", "colab.research.google.com/github") + "/blob/main/notebooks/00_good.ipynb"
PICTURE = {"image/png": "aGVsbG8=", "text/plain": "<Figure size 640x480 with 1 Axes>"}
SUMMARY = "Tone: base model 0 %; LoRA 90 %; chance is 33 %.\n"
HTML_PICTURE = '<img src="a.png">'


def shown(*outputs, source="1", **metadata):
    """A code cell with these outputs."""
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def picture():
    return new_output("display_data", data=dict(PICTURE))


def notebook(*cells):
    """A good notebook with these cells behind; a string becomes markdown."""
    top = new_markdown_cell(f"# Good\n\n[![Open In Colab](https://x.org/badge.svg)]({BADGE})\n\n## Part\n\n### Detail")
    more = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    made = new_notebook(cells=[top, new_code_cell(FIRST), shown(picture(), printed(SUMMARY)), *more])
    for number, cell in enumerate(hygiene.codes(made), 1):
        cell.execution_count = number
    return made


def unexecuted():
    made = notebook()
    made.cells[-1].execution_count = None
    return made


def run_twice():
    made = notebook()
    made.cells[-1].execution_count = 7
    return made


def with_widget_state():
    made = notebook()
    made.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    return made


def at(*parts):
    """A path, put together here so that no file of the course holds one."""
    return "/".join(["", *parts])


VIEW = "application/vnd.jupyter.widget-view+json"
ERROR = new_output("error", ename="ValueError", evalue="no", traceback=["no"])
BAD = [
    (hygiene.executed_in_order, unexecuted(), "None"),
    (hygiene.executed_in_order, run_twice(), "[1, 7]"),
    (hygiene.no_errors, notebook(shown(ERROR)), "code cell 3: ValueError"),
    (hygiene.no_stderr, notebook(shown(printed("careful", "stderr"))), "code cell 3: stderr 'careful'"),
    (hygiene.no_widgets, with_widget_state(), "metadata: widgets"),
    (hygiene.no_widgets, notebook(shown(new_output("display_data", data={VIEW: {}}))), VIEW),
    (hygiene.no_timing, notebook(shown(execution={"iopub.execute_input": "2026"})), "cell 3: execution"),
    (hygiene.no_timing, notebook(shown(ExecuteTime={})), "ExecuteTime"),
    (hygiene.figures_have_text, notebook(shown(picture())), "code cell 3: 1 figure(s), 0 line(s)"),
    (hygiene.figures_have_text, notebook(shown(picture(), picture(), printed(SUMMARY))), "2 figure(s), 1 line(s)"),
    (hygiene.figures_have_text, notebook(shown(picture(), printed("[<a.b.Line at 0x1 of c>]"))), "0 line(s)"),
    (hygiene.no_tokens, notebook(shown(source=f"t = 'hf_{'a' * 30}'")), "cell 3: hf_aaaaa"),
    (hygiene.no_tokens, notebook(shown(printed(f"key sk-{'b' * 30}"))), "output: sk-bbbbb"),
    (hygiene.no_tokens, notebook(f"ghp_{'c' * 36}"), "cell 3: ghp_cccc"),
    (hygiene.no_machine_paths, notebook(shown(printed(at("home", "ada", "x.py")))), "output: …"),
    (hygiene.no_machine_paths, notebook(at("root", ".cache")), "cell 3: …"),
    (hygiene.no_machine_paths, notebook(at("Users", "ada")), "cell 3: …"),
    (hygiene.no_machine_paths, notebook(shown(printed(at("tmp", "course-1")))), "output: …"),
    (hygiene.no_machine_paths, notebook(shown(printed(at("work", "course")))), "output: …"),
    (hygiene.no_machine_paths, notebook(shown(printed("C:" + "\\course"))), "output: …"),
    (hygiene.short_cells, notebook(shown(source="1\n" * 21)), "code cell 3: 21 lines"),
    (hygiene.nothing_forbidden, notebook(shown(source="f(trust_remote_code = True)")), "trust_remote_code = True"),
    (hygiene.nothing_forbidden, notebook(shown(source="notebook_login()")), "notebook_login("),
    (hygiene.one_title_no_jumps, notebook("# Another"), "2 H1 headings"),
    (hygiene.one_title_no_jumps, notebook("#### Deep", "###### Deeper"), "'Deeper' is an H6 after an H4"),
    (hygiene.one_title_no_jumps, new_notebook(cells=[new_markdown_cell("No title")]), "0 H1 headings"),
    (hygiene.notebook_alt_texts, notebook("![](a.png)"), "a.png: alt text ''"),
    (hygiene.notebook_alt_texts, notebook(HTML_PICTURE), "a.png: alt text ''"),
    (hygiene.notebook_alt_texts, notebook("![image](a.png)"), "a.png: alt text 'image'"),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_is_content_with_a_good_notebook(check):
    assert (
        check(notebook("`# no heading`\n\n```\n# nor this\n![](x.png)\n```", "A risk-averse_task, `hf_model`.")) == []
    )


@pytest.mark.parametrize(("check", "bad", "said"), BAD, ids=[f"{c.__name__}-{i}" for i, (c, *_) in enumerate(BAD)])
def test_check_complains(check, bad, said):
    complaints = check(bad)
    assert len(complaints) == 1 and said in complaints[0]


def test_every_check_has_been_seen_to_complain():
    assert {check for check, *_ in BAD} == set(CHECKS)


def test_wrong_addresses_are_caught():
    assert hygiene.wrong_address(notebook(), "00_good", ADDRESS) == []
    assert len(hygiene.wrong_address(notebook(), "00_good", "https://github.com/some/fork")) == 2
    assert "Colab link" in hygiene.wrong_address(notebook(), "01_other", ADDRESS)[0]
    assert len(hygiene.wrong_address(new_notebook(), "00_good", ADDRESS)) == 2


def test_a_different_first_cell_is_caught():
    good, copied, other = notebook(), notebook(), notebook()
    copied.cells[1].source = FIRST.replace("00_good", "01_copied")
    other.cells[1].source = FIRST.replace("00_good", "02_other") + "  # changed"
    assert hygiene.different_first_cells({"00_good": good, "01_copied": copied}) == []
    assert "first cells differ" in hygiene.different_first_cells({"00_good": good, "02_other": other})[0]
    assert "01_copied: the first cell" in hygiene.different_first_cells({"01_copied": good})[0]


def test_broken_links_and_anchors_are_caught(tmp_path):
    page, lesson = tmp_path / "page.md", tmp_path / "00_good.ipynb"
    nbformat.write(notebook("## The map, again"), lesson)
    page.write_text(
        "# Top\n## What's `here`?\n## Top\n[a](#whats-here) [b](00_good.ipynb#The-map,-again) [c](#top-1)\n"
    )
    assert hygiene.broken_links(page) == []
    page.write_text("# Top\n[a](gone.md) [b](00_good.ipynb#the-map) [c](#Top) ![d e](no.png) [f](https://x.org/#y)\n")
    said = hygiene.broken_links(page)
    assert [text.split(":")[0] for text in said] == ["gone.md", "00_good.ipynb#the-map", "#Top", "no.png"]
    nbformat.write(notebook("[x](#Part) [y](#part) [z](page.md#top)"), lesson)
    assert hygiene.broken_links(lesson) == ["#part: there is no such heading"]


def test_pickles_and_registries_are_caught():
    assert hygiene.pickled_files(["a.py", "model.safetensors", "b/weights.BIN", "c.pkl"]) == ["b/weights.BIN", "c.pkl"]
    for host in ("pypi.{}", "files.pythonhosted.{}", "conda.anaconda.{}", "download.pytorch.{}"):
        assert hygiene.REGISTRY.search(f"--from https://{host.format('org')}/x")
    assert not hygiene.REGISTRY.search("conda-forge, pip install -r requirements.txt")
