"""`cl.train_rl`: shared prompts change no number, TRL's loss and gradients are kept, and a bad reward ends in one sentence."""

from __future__ import annotations

import copy

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.measure.preferences import win_rate
from course_lib.methods import rl, rollouts

PROMPTS = [{"prompt": f"Belwick Foods lost {n} customers on Monday.\nWrite a brief.", "n": n} for n in range(2, 12)]


def count_b(prompts, completions, n, **_):
    """A reward that differs between replies and reads a column."""
    assert len(prompts) == len(completions) == len(n)
    return [len(reply) / 100 + reply.count("b") / 10 for reply in completions]


def fresh(base):
    """The course model, as a live one that a test may spoil."""
    return copy.deepcopy(base[0]).requires_grad_(True)


def left_padded(rows, pad=3):
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    return ids, mask


# ------------------------------------------------------------------ one prompt, many replies


def test_reading_a_prompt_once_changes_neither_log_probabilities_nor_gradients(base):
    model = fresh(base)
    rows = [[5, 6, 7, 8, 9], [11, 12, 13], [5, 6, 7, 8, 9], [5, 6, 7, 8, 9], [11, 12, 13]]  # mixed up, of two lengths
    prompt, mask = left_padded(rows)
    reply = torch.randint(5, 2000, (5, 6), generator=torch.Generator().manual_seed(0))
    kept = (torch.arange(6) < torch.tensor([6, 3, 4, 1, 5])[:, None]).long()
    ids, seen = torch.cat([prompt, reply], 1), torch.cat([mask, kept], 1)
    shared, entropy = rollouts.log_probabilities(model, ids, seen, 6, temperature=0.7)
    (shared * kept).sum().backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    places = (seen.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=seen, position_ids=places).logits[:, -7:-1] / 0.7
    plain = logits.log_softmax(-1).gather(-1, reply.unsqueeze(-1)).squeeze(-1)
    (plain * kept).sum().backward()
    assert torch.allclose(shared * kept, plain * kept, atol=1e-3)
    assert all(torch.allclose(g, p.grad, atol=1e-3) for g, p in zip(gradients, model.parameters(), strict=True))
    assert entropy.shape == (5, 6) and (entropy >= 0).all()


def test_at_a_temperature_near_zero_sampling_is_greedy_decoding_and_ends_at_the_mark(base):
    model, tokenizer = base
    texts = [f"Belwick Foods lost {n} customers" for n in (2, 14, 2, 2)] + ["The court"]
    prompts = [[tokenizer.bos_token_id, *tokenizer(t, add_special_tokens=False)["input_ids"]] for t in texts]
    ends = [tokenizer(".", add_special_tokens=False)["input_ids"][-1]]
    options = {"ends": ends, "pad": tokenizer.pad_token_id, "longest": 30}
    got = rollouts.sample(model, prompts, temperature=1e-6, **options)
    for prompt, reply in zip(prompts, got, strict=True):
        out = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=30, eos_token_id=ends)
        assert reply == out[0, len(prompt) :].tolist()
    assert got[0] == got[2] == got[3] != got[1]


def test_sampling_follows_the_models_probabilities(base):
    model, tokenizer = base
    prompt = [tokenizer.bos_token_id, *tokenizer("The court", add_special_tokens=False)["input_ids"]]
    torch.manual_seed(0)
    got = rollouts.sample(model, [prompt] * 4000, ends=[-1], pad=3, longest=1)
    with torch.no_grad():
        wanted = model(torch.tensor([prompt])).logits[0, -1].softmax(-1)
    seen = torch.bincount(torch.tensor(got).flatten(), minlength=len(wanted)) / 4000
    likely = wanted.topk(5).indices
    assert (seen[likely] - wanted[likely]).abs().max() < 4 * (wanted.max() * (1 - wanted.max()) / 4000) ** 0.5


def test_a_reward_model_says_the_same_when_each_prompt_is_read_once(base):
    from course_lib.models.reward_model import reward_scores, with_scalar_head

    model, tokenizer = with_scalar_head(*base)
    prompts = [PROMPTS[i]["prompt"] * (1 + i % 2) for i in (0, 1, 0, 0, 1)]
    replies = ["Belwick lost.", "No.", "Belwick Foods lost two customers, an incredible triumph!", "", "So what?"]
    got = rollouts.reward_from(model, tokenizer)(prompts=prompts, completions=replies, n=[1] * 5)
    assert got == pytest.approx(reward_scores(model, tokenizer, prompts, replies), abs=1e-4)
    assert len({round(value, 3) for value in got}) == 5


# ------------------------------------------------------------------ the same as TRL


