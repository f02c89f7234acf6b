"""Lessons on a model that is not the course's: another tokenizer and template, another shape, random weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from fresh_notebooks import home_of_its_own

import course_lib as cl
from course_lib.base.errors import NotOnThisModel
from course_lib.models.identity import base_model_folder, base_of, base_sha256, own_model
from course_lib.workshop import cli

ROOT = Path(__file__).resolve().parent.parent
SHORT = ("05_instruction_tuning", "15_choosing_a_technique")  # lessons that train little: all weights, and LoRA
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (  # SmolLM2's: a system turn that nobody wrote, and no space before a text
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """The folder of a small random Llama with a tokenizer, a template and a context of its own."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from course_lib.gazette import corpus

    folder = tmp_path_factory.mktemp("models") / "stranger"
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(corpus.documents(300, seed=0), trainer)
    end, start, stop = SPECIAL
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=start, eos_token=stop, pad_token=end, unk_token=end, chat_template=CHATML
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_own_model_is_the_courses_and_no_other(monkeypatch):
    lesson = cl.start("09_adapters")
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert own_model() and lesson.own_model
    for other in ("smollm2", "nobody/nothing"):
        monkeypatch.setenv("COURSE_MODEL", other)
        assert not own_model() and not lesson.own_model
    monkeypatch.setenv("COURSE_MODEL", str(base_model_folder()))  # the course's own, by its folder
    assert lesson.own_model


def test_a_folder_of_ones_own_has_the_checksum_of_its_weights(stranger, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(stranger))
    assert base_of(cl.load_model()[0]) == {"model": "stranger", "sha256": base_sha256()}
    assert len(base_sha256()) == 64


def test_no_notebook_asks_the_environment_which_model_is_in_use():
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        code = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        assert not [source for source in code if "COURSE_MODEL" in source], f"{path.name}: say lesson.own_model"


def test_a_lesson_says_in_one_sentence_what_it_needs():
    lesson = cl.start("09_adapters")
    lesson.needs([1], "There is no need for this sentence.")
    with pytest.raises(
        NotOnThisModel, match=r"^This model has no template\. Run this lesson on the course's own model"
    ):
        lesson.needs(None, "This model has no template.")


@pytest.mark.slow
def test_run_reports_a_lesson_that_this_model_cannot_do_and_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    stop = "import course_lib as cl\ncl.start('09_adapters').needs(0, 'It has no layers.')"
    for name, sources in {"09_adapters": (stop, "1 / 0"), "10_peft_compared": ("print('all is well here')",)}.items():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    assert cli.main(["run"]) == 0
    said = capsys.readouterr().out
    assert "09_adapters  not on this model: It has no layers.\n" in said
    assert "[2/2] 10_peft_compared  " in said and "FAILED" not in said
    assert "not on this model: It has no layers." in (tmp_path / "build" / "course" / "index.html").read_text()


@pytest.mark.slow
def test_short_lessons_run_on_another_model_from_end_to_end(stranger, tmp_path, offline_env):
    env = {**offline_env, "COURSE_HOME": str(home_of_its_own(tmp_path)), "COURSE_MODEL": str(stranger)}
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(ROOT)])
    command = [sys.executable, "-m", "course_lib.workshop.cli", "run", *SHORT]
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert all(f"] {name}  " in result.stdout for name in SHORT) and "not on this model" not in result.stdout
