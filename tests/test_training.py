"""`train`: learns, repeats, leaves the model clean, and refuses what would go wrong silently."""

from __future__ import annotations

import copy

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.methods.sft import _two_groups

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


@pytest.mark.parametrize("kind", ["full", "lora", "prompt", "prefix"])
def test_the_loss_at_the_answers_equals_the_loss_of_trl_and_so_do_its_gradients(kind, rows):
    """Our hook leaves out the output layer where nothing counts, and the mask where nothing can be seen: the sum is the same."""
    import trl
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig

    configs = {
        "full": None,
        "lora": LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
        "prompt": PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
        "prefix": PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
    }
    trainer = cl.train(rows, peft_config=configs[kind], max_steps=1, quiet=True, bf16=False).trainer
    trl.trainer.sft_trainer.add_fused_lm_head(
        trainer.model.get_base_model() if configs[kind] else trainer.model, outputs=("log_probs", "entropy", "is_top1")
    )
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(6)])
    assert (batch["attention_mask"] == 0).any()  # else the test would see no padding
    ways = []
    for compute in (type(trainer).compute_loss, trl.SFTTrainer.compute_loss):
        trainer.model.zero_grad()
        loss = compute(trainer, trainer.model, dict(batch))
        loss.backward()
        ways.append((loss.item(), [p.grad.clone() for p in trainer.model.parameters() if p.requires_grad]))
    (ours, our_gradients), (theirs, their_gradients) = ways
    assert ours == pytest.approx(theirs, rel=1e-5) and len(our_gradients) > 0
    for a, b in zip(our_gradients, their_gradients, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5 * max(1.0, b.abs().max().item()))


def test_the_output_layer_is_asked_about_few_positions(rows):
    model, tokenizer = cl.load_model()
    asked = []
    model.get_output_embeddings().register_forward_hook(lambda module, given, out: asked.append(out.shape[1]))
    run = cl.train(rows, model=model, tokenizer=tokenizer, max_steps=3, quiet=True)
    shortest = min(len(ids) for ids in run.trainer.train_dataset["input_ids"])
    assert 3 <= len(asked) <= 6 and max(asked) < shortest / 2  # a batch may be cut in two


def test_rows_come_in_random_order_so_that_a_batch_of_a_mixture_holds_several_tasks():
    """Tasks of three lengths, one after another: batches of like length, or in the order of the rows, would hold one task each."""
    mixture = [
        {"instruction": "Say it.", "input": "news " * length, "output": "yes"}
        for length in (5, 30, 60)
        for _ in range(32)
    ]

    def tasks_in_a_batch(**given) -> float:
        trainer = cl.train(mixture, max_steps=1, quiet=True, **given).trainer
        order = list(trainer._get_train_sampler())
        assert sorted(order) == list(range(96))
        batches = [order[i : i + 8] for i in range(0, 96, 8)]
        return sum(len({row // 32 for row in batch}) for batch in batches) / len(batches)

    assert tasks_in_a_batch() > 2.5
    assert tasks_in_a_batch(train_sampling_strategy="group_by_length") < 2  # the control: it can be told apart
    assert tasks_in_a_batch(train_sampling_strategy="sequential") == 1


def test_a_batch_is_cut_where_least_padding_is_left():
    assert _two_groups([50]) == [([0], 50)]
    assert _two_groups([50, 49, 50, 48]) == [([0, 1, 2, 3], 50)]  # too little to gain
    assert _two_groups([90, 20, 25, 100]) == [([1, 2], 25), ([0, 3], 100)]
    lengths = [20, 180, 35, 60, 22, 150, 41, 77]
    parts = _two_groups(lengths)
    assert sorted(i for rows, _ in parts for i in rows) == list(range(8))
    assert all(max(lengths[i] for i in rows) == width for rows, width in parts)
    assert sum(len(rows) * width for rows, width in parts) < 0.7 * 8 * 180


def test_four_bit_weights_are_counted_whole_and_packed_ones_refused(rows):
    from peft import LoraConfig

    from course_lib.measure import memory as measure

    model, tokenizer = cl.load_model(quantization="nf4")
    plain = measure.parameters(model).total
    config = LoraConfig(r=2, target_modules="all-linear")
    run = cl.train(rows, model=model, tokenizer=tokenizer, peft_config=config, max_steps=1, quiet=True)
    assert run.total_parameters == plain + run.trainable_parameters > sum(p.numel() for p in run.model.parameters())
    assert config.target_modules == "all-linear"  # the caller's own is left as it was
    spoilt, _ = cl.load_model(quantization="nf4")
    next(p for p in spoilt.parameters() if hasattr(p, "quant_state")).quant_state.packing_format_for_cpu = True
    with pytest.raises(CourseError, match="packed for reading only"):
        cl.train(rows, model=spoilt, tokenizer=tokenizer, peft_config=config, max_steps=1, quiet=True)


def test_bad_input(rows):
    with pytest.raises(CourseError, match="empty"):
        cl.train(rows.select([]))
    with pytest.raises(CourseError, match="no column output"):
        cl.train(rows.remove_columns("output"))


def test_progress_is_printed(rows, capsys):
    cl.train(rows, max_steps=2)
    out = capsys.readouterr().out
    assert "step    2/2" in out and "s left" in out
