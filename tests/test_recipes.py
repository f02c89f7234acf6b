"""Recipes: what `course train` reads, refuses and writes; and that two processes do what one does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.base.yaml_lines import read_yaml
from course_lib.methods import recipe
from course_lib.workshop import cli

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "data" / "recipes").glob("*.yaml"))
GOOD = """train:
  model: {model}
  data: {{load_instructions: {{task: tone}}, split: train, count: 40, seed: 0}}
  peft_config:
    LoraConfig: {{r: 4, lora_alpha: 16, target_modules: all-linear, task_type: CAUSAL_LM}}
  batch_size: 8
  learning_rate: 1e-2
  bf16: false
  logging_steps: 1
  output_dir: {out}
processes: {processes}
"""


def written(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def good(folder: Path, model, out: str = "out", processes: int = 1, name: str = "recipe.yaml") -> Path:
    return written(folder, GOOD.format(model=model, out=out, processes=processes), name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_committed_recipe_reads_and_names_what_is_there(path):
    found = recipe.read(path)
    assert found.method in recipe.METHODS and found.output_dir == ROOT / "runs" / "recipes" / path.stem
    rows = recipe._made(found, name := "prompts" if found.method == "train_rl" else "data", found.arguments[name])
    assert len(rows) >= 512
    if "peft_config" in found.arguments:
        assert recipe._made(found, "peft_config", found.arguments["peft_config"]).peft_type


def test_there_is_a_recipe_for_each_kind_of_training():
    assert {recipe.read(path).method for path in EXAMPLES} == set(recipe.METHODS)
    assert {recipe.read(path).processes for path in EXAMPLES} == {1, 2}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  batch_size", "  batch_sise", r"line 6: there is no 'batch_sise' in cl\.train.*Did you mean batch_size\?"),
        ("processes:", "procesess:", r"line 11: there is no 'procesess' in a recipe.*Did you mean processes\?"),
        ("{task: tone}", "{tusk: tone}", r"line 3: there is no 'tusk' in load_instructions.*task"),
        ("LoraConfig", "LoraConfigg", r"line 5: there is no 'LoraConfigg' in peft_config.*LoraConfig"),
        ("lora_alpha", "alpha", r"line 5: there is no 'alpha' in LoraConfig"),
        ("split: train", "spilt: train", r"line 3: there is no 'spilt' in data.*split"),
        ("  bf16: false", "  tokenizer: x", r"line 8: there is no 'tokenizer' in cl\.train.*object of a program"),
        ("  output_dir: out\n", "", r"line 1: train lacks output_dir"),
        ("processes: 1", "processes: two", r"line 11: processes is 'two'"),
        ("processes: 1", "train: {}", r"line 11: 'train' stands there twice \(also in line 1\)"),
        ("processes: 1", "train_dpo: {}", r"names 2 methods"),
        ("  batch_size: 8", "\tbatch_size: 8", r"line 6: not YAML"),
        ("  batch_size: 8", "  batch_size: {a: 1}", r"line 6: batch_size cannot be"),
        ("{load_instructions: {task: tone}, split: train, count: 40, seed: 0}", "mine.jsonl", r"line 3: data cannot be 'mine.jsonl'.*load_instructions"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_key_and_line_and_nothing_is_written(tmp_path, old, new, said):
    path = good(tmp_path, "./model")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(CourseError, match=said):
        recipe.read(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_split_or_a_number_of_rows_that_is_not_there_is_refused(tmp_path, tiny):
    for old, new, said in (
        ("split: train", "split: trian", "line 3: there is no split 'trian'"),
        ("count: 40", "count: 400000", "line 3: count is 400000, and there are"),
    ):
        path = good(tmp_path, tiny)
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(CourseError, match=said):
            recipe.run(path)
        assert not (tmp_path / "out").exists()


def test_numbers_without_a_point_are_numbers_and_quoted_ones_are_text(tmp_path):
    found, lines = read_yaml(written(tmp_path, "a: 1e-4\nb: '1e-4'\nc: [2e3, x]\nd:\n  e: -.5E+2\n"))
    assert found == {"a": 1e-4, "b": "1e-4", "c": [2e3, "x"], "d": {"e": -50.0}}
    assert lines == {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4, ("d", "e"): 5}


def test_no_tag_of_yaml_makes_an_object(tmp_path):
    for value in ("!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!mine {b: 1}"):
        with pytest.raises(CourseError, match=r"recipe\.yaml, line 1: not YAML \(the tag .* makes an object\)"):
            read_yaml(written(tmp_path, f"a: {value}\n"))


def test_check_reads_and_trains_nothing(tmp_path, capsys):
    path = good(tmp_path, "./model", processes=2)
    assert cli.main(["train", str(path), "--check"]) == 0
    assert "cl.train in 2 processes" in capsys.readouterr().out and list(tmp_path.iterdir()) == [path]
    assert cli.main(["train", str(tmp_path / "absent.yaml")]) == 1
    assert "absent.yaml cannot be read" in capsys.readouterr().err


@pytest.mark.slow
def test_a_recipe_does_what_the_call_does_and_never_writes_over_anything(tmp_path, tiny, capsys):
    from peft import LoraConfig
    from safetensors.torch import load_file

    path = good(tmp_path, tiny)
    assert cli.main(["train", str(path)]) == 0
    assert "Written:" in capsys.readouterr().out
    rows = cl.load_instructions("tone")["train"].shuffle(0).select(range(40))
    lora = LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    run = cl.train(rows, model=str(tiny), peft_config=lora, batch_size=8, learning_rate=1e-2, bf16=False, logging_steps=1, quiet=True)  # fmt: skip
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["losses"] == run.losses and told["rows"] == run.rows == 40
    cl.save_adapter(run.model, tmp_path / "mine")
    mine, theirs = (load_file(tmp_path / p / "adapter_model.safetensors") for p in ("mine", "out/adapter"))
    assert mine.keys() == theirs.keys() and all((mine[k] == theirs[k]).all() for k in mine)
    assert (tmp_path / "out" / "recipe.yaml").read_text() == path.read_text()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    for more in ("", "  resume: true\n"):
        path.write_text(path.read_text().replace("processes", more + "processes"))
        assert cli.main(["train", str(path)]) == 1
        assert "nothing is written over" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before


@pytest.mark.slow
def test_a_folder_with_something_of_the_users_is_left_alone(tmp_path, tiny):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(CourseError, match=r"line 10: .*out holds notes\.txt, and nothing is written over"):
        recipe.run(good(tmp_path, tiny))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_a_stopped_run_goes_on_in_its_folder_to_the_same_weights(tmp_path, tiny):
    path = good(tmp_path, tiny)
    path.write_text(path.read_text().replace("  bf16", "  save_steps: 2\n  bf16"))
    out, file = tmp_path / "out", "adapter/adapter_model.safetensors"
    recipe.run(path)
    whole = (out / file).read_bytes()
    for name in ("adapter", "checkpoint-5"):  # as if it had been stopped in step 5
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("run.json", "recipe.yaml"):
        (out / name).unlink()
    with pytest.raises(CourseError, match=r"go on with the stopped run in it: resume: true"):
        recipe.run(path)
    path.write_text(path.read_text().replace("processes", "  resume: true\nprocesses"))
    recipe.run(path)
    assert (out / file).read_bytes() == whole


# ------------------------------------------------------------------ several processes


def launched(*words: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=600, env=environment, cwd=ROOT, **options
    )


def torchrun(path: Path, processes: int = 2) -> subprocess.CompletedProcess:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes))
    return launched(*launcher, "-m", "course_lib.workshop.cli", "train", str(path))


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path, tiny):
    from safetensors.torch import load_file

    one, _ = recipe.run(good(tmp_path, tiny, "one"))
    done = torchrun(good(tmp_path, tiny, "two", 2, "two.yaml"))
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "two" / "run.json").read_text())
    assert told["processes"] == 2 and told["rows"] == 40 and len(told["losses"]) == 5
    assert told["losses"] == pytest.approx(one.losses, abs=1e-4)
    assert told["losses"][-1] < told["losses"][0] - 0.05  # it learns something, so equal is not idle
    mine, theirs = (load_file(tmp_path / p / "adapter" / "adapter_model.safetensors") for p in ("one", "two"))
    assert max((mine[k] - theirs[k]).abs().max().item() for k in mine) < 1e-4
    assert done.stdout.count("Written:") == 1 and done.stdout.count("step    1/5") == 1  # only one process speaks


PAIRS = """{method}:
  model: {model}
  data: {{load_preferences: {{}}, split: train, count: 24, seed: 0}}
  batch_size: 8
  learning_rate: 1e-3
  bf16: false
  logging_steps: 1
  output_dir: {out}
