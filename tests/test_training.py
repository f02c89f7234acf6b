"""`train`: learns, repeats, leaves the model clean, and refuses what would go wrong silently."""

from __future__ import annotations

import copy

import pytest
import torch

import course_lib as cl
from course_lib.errors import CourseError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows():
    return cl.load_instructions("section")["train"].select(range(64))


@pytest.fixture(scope="module")
def run(rows):
    return cl.train(rows, max_steps=6, quiet=True)


def test_the_loss_falls_and_all_parameters_move(run, base):
    assert run.losses[-1] < run.losses[0]
    assert run.trainable_parameters == run.total_parameters
    before = dict(base[0].named_parameters())
    assert all(not torch.equal(p, before[n]) for n, p in run.model.named_parameters())


def test_the_result_is_in_evaluation_mode_and_float32(run):
    assert not run.model.training
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}


def test_runs_repeat_bit_for_bit(run, rows):
    again = cl.train(rows, max_steps=6, quiet=True)
    for (name, a), (_, b) in zip(run.model.named_parameters(), again.model.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_deep_copy_computes_with_its_own_weights(run):
    """SFTTrainer patches `forward` on the instance; unless that is undone, a zeroed copy still answers like the original."""
    ids = torch.tensor([[5, 6, 7]])
    twin = copy.deepcopy(run.model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        assert twin(input_ids=ids).logits.abs().max() == 0
        assert run.model(input_ids=ids).logits.abs().max() > 0


def test_a_live_model_is_trained_in_place_and_none_loads_afresh(rows):
    model, tokenizer = cl.load_model()
    kept = model.model.embed_tokens.weight.detach().clone()
    first = cl.train(rows, model=model, tokenizer=tokenizer, max_steps=1, quiet=True)
    assert first.model is model
    assert not torch.equal(kept, model.model.embed_tokens.weight)
    assert cl.train(rows, max_steps=1, quiet=True).model is not model


def test_lora_trains_little_leaves_the_base_alone_and_copies_rightly(rows, base):
    from peft import LoraConfig

    run = cl.train(rows, peft_config=LoraConfig(r=4, target_modules="all-linear"), max_steps=4, quiet=True)
    assert 0 < run.trainable_parameters < 0.05 * run.total_parameters
    frozen = run.model.get_base_model().model.embed_tokens.weight
    assert torch.equal(frozen, base[0].model.embed_tokens.weight)
    twin = copy.deepcopy(run.model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
        assert twin(input_ids=torch.tensor([[5, 6, 7]])).logits.abs().max() == 0
    with pytest.raises(CourseError, match="already carries an adapter"):
        cl.train(rows, model=run.model, tokenizer=run.tokenizer, peft_config=LoraConfig(r=4), quiet=True)


def test_the_loss_counts_the_answer_only(run, rows):
    batch = run.trainer.data_collator([run.trainer.train_dataset[0]])
    counted = batch["labels"][batch["labels"] != -100]
    assert run.tokenizer.decode(counted).strip().startswith(rows[0]["output"])
    assert run.tokenizer.eos_token_id in counted.tolist()


def test_bad_input(rows):
    with pytest.raises(CourseError, match="empty"):
        cl.train(rows.select([]))
    with pytest.raises(CourseError, match="no column output"):
        cl.train(rows.remove_columns("output"))
    with pytest.raises(CourseError, match="Unknown method 'ppo'"):
        cl.train(rows, method="ppo")


def test_progress_is_printed(rows, capsys):
    cl.train(rows, max_steps=2)
    out = capsys.readouterr().out
    assert "step    2/2" in out and "s left" in out
