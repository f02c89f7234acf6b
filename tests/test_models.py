"""Loading: the right dtype, one clear sentence for every bad name, quick answers without a network."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.gazette import corpus, tasks
from course_lib.models import identity, load, names


def test_base_model_loads_as_float32_from_bf16_safetensors(base):
    model, tokenizer = base
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.num_parameters() <= 12_000_000
    from safetensors import safe_open

    path = identity.base_model_folder() / "model.safetensors"
    assert path.stat().st_size <= 25_000_000
    with safe_open(path, "pt") as file:
        assert all(file.get_tensor(name).dtype == torch.bfloat16 for name in file.keys())  # noqa: SIM118
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_plain_transformers_gives_float32_too():
    from transformers import AutoModelForCausalLM

    assert AutoModelForCausalLM.from_pretrained(identity.base_model_folder()).dtype == torch.float32


def test_weights_are_trained_and_write(base):
    model, tokenizer = base
    real = cl.perplexity(model, tokenizer, list(corpus.documents(20, seed=991)))
    shuffled = [" ".join(reversed(text.split())) for text in corpus.documents(20, seed=991)]
    assert 3 * real < cl.perplexity(model, tokenizer, shuffled)


def test_unknown_folder_and_malformed_id():
    for name in ("/nowhere/model", "./nowhere", "justaword", "a/b/c"):
        with pytest.raises(CourseError, match="no folder"):
            cl.load_model(name)


def test_folder_without_a_model(tmp_path):
    with pytest.raises(CourseError, match=r"config\.json is missing"):
        cl.load_model(tmp_path)


def test_hub_switched_off_says_so_at_once():
    started = time.monotonic()
    with pytest.raises(CourseError, match="switched off"):
        cl.load_model("nobody/nothing")
    assert time.monotonic() - started < 5


def test_hub_out_of_reach_answers_within_five_seconds_of_asking(offline_env):
    code = (
        "import time, course_lib as cl\nfrom course_lib.models import load\nfrom huggingface_hub import HfApi\nt = time.monotonic()\n"
        "try:\n    load.resolve_name('nobody/nothing')\nexcept cl.CourseError as e:\n    print(time.monotonic() - t < 5, e.what)"
    )
    env = {**offline_env, "COURSE_MODEL": "nobody/nothing"}
    env.pop("HF_HUB_OFFLINE", None)
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout
    assert out.startswith("True") and "out of reach" in out


def test_a_silent_hub_is_given_up(monkeypatch):
    monkeypatch.setattr(names, "HUB_PATIENCE", 0.2)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *a, **k: time.sleep(3))
    started = time.monotonic()
    with pytest.raises(CourseError, match="out of reach"):
        names.ask_hub("nobody/nothing")
    assert time.monotonic() - started < 2


def test_unknown_hub_model(monkeypatch):
    from huggingface_hub.errors import RepositoryNotFoundError

    def missing(*args, **kwargs):
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", missing)
    with pytest.raises(CourseError, match="knows no model"):
        names.ask_hub("nobody/nothing")


@pytest.fixture()
def copy_of_base(tmp_path):
    target = tmp_path / "base_model"
    shutil.copytree(identity.base_model_folder(), target)
    return target


def test_truncated_altered_and_missing_files_are_named(copy_of_base):
    assert identity.verify_base_model(copy_of_base)
    weights = copy_of_base / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1000])
    with pytest.raises(CourseError, match=r"model\.safetensors has another checksum.*git checkout"):
        identity.verify_base_model(copy_of_base)
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CourseError, match="checksum"):
        identity.verify_base_model(copy_of_base)
    weights.unlink()
    with pytest.raises(CourseError, match=r"model\.safetensors is missing"):
        identity.verify_base_model(copy_of_base)
    (copy_of_base / "checksums.json").unlink()
    with pytest.raises(CourseError, match="missing or incomplete"):
        identity.verify_base_model(copy_of_base)


def test_missing_base_model_folder(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    with pytest.raises(CourseError, match="base model is missing"):
        cl.load_model()


def test_a_truncated_checkpoint_in_another_folder(copy_of_base):
    weights = copy_of_base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(CourseError, match="could not be loaded"):
        cl.load_model(copy_of_base)


def test_course_model_switch(monkeypatch, copy_of_base):
    config = json.loads((copy_of_base / "config.json").read_text())
    monkeypatch.setenv("COURSE_MODEL", str(copy_of_base))
    model, _ = cl.load_model()
    assert model.config.name_or_path == str(copy_of_base)
    assert model.config.hidden_size == config["hidden_size"]


def test_other_architecture_without_chat_template_or_pad(tmp_path, base):
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = copy.deepcopy(base[1])
    tokenizer.chat_template = None
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    model, loaded = cl.load_model(tmp_path)
    assert loaded.chat_template == load.PLAIN_CHAT_TEMPLATE
    assert loaded.pad_token_id not in (None, loaded.eos_token_id)
    assert isinstance(cl.ask(model, loaded, "Say something.", max_new_tokens=3), str)


# ------------------------------------------------------------------ the template and its tokens


def test_answer_tokens_are_the_corpus_tokens(base):
    _, tokenizer = base
    turn = tokenizer.apply_chat_template(
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "positive"}], tokenize=False
    )
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "x"}], tokenize=False, add_generation_prompt=True
    )
    full, start = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (turn, prompt))
    assert full[: len(start)] == start  # the answer begins on a token boundary
    note = tokenizer("Tone: positive", add_special_tokens=False)["input_ids"]
    assert full[len(start)] == note[-1]
    assert full[len(start) + 1] == tokenizer.eos_token_id


def test_every_token_of_template_instructions_and_answers_is_common_in_the_corpus(base):
    """At least 100 occurrences in the training corpus, by the lower end of a 95 % interval from the sample of it that is counted."""
    import collections

    _, tokenizer = base
    sample = 20_000
    log = json.loads((identity.base_model_folder() / "training_log.json").read_text())
    seen: collections.Counter = collections.Counter()
    for encoding in tokenizer.backend_tokenizer.encode_batch_fast(
        list(corpus.documents(sample, log["recipe"]["seed"]))
    ):
        seen.update(encoding.ids)
    scale = log["log"][-1]["tokens"] / sum(seen.values())
    needed: set[int] = set()
    for split in tasks.SPLITS:
        for row in tasks.rows(split, count=60):
            turns = [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]}]
            needed.update(tokenizer(tokenizer.apply_chat_template(turns, tokenize=False))["input_ids"])
    from scipy.stats import chi2

    def rare(ids) -> set[str]:
        """Tokens of which the corpus may hold fewer than 100 (Garwood 1936: the interval of a Poisson count)."""
        surely = {i: scale * chi2.ppf(0.025, 2 * seen[i]) / 2 if seen[i] else 0.0 for i in ids}
        return {tokenizer.convert_ids_to_tokens(i) for i, count in surely.items() if count < 100}

    assert rare(needed) == set()
    unusual = tokenizer("50 % of [#1]", add_special_tokens=False)["input_ids"]
    assert {"%", "#"} <= rare(unusual)  # and it sees tokens that are rare
    assert os.environ.get("COURSE_MODEL") is None


# ------------------------------------------------------------------ adapters


@pytest.fixture()
def adapted(copy_of_base):
    """A LoRA model on a copy of the base, with B away from zero, and the copy's folder."""
    from peft import LoraConfig, get_peft_model

    model, _ = cl.load_model(copy_of_base)
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM")
    made = get_peft_model(model, config).eval()
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return made, copy_of_base


