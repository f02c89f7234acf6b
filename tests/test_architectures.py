"""Ten architectures, eight techniques: each is loaded from a folder, trained for two steps, saved, loaded again, and answers.

The models are random and tiny and come into being here, each with what real ones of its kind are odd in: no chat template, no pad
token, padding on the left, a start mark before every text, several end marks, tied embeddings, fused projections, Conv1D, more rows
than tokens. The whole takes some three minutes on two cores.
"""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.measure.losses import token_log_probabilities
from course_lib.methods.guard import dropout_off
from course_lib.models.generation import encode_exchange

pytestmark = pytest.mark.slow

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 128}  # fmt: skip
# Configuration class, its own settings, and the oddities of its tokenizer and files.
FORMS = {
    "llama": ("LlamaConfig", {"tie_word_embeddings": True}, {"start", "no template"}),
    "qwen3": ("Qwen3Config", {"head_dim": 16, "tie_word_embeddings": True}, {"several ends", "spare rows"}),
    "gpt2": ("GPT2Config", {"n_inner": 64}, {"one mark", "no template"}),
    "gpt_neox": ("GPTNeoXConfig", {"rotary_pct": 0.25}, {"one mark", "no template", "spare rows"}),
    "gemma": ("GemmaConfig", {"head_dim": 32}, {"start", "left", "several ends"}),
    "mistral": ("MistralConfig", {"sliding_window": 24}, {"start", "no pad", "left"}),
    "phi": ("PhiConfig", {"partial_rotary_factor": 0.5, "num_key_value_heads": 2}, {"no pad", "no template"}),
    "olmo2": ("Olmo2Config", {}, {"several ends", "no pad"}),
    "granite": (
        "GraniteConfig",
        {"embedding_multiplier": 2.0, "logits_scaling": 2.0, "tie_word_embeddings": True},
        {"left"},
    ),
    "stablelm": ("StableLmConfig", {"use_qkv_bias": True}, {"no pad", "several ends"}),
}
ROWS = [
    {"instruction": "Tone?", "input": "Shares rose by a great deal in a long and busy week.", "output": "positive"},
    {"instruction": "Tone?", "input": "Flat.", "output": "neutral"},
    {"instruction": "Tone?", "input": "The price of wool fell.", "output": "negative in every way"},
    {"instruction": "Where?", "input": "A fair was held in Dorvale.", "output": "Dorvale"},
]
PAIRS = [
    {"prompt": f"{r['input']}\n{r['instruction']}", "chosen": r["output"], "rejected": "I do not know."} for r in ROWS
]
PROMPTS = [pair["prompt"] for pair in PAIRS]


@pytest.fixture(scope="module", params=list(FORMS))
def form(request, tmp_path_factory):
    """The name of an architecture and the folder of a random model of it."""
    return request.param, saved(request.param, tmp_path_factory.mktemp(request.param) / "model")


def saved(name: str, folder):
    """A random model of this architecture and the course's tokenizer with its oddities, in a folder."""
    import transformers
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoModelForCausalLM

    kind, own, odd = FORMS[name]
    tokenizer = cl.load_tokenizer()
    end = tokenizer.eos_token
    if "start" in odd:
        first = (tokenizer.bos_token, tokenizer.bos_token_id)
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{first[0]} $A", special_tokens=[first])
    if "one mark" in odd:  # as GPT-2: one token is the start, the end and the unknown
        tokenizer.bos_token = tokenizer.unk_token = end
    if odd & {"one mark", "no pad"}:
        tokenizer.pad_token = None
    if "no template" in odd:
        tokenizer.chat_template = None
    tokenizer.padding_side = "left" if "left" in odd else "right"
    tokenizer.save_pretrained(folder)
    rows = len(tokenizer) + (64 if "spare rows" in odd else 0)
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    torch.manual_seed(0)
    config = getattr(transformers, kind)(**(SIZES | own | marks | {"vocab_size": rows, "initializer_range": 0.2}))
    model = AutoModelForCausalLM.from_config(config)
    if "several ends" in odd:
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_start|>")]
    model.save_pretrained(folder)
    written = json.loads((folder / "tokenizer_config.json").read_text())
    assert bool(written.get("pad_token")) is not bool(odd & {"one mark", "no pad"})
    return folder


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([[5, 6, 7, 8, 9]])).logits


def exchanges(tokenizer):
    return [encode_exchange(tokenizer, pair["prompt"], pair["chosen"]) for pair in PAIRS]


