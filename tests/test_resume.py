"""A run that was killed goes on to the same weights, bit for bit; broken checkpoints, other runs and full disks are named."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.methods import checkpoints

pytestmark = pytest.mark.slow

STEPS = {"max_steps": 14, "batch_size": 4, "save_steps": 3, "logging_steps": 1, "quiet": True, "learning_rate": 5e-3}
KINDS = ("full", "lora")

# What the killed process runs: 22 rows make six steps an epoch, so that it dies within the second; it pauses at each step.
SCRIPT = """
import sys, time
import trl
sys.path.insert(0, {tests!r})
from test_resume import STEPS, adapter, rows
import course_lib as cl

inner = trl.SFTTrainer.training_step
def slowly(self, *given, **named):
    print("step", self.state.global_step, flush=True)
    time.sleep(0.3)
    return inner(self, *given, **named)
trl.SFTTrainer.training_step = slowly
cl.train(rows(), model={model!r}, peft_config=adapter({kind!r}), output_dir={folder!r}, **STEPS)
"""


def rows():
    return cl.load_instructions("tone")["train"].select(range(22))


def adapter(kind: str):
    """For LoRA with dropout, so that the state of the random generator matters too."""
    from peft import LoraConfig

    return LoraConfig(r=4, target_modules="all-linear", lora_dropout=0.1) if kind == "lora" else None


def weights(run) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in run.model.named_parameters()}


def same(a, b) -> bool:
    return weights(a).keys() == weights(b).keys() and all(torch.equal(p, weights(b)[n]) for n, p in weights(a).items())


@pytest.fixture(scope="module")
def train(tiny):
    return lambda kind="full", data=None, **given: cl.train(
        rows() if data is None else data, **{"model": str(tiny), "peft_config": adapter(kind)} | STEPS | given
    )


@pytest.fixture(scope="module")
def whole(train):
    """The runs that were never stopped, one a kind, made when first asked for; they save nothing."""
    made = {}
    return lambda kind: made.setdefault(kind, train(kind, save_strategy="no"))


@pytest.fixture(scope="module")
def killed(tiny, tmp_path_factory):
    """kind → the output folder of a run that was killed with SIGKILL after its second checkpoint."""
    made = {}

    def kill(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp("killed") / "run"
            tests = str(Path(__file__).parent)
            code = SCRIPT.format(tests=tests, model=str(tiny), kind=kind, folder=str(folder))
            threads = str(torch.get_num_threads())
            environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )
            for line in process.stdout:
                if line.strip() == "step 8":
                    process.send_signal(signal.SIGKILL)
                    break
            errors = process.communicate()[1]
            assert process.returncode == -signal.SIGKILL, errors
            made[kind] = folder
        return made[kind]

    return kill


@pytest.fixture()
def copied(killed, tmp_path):
    """The same, as a copy that a test may spoil."""
    return lambda kind="full": Path(shutil.copytree(killed(kind), tmp_path / "run"))


@pytest.fixture()
def steps(monkeypatch):
    """The steps that are trained, as they happen."""
    import trl

    done, inner = [], trl.SFTTrainer.training_step

    def counted(self, *given, **named):
        done.append(self.state.global_step)
        return inner(self, *given, **named)

    monkeypatch.setattr(trl.SFTTrainer, "training_step", counted)
    return done


def names(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.glob("checkpoint-*"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_resumes_to_the_same_bits(kind, copied, train, whole, capsys, steps):
    folder = copied(kind)
    assert names(folder) == ["checkpoint-3", "checkpoint-6"]
    expected = whole(kind)
    steps.clear()
    resumed = train(kind, output_dir=folder, resume=True)
    assert steps == list(range(6, 14))  # it went on; it did not begin again
    assert same(resumed, expected)
    assert resumed.losses == expected.losses and resumed.tokens == expected.tokens
    assert names(folder) == ["checkpoint-12", "checkpoint-14"]  # two are kept
    assert capsys.readouterr().out == ""  # nothing was wrong, nothing is said


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_run_is_returned_without_training(kind, train, tmp_path, steps):
    first = train(kind, output_dir=tmp_path / "run", resume=True)  # nothing there: it begins
    assert steps == list(range(14))
    again = train(kind, output_dir=tmp_path / "run", resume=True)
    assert len(steps) == 14
    assert same(first, again) and again.losses == first.losses and again.tokens == first.tokens
    assert not again.model.training and again.rows == 2 * 26  # the last step of each pass is short
    text = {"input_ids": torch.tensor([[5, 6, 7]])}
    with torch.no_grad():
        assert torch.equal(first.model(**text).logits, again.model(**text).logits)


@pytest.mark.parametrize("victim", ["model.safetensors", "optimizer.pt", "trainer_state.json", checkpoints.SEAL])
def test_a_broken_newest_checkpoint_falls_back_to_the_one_before(victim, copied, train, whole, capsys, steps):
    folder, expected = copied(), whole("full")
    steps.clear()
    path = folder / "checkpoint-6" / victim
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert same(train(output_dir=folder, resume=True), expected)
    assert steps == list(range(3, 14))
    said = capsys.readouterr().out.strip()
    assert str(folder / "checkpoint-6") in said and victim in said and said.endswith("the one before it is tried.")
    assert said.count("\n") == 0


def test_when_all_are_broken_it_starts_from_the_beginning_and_says_so(copied, train, whole, capsys):
    folder = copied("lora")
    (folder / "checkpoint-6" / "adapter_model.safetensors").unlink()
    (folder / "checkpoint-3" / checkpoints.SEAL).rename(
        folder / "checkpoint-3" / checkpoints.BEGUN
    )  # as if killed while it was saved
    assert same(train("lora", output_dir=folder, resume=True), whole("lora"))
    first, second = capsys.readouterr().out.strip().splitlines()
    assert "adapter_model.safetensors is missing; the one before it is tried" in first
    assert "it was never finished; training starts from the beginning" in second


def test_another_run_is_refused(copied, train, tiny, tmp_path):
    from transformers import AutoModelForCausalLM

    folder = copied()
    with pytest.raises(CourseError, match=r"another run; they differ in learning_rate \(there 0.005, here 0.001\)"):
        train(output_dir=folder, resume=True, learning_rate=1e-3)
    with pytest.raises(CourseError, match="differ in rows"):
        train(data=cl.load_instructions("tone")["train"].select(range(1, 23)), output_dir=folder, resume=True)
    with pytest.raises(CourseError, match="differ in adapter"):
        train("lora", output_dir=folder, resume=True)
    other = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        other.model.norm.weight[3] += 1e-3
    with pytest.raises(CourseError, match="differ in base model"):
        train(model=other, tokenizer=cl.load_tokenizer(), output_dir=folder, resume=True)
    assert names(folder) == ["checkpoint-3", "checkpoint-6"]  # nothing was touched


def test_resume_needs_a_folder(train):
    with pytest.raises(CourseError, match="needs an output_dir"):
        train(resume=True)


def test_a_full_disk_is_named_before_anything_is_written(train, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**7, 10**7))
    with pytest.raises(CourseError, match=r"is too full: 3 checkpoints of 2\d MB need 6\d MB, and 10 MB are free"):
        train(output_dir=tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_disk_that_fills_up_during_the_run_leaves_whole_checkpoints(train, whole, tmp_path, monkeypatch):
    usage, free = namedtuple("usage", "total used free"), iter([10**12, 10**12, 10**12, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, next(free)))
    with pytest.raises(CourseError, match="and 0 MB are free"):
        train(output_dir=tmp_path / "run")
    monkeypatch.undo()
    assert [checkpoints.fault(f) for f in (tmp_path / "run").glob("checkpoint-*")] == [None, None]
    assert same(train(output_dir=tmp_path / "run", resume=True), whole("full"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_covers_a_checkpoint_and_not_much_more(kind, killed, train):
    run = train(kind, save_strategy="no", max_steps=1)
    taken = sum(f.stat().st_size for f in (killed(kind) / "checkpoint-6").iterdir())
    assert taken <= checkpoints.estimate(run.model) <= taken + checkpoints.SPARE


def test_the_seal_is_the_same_in_every_process(killed, train, tiny, tmp_path):
    """A fingerprint with a set in it, printed in the order of its hashes, would refuse every resume."""
    import json

    train("lora", output_dir=tmp_path / "run", max_steps=14, save_steps=14)
    seals = [next(folder.glob(f"checkpoint-*/{checkpoints.SEAL}")) for folder in (killed("lora"), tmp_path / "run")]
    first, second = (json.loads(s.read_text())["run"] for s in seals)
    assert first == second and "adapter target_modules" in first
