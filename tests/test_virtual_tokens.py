"""Virtual tokens: they count against the context, padding does not come between them and the text, and they are saved and loaded."""

from __future__ import annotations

import copy
import json
import warnings

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.measure.losses import label_offered, perplexity, token_log_probabilities
from course_lib.methods.virtual import check_virtual, prompt_rate, row_length
from course_lib.models.generation import context_of, padded

CONTEXT, VIRTUAL = 512, 20


@pytest.fixture(scope="module")
def tokenizer():
    return cl.load_tokenizer()


def tiny(kind: str, tokenizer):
    """A random model of two thin layers with the course's vocabulary and `CONTEXT` positions."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    size, ends = len(tokenizer), {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    if kind == "gpt2":
        config = GPT2Config(vocab_size=size, n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=2, **ends)
        return GPT2LMHeadModel(config).eval()
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=CONTEXT,
            **ends,
        )
    ).eval()


def config(method: str, **more):
    import peft

    kinds = {
        "prompt tuning": (peft.PromptTuningConfig, {"num_virtual_tokens": VIRTUAL}),
        "prefix tuning": (peft.PrefixTuningConfig, {"num_virtual_tokens": VIRTUAL}),
        "P-tuning": (peft.PromptEncoderConfig, {"num_virtual_tokens": VIRTUAL, "encoder_hidden_size": 16}),
        "LoRA": (peft.LoraConfig, {"r": 4, "target_modules": "all-linear", "init_lora_weights": False}),
        "IA3": (peft.IA3Config, {"target_modules": ["k_proj", "down_proj"], "feedforward_modules": ["down_proj"]}),
    }
    kind, options = kinds[method]
    return kind(task_type="CAUSAL_LM", **(options | more))


METHODS = ("prompt tuning", "prefix tuning", "P-tuning", "LoRA", "IA3")
VIRTUAL_METHODS = METHODS[:3]


def with_method(method: str, base):
    """The model with an adapter that does something: its numbers are drawn at random."""
    from peft import get_peft_model

    torch.manual_seed(1)
    model = get_peft_model(copy.deepcopy(base), config(method)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.5 * torch.randn_like(parameter))
    return model


# ------------------------------------------------------------------ they count against the context


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("method", VIRTUAL_METHODS)
def test_long_prompts_leave_room_for_virtual_tokens_and_reply(kind, method, tokenizer, monkeypatch, capsys):
    """20 virtual tokens and prompts of 480 to 512 tokens: every reply fits, and is the reply to the prompt's last tokens."""
    model = with_method(method, tiny(kind, tokenizer))
    new = 6
    room = CONTEXT - VIRTUAL - new
    words = tokenizer(" and so on", add_special_tokens=False)["input_ids"]
    prompts = [tokenizer.decode((words * CONTEXT)[:length]) for length in (480, 492, 512)]
    widths = []
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda **k: widths.append(k["input_ids"].shape[1]) or generate(**k))
    replies = cl.generate(model, tokenizer, prompts, chat=False, max_new_tokens=new)
    assert len(replies) == 3 and max(widths) == room == 486
    assert f"2 of 3 prompts are longer than {room} tokens" in capsys.readouterr().out


def test_gpt2_has_no_position_beyond_its_context(tokenizer):
    """What the count prevents: one token more than the context holds is an error in GPT-2."""
    model = with_method("prompt tuning", tiny("gpt2", tokenizer))
    ids = torch.full((1, CONTEXT - VIRTUAL), 5)
    assert model(input_ids=ids).logits.shape[1] == CONTEXT
    with pytest.raises(IndexError):
        model(input_ids=torch.full((1, CONTEXT - VIRTUAL + 1), 5))