IDS = torch.tensor([[5, 6, 7, 8]])


def test_an_adapter_survives_saving_loading_and_merging(adapted, tmp_path):
    model, place = adapted
    folder = cl.save_adapter(model, tmp_path / "adapter")
    assert sorted(p.name for p in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors", "base.json"]
    assert not any(str(tmp_path) in p.read_text() for p in folder.glob("*.json"))
    again, tokenizer = cl.load_adapter(folder, cl.load_model(place)[0])
    assert tokenizer.pad_token_id is not None and not again.training
    with torch.no_grad():
        wanted = model(input_ids=IDS).logits
        assert torch.equal(again(input_ids=IDS).logits, wanted)
        merged = cl.merge(again)
        assert torch.allclose(merged(input_ids=IDS).logits, wanted, atol=1e-4)
    assert not hasattr(merged, "peft_config")


def test_an_adapter_of_the_courses_base_is_loaded_without_naming_it(tmp_path, base):
    from peft import LoraConfig, get_peft_model

    made = get_peft_model(cl.load_model()[0], LoraConfig(r=2, target_modules=["v_proj"], task_type="CAUSAL_LM"))
    cl.save_adapter(made, tmp_path)
    again, _ = cl.load_adapter(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(input_ids=IDS).logits, base[0](input_ids=IDS).logits)  # B is zero


def test_a_broken_or_incomplete_adapter_is_named(adapted, tmp_path):
    model, place = adapted
    folder = cl.save_adapter(model, tmp_path / "adapter")
    weights = folder / "adapter_model.safetensors"
    content = weights.read_bytes()
    for cut in (content[: len(content) // 2], content[:40], b""):
        weights.write_bytes(cut)
        with pytest.raises(CourseError, match="damaged or cut short"):
            cl.load_adapter(folder, cl.load_model(place)[0])
    weights.unlink()
    (folder / "adapter_model.bin").write_bytes(b"x")
    with pytest.raises(CourseError, match=r"safetensors is missing.*pickled"):
        cl.load_adapter(folder)
    weights.write_bytes(content)
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(CourseError, match="line 1: not JSON"):
        cl.load_adapter(folder)


def test_an_adapter_of_another_base_is_refused(adapted, tmp_path):
    model, place = adapted
    folder = cl.save_adapter(model, tmp_path / "adapter")
    weights = place / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # the same shapes, another training
    with pytest.raises(CourseError, match="trained on another base"):
        cl.load_adapter(folder, cl.load_model(place)[0])
    weights.write_bytes(content)
    (folder / "base.json").unlink()  # an adapter that someone else saved
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1)
    for other in (LlamaForCausalLM(config), GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=2))):
        other.config.name_or_path = str(place)
        with pytest.raises(CourseError, match="does not fit this base"):
            cl.load_adapter(folder, other)


def test_models_with_and_without_an_adapter_are_told_apart(adapted, tmp_path):
    model, place = adapted
    folder = cl.save_adapter(model, tmp_path / "adapter")
    with pytest.raises(CourseError, match="already carries an adapter"):
        cl.load_adapter(folder, model)
    plain = cl.load_model(place)[0]
    for function in (cl.merge, lambda m: cl.save_adapter(m, tmp_path / "none")):
        with pytest.raises(CourseError, match="carries no adapter"):
            function(plain)


def test_virtual_tokens_cannot_be_merged():
    from peft import PromptTuningConfig, get_peft_model

    made = get_peft_model(cl.load_model()[0], PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM"))
    with pytest.raises(CourseError, match="PROMPT_TUNING cannot be merged"):
        cl.merge(made)
