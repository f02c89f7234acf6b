"""`train_dpo`: the reference is the policy's start, the loss is the paper's, and pairs that teach nothing are named."""

from __future__ import annotations

import copy
import math
import shutil
import warnings

import pytest

from course_lib.base.errors import CourseError
from course_lib.methods.dpo import LOSSES, to_pairs, train_dpo

PAIRS = {
    "prompt": [f"Say it in one line: item {n} of the day." for n in range(12)],
    "chosen": [f"Item {n} came." for n in range(12)],
    "rejected": [f"You should buy item {n} now!" for n in range(12)],
}


def pairs(**changes):
    """The twelve pairs as a dataset, with columns replaced."""
    from datasets import Dataset

    return Dataset.from_dict(PAIRS | changes)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a model of two small layers and the course's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from course_lib.models.load import load_tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = load_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=128, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, attention_dropout=0.3,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def moved(tiny):
    """A live model whose weights are no longer those that lie under its name, and its tokenizer."""
    import torch

    from course_lib.models.load import load_model

    model, tokenizer = load_model(tiny)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model, tokenizer


def settings(**more):
    return {"max_steps": 2, "batch_size": 4, "quiet": True, "bf16": False} | more


def lora(**more):
    from peft import LoraConfig

    return LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **more)


# ------------------------------------------------------------------ the reference


@pytest.mark.parametrize("adapter", [False, True], ids=["full", "LoRA"])
def test_the_first_loss_is_ln_2_also_after_the_model_has_moved_from_its_name(moved, adapter):
    model, tokenizer = moved
    run = train_dpo(
        pairs(), model=model, tokenizer=tokenizer, peft_config=lora(lora_dropout=0.5) if adapter else None,
        learning_rate=1e-3, **settings(),
    )  # fmt: skip
    assert run.losses[0] == pytest.approx(math.log(2), abs=1e-6)
    assert run.losses[1] < run.losses[0]


def test_trl_alone_takes_the_model_of_that_name_for_reference(moved):
    """The fault that the default guards against; should TRL mend it, this fails and the lesson must be rewritten."""
    from trl import DPOTrainer

    from course_lib.methods.dpo import dpo_config

    model, tokenizer = moved
    config = dpo_config("unused", max_steps=1, per_device_train_batch_size=4, bf16=False)
    trainer = DPOTrainer(model, args=config, train_dataset=to_pairs(pairs()), processing_class=tokenizer)
    trainer.train()
    assert abs(trainer.state.log_history[0]["loss"] - math.log(2)) > 0.01


def test_another_reference_is_used_and_left_as_it_was(moved, tiny):
    import torch

    from course_lib.models.load import load_model

    model, tokenizer = moved
    reference, _ = load_model(tiny)
    before = copy.deepcopy(reference.state_dict())
    run = train_dpo(pairs(), model=model, tokenizer=tokenizer, reference=reference, **settings())
    assert abs(run.losses[0] - math.log(2)) > 0.01
    assert all(torch.equal(value, before[name]) for name, value in reference.state_dict().items())
    assert "forward" not in reference.__dict__ and "forward" not in run.model.__dict__
    with pytest.raises(CourseError, match="very model that is trained"):
        train_dpo(pairs(), model=model, tokenizer=tokenizer, reference=model, **settings())


def test_a_live_adapter_is_compared_with_its_own_start_and_keeps_one_adapter(moved):
    import torch
    from peft import get_peft_model

    model, tokenizer = moved
    adapted = get_peft_model(model, lora())
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.5)
    run = train_dpo(pairs(), model=adapted, tokenizer=tokenizer, **settings())
    assert run.losses[0] == pytest.approx(math.log(2), abs=1e-6)
    assert list(run.model.peft_config) == ["default"]
    assert run.trainable_parameters == sum(p.numel() for p in run.model.parameters() if p.requires_grad)


# ------------------------------------------------------------------ the run


def test_history_has_both_rewards_and_the_margin_is_their_difference(moved):
    model, tokenizer = moved
    run = train_dpo(pairs(), model=model, tokenizer=tokenizer, learning_rate=1e-3, beta=0.5, **settings(max_steps=3))
    assert [entry["step"] for entry in run.history] == [1, 2, 3]
    assert run.history[0]["rewards/chosen"] == run.history[0]["rewards/rejected"] == 0
    last = run.history[-1]
    assert last["rewards/margins"] == pytest.approx(last["rewards/chosen"] - last["rewards/rejected"], abs=1e-6)
    assert {"logps/chosen", "logps/rejected", "rewards/accuracies", "loss"} <= set(last)
    assert last["rewards/margins"] > 0


