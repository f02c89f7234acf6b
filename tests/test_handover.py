"""After the training: a folder that plain transformers loads and that says the same, and a list of what an upload would send."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError

pytestmark = pytest.mark.slow

ROWS = [{"instruction": "Say yes.", "input": f"Lamp {n}.", "output": "yes"} for n in range(8)]


@pytest.fixture(scope="module")
def run():
    from peft import LoraConfig

    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")
    return cl.train(ROWS, peft_config=config, learning_rate=5e-3, epochs=12, quiet=True, bf16=False)


@pytest.fixture()
def saved(run, tmp_path):
    return cl.save_model(run, tmp_path / "mine", data="Eight rows of ours.", licence="mit")


def test_plain_transformers_loads_it_and_it_says_the_same_and_stops(run, saved):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(saved), AutoTokenizer.from_pretrained(saved)
    asked = [{"role": "user", "content": "Lamp 3.\nSay yes."}]
    given = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        out = model.generate(**given, do_sample=False, max_new_tokens=12)[0, given["input_ids"].shape[1] :]
    reply = cl.generate(run.model, run.tokenizer, ["Lamp 3.\nSay yes."], max_new_tokens=12)[0]
    assert tokenizer.decode(out, skip_special_tokens=True) == reply and len(out) < 12
    mine = {name: p.clone() for name, p in run.model.named_parameters()}
    assert any("lora_A" in name for name in mine), "the run's own model keeps its adapter"


SERVE = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"


def test_transformers_serves_the_folder_without_a_network_and_it_says_the_same(run, saved, offline_env):
    for name in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(name, reason='pip install "transformers[serving]"')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        "serve",
        saved.name,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]  # from the folder above, as the lesson types it
    settings = offline_env | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open(saved.parent / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-c", SERVE, *words], cwd=saved.parent, env=settings, stdout=log, stderr=log)  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/health"):
            told = (saved.parent / "log").read_text()
            assert server.poll() is None and time.monotonic() < until, told[-2000:]
            time.sleep(0.5)
        turn = {"role": "user", "content": "Lamp 3.\nSay yes."}
        body = json.dumps({"model": saved.name, "max_tokens": 12, "messages": [turn]}).encode()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=60) as response:
            said = json.load(response)["choices"][0]
    finally:
        server.terminate()
        server.wait(30)
    reply = cl.generate(run.model, run.tokenizer, [turn["content"]], max_new_tokens=12)[0]
    assert said["message"]["content"] == reply and said["finish_reason"] == "stop"


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def test_nothing_is_overwritten(run, saved, tmp_path):
    before = {p.name: p.stat().st_mtime_ns for p in saved.iterdir()}
    with pytest.raises(CourseError, match="holds something already, and nothing is overwritten"):
        cl.save_model(run, saved)
    assert before == {p.name: p.stat().st_mtime_ns for p in saved.iterdir()}
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(CourseError, match=r"holds something already|cannot be saved"):
            cl.save_model(run, place)
    with pytest.raises(CourseError, match="without its tokenizer"):
        cl.save_model(run.model, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_merged_leaves_no_folder(tiny, tmp_path):
    run = cl.train(ROWS, model=str(tiny), peft_config=cl.HoulsbyConfig(), max_steps=1, quiet=True)
    with pytest.raises(CourseError, match="cannot be merged"):
        cl.save_model(run, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_card_says_what_is_known_and_what_is_not(run, saved):
    card = (saved / "README.md").read_text(encoding="utf-8")
    for said in (
        "license: mit",
        "LORA r=4 lora_alpha=8",
        "Eight rows of ours.",
        "Not measured",
        "pipeline(",
        "learning rate, seed",
    ):
        assert said in card
    assert "`data/base_model`, SHA-256" in card, "no path of this machine"
    text = cl.save_model(run, saved.parent / "bare").joinpath("README.md").read_text(encoding="utf-8")
    assert "license: unknown" in text and "Not described." in text

    class Certificate:
        def markdown(self):
            return "## Did it help?\n\nYes."

    told = (
        cl.save_model(run, saved.parent / "told", certificate=Certificate())
        .joinpath("README.md")
        .read_text(encoding="utf-8")
    )
    assert "Yes." in told and "Not measured" not in told


# ------------------------------------------------------------------ what an upload would send


def test_the_list_is_exactly_the_folder(saved):
    plan = cl.upload_plan(saved)
    assert sorted(name for name, _, _ in plan.files) == sorted(p.name for p in saved.iterdir())
    assert all(size == (saved / name).stat().st_size for name, size, _ in plan.files)
    assert plan.remarks == ["the card says that nothing was measured"]
    assert "nothing has been sent" in str(plan) and "hf upload OWNER/NAME mine ." in str(plan)


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("pytorch_model.bin", b"x", "pickled"),
        ("optimizer.pt", b"x", "state of a training"),
        ("rng_state_0.pth", b"x", "state of a training"),
        ("trainer_state.json", b"{}", "state of a training"),
        ("training_args.bin", b"x", "state of a training"),
        ("checkpoint-10/model.txt", b"x", "state of a training"),
        (".env", b"x", "hidden"),
        (".cache/x.json", b"{}", "hidden"),
        ("notes.md", b"my token is " + b"hf_" + b"a" * 20, "access token"),
        ("notes.txt", b"-----BEGIN RSA " + b"PRIVATE KEY-----", "access token or a private key"),
        ("adapter_config.json", b'{"base_model_name_or_path": "/ho' + b'me/ann/models/x"}', "path of this machine"),
        ("adapter_model.safetensors", b"x", "damaged or cut short"),
    ],
)
def test_what_must_not_be_published_is_refused_by_name(saved, name, content, said):
    (saved / name).parent.mkdir(exist_ok=True)
    (saved / name).write_bytes(content)
    with pytest.raises(CourseError, match=f"{name}: .*{said}.*nothing was sent"):
        cl.upload_plan(saved)
    assert (saved / name).exists()


def test_a_link_is_refused(saved, tmp_path):
    (tmp_path / "secret").write_text("x")
    os.symlink(tmp_path / "secret", saved / "notes.txt")
    with pytest.raises(CourseError, match=r"notes\.txt: a link"):
        cl.upload_plan(saved)


def test_what_is_to_be_looked_at(run, tmp_path):
    folder = cl.save_model(run, tmp_path / "mine")
    (folder / "train.jsonl").write_text("{}\n")
    (folder / "modeling.py").write_text("x = 1\n")
    told = "; ".join(cl.upload_plan(folder).remarks)
    assert "names no licence" in told and "train.jsonl hold data" in told and "modeling.py are code" in told
    (folder / "README.md").unlink()
    assert "there is no card" in "; ".join(cl.upload_plan(folder).remarks)
    with pytest.raises(CourseError, match="There is no folder"):
        cl.upload_plan(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CourseError, match="is empty"):
        cl.upload_plan(tmp_path / "empty")
