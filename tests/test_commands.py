"""The commands: doctor, run, address, reset, setup; each fault in one clear sentence; the import is instant."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import nbformat
import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.lessons.lesson_10_peft_compared.setting import METHODS
from course_lib.measure import scoreboard
from course_lib.measure.evaluation import Result
from course_lib.measure.statistics import Interval
from course_lib.workshop import cli, doctor, notebooks

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "matplotlib", "numpy")


@pytest.fixture()
def elsewhere(tmp_path, monkeypatch):
    """A course home of its own, with the real model and data but its own runs and notebooks."""
    home = tmp_path / "home"
    (home / "notebooks").mkdir(parents=True)
    (home / "data").symlink_to(ROOT / "data")
    (home / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    monkeypatch.setenv("COURSE_HOME", str(home))
    return home


def test_import_loads_nothing_heavy():
    code = f"import sys, course_lib; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_front_page_needs_no_torch_and_depends_on_the_name():
    code = "import sys, course_lib as cl; print(cl.gazette.front_page_for('Ada')); assert 'torch' not in sys.modules"
    first = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert first.strip() == cl.gazette.front_page_for("Ada")
    assert cl.gazette.front_page_for("Ada") != cl.gazette.front_page_for("Bo")


def test_the_public_names_exist_and_an_unknown_one_lists_them():
    for name in cl.__all__:
        assert getattr(cl, name) is not None
    with pytest.raises(AttributeError, match="has no 'nonsense'; it has"):
        cl.nonsense  # noqa: B018


# ------------------------------------------------------------------ doctor and setup


def test_doctor_is_content_here_and_says_what_is_wrong_elsewhere(monkeypatch, capsys):
    assert doctor.run()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.CHECKS) and all(line.startswith("[ok]") for line in lines)
    monkeypatch.setattr(doctor, "CHECKS", (lambda: doctor.check_python((3, 9, 1)), lambda: doctor.check_disk(0.5)))
    assert not doctor.run()
    python, disk = capsys.readouterr().out.splitlines()
    assert python == "[fail] Python 3.9.1 is too old. Install Python 3.11 or newer and make a new environment."
    assert disk.startswith("[fail] Only 0.5 GB are free")


def test_doctor_names_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package"))
    with pytest.raises(CourseError, match=r"Not installed: no-such-package.*pip install -r requirements.txt"):
        doctor.check_packages()


def test_doctor_asks_no_editor_of_colab_and_never_tells_it_to_install_torch_anew(monkeypatch):
    from importlib import metadata

    have = metadata.version
    gone = {"jupyterlab", "nbval"}

    def version(name):
        if name in gone:
            raise metadata.PackageNotFoundError(name)
        return have(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    with pytest.raises(CourseError, match=r"jupyterlab, nbval.*requirements\.txt"):
        doctor.check_packages()
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert doctor.check_packages().startswith("packages")
    gone.add("trl")
    with pytest.raises(CourseError, match=r"trl.*first cell") as found:
        doctor.check_packages()
    assert "requirements.txt" not in str(found.value)


def test_doctor_reports_little_memory(monkeypatch):
    import psutil

    few = namedtuple("few", "available")(1e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: few)
    with pytest.raises(CourseError, match=r"Only 1.0 GB of memory"):
        doctor.check_memory()


def test_setup_names_an_old_python_and_a_missing_venv_module():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import setup
    finally:
        sys.path.pop(0)
    assert setup.fault((3, 9, 2), True).startswith("Python 3.9.2 is too old")
    assert "no venv module" in setup.fault((3, 12, 0), False)
    assert setup.fault((3, 11, 0), True) == ""


def test_setup_parses_on_an_old_python():
    import ast

    ast.parse((ROOT / "tools" / "setup.py").read_text(), feature_version=(3, 6))


def test_a_course_error_is_two_lines_on_stderr_and_status_1(capsys):
    assert cli.main(["rebuild", "--from", "nowhere"]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "Unknown step 'nowhere'.",
        "The steps, in order, are: world, base, card, reference, notebooks.",
    ]


def test_home_without_data_says_where_it_looked(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    with pytest.raises(CourseError, match=r"data folder was not found in .*COURSE_HOME"):
        cl.home()


# ------------------------------------------------------------------ running notebooks


def write_notebook(folder: Path, name: str, *sources: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.mark.slow
def test_run_writes_copies_index_and_scoreboard(elsewhere, capsys):
    write_notebook(elsewhere / "notebooks", "00_start_here", "print(6 * 7)")
    assert cli.main(["run"]) == 0
    out = elsewhere / "build" / "course"
    executed = nbformat.read(out / "00_start_here.ipynb", 4)
    assert executed.cells[0].outputs[0]["text"] == "42\n"
    assert "42" in (out / "00_start_here.html").read_text()
    index = (out / "index.html").read_text()
    assert "00_start_here.html" in index and "http" not in index
    assert isinstance(json.loads((out / "scoreboard.json").read_text()), list)
    assert "[1/1] 00_start_here" in capsys.readouterr().out


@pytest.mark.slow
def test_run_names_notebook_and_cell_that_failed(elsewhere, capsys):
    write_notebook(elsewhere / "notebooks", "00_start_here", "1", "1 / 0", "print('never')")
    assert cli.main(["run"]) == 1
    assert "FAILED: 00_start_here.ipynb, code cell 2: ZeroDivisionError" in capsys.readouterr().out
    assert "Stopped" in (elsewhere / "build" / "course" / "index.html").read_text()


def test_run_of_an_unknown_notebook(elsewhere):
    write_notebook(elsewhere / "notebooks", "00_start_here", "1")
    with pytest.raises(CourseError, match=r"no notebook 77_x.*00_start_here"):
        notebooks.run(["77_x"])


def test_address_changes_pyproject_first_cell_and_badge(elsewhere):
    repository = notebooks.address()
    badge = repository.replace("https://github.com", "https://colab.research.google.com/github")
    path = write_notebook(
        elsewhere / "notebooks", "00_start_here", f'R = "{repository}"', f"# {badge}/blob/main/x.ipynb"
    )
    with pytest.raises(CourseError, match="not the address"):
        notebooks.set_address("somewhere")
    assert len(notebooks.set_address("https://github.com/me/mine/")) == 2
    assert notebooks.address() == "https://github.com/me/mine"
    text = path.read_text()
    assert "https://github.com/me/mine" in text and "github/me/mine/blob" in text and repository not in text


# ------------------------------------------------------------------ scoreboard


def test_a_row_is_kept_replaced_and_shown(elsewhere, monkeypatch):
    good = Result(0.9, 0.85, 0.93, 300, [], [])
    cl.scoreboard.record("LoRA", None, good, lesson="06_lora")
    row = cl.scoreboard.record("LoRA", None, Result(0.95, 0.9, 0.97, 300, [], []), lesson="06_lora", in_the_wild=good)
    own = scoreboard.rows(scoreboard.student_file())
    assert own == [json.loads(json.dumps(row))] and set(row) == set(scoreboard.COLUMNS)
    assert "| 06_lora | LoRA | 95.0 | 90.0–97.0 | 300 | 90.0 |" in scoreboard.table(own)
    monkeypatch.setattr(scoreboard, "base_sha256", lambda: "another")
    assert "LoRA (old base)" in scoreboard.table(own)


def test_a_policy_has_its_true_score_win_rate_and_kl_and_no_accuracy(elsewhere, tmp_path):
    gold, won, drift = Interval(0.164, 0.132, 0.196), Interval(0.65, 0.57, 0.73), Interval(3.21, 2.5, 3.9)
    for result in (gold, None):
        row = cl.scoreboard.record("DPO", None, result, lesson="13_dpo", gold=gold, win_rate=won, kl=drift)
        assert set(row["metrics"]) == {"gold", "win_rate", "kl"}
    head, _, line = scoreboard.table([row]).splitlines()
    assert "accuracy" not in head and "true score | win rate, % | KL, nats" in head
    assert "| 13_dpo | DPO | 0.16 (0.13 to 0.20) | 65 (57 to 73) | 3.2 (2.5 to 3.9) |" in line
    good = cl.scoreboard.record("LoRA", None, Result(0.9, 0.85, 0.93, 300, [], []), lesson="06_lora")
    both = scoreboard.table([row, good]).splitlines()
    assert "| 13_dpo | DPO | – | – | – | 0.16" in both[2] and "| 90.0 | 85.0–93.0 | 300 | – | – | – |" in both[3]
    said = cl.plots.scoreboard([row, good], tmp_path / "s.png")
    assert "LoRA 90 %" in said and "true scores: DPO 0.16" in said
    with pytest.raises(CourseError, match="no result to record"):
        cl.scoreboard.record("DPO", None, None, lesson="13_dpo")


def test_reset_deletes_one_lesson_or_all(elsewhere, capsys):
    good = Result(0.9, 0.85, 0.93, 300, [], [])
    for lesson in ("06_lora", "07_qlora"):
        cl.scoreboard.record("LoRA", None, good, lesson=lesson)
    assert cli.main(["reset", "06_lora"]) == 0
    assert [r["lesson"] for r in scoreboard.rows(scoreboard.student_file())] == ["07_qlora"]
    assert cli.main(["reset"]) == 0
    assert not (elsewhere / "runs").exists()


def test_a_broken_scoreboard_line_is_named(elsewhere):
    scoreboard.student_file().parent.mkdir(parents=True)
    scoreboard.student_file().write_text("{}\n")
    with pytest.raises(CourseError, match=r"scoreboard.jsonl has 1 bad line of 1: line 1: no run_id"):
        scoreboard.rows(scoreboard.student_file())


def test_figures_return_their_summary(tmp_path):
    results = {"base model": Result(0.0, 0.0, 0.01, 300, [], []), "LoRA": Result(0.9, 0.85, 0.93, 300, [], [])}
    said = cl.plots.accuracies(results, chance=1 / 3, title="Tone", path=tmp_path / "a.png")
    assert said == "Tone: base model 0 % (0–1); LoRA 90 % (85–93); chance is 33 %."
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert cl.plots.colour("LoRA r=8") == cl.plots.COLOURS["LoRA"] != cl.plots.colour("something else")
    assert len({cl.plots.colour(method) for method in (*METHODS, "something else")}) == len(METHODS) + 1


# ------------------------------------------------------------------ rebuild


def test_rebuild_runs_in_order_resumes_and_can_start_later(elsewhere, monkeypatch):
    from course_lib.workshop import rebuild

    calls = []
    fail = {"reference"}

    def step(name):
        def run(tokens):
            if name in fail:
                raise CourseError("stopped", "again")
            calls.append(name)

        return run

    for name in rebuild.STEPS:
        monkeypatch.setattr(rebuild, f"_{name}", step(name))
    with pytest.raises(CourseError, match="stopped"):
        rebuild.rebuild("base", say=lambda text: None)
    assert calls == ["base", "card"]
    fail.clear()
    rebuild.rebuild("base", say=lambda text: None)
    assert calls == ["base", "card", "reference", "notebooks"]
    rebuild.rebuild("notebooks", say=lambda text: None)
    assert calls[4:] == ["notebooks"]


def test_publishing_without_a_model_says_so(tmp_path):
    from course_lib.workshop.build_data import publish_model

    with pytest.raises(CourseError, match="no finished model"):
        publish_model(tmp_path)
