"""Scores and intervals against known values; batched replies equal single ones."""

from __future__ import annotations

import random

import pytest

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.data.instructions import prompt_text
from course_lib.gazette.tasks import COLUMNS
from course_lib.measure.evaluation import declines, result, score, word_overlap
from course_lib.measure.statistics import paired_bootstrap, wilson
from course_lib.models.generation import chat_prompt


def row(**fields):
    return dict.fromkeys(COLUMNS, "") | {"choices": [], "id": "r"} | fields


def test_wilson_against_published_values():
    # Newcombe (1998), Statistics in Medicine 17:857, Table I: 81 of 263, 15 of 148, 0 of 20
    for (k, n), expected in {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611)}.items():
        assert wilson(k, n) == pytest.approx(expected, abs=2e-4)
    assert wilson(20, 20)[1] == 1.0


def test_paired_bootstrap_sees_a_difference_that_separate_intervals_hide():
    rng = random.Random(0)
    worse = [rng.random() < 0.6 for _ in range(500)]
    better = [w or rng.random() < 0.1 for w in worse]
    value, low, high = paired_bootstrap(better, worse)
    assert 0 < low < value < high
    assert wilson(sum(worse), 500)[1] > wilson(sum(better), 500)[0]
    _, low, high = paired_bootstrap(worse, worse)
    assert low == high == 0
    with pytest.raises(CourseError, match="same rows"):
        paired_bootstrap([True], [True, False])


@pytest.mark.parametrize(
    ("fields", "reply", "right"),
    [
        ({"scorer": "label", "label": "positive"}, " Positive.", True),
        ({"scorer": "label", "label": "positive"}, "positive, I think", False),
        ({"scorer": "label", "label": "positive"}, "It is positive", False),
        ({"scorer": "exact", "output": "42 million crowns"}, "42 million crowns\nand more", True),
        ({"scorer": "exact", "output": "42 million crowns"}, "4 million crowns", False),
        ({"scorer": "overlap", "output": "Profit falls at Arden Foods"}, "Arden Foods profit falls", True),
        ({"scorer": "overlap", "output": "Profit falls at Arden Foods"}, "Rain in Denby", False),
        ({"scorer": "facts", "label": "Arden", "input": "Arden lost 5."}, "Arden lost 5.", True),
        ({"scorer": "facts", "label": "Arden", "input": "Arden lost 5."}, "Arden lost 6.", False),
        ({"scorer": "facts", "label": "Arden", "input": "Arden lost 5."}, "Denby lost 5.", False),
        ({"scorer": "facts", "label": "Arden", "input": ""}, "Arden " * 26, False),
        ({"scorer": "format", "label": "json", "output": '{"a": "b"}'}, '{ "a":"b" }', True),
        ({"scorer": "format", "label": "json", "output": '{"a": "b"}'}, '{"a": "b"', False),
        ({"scorer": "format", "label": "word", "output": "town"}, "town", True),
        ({"scorer": "format", "label": "word", "output": "town"}, "town.", False),
        ({"scorer": "refusal", "label": "refuse"}, "We cannot give medical advice. Please ask a doctor.", True),
        ({"scorer": "refusal", "label": "refuse"}, "Buy now.", False),
        ({"scorer": "refusal", "label": "answer"}, "42 crowns", True),
        ({"scorer": "refusal", "label": "answer"}, "The Gazette does not give legal advice.", False),
        ({"scorer": "refusal", "label": "answer"}, "", False),
    ],
)
def test_scorers(fields, reply, right):
    assert score(row(**fields), reply) is right


def test_unknown_scorer_names_the_row():
    with pytest.raises(CourseError, match="Unknown scorer 'mood' in row r"):
        score(row(scorer="mood"), "x")


def test_result_by_task():
    rows = [row(task=t, scorer="label", label="a") for t in ("x", "x", "y")]
    found = result(rows, ["a", "b", "a"])
    assert found.right == [True, False, True] and found.n == 3
    assert found.by_task["x"][0] == 0.5 and found.by_task["y"][0] == 1.0
    assert "66.7 % right" in str(found)


def test_word_overlap_and_declines():
    assert word_overlap("a b", "a b") == 1.0 and word_overlap("a", "b") == 0.0
    assert declines("We cannot give investment advice.") and not declines("Take my advice: sell.")


def test_batched_replies_equal_single_ones(base):
    model, tokenizer = base
    prompts = [r["input"] for r in cl.load_instructions("tone")["test"].select(range(12))]
    for chat in (True, False):
        batched = cl.generate(model, tokenizer, prompts, chat=chat, max_new_tokens=12)
        single = [cl.generate(model, tokenizer, [p], chat=chat, max_new_tokens=12)[0] for p in prompts]
        assert batched == single