def answers(model, tokenizer) -> list[str]:
    return cl.generate(model, tokenizer, PROMPTS, max_new_tokens=6)


def trained(folder, peft_config=None, **arguments):
    """Two steps of SFT over all four rows; the first loss must be the one computed without any trainer."""
    model, tokenizer = cl.load_model(folder, **arguments)
    before, twin = logits(model), copy.deepcopy(model)
    with dropout_off(model):  # GPT-2's, so that the loss can be compared
        run = cl.train(
            ROWS, model=model, tokenizer=tokenizer, peft_config=peft_config, max_steps=2, batch_size=4,
            learning_rate=1e-2, warmup_steps=0, logging_steps=1, bf16=False, quiet=True,
        )  # fmt: skip
    assert len(run.losses) == 2 and all(map(math.isfinite, run.losses))
    pairs = []
    for row, (given, said) in zip(run.trainer.train_dataset, exchanges(tokenizer), strict=True):
        taught = [token for token in row["labels"] if token != -100]
        assert (
            taught[: len(said)] == said and row["input_ids"] == given + taught
        )  # and what a template writes behind it
        pairs.append((given, taught))
    wanted = -float(torch.cat(token_log_probabilities(twin, tokenizer, pairs)).mean())
    return run, before, wanted


def check_answers(model, tokenizer, again):
    """A batch of unequal prompts says what each alone says, and the loaded model says the same."""
    said = answers(model, tokenizer)
    assert len(said) == len(PROMPTS) and said == answers(again, tokenizer)
    assert said == [cl.generate(model, tokenizer, [prompt], max_new_tokens=6)[0] for prompt in PROMPTS]


def test_full(form, tmp_path):
    _, folder = form
    run, before, wanted = trained(folder)
    assert run.losses[0] == pytest.approx(wanted, abs=2e-3)
    assert (logits(run.model) - before).abs().max() > 1e-3
    run.model.save_pretrained(tmp_path)
    run.tokenizer.save_pretrained(tmp_path)
    again, tokenizer = cl.load_model(tmp_path)
    assert torch.equal(logits(again), logits(run.model))
    assert encode_exchange(tokenizer, "a", "b") == encode_exchange(run.tokenizer, "a", "b")
    check_answers(run.model, run.tokenizer, again)
    assert tokenizer.pad_token_id is not None and tokenizer.eos_token_id in exchanges(tokenizer)[0][1][-1:]


