"""What lesson 12 stands on: its by-hand cells hold for other policies than the notebook's, and its runs are well-formed."""

from __future__ import annotations

import ast
import json

import pytest
import torch

from course_lib.base.paths import home
from course_lib.lessons.lesson_12_rlhf import exercises, experiments, picture, shown, solutions

HAND = (
    "END, WORDS",
    "def log_probs",
    "BETA = 0.5",
    "def numerical",
    "def reinforce",
    "def leave_one_out",
    "def ppo",
    "def gae",
    "def clipped_rloo",
)


@pytest.fixture(scope="module")
def hand():
    """The by-hand cells of the notebook, executed."""
    path = home() / "notebooks" / "12_rlhf.ipynb"
    sources = [c["source"] for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    names: dict = {}
    for source in map("".join, sources):
        if any(mark in source for mark in HAND):
            exec(source, names)
        elif "def clipped_rloo" in source:  # the function alone: the rest of its cell goes on from a sampled batch
            body = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return names


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reinforce_is_the_gradient_of_the_expected_reward_for_any_policy(hand, seed):
    theta = torch.randn(13, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    p = hand["whole"](hand["log_probs"](theta)).exp()
    true = hand["numerical"](lambda t: (hand["whole"](hand["log_probs"](t)).exp() * hand["reward"]).sum(), theta)
    loss = lambda t: hand["reinforce"](hand["log_probs"](t), hand["mask"], 40 * p * hand["reward"])  # noqa: E731
    assert torch.allclose(-hand["gradient"](loss, theta), true, atol=1e-8)


def test_no_policy_is_better_than_the_known_best_one(hand):
    draw = torch.Generator().manual_seed(0)
    for _ in range(50):
        theta = 2 * torch.randn(13, 4, generator=draw, dtype=torch.float64)
        assert hand["objective"](theta).item() < hand["optimum"]


def test_the_clipped_objective_lets_a_bad_reply_fall_and_stops_a_good_one(hand):
    old, mask = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    for ratio, advantage, moves in ((1.5, 1.0, False), (1.5, -1.0, True), (0.5, 1.0, True), (0.5, -1.0, False)):
        a = torch.full((1, 1), advantage, dtype=torch.float64)
        at = torch.tensor([[ratio]], dtype=torch.float64).log()
        grads = (
            hand["gradient"](lambda x, a=a: hand["ppo"](x, old, mask, a), at),
            hand["gradient"](lambda x, a=a: hand["clipped_rloo"](x, old, mask, a.flatten()), at),
        )
        assert all(bool(g.abs().max() > 0) == moves for g in grads)


def test_gae_discounts_and_stops_at_the_end_of_a_reply(hand):
    rewards = torch.tensor([[0.0, 0.0, 1.0], [0.0, 2.0, 9.0]], dtype=torch.float64)
    mask = torch.tensor([[1.0, 1, 1], [1, 1, 0]], dtype=torch.float64)
    values = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 7.0]], dtype=torch.float64)
    got, returns = hand["gae"](rewards, values, mask, gamma=0.9, lam=0.5)
    d = [0.9 * 0.2 - 0.1, 0.9 * 0.3 - 0.2, 1 - 0.3]
    assert got[0].tolist() == pytest.approx([d[0] + 0.45 * (d[1] + 0.45 * d[2]), d[1] + 0.45 * d[2], d[2]])
    assert got[1].tolist() == pytest.approx([0.9 * 0.5 - 0.4 + 0.45 * 1.5, 1.5, 0.0])
    assert torch.allclose(returns, got + values)


def test_jobs_have_keys_of_their_own_and_the_comparison_has_its_control():
    keys = [json.dumps(key, sort_keys=True) for key, _ in experiments.jobs()]
    assert len(set(keys)) == len(keys)
    arms = [key for key, _ in experiments.jobs() if key["part"] == "RLOO" and key["beta"] == experiments.BETA]
    assert {(k["reward"], k["seed"]) for k in arms} == {
        (r, s) for r in ("biased", "unbiased") for s in experiments.SEEDS
    }


def test_the_true_score_is_called_as_a_reward_is():
    rows = experiments.test_prompts(3)
    scores = experiments.scored(experiments.gold, rows, [row["brief"] for row in rows])
    loud = experiments.scored(experiments.gold, rows, [row["brief"].rstrip(".") + "!" for row in rows])
    assert all(a > b for a, b in zip(scores, loud, strict=True))


def test_train_and_test_prompts_share_nothing():
    train, test = ({row["text"] for row in rows} for rows in (experiments.train_prompts(), experiments.test_prompts()))
    assert len(train) == experiments.TRAIN and not train & test


def test_the_picture_says_what_it_shows():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    assert "advantage" in picture.draw(axes)
    pyplot.close(figure)


def run(part, seed=0, steps=10, **key):
    history = {name: [float(seed + i) for i in range(steps)] for name in experiments.WATCHED}
    metrics = {"gold": [0.1, 0.2, 0.3 + seed], "shouts": 0.5, "words": 12.0, "history": history, "replies": ["a"]}
    return {"key": {"part": part, "seed": seed} | key, "metrics": metrics}


def test_a_course_is_the_mean_over_the_seeds_and_five_steps():
    runs = [run("RLOO", seed, reward="biased", beta=experiments.BETA) for seed in (1, 0)]
    steps, values = shown.smoothed(runs, "RLOO, biased", "kl")
    assert steps == [3, 4, 5, 6, 7, 8]
    assert values == pytest.approx([2.5, 3.5, 4.5, 5.5, 6.5, 7.5])
    assert [m["history"]["kl"][0] for m in shown.arms(runs)["RLOO, biased"]] == [0.0, 1.0]


def test_arms_without_runs_are_left_out_and_the_leash_tells_arms_apart():
    runs = [run("start"), run("RLOO", reward="biased", beta=experiments.BETA), run("RLOO", reward="biased", beta=0.0)]
    assert list(shown.arms(runs)) == ["brief writer", "RLOO, biased", "RLOO, biased, beta 0"]
    assert "RLOO, unbiased" not in shown.table(runs)


def test_the_four_logs_show_the_runs_of_the_exercise_from_first_to_last_step():
    runs = [run("RLOO", steps=30, reward="biased", beta=experiments.BETA)]
    runs += [run("broken", how=how) for how in experiments.BREAKS]
    logs = shown.four_logs(runs).split("\n\n")
    assert [log.split()[1] for log in logs] == list(exercises.CAUSES)
    assert logs[0].splitlines()[0].split()[-1] == "30" and logs[1].splitlines()[0].split()[-1] == "10"
    how = {letter: key.get("how", "hacked") for letter, (_, key) in shown.LOGS.items()}
    assert how == exercises.CAUSES


def test_the_reach_of_best_of_n_is_the_first_that_gets_there():
    n = solutions.reach(exercises.FAR)
    assert shown.distance(n - 1) < exercises.FAR <= shown.distance(n)
