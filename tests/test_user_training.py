"""Training as people call it: foreign words, used folders, long rows, interruptions. Nothing is ignored, deleted or left behind."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch

import course_lib as cl
from course_lib.base import hardware
from course_lib.base.errors import CourseError
from course_lib.methods import arguments as words
from course_lib.methods import checkpoints
from course_lib.methods.lengths import rows_that_fit

ROW = {"instruction": "Give the tone.", "input": "Sales of lamps rose.", "output": "positive"}
ROWS = [ROW | {"input": f"Lamp no. {i} sold well."} for i in range(16)]
IDS = torch.tensor([[5, 6, 7, 8]])
TRAINED = pytest.mark.slow
GIVEN = {"batch_size": 4, "quiet": True}


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


def lora(**options):
    from peft import LoraConfig

    return LoraConfig(**({"r": 2, "target_modules": "all-linear"} | options))


def same(model, other) -> bool:
    mine, theirs = dict(model.named_parameters()), dict(other.named_parameters())
    return mine.keys() == theirs.keys() and all(torch.equal(p, theirs[n]) for n, p in mine.items())


# ------------------------------------------------------------------ words and values


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_seq_length": 64}, "max_length"),
        ({"num_train_epochs": 3}, "epochs"),
        ({"per_device_train_batch_size": 8}, "batch_size"),
        ({"lr": 1e-3}, "learning_rate"),
        ({"eval_dataset": ROWS}, r"cl\.evaluate"),
        ({"eval_strategy": "epoch"}, r"cl\.evaluate"),
        ({"report_to": "wandb"}, "none: run.losses"),
        ({"fp16": True}, r"none: float16 is used, with loss scaling, on a GPU without bfloat16"),
        ({"warmup_ratio": 0.1}, "warmup_steps"),
        ({"load_in_4bit": True}, r"cl\.load_model\(quantization='nf4'\)"),
        ({"group_by_length": True}, "train_sampling_strategy='group_by_length'"),
        ({"processing_class": "x"}, "tokenizer"),
        ({"train_dataset": ROWS}, "data"),
    ],
)
def test_a_word_of_another_library_is_answered_with_the_word_to_use_here(given, said):
    with pytest.raises(CourseError, match=f"{next(iter(given))}=.* is not one.*The word to use here is {said}"):
        cl.train(ROWS, model="/nowhere", **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"learning_rate": "2e-4"}, "learning_rate='2e-4' cannot be used.*a number of 0 or more"),
        ({"learning_rate": -1e-4}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"seed": None}, "seed=None"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"batch_size": 2.0}, "batch_size=2.0.*whole number"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"epochs": 0}, "epochs=0.*above 0"),
        ({"epochs": "3"}, "epochs='3'"),
        ({"max_steps": 0}, "max_steps=0.*1 or more"),
        ({"max_steps": 2.5}, "max_steps=2.5"),
        ({"resume": "yes"}, "resume='yes'.*True or False"),
        ({"quiet": 1}, "quiet=1"),
        ({"output_dir": 3}, "output_dir=3"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(given, said):
    with pytest.raises(CourseError, match=said):
        cl.train(ROWS, model="/nowhere", **given)


@pytest.mark.parametrize(
    ("config", "said"),
    [({"r": 4}, r"peft\.LoraConfig\(r=4\)"), ("lora", r"LoraConfig\(r=8"), (object, "LoraConfig")],
)
def test_an_adapter_is_given_as_a_configuration(config, said):
    with pytest.raises(CourseError, match=said):
        cl.train(ROWS, model="/nowhere", peft_config=config)


def test_what_is_no_model_is_said(tiny):
    with pytest.raises(CourseError, match=r"model is a tuple.*Take it apart"):
        cl.train(ROWS, model=(1, 2))


def test_a_misspelt_setting_is_answered_with_the_nearest_and_good_ones_go_on():
    with pytest.raises(CourseError, match=r"no argument 'weight_deacy'.*Did you mean weight_decay"):
        words.known_words({"weight_deacy": 0.1}, ["weight_decay", "save_steps"])
    assert words.known_words({"gradient_checkpointing": True, "save_steps": 3, "report_to": "none", "fp16": False}) == {
        "activation_checkpointing": True,
        "save_steps": 3,
    }
    words.check_values(learning_rate=0.0, epochs=0.5, max_steps=-1, batch_size=1, seed=0, output_dir=None, resume=False)


@TRAINED
def test_a_rate_of_zero_is_a_rate_of_zero(tiny):
    run = cl.train(ROWS, model=str(tiny), learning_rate=0.0, max_steps=2, **GIVEN)
    assert run.learning_rate == 0.0 and same(run.model, cl.load_model(tiny)[0])


@TRAINED
def test_activation_checkpointing_under_either_name_is_done_and_gives_the_same_weights(tiny, monkeypatch):
    calls = []
    plain = torch.utils.checkpoint.checkpoint
    counted = lambda *args, **kwargs: calls.append(1) or plain(*args, **kwargs)  # noqa: E731
    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", counted)
    monkeypatch.setattr("transformers.modeling_utils.checkpoint", counted, raising=False)
    runs = {}
    for name in (None, "gradient_checkpointing", "activation_checkpointing"):
        calls.clear()
        given = {name: True} if name else {}
        runs[name] = cl.train(ROWS, model=str(tiny), max_steps=2, bf16=False, **GIVEN, **given)
        assert bool(calls) == bool(name), name
    for name in ("gradient_checkpointing", "activation_checkpointing"):
        for (n, a), (_, b) in zip(
            runs[None].model.named_parameters(), runs[name].model.named_parameters(), strict=True
        ):
            assert torch.allclose(a, b, atol=1e-5), (name, n)


@TRAINED
def test_a_tokenizer_given_without_a_model_is_used(tiny, tmp_path):
    tokenizer = cl.load_tokenizer(tiny)
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + '> ' + m['content'] + '<|im_end|>' }}{% endfor %}"
    run = cl.train(ROWS, model=str(tiny), tokenizer=tokenizer, max_steps=1, **GIVEN)
    assert run.tokenizer is tokenizer
    assert tokenizer.decode(run.trainer.train_dataset[0]["input_ids"]).startswith("user>")


@TRAINED
def test_the_usual_rate_follows_what_is_trained_also_on_a_live_model_with_an_adapter(tiny):
    from peft import get_peft_model

    full = cl.train(ROWS, model=str(tiny), max_steps=1, **GIVEN)
    adapter = cl.train(ROWS, model=str(tiny), peft_config=lora(), max_steps=1, **GIVEN)
    model, tokenizer = cl.load_model(tiny)
    live = cl.train(
        ROWS, model=get_peft_model(model, lora(task_type="CAUSAL_LM")), tokenizer=tokenizer, max_steps=1, **GIVEN
    )
    assert live.learning_rate == adapter.learning_rate > full.learning_rate


@TRAINED
def test_a_saved_adapter_is_trained_further(tiny, tmp_path):
    run = cl.train(ROWS, model=str(tiny), peft_config=lora(), max_steps=2, learning_rate=1e-2, **GIVEN)
    folder = cl.save_adapter(run.model, tmp_path / "adapter")
    again, tokenizer = cl.load_adapter(folder, cl.load_model(tiny)[0], trainable=True)
    before = logits(again)
    more = cl.train(ROWS, model=again, tokenizer=tokenizer, max_steps=2, learning_rate=1e-2, **GIVEN)
    assert not torch.equal(before, logits(more.model)) and more.trainable_parameters == run.trainable_parameters


# ------------------------------------------------------------------ counting


@TRAINED
def test_rows_are_counted_with_accumulation_and_short_last_batches(tiny):
    given = {"model": str(tiny), "quiet": True}
    assert cl.train(ROWS[:10], batch_size=4, epochs=2, **given).rows == 20
    assert cl.train(ROWS[:10], batch_size=4, max_steps=4, **given).rows == 14  # 4 + 4 + 2 + 4
    assert cl.train(ROWS[:13], batch_size=2, gradient_accumulation_steps=2, max_steps=5, **given).rows == 17


@TRAINED
def test_a_run_without_a_logged_loss_can_be_printed(tiny):
    run = cl.train(ROWS, model=str(tiny), max_steps=1, logging_strategy="no", **GIVEN)
    assert "no loss was logged" in str(run) or "loss" in str(run)
    run.losses = []
    assert "no loss was logged" in str(run)


# ------------------------------------------------------------------ long rows


LONG = ROW | {"input": "word " * 60}  # the prompt alone
WORDY = ROW | {"output": "word " * 30}  # the answer


def fit(rows, limit, **given):
    return rows_that_fit(cl.to_messages(rows), cl.load_tokenizer(), limit, **given)


def test_rows_that_do_not_fit_are_counted_and_named(capsys):
    whole = [ROW, LONG, ROW, WORDY, ROW]
    assert len(fit(whole, 512)) == 5 and capsys.readouterr().out == ""
    kept = fit(whole, 48)
    assert len(kept) == 4 and kept[1]["completion"][0]["content"] == "positive"
    said = capsys.readouterr().out
    assert said == (
        "max_length=48: of 5 rows 1 (row 2) dropped, 1 (row 4) cut. Dropped rows have no answer left; cut ones lose their end mark.\n"
    )
    fit([ROW, *[WORDY] * 7], 48)
    assert "7 (rows 2, 3, 4, 5, 6…) cut" in capsys.readouterr().out
    assert len(fit([ROW, LONG], 48, truncation_mode="keep_end")) == 2
    assert "lose their beginning" in capsys.readouterr().out


def test_a_row_that_fits_to_the_token_is_neither_dropped_nor_cut(capsys):
    from course_lib.data.instructions import prompt_text
    from course_lib.models.generation import encode_exchange

    given, said = encode_exchange(cl.load_tokenizer(), prompt_text(ROW), "positive")
    exact = len(given) + len(said)  # the line break behind the end mark need not fit
    for limit, told in ((exact, ""), (exact - 1, "0 dropped, 1 (row 1) cut"), (len(given) + 1, "cut")):
        assert len(fit([ROW], limit)) == 1
        assert told in capsys.readouterr().out
    with pytest.raises(CourseError, match=rf"No row is left: all 1 prompts alone fill max_length={len(given)}"):
        fit([ROW], len(given))


@TRAINED
def test_steps_follow_the_rows_that_are_left_and_none_left_is_an_error(tiny, capsys):
    run = cl.train([*ROWS[:6], *[LONG] * 6], model=str(tiny), max_length=48, batch_size=3, quiet=True)
    assert run.trainer.state.global_step == 2 and run.rows == 6
    assert "6 (rows 7, 8, 9, 10, 11…) dropped" in capsys.readouterr().out
    with pytest.raises(CourseError, match="No row is left"):
        cl.train([LONG] * 4, model=str(tiny), max_length=48, **GIVEN)


# ------------------------------------------------------------------ a model that is destroyed or learns nothing


@TRAINED
@pytest.mark.parametrize("adapter", [False, True])
def test_training_stops_at_the_first_loss_that_is_not_finite(tiny, adapter):
    model, tokenizer = cl.load_model(tiny)
    with pytest.raises(CourseError, match=r"The loss is (nan|inf) in step [23], at a learning rate of 1e\+30"):
        cl.train(
            ROWS, model=model, tokenizer=tokenizer, learning_rate=1e30, warmup_steps=0, max_steps=6, max_grad_norm=0.0,
            peft_config=lora() if adapter else None, **GIVEN,
        )  # fmt: skip
    with torch.no_grad():
        spoiled, tokenizer = cl.load_model(tiny)
        spoiled.model.norm.weight.fill_(float("nan"))
    with pytest.raises(CourseError, match="The loss is nan in step 1"):
        cl.train(ROWS, model=spoiled, tokenizer=tokenizer, max_steps=3, **GIVEN)


def test_rows_without_a_token_that_counts_are_an_error():
    from datasets import Dataset

    from course_lib.methods.guard import check_something_to_learn

    class Trainer:
        train_dataset = Dataset.from_dict({"input_ids": [[1, 2]], "completion_mask": [[0, 0]]})

    with pytest.raises(CourseError, match="nothing to learn in these 1 rows"):
        check_something_to_learn(Trainer())
    Trainer.train_dataset = Dataset.from_dict({"input_ids": [[1, 2]], "completion_mask": [[0, 1]]})
    check_something_to_learn(Trainer())


@TRAINED
def test_an_adapter_that_does_not_go_with_the_model_is_one_sentence(tiny):
    model, tokenizer = cl.load_model(tiny)
    for config in (lora(target_modules=["no_such_layer"]), lora(target_modules=["norm"])):
        with pytest.raises(CourseError, match=r"adapter cannot be put on this model .*target_modules"):
            cl.train(ROWS, model=model, tokenizer=tokenizer, peft_config=config, **GIVEN)
    assert same(model, cl.load_model(tiny)[0])


@TRAINED
def test_a_state_space_model_is_trained_or_refused_in_one_sentence(tiny):
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=2048,
        hidden_size=16,
        num_hidden_layers=1,
        state_size=4,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=3,
    )
    for adapter in (None, lora()):
        try:
            run = cl.train(
                ROWS,
                model=MambaForCausalLM(config),
                tokenizer=cl.load_tokenizer(tiny),
                peft_config=adapter,
                max_steps=1,
                **GIVEN,
            )
        except CourseError as error:
            assert adapter is not None and "cannot be put on this model" in error.what
        else:
            assert run.losses


# ------------------------------------------------------------------ interruptions


@pytest.fixture()
def stopped_at_three(monkeypatch):
    """Ctrl-C in the third step."""
    import trl

    inner = trl.SFTTrainer.training_step

    def step(self, *given, **named):
        if self.state.global_step == 2:
            raise KeyboardInterrupt
        return inner(self, *given, **named)

    monkeypatch.setattr(trl.SFTTrainer, "training_step", step)


@TRAINED
def test_an_interrupted_model_is_clean_and_it_is_said_what_it_holds(tiny, stopped_at_three, capsys):
    model, tokenizer = cl.load_model(tiny)
    with pytest.raises(KeyboardInterrupt):
        cl.train(ROWS, model=model, tokenizer=tokenizer, learning_rate=1e-2, max_steps=6, **GIVEN)
    assert "the model holds the weights after 2 steps" in capsys.readouterr().out
    assert not model.training and "forward" not in model.__dict__
    assert not same(model, cl.load_model(tiny)[0])
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert logits(twin).abs().max() == 0 < logits(model).abs().max()


@TRAINED
def test_a_model_whose_adapter_was_interrupted_is_as_before_and_not_refused_for_good(tiny, stopped_at_three, capsys):
    from peft import PromptTuningConfig

    for config in (lora(), PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM")):
        model, tokenizer = cl.load_model(tiny)
        before = logits(model)
        with pytest.raises(KeyboardInterrupt):
            cl.train(
                ROWS, model=model, tokenizer=tokenizer, peft_config=config, learning_rate=1e-2, max_steps=6, **GIVEN
            )
        assert "its adapter is taken off, and the model is as it was before" in capsys.readouterr().out
        assert torch.equal(logits(model), before) and not hasattr(model, "peft_config")
        assert all(p.requires_grad for p in model.parameters())
        run = cl.train(ROWS, model=model, tokenizer=tokenizer, peft_config=lora(), max_steps=1, **GIVEN)
        assert run.trainable_parameters > 0


# ------------------------------------------------------------------ folders that are used


def everything(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


SAVING = {"max_steps": 4, "save_steps": 1, **GIVEN}


@TRAINED
@pytest.mark.parametrize("resume", [False, True])
def test_a_foreign_checkpoint_is_neither_deleted_nor_written_over(tiny, tmp_path, resume):
    for name in ("checkpoint-1", "checkpoint-900"):
        folder = tmp_path / name
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").write_text("mine")
        before = everything(folder)
        with pytest.raises(CourseError, match=rf"{name} was not written by this course.*output_dir of its own"):
            cl.train(ROWS, model=str(tiny), output_dir=folder, resume=resume, **SAVING)
        assert everything(folder) == before


@TRAINED
def test_files_of_the_users_beside_the_checkpoints_stay_as_they_are(tiny, tmp_path):
    (tmp_path / "README.md").write_text("# Mine\n")
    (tmp_path / "checkpoints.txt").write_text("mine")
    cl.train(ROWS, model=str(tiny), output_dir=tmp_path, **SAVING)
    assert (tmp_path / "README.md").read_text() == "# Mine\n" and (tmp_path / "checkpoints.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "README.md",
        "checkpoint-3",
        "checkpoint-4",
        "checkpoints.txt",
    ]


@TRAINED
def test_a_second_run_into_a_used_folder_is_refused_before_it_trains_and_a_resumed_one_says_from_where(
    tiny, tmp_path, capsys
):
    first = cl.train(ROWS, model=str(tiny), output_dir=tmp_path, **SAVING)
    before = everything(tmp_path)
    with pytest.raises(CourseError, match=r"holds checkpoints of an earlier run \(checkpoint-3\).*resume=True"):
        cl.train(ROWS, model=str(tiny), output_dir=tmp_path, **SAVING | {"max_steps": 2})
    assert everything(tmp_path) == before
    capsys.readouterr()
    again = cl.train(ROWS, model=str(tiny), output_dir=tmp_path, resume=True, **SAVING | {"quiet": False})
    assert f"Going on from {(tmp_path / 'checkpoint-4').resolve()}." in capsys.readouterr().out
    assert same(first.model, again.model)


@TRAINED
def test_an_older_checkpoint_of_another_run_in_the_folder_is_not_rotated_away(tiny, tmp_path):
    cl.train(ROWS, model=str(tiny), output_dir=tmp_path / "a", **SAVING)
    cl.train(ROWS, model=str(tiny), output_dir=tmp_path / "b", learning_rate=1e-3, **SAVING)
    shutil.copytree(tmp_path / "b" / "checkpoint-3", tmp_path / "a" / "checkpoint-2")
    before = everything(tmp_path / "a")
    with pytest.raises(CourseError, match=r"checkpoint-2 belongs to another run; they differ in learning_rate"):
        cl.train(ROWS, model=str(tiny), output_dir=tmp_path / "a", resume=True, **SAVING)
    assert everything(tmp_path / "a") == before


@TRAINED
def test_a_run_goes_on_in_the_precision_that_it_began_in_whatever_was_measured_since(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "bf16_wins", lambda: False)
    whole = cl.train(ROWS, model=str(tiny), **SAVING | {"save_steps": 2})
    folder = tmp_path / "run"
    cl.train(ROWS, model=str(tiny), output_dir=folder, **SAVING | {"save_steps": 2})
    shutil.rmtree(folder / "checkpoint-4")
    assert checkpoints.precision(folder) == "float32" and checkpoints.precision(tmp_path) is None
    monkeypatch.setattr(hardware, "bf16_wins", lambda: True)  # as after course bench --remember
    resumed = cl.train(ROWS, model=str(tiny), output_dir=folder, resume=True, **SAVING | {"save_steps": 2})
    assert resumed.trainer.args.bf16 is False and same(resumed.model, whole.model)
    assert json.loads((folder / "checkpoint-4" / checkpoints.SEAL).read_text())["run"]["bf16"] is False


@TRAINED
def test_seconds_of_a_resumed_run_cover_all_stretches(tiny, tmp_path):
    cl.train(ROWS, model=str(tiny), output_dir=tmp_path, **SAVING | {"save_steps": 2})
    shutil.rmtree(tmp_path / "checkpoint-4")
    seal = tmp_path / "checkpoint-2" / checkpoints.SEAL
    told = json.loads(seal.read_text())
    seal.write_text(json.dumps(told | {"seconds": 1000.0}))
    resumed = cl.train(ROWS, model=str(tiny), output_dir=tmp_path, resume=True, **SAVING | {"save_steps": 2})
    assert resumed.seconds > 1000 and resumed.rows == 16