processes: {processes}
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["train_reward", "train_dpo"])
def test_two_processes_give_the_losses_of_one_on_pairs_too(tmp_path, tiny, method):
    told = {"method": method, "model": tiny}
    one, _ = recipe.run(written(tmp_path, PAIRS.format(**told, out="one", processes=1)))
    done = torchrun(written(tmp_path, PAIRS.format(**told, out="two", processes=2), "two.yaml"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "two" / "run.json").read_text())
    assert found["processes"] == 2 and len(found["losses"]) == 3
    assert found["losses"] == pytest.approx(one.losses, abs=1e-4) and len(set(found["losses"])) == 3


@pytest.mark.slow
def test_a_last_step_that_the_rows_do_not_fill_is_said(tmp_path, tiny):
    path = good(tmp_path, tiny, processes=2)
    path.write_text(path.read_text().replace("count: 40", "count: 37").replace("  bf16", "  save_steps: 2\n  bf16"))
    done = torchrun(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("37 rows do not fill steps of 8") == 1
    assert (tmp_path / "out" / "checkpoint-4" / "course_run.json").exists()  # sealed once, by one process


@pytest.mark.slow
def test_a_world_of_another_size_than_the_recipe_says_is_refused_before_anything_is_written(tmp_path, tiny):
    path = good(tmp_path, tiny, processes=2)
    with pytest.raises(
        CourseError, match=r"The world size is 1, and 2 processes were asked for.*torchrun --nproc_per_node 2"
    ):
        recipe.run(path)
    accelerate = launched(
        "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
        "--dynamo_backend", "no", "-m", "course_lib.workshop.cli", "train", str(path),
    )  # fmt: skip
    assert accelerate.returncode != 0 and "The world size is 1" in accelerate.stderr + accelerate.stdout
    alone = torchrun(good(tmp_path, tiny, "other", 1, "one.yaml"))
    assert alone.returncode != 0 and "The world size is 2, and 1 process was asked for" in alone.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "other").exists()


NOTEBOOK = """
from accelerate import PartialState, notebook_launcher
from course_lib.methods import recipe

def job():
    {first}
    try:
        recipe.run({path!r})
    except Exception as error:
        print("REFUSED", error, flush=True)

notebook_launcher(job, num_processes=2, use_port="{port}")
"""


@pytest.mark.slow
def test_two_jobs_of_a_notebook_launcher_that_do_not_know_of_each_other_are_refused(tmp_path, tiny):
    path = good(tmp_path, tiny, processes=2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = written(tmp_path, NOTEBOOK.format(path=str(path), first="PartialState()", port=port), "launch.py")
    done = launched(str(script))
    assert done.stdout.count("REFUSED") == 2 and "The world size is 1, though a launcher speaks of 2" in done.stdout
    assert not (tmp_path / "out").exists()
