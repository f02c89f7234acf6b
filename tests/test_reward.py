"""A reward model: its loss is TRL's, its score stands at the end mark, alone as in a batch, and survives being saved."""

import copy

import pytest
import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig

from course_lib.base.errors import CourseError
from course_lib.methods.reward import as_pairs, load_reward, reward_scores, save_reward, tokenized_pairs, train_reward
from course_lib.models.reward_model import scored_tokens, with_own_pad, with_scalar_head

PAIRS = [
    {
        "prompt": "Sales at Dunmore Mills fell.\nOne sentence, please.",
        "chosen": "Sales fell.",
        "rejected": "Sales rose, a miracle!",
    },
    {
        "prompt": "The lido will open on Friday.\nOne sentence, please.",
        "chosen": "The lido opens.",
        "rejected": "It is shut.",
    },
    {
        "prompt": "A court dismissed the claim.\nOne sentence, please.",
        "chosen": "The claim failed.",
        "rejected": "The claim was upheld after a long trial, it is said.",
    },
]
PROMPTS, REPLIES = [p["prompt"] for p in PAIRS], [p["rejected"] for p in PAIRS]
LORA = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "SEQ_CLS"}


@pytest.fixture(scope="module")
def trained():
    return train_reward(
        Dataset.from_list(PAIRS),
        peft_config=LoraConfig(**LORA),
        max_steps=3,
        batch_size=3,
        quiet=True,
        learning_rate=5e-3,
    )


def test_padded_batch_equals_alone(trained):
    together = reward_scores(trained.model, trained.tokenizer, PROMPTS, REPLIES)
    alone = [
        reward_scores(trained.model, trained.tokenizer, [p], [r])[0] for p, r in zip(PROMPTS, REPLIES, strict=True)
    ]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(score, 4) for score in together}) == 3


def test_score_stands_at_the_end_mark_also_when_padding_was_the_end_mark(base):
    model, tokenizer = base
    same = copy.deepcopy(tokenizer)
    same.pad_token = same.eos_token
    mended = with_own_pad(same)
    assert mended.pad_token_id != mended.eos_token_id and same.pad_token_id == same.eos_token_id
    scorer, mended = with_scalar_head(model, same)
    ids = torch.tensor([scored_tokens(mended, PROMPTS[0], REPLIES[0])])
    assert ids[0, -1] == tokenizer.eos_token_id
    with torch.inference_mode():
        hidden = scorer.model(input_ids=ids).last_hidden_state[0, -1]
        expected = (hidden @ scorer.score.weight[0]).item()
    assert reward_scores(scorer, mended, PROMPTS, REPLIES)[0] == pytest.approx(expected, abs=1e-5)
    scorer.config.pad_token_id = tokenizer.eos_token_id
    with pytest.raises(CourseError, match="end mark"):
        reward_scores(scorer, mended, PROMPTS, REPLIES)


def test_causal_model_keeps_its_weights_and_its_forward(base):
    model, tokenizer = base
    before = {k: v.clone() for k, v in model.state_dict().items()}
    run = train_reward(PAIRS, model=model, tokenizer=tokenizer, max_steps=1, batch_size=2, quiet=True)
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())
    assert "forward" not in run.model.__dict__ and not run.model.training


def test_loss_and_gradient_by_hand_are_the_trainers(base):
    scorer, tokenizer = with_scalar_head(*base)
    run = train_reward(
        PAIRS, model=scorer, tokenizer=tokenizer, max_steps=1, batch_size=3, learning_rate=0.0, quiet=True, bf16=False
    )
    batch = run.trainer.data_collator(list(tokenized_pairs(PAIRS, tokenizer, 512)))
    scorer.zero_grad()
    theirs = run.trainer.compute_loss(scorer, dict(batch))
    theirs.backward()
    gradient = scorer.score.weight.grad.clone()
    scorer.zero_grad()
    rewards = scorer(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.squeeze(-1)
    chosen, rejected = rewards[:3], rewards[3:]
    mine = -F.logsigmoid(chosen - rejected).mean()
    mine.backward()
    assert mine.item() == pytest.approx(theirs.item(), abs=1e-6)
    assert torch.allclose(scorer.score.weight.grad, gradient, atol=1e-6) and gradient.abs().max() > 0


def test_saved_with_its_head_and_loaded_again(trained, tmp_path):
    before = reward_scores(trained.model, trained.tokenizer, PROMPTS, REPLIES)
    model, tokenizer = load_reward(save_reward(trained.model, tmp_path / "lora"))
    assert reward_scores(model, tokenizer, PROMPTS, REPLIES) == pytest.approx(before, abs=1e-5)
    assert {p.suffix for p in (tmp_path / "lora").iterdir()} == {".json", ".safetensors"}
    with pytest.raises(CourseError, match="reward model"):
        load_reward(tmp_path)


def test_full_reward_model_saved_whole(base, tmp_path):
    scorer, tokenizer = with_scalar_head(*base, seed=3)
    before = reward_scores(scorer, tokenizer, PROMPTS, REPLIES)
    model, tokenizer = load_reward(save_reward(scorer, tmp_path))
    assert reward_scores(model, tokenizer, PROMPTS, REPLIES) == pytest.approx(before, abs=1e-5)


def test_bad_requests_are_one_sentence(base, capsys):
    with pytest.raises(CourseError, match="SEQ_CLS"):
        train_reward(PAIRS, peft_config=LoraConfig(**(LORA | {"task_type": "CAUSAL_LM"})))
    for word in (
        {"num_train_epochs": 2},
        {"lr": 1e-3},
        {"no_such_word": 1},
        {"learning_rate": "2e-4"},
        {"batch_size": 2.0},
    ):
        with pytest.raises(CourseError):
            train_reward(PAIRS, quiet=True, **word)
    with pytest.raises(CourseError, match="row 1: the two replies are equal"):
        as_pairs([PAIRS[0], {"prompt": "a", "chosen": "b", "rejected": "b"}])
    with pytest.raises(CourseError, match="empty"):
        as_pairs([])
    with pytest.raises(CourseError, match="one split"):
        as_pairs({"train": PAIRS})
    with pytest.raises(CourseError, match="2 prompts and 1 replies"):
        reward_scores(*with_scalar_head(*base), PROMPTS[:2], REPLIES[:1])
    tokenizer = base[1]
    assert len(tokenized_pairs([PAIRS[0], {"prompt": "a " * 600, "chosen": "b", "rejected": "c"}], tokenizer, 512)) == 1
    assert "1 of 2 pairs" in capsys.readouterr().out


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_scores(tmp_path):
    import shutil

    def run(folder, resume=False):
        options = {"max_steps": 4, "batch_size": 2, "save_steps": 2, "learning_rate": 5e-3, "quiet": True}
        done = train_reward(PAIRS, peft_config=LoraConfig(**LORA), output_dir=folder, resume=resume, **options)
        return reward_scores(done.model, done.tokenizer, PROMPTS, REPLIES)

    whole = run(tmp_path / "run")
    assert run(tmp_path / "run", resume=True) == pytest.approx(whole, abs=1e-6)  # finished: returned as it is
    shutil.rmtree(tmp_path / "run" / "checkpoint-4")
    assert run(tmp_path / "run", resume=True) == pytest.approx(whole, abs=1e-5)