@pytest.mark.parametrize("method", METHODS)
def test_the_context_is_what_is_left_for_text(method, tokenizer):
    model = with_method(method, tiny("llama", tokenizer))
    left = CONTEXT - VIRTUAL if method in VIRTUAL_METHODS else CONTEXT
    assert context_of(model) == left
    assert token_log_probabilities(model, tokenizer, [([5] * (left - 1), [6, 7])])[0].shape == (2,)
    with pytest.raises(CourseError, match=f"context holds {left}"):
        token_log_probabilities(model, tokenizer, [([5] * left, [6, 7])])


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_perplexity_reads_a_long_text_as_far_as_it_goes(kind, tokenizer):
    model = with_method("prompt tuning", tiny(kind, tokenizer))
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    ids = torch.randint(300, 1500, (700,), generator=torch.Generator().manual_seed(0)).tolist()
    text = tokenizer.decode(ids)
    read = (start + tokenizer(text, add_special_tokens=False)["input_ids"])[: CONTEXT - VIRTUAL]
    told = token_log_probabilities(model, tokenizer, [(read[:1], read[1:])])[0]
    assert perplexity(model, tokenizer, [text]) == pytest.approx(float((-told.mean()).exp()), rel=1e-4)


# ------------------------------------------------------------------ batched = single


@pytest.fixture(scope="module")
def prompts():
    return [row["input"] for row in cl.load_instructions("tone")["test"].select(range(12))]


@pytest.mark.parametrize("method", METHODS)
def test_batched_is_single(method, base, prompts):
    model, tokenizer = with_method(method, base[0]), base[1]
    assert len({len(tokenizer(p)["input_ids"]) for p in prompts}) > 4
    together = cl.generate(model, tokenizer, prompts, max_new_tokens=8)
    assert together == [cl.generate(model, tokenizer, [p], max_new_tokens=8)[0] for p in prompts]
    offered = label_offered(model, tokenizer, prompts, ("positive", "negative", "neutral"))
    assert offered == [label_offered(model, tokenizer, [p], ("positive", "negative", "neutral"))[0] for p in prompts]
    pairs = [(ids[:-4], ids[-4:]) for ids in (tokenizer(p)["input_ids"] for p in prompts)]
    for pair, told in zip(pairs, token_log_probabilities(model, tokenizer, pairs), strict=True):
        assert torch.allclose(told, token_log_probabilities(model, tokenizer, [pair])[0], atol=1e-3)


@pytest.mark.parametrize("method", ["prompt tuning", "P-tuning"])
def test_padding_between_virtual_tokens_and_text_changes_the_answer(method, base, prompts):
    """What the batches of equal length prevent; were it harmless, the test above would prove nothing."""
    model, tokenizer = with_method(method, base[0]), base[1]
    encoded = [tokenizer(p, add_special_tokens=False)["input_ids"] for p in prompts]
    ids, mask = padded(encoded, tokenizer.pad_token_id, left=True)
    with torch.no_grad():
        together = model(input_ids=ids, attention_mask=mask).logits[:, -1]
        single = torch.stack([model(input_ids=torch.tensor([e])).logits[0, -1] for e in encoded])
    assert (together - single).abs().max() > 0.1