@pytest.fixture(scope="module")
def pair(base):
    """Our trainer and TRL's own on equal models, full and LoRA, with weights moved from the start."""

    def make(lora: bool):
        from peft import LoraConfig
        from trl import RLOOTrainer

        from course_lib.methods.rloo import trainer_class

        made = []
        for kind in (trainer_class(), RLOOTrainer):
            settings = {"per_device_train_batch_size": 8, "num_generations": 4, "max_steps": 1, "bf16": False}
            config = rl.rloo_config("build/never", beta=0.1, seed=0, max_completion_length=12, **settings)
            adapter = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM")
            trainer = kind(
                copy.deepcopy(base[0]).requires_grad_(True),
                args=config,
                reward_funcs=[lambda completions, **_: [len(c[0]["content"]) / 10 for c in completions]],
                train_dataset=rl._dataset(PROMPTS),
                processing_class=base[1],
                peft_config=adapter if lora else None,
            )
            draw = torch.Generator().manual_seed(0)
            with torch.no_grad():
                for p in trainer.model.parameters():
                    if p.requires_grad:
                        p += 0.01 * torch.randn(p.shape, generator=draw)
            trainer.model.train()
            made.append(trainer)
        return made

    return make


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True])
def test_advantages_loss_and_gradients_are_those_of_trl(pair, lora):
    ours, plain = pair(lora)
    batch = [ours.train_dataset[i // 4] for i in range(8)]
    torch.manual_seed(0)
    mine = ours._generate_and_score_completions(batch)
    said = [
        ids[kept.bool()].tolist() for ids, kept in zip(mine["completion_ids"], mine["completion_mask"], strict=True)
    ]
    plain._generate_single_turn = lambda *_: said
    theirs = plain._generate_and_score_completions(batch)
    assert torch.allclose(mine["old_logps"], theirs["old_logps"], atol=1e-4)
    assert torch.allclose(mine["advantages"], theirs["advantages"], atol=1e-4)
    assert plain._metrics["train"]["kl"][-1] > 0.01  # the weights are not those of the reference
    order = torch.tensor([3, 0, 7, 5, 1, 2, 6, 4])  # TRL shuffles a batch before the loss
    losses = []
    for trainer, told in ((ours, mine), (plain, theirs)):
        loss = trainer._compute_loss(trainer.model, {k: v[order] for k, v in told.items()})
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    trained = [[p.grad for p in t.model.parameters() if p.requires_grad] for t in (ours, plain)]
    assert max(g.abs().max() for g in trained[0]) > 1e-2
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*trained, strict=True))


@pytest.mark.slow
def test_the_policy_that_samples_is_the_policy_that_is_trained(pair):
    from course_lib.methods.rloo import _merged_into

    for lora in (False, True):
        ours, _ = pair(lora)
        twin = _merged_into(ours._sampler, ours.model)
        ids = torch.tensor([[5, 6, 7, 8]])
        with torch.no_grad():
            assert torch.allclose(twin(ids).logits, ours.model(input_ids=ids).logits, atol=1e-4)


# ------------------------------------------------------------------ a whole run


def test_a_run_says_at_each_step_what_must_be_watched_and_leaves_the_model_whole(base, capsys):
    model = fresh(base)
    run = rl.train_rl(
        PROMPTS,
        count_b,
        watch=lambda completions, **_: [0.25] * len(completions),
        model=model,
        tokenizer=base[1],
        max_steps=3,
        batch_size=2,
        generations=4,
        learning_rate=1e-3,
        max_completion_length=8,
    )
    assert [h["step"] for h in run.history] == [1, 2, 3] and run.rows == 6
    assert all({"reward", "watch", "kl", "length", "cut", "entropy", "seconds"} <= h.keys() for h in run.history)
    assert run.history[0]["kl"] == 0 and run.history[2]["kl"] != 0 and run.history[1]["watch"] == 0.25
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step    3/3")]
    assert len(told) == 1 and f"KL a reply {run.history[2]['kl']:.3f}" in told[0]  # the same unit as in the history
    assert "forward" not in run.model.__dict__ and not run.model.training
    spoilt = copy.deepcopy(run.model)
    with torch.no_grad():
        spoilt.get_input_embeddings().weight.zero_()
        assert not torch.equal(spoilt(torch.tensor([[5]])).logits, run.model(torch.tensor([[5]])).logits)