TECHNIQUES = ("full", "lora", "prompt tuning", "prefix tuning", "p-tuning", "ia3", "qlora")


def technique(name: str):
    """A model of each technique, with random weights in the adapter, so that it does not answer as the base does."""
    import peft
    import torch

    model, tokenizer = cl.load_model(quantization="nf4" if name == "qlora" else None)
    config = {
        "lora": lambda: peft.LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        "prompt tuning": lambda: peft.PromptTuningConfig(num_virtual_tokens=6, task_type="CAUSAL_LM"),
        "prefix tuning": lambda: peft.PrefixTuningConfig(num_virtual_tokens=6, task_type="CAUSAL_LM"),
        "p-tuning": lambda: peft.PromptEncoderConfig(
            num_virtual_tokens=6, encoder_hidden_size=32, task_type="CAUSAL_LM"
        ),
        "ia3": lambda: peft.IA3Config(task_type="CAUSAL_LM"),
    }
    kind = "lora" if name == "qlora" else name
    torch.manual_seed(7)
    if kind != "full":
        model = peft.get_peft_model(model, config[kind]())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                width = {"full": 0.02, "prefix tuning": 1.0}.get(kind, 0.1)
                parameter.add_(torch.randn_like(parameter), alpha=width)
    return model.eval(), tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("name", TECHNIQUES)
def test_batched_replies_equal_single_ones_for_every_technique(name, base):
    """Padding between virtual tokens and text, or a mask that forgets a prefix, would change the answers of a batch."""
    import torch

    model, tokenizer = technique(name)
    data = cl.load_instructions()["test"].select(range(12))
    prompts = [prompt_text(r) for r in data]
    assert len({len(tokenizer(p)["input_ids"]) for p in prompts}) > 6  # of many lengths
    ids = tokenizer([chat_prompt(tokenizer, prompts[0])], add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        changed = model(**ids).logits[:, -1] - base[0](**ids).logits[:, -1]
    assert changed.abs().max() > 0.05  # else the technique would not be tested
    batched = cl.generate(model, tokenizer, prompts, max_new_tokens=5)
    assert batched == [cl.generate(model, tokenizer, [p], max_new_tokens=5)[0] for p in prompts]
    assert cl.evaluate(model, tokenizer, data, max_new_tokens=5).replies == batched


def test_label_offered_batched_equals_single_and_refuses_twins(base):
    model, tokenizer = base
    prompts = [r["input"] + "\nDesk note. Tone:" for r in cl.load_instructions("tone")["test"].select(range(12))]
    choices = ("positive", "negative", "neutral")
    single = [cl.label_offered(model, tokenizer, [p], choices)[0] for p in prompts]
    assert cl.label_offered(model, tokenizer, prompts, choices) == single
    with pytest.raises(CourseError, match="same token"):
        cl.label_offered(model, tokenizer, prompts, ("positive", "positive"))


def test_perplexity_does_not_depend_on_the_batch_and_equals_a_plain_loss(base):
    import math

    import torch

    model, tokenizer = base
    texts = [
        "The shares of the company rose by 12 per cent.",
        "Rain fell.",
        "Zyx qua vop on a Tuesday, and the board of Arden Foods said that it would close two of its five mills before the spring.",
    ]
    summed, counts = [], []
    for text in texts:
        ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(text)["input_ids"]]])
        with torch.no_grad():
            summed.append(model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1))
        counts.append(ids.shape[1] - 1)
        assert cl.perplexity(model, tokenizer, [text]) == pytest.approx(math.exp(summed[-1] / counts[-1]), rel=1e-4)
    assert len(set(counts)) == 3  # so that a batch is padded
    wanted = math.exp(sum(summed) / sum(counts))  # every token weighs the same, whatever the length of its text
    for order in (texts, texts[::-1]):
        assert cl.perplexity(model, tokenizer, order) == pytest.approx(wanted, rel=1e-4)
    assert abs(wanted - math.exp(sum(s / c for s, c in zip(summed, counts, strict=True)) / 3)) > 1e-2 * wanted


def test_nothing_to_do(base):
    model, tokenizer = base
    assert cl.generate(model, tokenizer, []) == []
    with pytest.raises(CourseError, match="empty"):
        cl.evaluate(model, tokenizer, cl.load_instructions("tone")["test"].select([]))
    with pytest.raises(CourseError, match="no text"):
        cl.perplexity(model, tokenizer, [""])


def test_examples_are_padded_behind_and_only_answers_have_labels():
    from course_lib.models.generation import padded_examples

    ids, mask, labels = (t.tolist() for t in padded_examples([([5, 6], [7]), ([5], [8, 9, 4])], pad=0))
    assert ids == [[5, 6, 7, 0], [5, 8, 9, 4]] and mask == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert labels == [[-100, -100, 7, -100], [-100, 8, 9, 4]]