def test_generating_behind_virtual_tokens_warns_of_nothing(base, prompts, capsys):
    model, tokenizer = with_method("prompt tuning", base[0]), base[1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cl.generate(model, tokenizer, prompts[:2], max_new_tokens=2)
    assert [str(w.message) for w in caught if "osition ids" in str(w.message)] == []
    assert "osition ids" not in capsys.readouterr().err


# ------------------------------------------------------------------ saved and loaded


@pytest.mark.parametrize("method", VIRTUAL_METHODS)
def test_virtual_tokens_are_saved_and_loaded(method, base, tmp_path, prompts):
    model, tokenizer = with_method(method, base[0]), base[1]
    more = {}
    if method == "prompt tuning":
        more = {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "a text"}
        model.active_peft_config.prompt_tuning_init_text = "a text"
        model.active_peft_config.prompt_tuning_init = more["prompt_tuning_init"]
        model.active_peft_config.tokenizer_name_or_path = str(base[0].config.name_or_path)
    folder = cl.save_adapter(model, tmp_path / "prompt")
    loaded, _ = cl.load_adapter(folder)
    ids = tokenizer(prompts[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        assert torch.allclose(loaded(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-4)
    written = (folder / "adapter_config.json").read_text()
    assert str(cl.home()) not in written and json.loads(written)["num_virtual_tokens"] == VIRTUAL
    with pytest.raises(CourseError, match="cannot be merged"):
        cl.merge(loaded)


# ------------------------------------------------------------------ what training does with them


def test_the_rate_the_row_length_and_what_is_refused(tokenizer):
    model = tiny("llama", tokenizer)
    rates = {method: prompt_rate(model, config(method)) for method in METHODS}
    assert rates == {"prompt tuning": 0.1, "prefix tuning": 0.03, "P-tuning": 0.003, "LoRA": None, "IA3": None}
    assert prompt_rate(with_method("prompt tuning", model)) == 0.1
    assert row_length(model) == row_length(model, config("LoRA")) == CONTEXT
    assert row_length(model, config("prefix tuning")) == CONTEXT - VIRTUAL == row_length(with_method("P-tuning", model))
    assert row_length(model, config("prompt tuning"), 100) == 100
    with pytest.raises(CourseError, match="492 tokens of text beside 20 virtual tokens"):
        row_length(model, config("prompt tuning"), CONTEXT)
    with pytest.raises(CourseError, match="cannot be resumed"):
        check_virtual(model, config("P-tuning"), resume=True, packing=False)
    with pytest.raises(CourseError, match="Packed rows"):
        check_virtual(model, config("prompt tuning"), resume=False, packing=True)
    check_virtual(model, config("prompt tuning"), resume=True, packing=False)
    check_virtual(model, None, resume=True, packing=True)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_training_loss_of_a_batch_is_that_of_its_rows(method):
    """Rows of different lengths are padded behind the text; the loss of the batch is the sum over its rows, one at a time."""
    rows = cl.load_instructions("tone")["train"].select(range(6))
    run = cl.train(rows, peft_config=config(method), max_steps=2, batch_size=6, quiet=True, bf16=False)
    trainer, model = run.trainer, run.model.eval()
    batch = next(iter(trainer.get_train_dataloader()))
    assert len(set(batch["attention_mask"].sum(1).tolist())) > 2
    count = (batch["labels"][:, 1:] != -100).sum()
    with torch.no_grad():
        whole = trainer.compute_loss(model, dict(batch), num_items_in_batch=count)
        parts = 0.0
        for row in range(6):
            width = int(batch["attention_mask"][row].sum())
            one = {name: tensor[row : row + 1, :width] for name, tensor in batch.items()}
            parts += trainer.compute_loss(model, one, num_items_in_batch=count)
    assert whole.item() == pytest.approx(float(parts), rel=1e-4)
    pairs = []
    for ids, labels, mask in zip(
        *(batch[name].tolist() for name in ("input_ids", "labels", "attention_mask")), strict=True
    ):
        first = next(i for i, label in enumerate(labels) if label != -100)
        pairs.append((ids[:first], ids[first : sum(mask)]))
    told = torch.cat(token_log_probabilities(model, run.tokenizer, pairs))
    assert whole.item() == pytest.approx(-float(told.mean()), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_training_on_rows_longer_than_the_context(kind, tokenizer, tmp_path):
    model = tiny(kind, tokenizer)
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    row = cl.load_instructions("tone")["train"][0]
    rows = [row, row | {"input": " and so on" * 300}, row | {"input": row["input"] + " again" * 120}]
    from datasets import Dataset

    data = Dataset.from_list([*rows, *rows])
    run = cl.train(data, model=str(folder), peft_config=config("prompt tuning"), max_steps=2, batch_size=6, quiet=True)
    assert run.trainer.args.max_length == CONTEXT - VIRTUAL and run.learning_rate == 0.1
    assert run.trainer.args.weight_decay == 0.0 and run.trainable_parameters == 32 * VIRTUAL
    with pytest.raises(CourseError, match="max_length=512"):
        cl.train(
            data, model=str(folder), peft_config=config("prompt tuning"), max_length=CONTEXT, max_steps=1, quiet=True
        )


@pytest.mark.slow
def test_a_prompt_goes_on_from_its_checkpoint_bit_for_bit(tmp_path):
    rows = cl.load_instructions("section")["train"].select(range(64))
    told = {"peft_config": config("prompt tuning"), "max_steps": 6, "quiet": True, "save_steps": 3}
    whole = cl.train(rows, output_dir=tmp_path / "a", **told)
    half = tmp_path / "a" / "checkpoint-6"
    import shutil

    shutil.rmtree(half)
    again = cl.train(rows, output_dir=tmp_path / "a", resume=True, **told)
    first, second = (r.model.get_prompt_embedding_to_save("default") for r in (whole, again))
    assert torch.equal(first, second)