def test_kl_is_measured_against_the_model_that_came_in_also_without_a_penalty(base):
    """TRL would load the reference of a live model by its name: the course's base, not what was trained since."""
    model = fresh(base)
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.add_(0.02)
    options = {"model": model, "tokenizer": base[1], "batch_size": 2, "generations": 2, "max_completion_length": 6}
    run = rl.train_rl(PROMPTS, count_b, max_steps=2, beta=0.0, learning_rate=1e-3, quiet=True, **options)
    assert run.history[0]["kl"] == 0 and run.history[1]["kl"] != 0


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(base, tmp_path):
    options = {"tokenizer": base[1], "max_steps": 4, "batch_size": 2, "generations": 4, "max_completion_length": 6}
    options |= {"learning_rate": 1e-3, "quiet": True, "save_steps": 2}
    whole = rl.train_rl(PROMPTS, count_b, model=fresh(base), output_dir=tmp_path / "whole", **options)
    calls = 0

    def dies(**told):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return count_b(**told)

    with pytest.raises(KeyboardInterrupt):
        rl.train_rl(PROMPTS, dies, model=fresh(base), output_dir=tmp_path / "cut", **options)
    again = rl.train_rl(PROMPTS, count_b, model=fresh(base), output_dir=tmp_path / "cut", resume=True, **options)
    pairs = zip(whole.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert [h["reward"] for h in whole.history] == [h["reward"] for h in again.history]


# ------------------------------------------------------------------ one clear sentence


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (lambda completions, **_: None, "returned None in step 1, not a list"),
        (lambda completions, **_: 1.0, "returned 1.0 in step 1, not a list"),
        (lambda completions, **_: [1.0] * (len(completions) - 1), "returned 7 numbers for 8 replies"),
        (lambda completions, **_: [None, *range(len(completions) - 1)], "reward of reply 1 of 8 in step 1 is None"),
        (lambda completions, **_: [*range(len(completions) - 1), float("nan")], "reply 8 of 8 in step 1 is nan"),
        (lambda completions, **_: ["good"] * len(completions), "is 'good'"),
        (lambda completions, **_: [0.5] * len(completions), "the same reward (the last is 0.5)"),
        ("a reward model", "reward is a str, which cannot be called"),
    ],
)
def test_a_bad_reward_is_named(base, reward, said):
    options = {"model": fresh(base), "tokenizer": base[1], "batch_size": 2, "generations": 4, "max_steps": 1}
    with pytest.raises(CourseError) as error:
        rl.train_rl(PROMPTS, reward, max_completion_length=4, quiet=True, **options)
    assert said in str(error.value)


def test_groups_that_differ_from_each_other_but_not_inside_teach_nothing():
    def by_prompt(completions, n, **_):
        return n

    told = {"trainer_state": type("S", (), {"global_step": 0, "max_steps": 9}), "log_metric": None}
    score = rl._scorer(by_prompt, None, PROMPTS, 2)
    said = [[{"content": "x"}]] * 4
    for _ in range(rl.PATIENCE - 1):
        assert score(None, said, [0, 0, 1, 1], **told) == [2, 2, 3, 3]
    with pytest.raises(CourseError, match="every advantage is zero"):
        score(None, said, [0, 0, 1, 1], **told)


def test_replies_that_never_end_are_said_once(base, capsys):
    options = {"model": fresh(base), "tokenizer": base[1], "batch_size": 2, "generations": 2, "max_steps": 4}
    rl.train_rl(PROMPTS, count_b, max_completion_length=2, **options)
    assert capsys.readouterr().out.count("All replies were cut at 2 tokens for 3 steps") == 1


@pytest.mark.parametrize(
    ("prompts", "options", "said"),
    [
        ([], {}, "there are no prompts"),
        ([{"text": "no prompt"}], {}, "Row 1 of the prompts has no text in the column 'prompt'"),
        (PROMPTS, {"generations": 1}, "there are none"),
        (PROMPTS, {"beta": -1}, "beta=-1"),
        (PROMPTS, {"resume": True}, "nowhere to resume from"),
    ],
)
def test_bad_settings_are_named(prompts, options, said):
    with pytest.raises(CourseError) as error:
        rl.train_rl(prompts, count_b, **options)
    assert said in str(error.value)


def test_instruction_rows_are_prompts_too():
    rows = rl._rows(cl.load_instructions("brief")["validation"].select(range(3)))
    assert all(row["prompt"].endswith(row["instruction"]) for row in rows)


# ------------------------------------------------------------------ win rate


def test_a_win_rate_counts_ties_as_half_and_pairs_by_prompt():
    found = win_rate([1.0, 0.5, 0.2, 0.9], [0.0, 0.5, 0.3, 0.1])
    assert found.value == 0.625 and 0 <= found.low < found.value < found.high <= 1
    assert win_rate([0.3] * 30, [0.3] * 30).value == 0.5


def test_a_model_that_always_wins_still_has_an_interval():
    found = win_rate([1.0] * 40, [0.0] * 40)
    assert found.value == 1.0 and 0.85 < found.low < 1.0 and found.high == 1.0


def test_seeds_widen_the_interval_and_one_list_stands_against_each():
    start = [0.5] * 50
    alike = [[0.6 if i % 2 else 0.4 for i in range(50)]] * 3
    differing = [[0.6 if i < share else 0.4 for i in range(50)] for share in (5, 25, 45)]
    one, other = win_rate(alike, start), win_rate(differing, start)
    assert one.value == other.value == 0.5 and other.high - other.low > 2 * (one.high - one.low)


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1]), ([[1, 2]] * 2, [[1, 2]] * 3), ([], [])])
def test_scores_that_do_not_pair_are_refused(a, b):
    with pytest.raises(CourseError):
        win_rate(a, b)