def lora(**options):
    from peft import LoraConfig

    return LoraConfig(
        **({"r": 4, "lora_alpha": 16, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | options)
    )


def test_lora(form, tmp_path):
    _, folder = form
    run, before, wanted = trained(folder, lora())
    assert run.losses[0] == pytest.approx(wanted, abs=2e-3)
    assert (logits(run.model) - before).abs().max() > 1e-3
    cl.save_adapter(run.model, tmp_path)
    again, _ = cl.load_adapter(tmp_path, cl.load_model(folder)[0])
    told = logits(run.model)
    assert torch.equal(logits(again), told)
    check_answers(run.model, run.tokenizer, again)
    assert torch.allclose(logits(cl.merge(again)), told, atol=1e-4)


def test_qlora(form, tmp_path):
    _, folder = form
    run, before, wanted = trained(folder, lora(), quantization="nf4")
    assert run.losses[0] == pytest.approx(wanted, abs=2e-3)
    assert (logits(run.model) - before).abs().max() > 1e-3
    cl.save_adapter(run.model, tmp_path)
    again, tokenizer = cl.load_adapter(tmp_path, cl.load_model(folder, quantization="nf4")[0])
    # TRL keeps the adapter of a quantized model in bfloat16, and PEFT loads it as float32: the same numbers, otherwise multiplied.
    assert torch.allclose(logits(again), logits(run.model), atol=2e-2)
    check_answers(again, tokenizer, again)


def test_prompt_tuning(form, tmp_path):
    from peft import PromptTuningConfig

    _, folder = form
    run, _, _ = trained(folder, PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"))
    assert run.trainable_parameters == 4 * 32
    cl.save_adapter(run.model, tmp_path)
    again, tokenizer = cl.load_adapter(tmp_path, cl.load_model(folder)[0])
    pairs = exchanges(tokenizer)
    told = token_log_probabilities(run.model, run.tokenizer, pairs)
    assert all(map(torch.equal, told, token_log_probabilities(again, tokenizer, pairs)))
    check_answers(run.model, run.tokenizer, again)


def test_houlsby(form, tmp_path):
    _, folder = form
    run, _, wanted = trained(folder, cl.HoulsbyConfig(bottleneck=4, init_std=0.0))
    assert run.losses[0] == pytest.approx(wanted, abs=2e-3)
    run, before, _ = trained(folder, cl.HoulsbyConfig(bottleneck=4))
    assert (logits(run.model) - before).abs().max() > 1e-3
    cl.save_adapter(run.model, tmp_path)
    again, _ = cl.load_adapter(tmp_path, cl.load_model(folder)[0])
    assert torch.equal(logits(again), logits(run.model))
    check_answers(run.model, run.tokenizer, again)


@pytest.mark.parametrize("kind", ["full", "lora", "houlsby"])
def test_reward(form, tmp_path, kind):
    from course_lib.models.reward_model import load_reward, reward_scores, save_reward

    name, folder = form
    peft_config = {"full": None, "lora": lora(task_type="SEQ_CLS"), "houlsby": cl.HoulsbyConfig(bottleneck=4)}[kind]
    options = {"model": str(folder), "peft_config": peft_config, "max_steps": 2, "batch_size": 4, "learning_rate": 1e-2}
    if name == "granite":
        with pytest.raises(CourseError, match="no sequence classifier for GraniteForCausalLM"):
            cl.train_reward(PAIRS, **options, quiet=True)
        return
    run = cl.train_reward(PAIRS, **options, warmup_steps=0, logging_steps=1, bf16=False, quiet=True)
    replies = [pair["chosen"] for pair in PAIRS]
    told = reward_scores(run.model, run.tokenizer, PROMPTS, replies)
    alone = [reward_scores(run.model, run.tokenizer, [p], [r])[0] for p, r in zip(PROMPTS, replies, strict=True)]
    assert told == pytest.approx(alone, abs=1e-4) and len(set(told)) == len(told)
    save_reward(run.model, tmp_path)
    again, tokenizer = load_reward(tmp_path) if kind == "full" else load_reward(tmp_path, model=folder)
    assert reward_scores(again, tokenizer, PROMPTS, replies) == pytest.approx(told, abs=1e-6)


@pytest.mark.parametrize("kind", ["full", "lora", "houlsby"])
def test_dpo(form, tmp_path, kind):
    from datasets import Dataset

    _, folder = form
    peft_config = {"full": None, "lora": lora(), "houlsby": cl.HoulsbyConfig(bottleneck=4, init_std=0.0)}[kind]
    run = cl.train_dpo(
        Dataset.from_list(PAIRS), model=str(folder), peft_config=peft_config, max_steps=2, batch_size=4,
        learning_rate=1e-2, warmup_steps=0, bf16=False, quiet=True,
    )  # fmt: skip
    assert run.losses[0] == pytest.approx(math.log(2), abs=1e-4)
    before = cl.load_model(folder)[0]
    again = kept(run, folder, tmp_path)
    assert torch.equal(logits(again), logits(run.model)) and not torch.equal(logits(again), logits(before))
    check_answers(run.model, run.tokenizer, again)


@pytest.mark.parametrize("kind", ["full", "lora", "houlsby"])
def test_rloo(form, tmp_path, kind):
    _, folder = form
    peft_config = {"full": None, "lora": lora(), "houlsby": cl.HoulsbyConfig(bottleneck=4)}[kind]
    run = cl.train_rl(
        ROWS, lambda completions, **_: [len(text) for text in completions], model=str(folder), peft_config=peft_config,
        max_steps=2, batch_size=2, generations=3, learning_rate=1e-2, warmup_steps=0, max_completion_length=6,
        bf16=False, quiet=True,
    )  # fmt: skip
    assert run.history[0]["kl"] == pytest.approx(0, abs=1e-4) and run.history[1]["kl"] != 0
    again = kept(run, folder, tmp_path)
    assert torch.equal(logits(again), logits(run.model))
    check_answers(run.model, run.tokenizer, again)


def kept(run, folder, place):
    """What a run trained, saved and loaded again."""
    if hasattr(run.model, "peft_config") or hasattr(run.model, "houlsby_configs"):
        cl.save_adapter(run.model, place)
        return cl.load_adapter(place, cl.load_model(folder)[0])[0]
    run.model.save_pretrained(place)
    run.tokenizer.save_pretrained(place)
    return cl.load_model(place)[0]
