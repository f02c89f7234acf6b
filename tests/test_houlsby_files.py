"""Houlsby adapters as files, in `cl.train`, and beside PEFT's: saved with their config, refused elsewhere, trained with the base frozen."""

from __future__ import annotations

import copy
import json

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.models import houlsby

CONFIG = {"bottleneck": 4, "init_std": 1e-2}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """The folders of two tiny models with the course's tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = cl.load_tokenizer()
    found = []
    for seed in range(2):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=256, tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        found.append(tmp_path_factory.mktemp(f"tiny{seed}"))
        LlamaForCausalLM(config).save_pretrained(found[-1])
        tokenizer.save_pretrained(found[-1])
    return found


@pytest.fixture(scope="module")
def trained(places):
    return train(places[0])


def train(place, **options):
    settings = {"learning_rate": 1e-2, "max_steps": 6, "batch_size": 4, "quiet": True} | options
    rows = cl.load_instructions("tone")["train"].select(range(22))
    return cl.train(rows, **({"model": str(place), "peft_config": cl.HoulsbyConfig(**CONFIG)} | settings))


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 25).view(2, 10)).logits


def test_train_moves_the_adapter_and_nothing_else(places, trained):
    base = cl.load_model(str(places[0]))[0]
    after = dict(trained.model.named_parameters())
    assert all(torch.equal(p, after[name]) for name, p in base.named_parameters())
    assert trained.trainable_parameters == houlsby.HoulsbyConfig(**CONFIG).count(16, 2) == 4 * (2 * 4 * 16 + 16 + 4)
    assert all(t.abs().sum() > 0 for t in houlsby.adapter_tensors(trained.model).values())  # biases began at zero
    assert not torch.equal(logits(trained.model), logits(base))
    assert trained.losses[-1] < trained.losses[0]
    assert torch.equal(logits(copy.deepcopy(trained.model)), logits(trained.model))
    assert cl.evaluate(trained, cl.load_instructions("tone")["test"], count=3).n == 3
    assert cl.measure.checkpoint_bytes(trained) == 4 * trained.trainable_parameters


def test_train_goes_on_with_an_adapter_that_is_there(places, trained):
    model = copy.deepcopy(trained.model)
    houlsby.add_adapter(model, cl.HoulsbyConfig(bottleneck=2), "second")
    houlsby.set_adapter(model, ["default", "second"])
    first = {k: t.clone() for k, t in houlsby.adapter_tensors(model).items()}
    run = train(places[0], model=model, peft_config=None, learning_rate=None, max_steps=2)
    assert run.learning_rate == pytest.approx(1.5e-3)  # an adapter's rate, not that of full fine-tuning
    assert all(torch.equal(t, first[k]) for k, t in houlsby.adapter_tensors(model).items())
    assert run.trainable_parameters == cl.HoulsbyConfig(bottleneck=2).count(16, 2)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(places, tmp_path):
    import shutil

    whole = train(places[0], output_dir=tmp_path / "run", save_steps=2)
    shutil.rmtree(tmp_path / "run" / "checkpoint-6")
    again = train(places[0], output_dir=tmp_path / "run", save_steps=2, resume=True)
    assert torch.equal(logits(whole.model), logits(again.model))
    finished = train(places[0], output_dir=tmp_path / "run", save_steps=2, resume=True)
    assert torch.equal(logits(whole.model), logits(finished.model))


def test_saved_small_and_loaded_equal(places, trained, tmp_path):
    folder = cl.save_adapter(trained.model, tmp_path / "a")
    assert sorted(p.name for p in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors", "base.json"]
    size = (folder / "adapter_model.safetensors").stat().st_size
    assert size < 4 * trained.trainable_parameters + 4000  # the tensors and their names
    assert str(places[0]) not in (folder / "adapter_config.json").read_text()
    again, tokenizer = cl.load_adapter(folder, cl.load_model(str(places[0]))[0])
    assert torch.equal(logits(again), logits(trained.model)) and not again.training
    assert cl.generate(again, tokenizer, ["Hello"]) == cl.generate(trained.model, tokenizer, ["Hello"])
    assert not any(p.requires_grad for p in again.parameters())
    cl.load_adapter(folder, again, "twin")
    houlsby.set_adapter(again, "twin")
    assert torch.equal(logits(again), logits(trained.model))


def test_without_its_config_or_with_another_it_is_refused(places, trained, tmp_path):
    folder = cl.save_adapter(trained.model, tmp_path / "a")
    kept = (folder / "adapter_config.json").read_text()
    (folder / "adapter_config.json").unlink()
    with pytest.raises(CourseError, match=r"adapter_config\.json is missing"):
        cl.load_adapter(folder)
    for change, reason in (
        ({"bottleneck": 5}, "does not fit this model"),
        ({"placement": "pfeiffer"}, "does not fit this model"),
        ({"nonlinearity": None}, "lacks nonlinearity"),
    ):
        values = {k: v for k, v in (json.loads(kept) | change).items() if v is not None or k == "layers"}
        (folder / "adapter_config.json").write_text(json.dumps(values))
        model = cl.load_model(str(places[0]))[0]
        with pytest.raises(CourseError, match=reason):
            cl.load_adapter(folder, model)
        assert not houlsby.adapters_of(model)


def test_another_base_is_refused(places, trained, tmp_path):
    folder = cl.save_adapter(trained.model, tmp_path / "a")
    with pytest.raises(CourseError, match="trained on another base"):
        cl.load_adapter(folder, cl.load_model(str(places[1]))[0])


def test_which_of_several_to_save(places, trained, tmp_path):
    model = copy.deepcopy(trained.model)
    houlsby.add_adapter(model, cl.HoulsbyConfig(bottleneck=2, nonlinearity="relu"), "second")
    folder = cl.save_adapter(model, tmp_path / "one")  # the one that is switched on
    assert json.loads((folder / "adapter_config.json").read_text())["nonlinearity"] == "relu"
    houlsby.set_adapter(model, ["default", "second"])
    with pytest.raises(CourseError, match="not clear which adapter"):
        cl.save_adapter(model, tmp_path / "two")
    folder = cl.save_adapter(model, tmp_path / "two", "default")
    assert json.loads((folder / "adapter_config.json").read_text())["bottleneck"] == 4


def test_beside_peft_it_is_refused(places, trained, tmp_path):
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    peft = get_peft_model(cl.load_model(str(places[0]))[0], lora)
    for model in (peft, copy.deepcopy(trained.model)):
        for config in (cl.HoulsbyConfig(**CONFIG), lora):
            with pytest.raises(CourseError, match="already carries an adapter"):
                train(places[0], model=model, peft_config=config)
    folder = cl.save_adapter(peft, tmp_path / "lora")
    with pytest.raises(CourseError, match="already carries an adapter"):
        cl.load_adapter(folder, copy.deepcopy(trained.model))
    with pytest.raises(CourseError, match="cannot be merged"):
        cl.merge(trained.model)