def test_bare_text_and_messages_are_the_same(moved):
    model, tokenizer = moved
    told = {
        "prompt": [[{"role": "user", "content": text}] for text in PAIRS["prompt"]],
        "chosen": [[{"role": "assistant", "content": text}] for text in PAIRS["chosen"]],
        "rejected": [[{"role": "assistant", "content": text}] for text in PAIRS["rejected"]],
    }
    runs = [
        train_dpo(rows, model=copy.deepcopy(model), tokenizer=tokenizer, learning_rate=1e-3, **settings())
        for rows in (pairs(), pairs(**told))
    ]
    assert runs[0].losses == runs[1].losses


def test_a_resumed_run_ends_at_the_same_weights(moved, tmp_path):
    import torch

    model, tokenizer = moved
    common = {"tokenizer": tokenizer, "learning_rate": 1e-3} | settings(max_steps=6) | {"save_steps": 2}
    whole = train_dpo(pairs(), model=copy.deepcopy(model), output_dir=tmp_path / "a", **common)
    shutil.rmtree(tmp_path / "a" / "checkpoint-6")  # as if killed after step 4
    assert (tmp_path / "a" / "checkpoint-4").exists()
    again = train_dpo(pairs(), model=copy.deepcopy(model), output_dir=tmp_path / "a", resume=True, **common)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


@pytest.mark.parametrize("loss", [*LOSSES, ["sigmoid", "sft"]], ids=str)
def test_every_loss_that_is_offered_trains(moved, loss):
    model, tokenizer = moved
    smoothing = {"label_smoothing": 0.1} if loss == "robust" else {}
    run = train_dpo(
        pairs(), model=copy.deepcopy(model), tokenizer=tokenizer, loss_type=loss, **settings(max_steps=1), **smoothing
    )
    assert math.isfinite(run.losses[0])


# ------------------------------------------------------------------ rows


def test_missing_columns_are_named():
    with pytest.raises(CourseError, match="rejected is missing"):
        to_pairs(pairs().remove_columns("rejected"))
    with pytest.raises(CourseError, match="load_preferences"):
        to_pairs(pairs().remove_columns("prompt"))
    with pytest.raises(CourseError, match="empty"):
        to_pairs(pairs().select([]))


def test_equal_and_empty_replies_are_named_by_row_and_none_is_skipped():
    chosen, rejected = list(PAIRS["chosen"]), list(PAIRS["rejected"])
    rejected[2] = chosen[2] + " "
    chosen[4] = "  "
    with pytest.raises(
        CourseError, match=r"2 of 12 pairs.*row 2: chosen and rejected are equal.*row 4: chosen is empty"
    ):
        to_pairs(pairs(chosen=chosen, rejected=rejected))
    with pytest.raises(CourseError, match=r"12 of 12 pairs.*and 7 more"):
        to_pairs(pairs(rejected=PAIRS["chosen"]))


def test_scores_that_prefer_the_rejected_reply_raise_the_question_of_a_swap():
    with pytest.warns(UserWarning, match="swapped"):
        to_pairs(pairs(gold_chosen=[0.1] * 12, gold_rejected=[0.9] * 12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_pairs(pairs(gold_chosen=[0.9] * 12, gold_rejected=[0.1] * 12))


def test_pairs_that_would_be_cut_are_refused(moved):
    model, tokenizer = moved
    long = list(PAIRS["chosen"])
    long[6] = "Item after item after item. " * 12
    with pytest.raises(CourseError, match=r"1 of 12 pairs.*row 6"):
        train_dpo(pairs(chosen=long), model=model, tokenizer=tokenizer, max_length=64, **settings())
    with pytest.raises(CourseError, match="12 of 12 pairs"):
        train_dpo(pairs(), model=model, tokenizer=tokenizer, max_length=4, **settings())


def test_arguments_that_make_no_sense_are_refused(tiny):
    with pytest.raises(CourseError, match="Unknown loss 'dpo'"):
        train_dpo(pairs(), model=tiny, loss_type="dpo", **settings())
    with pytest.raises(CourseError, match="beta is 0"):
        train_dpo(pairs(), model=tiny, beta=0, **settings())
    with pytest.raises(CourseError, match="DPOConfig refuses"):
        train_dpo(pairs(), model=tiny, max_prompt_length=10, **settings())
