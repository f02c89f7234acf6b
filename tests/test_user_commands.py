"""Commands, folders and terminals as people use them: nothing of theirs is deleted, and no traceback reaches them."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.measure.evaluation import Result
from course_lib.models import identity
from course_lib.workshop import cli, colab, notebooks, pretrain
from course_lib.workshop.base_recipe import Recipe
from course_lib.workshop.commands import lessons

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture()
def elsewhere(tmp_path, monkeypatch):
    """A course home of its own, with the real data and a notebook."""
    home = tmp_path / "home"
    (home / "notebooks").mkdir(parents=True)
    (home / "notebooks" / "06_lora.ipynb").write_text("{}")
    (home / "data").symlink_to(ROOT / "data")
    monkeypatch.setenv("COURSE_HOME", str(home))
    return home


def course(*words, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "course_lib.workshop.cli", *words], capture_output=True, **options)


# ------------------------------------------------------------------ reset


def test_reset_takes_names_of_lessons_only_and_touches_nothing_outside(elsewhere, tmp_path, capsys):
    outside = tmp_path / "mine"
    (outside / "deep").mkdir(parents=True)
    (elsewhere / "runs" / "06_lora").mkdir(parents=True)
    for name in (str(outside), "../../mine", "06_lora/../../../mine", "06_lorra", ".", "..", "", "06_lora/"):
        assert cli.main(["reset", name]) == 1
        told = capsys.readouterr()
        assert "nothing was deleted" in told.err and "06_lora" in told.err and told.out == ""
    assert (outside / "deep").is_dir() and (elsewhere / "runs" / "06_lora").is_dir()


def test_reset_removes_a_link_and_not_what_it_points_to(elsewhere, tmp_path, capsys):
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (elsewhere / "runs").mkdir()
    (elsewhere / "runs" / "06_lora").symlink_to(outside)
    assert cli.main(["reset", "06_lora"]) == 0
    assert not (elsewhere / "runs" / "06_lora").exists() and (outside / "precious").exists()
    shutil.rmtree(elsewhere / "runs")
    (elsewhere / "runs").symlink_to(outside)
    assert cli.main(["reset"]) == 0
    assert not (elsewhere / "runs").exists() and (outside / "precious").exists()


def test_reset_says_when_there_is_nothing(elsewhere, capsys):
    assert cli.main(["reset"]) == 0 and "no runs/ to delete" in capsys.readouterr().out
    assert cli.main(["reset", "06_lora"]) == 0 and "no runs of 06_lora" in capsys.readouterr().out
    assert cli.main(["reset", "05_instruction_tuning"]) == 0  # a lesson without a notebook here is still a lesson


# ------------------------------------------------------------------ files and pipes


def test_corpus_into_a_closed_pipe_ends_quietly():
    command = f"{sys.executable} -m course_lib.workshop.cli corpus --documents 600 | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert done.stderr == "" and done.returncode == 0 and done.stdout.count("\n") == 1


def test_corpus_overwrites_nothing_and_names_a_missing_folder(tmp_path, capsys):
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    assert cli.main(["corpus", "--documents", "1", "--out", str(mine)]) == 1
    assert "exists already" in capsys.readouterr().err and mine.read_text() == "precious"
    assert cli.main(["corpus", "--documents", "1", "--out", str(tmp_path / "nowhere" / "x")]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert cli.main(["corpus", "--documents", "1", "--out", str(mine / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_pretraining_takes_no_folder_that_holds_other_things(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").write_text("x")
    with pytest.raises(CourseError, match="holds other things"):
        pretrain.pretrain(Recipe(), tmp_path)
    assert (tmp_path / "model" / "mine").exists()


def test_an_interrupted_command_and_a_failing_disk_are_one_or_two_lines(monkeypatch, capsys):
    def stop(error):
        def run(options):
            raise error

        return run

    monkeypatch.setattr(lessons, "_doctor", stop(KeyboardInterrupt()))
    assert cli.main(["doctor"]) == 130 and capsys.readouterr().err == "Stopped.\n"
    monkeypatch.setattr(lessons, "_doctor", stop(PermissionError(13, "Permission denied", "runs/x")))
    assert cli.main(["doctor"]) == 1 and capsys.readouterr().err.startswith("runs/x: Permission denied.")


def test_printing_never_raises_whatever_the_terminal(tmp_path):
    code = (
        "import course_lib as cl; from course_lib.base.run import Run\n"
        "print(Run(None, None, None, 1.0, 8, 100, [2.0, 1.0], 1, 2, 1e-3, 0)); print('×–→')"
    )
    env = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env)
    assert done.returncode == 0, done.stderr
    assert b"loss 2.00 ? 1.00" in done.stdout and "×–?".encode("cp1252") in done.stdout


# ------------------------------------------------------------------ folders that cannot be written to


def test_a_run_of_all_notebooks_stops_before_the_work_where_nothing_can_be_kept(elsewhere):
    (elsewhere / "build").write_text("a file where a folder should be")
    with pytest.raises(CourseError, match=r"Nothing can be written to .*build"):
        notebooks.run(say=lambda text: None)
    (elsewhere / "build").unlink()
    (elsewhere / "runs").write_text("a file")
    with pytest.raises(CourseError, match=r"Nothing can be written to .*runs"):
        notebooks.run(say=lambda text: None)


def test_predictions_and_rows_of_the_scoreboard_that_cannot_be_kept_are_one_line(elsewhere, capsys):
    (elsewhere / "runs").write_text("a file")
    cl.start("00_start_here").predict("accuracy", 40)
    row = cl.scoreboard.record("LoRA", None, Result(0.9, 0.85, 0.93, 300, [], []), lesson="06_lora")
    first, second = capsys.readouterr().out.strip().splitlines()
    assert "guess 40 was not kept" in first and "The row was not kept" in second
    assert row["technique"] == "LoRA"


def test_an_output_folder_that_cannot_be_written_to_is_named_before_anything_is_loaded(tmp_path):
    (tmp_path / "file").write_text("x")
    row = {"instruction": "a", "input": "", "output": "b"}
    with pytest.raises(CourseError, match="Nothing can be written to"):
        cl.train([row], model="/nowhere", output_dir=tmp_path / "file" / "run")


# ------------------------------------------------------------------ line ends


def test_a_clone_with_converted_line_ends_keeps_its_checksums(tmp_path):
    inside = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True)
    if inside.returncode:
        pytest.skip("this copy of the course is not a git checkout")
    clone = tmp_path / "clone"
    quiet = ["-c", "advice.detachedHead=false", "-c", "core.autocrlf=true"]
    subprocess.run(["git", *quiet, "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    set_here = subprocess.run(["git", "config", "core.autocrlf", "true"], cwd=clone)
    assert set_here.returncode == 0 and identity.verify_base_model(clone / "data" / "base_model")
    listed = 0
    for listing in sorted((clone / "data").glob("*/checksums.json")):
        for name, digest in json.loads(listing.read_text()).items():
            assert hashlib.sha256((listing.parent / name).read_bytes()).hexdigest() == digest, name
            listed += 1
    assert listed > 15
    assert b"\r\n" not in (clone / "course_lib" / "workshop" / "cli.py").read_bytes()


def test_changed_line_ends_are_named(tmp_path):
    copy = tmp_path / "base_model"
    shutil.copytree(identity.base_model_folder(), copy)
    path = copy / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(CourseError, match=r"line ends of .*tokenizer\.json \(core\.autocrlf\)"):
        identity.verify_base_model(copy)


# ------------------------------------------------------------------ Colab


def test_a_first_cell_that_was_stopped_between_fetching_and_installing_installs_the_next_time(monkeypatch):
    asked = []
    exercise = importlib.import_module("course_lib.lessons.exercise")
    monkeypatch.setattr(exercise.subprocess, "run", lambda command, **given: asked.append((command, given)))
    cl.start("00_start_here")
    assert asked == []  # at home nothing is installed
    monkeypatch.setitem(sys.modules, "google.colab", object())
    cl.start("00_start_here")
    ((command, given),) = asked
    assert command == [sys.executable, str(Path(colab.__file__).resolve())] and given["check"] is True


def test_the_script_that_colab_runs_needs_nothing_installed():
    code = "import runpy, sys; sys.modules['torch'] = None; runpy.run_path(sys.argv[1], run_name='not main')"
    done = subprocess.run([sys.executable, "-S", "-c", code, str(Path(colab.__file__))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_map_of_words_of_other_libraries_names_only_words_that_exist():
    import inspect

    from course_lib.methods.arguments import WORDS
    from course_lib.methods.sft import train

    own = set(inspect.signature(train).parameters)
    for word, here in WORDS.items():
        first = re.match(r"[a-z_]+", here).group()
        if first in own:
            assert word not in own
        else:
            assert first in (
                "max_length",
                "warmup_steps",
                "train_sampling_strategy",
                "none",
                "bf",
                "each",
                "cl",
                "the",
                "trl",
                "data",
            )
