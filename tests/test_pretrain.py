"""Pretraining: learns, is killed and goes on to the same weights, survives a damaged checkpoint, keeps one lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
import torch

from course_lib.base.errors import CourseError
from course_lib.gazette.corpus import documents
from course_lib.workshop import base_network, base_text, pretrain
from course_lib.workshop.base_recipe import Recipe

TINY = Recipe(
    cycles=((15_360, 4e-3, 512), (15_360, 1.5e-3, 1024)), vocabulary=512, hidden=64, layers=2, heads=2, kv_heads=1, mlp=64, context=64,
    shorter=((0.5, 32),),
)  # fmt: skip
RUN = """
import json, sys
from pathlib import Path
from course_lib.workshop.base_recipe import Recipe, read_recipe
from course_lib.workshop.pretrain import pretrain
pretrain(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), save_every=10, compile_model=False, progress=lambda t: print(t, flush=True))
"""


def quiet(text):
    pass


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def test_rates_and_row_lengths_follow_the_recipe():
    recipe = Recipe(cycles=((4096 * 1000, 4e-3, 4096), (8192 * 500, 1.5e-3, 8192)))
    rates = [recipe.rate(step) for step in range(1000)]
    assert max(rates) == pytest.approx(4e-3) and rates.index(max(rates)) == 20 - 1
    assert rates[-1] == pytest.approx(recipe.final_rate, rel=0.05)
    assert [recipe.row_length(step) for step in (0, 599, 600, 849, 850, 999)] == [128, 128, 256, 256, 512, 512]
    again = [recipe.rate(step) for step in range(1000, recipe.steps)]
    assert len(again) == 500 and max(again) == pytest.approx(1.5e-3) and again.index(max(again)) == 10 - 1
    assert [recipe.reads(step) for step in (0, 999, 1000, 1499)] == [
        (0, 4096), (999 * 4096, 1000 * 4096), (1000 * 4096, 1002 * 4096), (1998 * 4096, 2000 * 4096),
    ]  # fmt: skip
    assert recipe.reads(recipe.steps)[0] == recipe.tokens
    assert [recipe.row_length(1000 + step) for step in (0, 299, 300, 425, 499)] == [128, 128, 256, 512, 512]


def test_a_smaller_recipe_is_one_cycle():
    small = Recipe.of(2_300_000, seed=3)
    assert small.tokens == 2_300_000 and small.seed == 3
    assert small.cycles == ((2_300_000, *Recipe.cycles[0][1:]),)


@pytest.mark.slow
def test_the_corpus_is_the_documents_in_their_order_however_often_it_is_continued(tmp_path):
    import numpy as np

    tokenizer = base_text.train_tokenizer(tmp_path, TINY, count=500)
    path, sizes = tmp_path / "corpus.bin", []
    for tokens in (100_000, 2_000_000):  # the second goes on where the first ended
        base_text.encode_corpus(path, tokenizer, Recipe.of(tokens), quiet)
        sizes.append(path.stat().st_size // 2)
    assert tokens <= sizes[1] and sizes[0] < sizes[1]
    ids = np.fromfile(path, dtype=np.uint16)
    ends = np.flatnonzero(ids == tokenizer.bos_token_id)
    assert len(ends) == json.loads((tmp_path / "corpus.json").read_text())["documents"]
    for index in (0, 4_999, 5_000, 7_123):
        text = tokenizer.decode(ids[ends[index] + 1 : ends[index + 1]])
        assert text == next(documents(1, 0, index))


def test_muon_in_float32_makes_a_step_nearly_orthogonal():
    torch.manual_seed(0)
    for shape in ((32, 64), (64, 32)):
        out = base_network._orthogonal(torch.randn(shape), (3.4445, -4.775, 2.0315), 5, 1e-7)
        assert out.shape == shape
        values = torch.linalg.svdvals(out)
        assert values.min() > 0.5 and values.max() < 1.5


@pytest.mark.slow
def test_killed_and_resumed_is_bit_identical(tmp_path):
    whole = tmp_path / "whole"
    pretrain.pretrain(TINY, whole, save_every=10, compile_model=False, progress=quiet)
    log = json.loads((whole / "model" / "training_log.json").read_text())["log"]
    assert log[-1]["loss"] < log[0]["loss"]

    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(asdict(TINY)))
    broken = tmp_path / "broken"
    command = [sys.executable, "-c", RUN, str(recipe), str(broken)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("step 40"):
            os.kill(process.pid, signal.SIGKILL)
    process.wait()
    state = json.loads((broken / "last" / "state.json").read_text())
    assert 10 <= state["step"] < 60
    subprocess.run(command, check=True, capture_output=True)
    a, b = weights(whole), weights(broken)
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.slow
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, capsys):
    folder = tmp_path / "run"
    pretrain.pretrain(
        replace(TINY, cycles=((512 * 20, 4e-3, 512),)), folder, save_every=10, compile_model=False, progress=quiet
    )
    last, old = folder / "last", folder / "last.old"
    old.mkdir()
    for file in last.iterdir():
        (old / file.name).write_bytes(file.read_bytes())
    damaged = last / "state.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:100])
    model = base_network.build_model(TINY, pretrain_ends())
    state = pretrain._load_checkpoint(last, model, base_network.build_optimizers(model, TINY))
    assert state["step"] == 20
    assert "damaged" in capsys.readouterr().out


def pretrain_ends():
    from types import SimpleNamespace

    return SimpleNamespace(bos_token_id=0, eos_token_id=2, pad_token_id=3)


def test_another_recipe_in_the_same_folder_is_refused(tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(TINY)))
    with pytest.raises(CourseError, match="another recipe"):
        pretrain.pretrain(replace(TINY, layers=3), tmp_path, progress=quiet)


def test_the_lock_names_the_other_run(tmp_path):
    from filelock import FileLock

    started = time.monotonic()
    with FileLock(tmp_path / "training.lock"), pytest.raises(CourseError, match="Another training command is running"):
        pretrain.pretrain(TINY, tmp_path, progress=quiet)
    assert time.monotonic() - started < 5


def test_no_pickle_in_a_checkpoint(tmp_path):
    model = base_network.build_model(TINY, pretrain_ends())
    pretrain._save_checkpoint(tmp_path / "last", model, base_network.build_optimizers(model, TINY), {"step": 0})
    assert {p.suffix for p in (tmp_path / "last").iterdir()} == {".safetensors", ".json"}


def test_the_planted_circuit_copies_before_any_training_and_an_unplanted_model_does_not(monkeypatch):
    """Random tokens, twice: what stood after the earlier occurrence of the present token is predicted."""

    class Ends:
        bos_token_id, eos_token_id, pad_token_id = 0, 2, 3

    line = torch.randint(4, 2048, (16, 60), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([line, line], 1)

    def copied():
        model = base_network.build_model(Recipe(), Ends)
        with torch.no_grad():
            guesses = model(input_ids=ids).logits[:, 60:-1].argmax(-1)
        return float((guesses == ids[:, 61:]).float().mean())

    assert copied() > 0.8
    monkeypatch.setattr(base_network, "plant_copying", lambda model, seed=0: None)
    assert copied() < 0.05
