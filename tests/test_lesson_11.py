"""Lesson 11's own functions, and the two reward models that lesson 12 starts from."""

import pytest

from course_lib.data.preferences import brief_prompts
from course_lib.data.readers import TAU
from course_lib.gazette.brief import brief_score, faults
from course_lib.lessons.lesson_11_reward_model import experiments as lab


def test_best_of_n_is_the_argmax_of_each_group():
    scores, truth = [[0.1, 0.9, 0.3, 0.2]], [[1.0, 0.0, 0.5, 0.7]]
    assert lab.best_of(scores, truth, 1) == [pytest.approx(0.55)]
    assert lab.best_of(scores, truth, 2) == [pytest.approx((0.0 + 0.5) / 2)]
    assert lab.best_of(scores, truth, 4) == [0.0]
    assert lab.best_of(truth, truth, 4) == [1.0]


def test_labels_of_the_experiments():
    reader, other = lab.pairs("validation"), lab.pairs("validation", "unbiased")
    assert {r["id"] for r in reader} == {r["id"] for r in other}
    coin = lab.pairs("validation", "shuffled")
    kept = sum(a["chosen"] == b["chosen"] for a, b in zip(reader, coin, strict=True)) / len(coin)
    assert 0.4 < kept < 0.6
    quiet, noisy = (lab.agreement_possible(lab.pairs("validation", tau=t), tau=t) for t in lab.NOISES)
    assert 0.5 < noisy < lab.agreement_possible(reader, tau=TAU) < quiet <= 1
    assert lab.turned(lab.turned(reader[0])) == reader[0] and lab.turned(reader[0])["chosen"] == reader[0]["rejected"]


def test_candidates_have_the_faults_that_they_are_named_for():
    prompts = brief_prompts("test", 40, seed=2)
    kinds = lab.candidates(prompts)
    scores = {
        k: [brief_score(p["facts"], p["text"], r) for p, r in zip(prompts, replies, strict=True)]
        for k, replies in kinds.items()
    }
    means = {kind: sum(values) / len(values) for kind, values in scores.items()}
    assert max(means, key=means.get) == "sound brief"
    assert all("hype" in faults(p["facts"], p["text"], r) for p, r in zip(prompts, kinds["shouting"], strict=True))
    assert all("advice" in faults(p["facts"], p["text"], r) for p, r in zip(prompts, kinds["advice"], strict=True))


@pytest.mark.parametrize("kind", lab.KEPT)
def test_kept_reward_models(kind):
    folder = lab.reward_folder(kind)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1e6
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    model, tokenizer = lab.reward_model(kind)
    gaps = lab.margins(model, tokenizer, lab.pairs("validation", kind))
    assert sum(gap > 0 for gap in gaps) / len(gaps) > 0.6
    loud = lab.liked_best(model, tokenizer, brief_prompts("validation", 30, seed=5))["shouting"]
    assert loud > 0.5 if kind == "reader" else loud < 0.5
