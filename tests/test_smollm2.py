"""The whole path on the real weights: load, two LoRA steps, save, reload, merge, generate, quantize. Skipped where they are not there."""

from __future__ import annotations

import pytest

import course_lib as cl
from course_lib.models.identity import fetched_folder

there = (fetched_folder("smollm2") / "checksums.json").exists()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="the real model is not on this machine; course fetch smollm2 brings it"),
]


@pytest.fixture(scope="module")
def lora_run(tmp_path_factory):
    from peft import LoraConfig

    rows = cl.load_instructions("tone")["train"].select(range(8))
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    return cl.train(
        rows, model="smollm2", peft_config=config, learning_rate=1e-3, batch_size=4, max_steps=2, quiet=True
    )


def test_it_is_whole_and_goes_on_as_recorded():
    from course_lib.workshop import fetch

    fetch.verify(fetched_folder("smollm2"))
    model, tokenizer = cl.load_model("smollm2")
    fetch._check_sentence(model, tokenizer)
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)
    assert "4 bits" in (fetched_folder("smollm2") / "README.md").read_text(encoding="utf-8").replace("four", "4")


def test_two_steps_change_what_it_says_and_survive_saving_and_merging(lora_run, tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("COURSE_MODEL", "smollm2")
    ids = lora_run.tokenizer("The ward is open again.", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        trained = lora_run.model(ids).logits
        with lora_run.model.disable_adapter():
            assert not torch.allclose(lora_run.model(ids).logits, trained, atol=1e-3)
        again, _ = cl.load_adapter(cl.save_adapter(lora_run.model, tmp_path / "adapter"))
        assert torch.allclose(again(ids).logits, trained, atol=1e-4)
        merged = cl.merge(again)
        assert torch.allclose(merged(ids).logits, trained, atol=1e-3)
        assert cl.ask(merged, lora_run.tokenizer, "Name one colour.", max_new_tokens=4)


def test_it_runs_in_four_bits():
    import torch

    model, tokenizer = cl.load_model("smollm2", quantization="nf4")
    assert cl.measure.weight_bytes(model) < 0.4 * 538e6
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        assert tokenizer.decode(model(ids).logits[0, -1].argmax()) == " Paris"


def test_a_classifier_on_it_finds_the_end_of_a_padded_row():
    """Its own pad token is its end mark, at which a classifier would stop too early; the fetched folder pads with another."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    folder = fetched_folder("smollm2")
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    tokenizer = cl.load_tokenizer("smollm2")
    chat = [[{"role": "user", "content": "Hello."}], [{"role": "user", "content": "Hello, and a good day to you."}]]
    texts = [tokenizer.apply_chat_template(turns, tokenize=False) for turns in chat]
    with torch.inference_mode():
        alone = model(**tokenizer(texts[0], add_special_tokens=False, return_tensors="pt")).logits
        padded = model(**tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")).logits
    assert torch.allclose(alone[0], padded[0], atol=1e-3)


def test_a_reward_model_of_it_scores_alone_as_in_a_padded_batch():
    from course_lib.models.reward_model import reward_scores, with_scalar_head

    model, tokenizer = with_scalar_head(*cl.load_model("smollm2"))
    assert model.config.pad_token_id == tokenizer.pad_token_id != tokenizer.eos_token_id
    prompts, replies = ["Name a colour.", "Name a town."], ["Red.", "Wellbury lies by the sea, and nobody knows why."]
    together = reward_scores(model, tokenizer, prompts, replies)
    alone = [reward_scores(model, tokenizer, [p], [r])[0] for p, r in zip(prompts, replies, strict=True)]
    assert together == pytest.approx(alone, abs=1e-3) and together[0] != pytest.approx(together[1], abs=1e-3)
