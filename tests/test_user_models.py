"""Models as people name, save, adapt and merge them: the right one is loaded, or one sentence says what stands there instead."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch

import course_lib as cl
from course_lib.base.errors import CourseError
from course_lib.base.run import Run
from course_lib.models import load
from course_lib.models.generation import chat_prompt, encode_exchange, stop_tokens
from course_lib.models.names import resolve_name

IDS = torch.tensor([[5, 6, 7, 8]])


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.fixture()
def copied(tiny, tmp_path):
    """A copy of the tiny model that a test may spoil."""
    return shutil.copytree(tiny, tmp_path / "model")


def live(tiny):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny).eval()


def with_lora(model, seed: int = 1, **options):
    """LoRA with B away from zero."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    made = get_peft_model(model, LoraConfig(r=2, lora_alpha=8, task_type="CAUSAL_LM", **options)).eval()
    for name, parameter in made.named_parameters():
        if "lora_B" in name or "lora_embedding" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return made


# ------------------------------------------------------------------ names


def test_a_name_is_stripped_expanded_and_an_address_understood(tiny, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny.parent))
    for name in (str(tiny), f" {tiny} ", f"{tiny}/", "~/model", "~/model/"):
        assert resolve_name(name) == str(tiny)
    asked = []
    monkeypatch.setattr("course_lib.models.names._find_on_hub", asked.append)
    for name in (
        "owner/name",
        " owner/name",
        "owner/name/",
        "https://huggingface.co/owner/name",
        "hf.co/owner/name/tree/main",
    ):
        assert resolve_name(name) == "owner/name"
    assert resolve_name("gpt2") == "gpt2" and asked == ["owner/name"] * 5 + ["gpt2"]


@pytest.mark.parametrize("name", ["models/absent", "gpt2", "owner/absent"])
def test_a_name_that_is_neither_folder_nor_known_says_both(name):
    with pytest.raises(CourseError, match=rf"no folder '{name}' in .*hub is switched off.*COURSE_MODEL={name}"):
        cl.load_model(name)


@pytest.mark.parametrize(
    "name", ["/nowhere/x", "./x", "~/nowhere/x", "a/b/c", "https://example.org/a/b", "owner name", "a\\b", ""]
)
def test_what_can_be_no_name_at_all_is_said(name):
    if not name:
        assert resolve_name(str(load.base_model_folder()))
        return
    with pytest.raises(CourseError, match=r"no folder .*'owner/name'"):
        resolve_name(name)


def made(folder, *names: str):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}")
    return folder


INDEX = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ("adapter_config.json", "adapter_model.safetensors"),
            r"holds an adapter, not a whole model.*cl\.load_adapter\(",
        ),
        (("adapter_config.json", "adapter_model.bin"), r"holds an adapter"),
        (("tiny-q4.gguf",), r"config\.json is missing.*tiny-q4\.gguf.*gguf_file"),
        (("config.json", "tiny.gguf"), r"no weights as safetensors, but tiny\.gguf.*gguf_file"),
        (("config.json", "pytorch_model.bin"), r"but pytorch_model\.bin.*save_pretrained"),
        (("config.json",), r"no weights as safetensors.*Copy model\.safetensors"),
        (
            ("checkpoint-40/config.json", "checkpoint-9/config.json"),
            r"models inside: cl\.load_model\('.*checkpoint-40'\)",
        ),
        (("checkpoint-40/adapter_config.json",), r"models inside: cl\.load_adapter\('.*checkpoint-40'\)"),
        (
            ("config.json", "model-00001-of-00002.safetensors"),
            r"incomplete: model-00002-of-00002\.safetensors, model\.safetensors\.index",
        ),
        (("notes.txt",), r"config\.json is missing"),
        (("config.json", "model.safetensors"), r"holds no tokenizer.*tokenizer\.save_pretrained"),
    ],
)
def test_each_kind_of_folder_is_named_with_the_way_on(tmp_path, names, said):
    folder = made(tmp_path / "some folder", *names)
    with pytest.raises(CourseError, match=said):
        cl.load_model(folder)


def test_a_missing_shard_and_a_broken_index_are_named(tmp_path):
    folder = made(tmp_path / "m", "config.json", "tokenizer.json", "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(INDEX)
    with pytest.raises(CourseError, match=r"incomplete: model-00002-of-00002\.safetensors is missing"):
        cl.load_model(folder)
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CourseError, match=r"index\.json cannot be read"):
        cl.load_model(folder)


def test_a_file_is_no_model(tmp_path):
    for name, said in (
        ("model.safetensors", "Name its folder"),
        ("a.gguf", "gguf_file"),
        ("pytorch_model.bin", "Convert it once"),
    ):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(CourseError, match=f"is a file, and a model is a folder.*{said}"):
            cl.load_model(tmp_path / name)


def test_words_of_other_libraries_are_answered():
    for word, said in (
        ("load_in_4bit", "quantization='nf4'"),
        ("torch_dtype", "dtype"),
        ("trust_remote_code", "no code"),
        ("x", "none of"),
    ):
        with pytest.raises(CourseError, match=f"no argument '{word}'.*{said}"):
            cl.load_model(**{word: True})


# ------------------------------------------------------------------ whole models


def test_weights_that_are_missing_are_an_error_that_names_them(copied):
    from safetensors.torch import load_file, save_file

    path = copied / "model.safetensors"
    whole = load_file(path)
    assert cl.load_model(copied)  # a tied output layer is not missing
    save_file({k: v for k, v in whole.items() if "mlp" not in k}, path, {"format": "pt"})
    with pytest.raises(CourseError, match=r"incomplete: its files hold no model\.layers\.0\.mlp\.down_proj\.weight"):
        cl.load_model(copied)


def test_a_model_saved_from_inside_a_peft_model_is_no_random_model(tiny, tmp_path):
    model = live(tiny)
    with_lora(model, target_modules="all-linear")
    model.save_pretrained(tmp_path)
    cl.load_tokenizer(tiny).save_pretrained(tmp_path)
    with pytest.raises(CourseError, match=r"incomplete.*saved from inside a PEFT model.*cl\.save_adapter"):
        cl.load_model(tmp_path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"eos_token": None}, "has no end mark"),
        ({"eos_token": ""}, "has no end mark"),
        ({"eos_token": "<never>"}, "<never>"),
    ],
)
def test_a_tokenizer_without_a_usable_end_mark_is_refused_at_loading(copied, settings, said):
    path = copied / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(CourseError, match=said):
        cl.load_model(copied)


def test_a_template_that_cannot_write_a_turn_is_one_sentence(copied):
    tokenizer = cl.load_tokenizer(copied)
    tokenizer.chat_template = "{{ raise_exception('only for tools') }}"
    tokenizer.save_pretrained(copied)
    with pytest.raises(
        CourseError, match=r"chat template of .* cannot write a question and its answer .*only for tools"
    ):
        cl.load_model(copied)


def test_a_pad_mark_that_the_model_has_no_row_for_is_refused(copied):
    tokenizer = cl.load_tokenizer(copied)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(copied)
    with pytest.raises(CourseError, match=r"writes '\[PAD\]', but the model has rows for 2,048 tokens only"):
        cl.load_model(copied)


# ------------------------------------------------------------------ marks


def test_replies_end_where_the_template_the_tokenizer_or_the_generation_config_says(tiny):
    model, tokenizer = cl.load_model(tiny)
    end_of_turn, other = tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer.eos_token = tokenizer.bos_token  # the end of a document, as with many base models
    assert {tokenizer.eos_token_id, end_of_turn} <= set(stop_tokens(model, tokenizer))
    model.generation_config.eos_token_id = [other, end_of_turn]
    assert {tokenizer.eos_token_id, other, end_of_turn} <= set(stop_tokens(model, tokenizer))

    def writes(*tokens):
        """A model that writes these tokens whatever it reads."""
        rows = iter(tokens)
        weight = model.get_output_embeddings()

        def forced(module, given, out):
            out = torch.full_like(out, -1e9)
            out[..., next(rows)] = 0
            return out

        return weight.register_forward_hook(forced)

    word = tokenizer(" neutral", add_special_tokens=False)["input_ids"][0]
    model.generation_config.eos_token_id = None
    handle = writes(word, end_of_turn, word, word, word)
    try:
        assert cl.generate(model, tokenizer, ["Tone?"], max_new_tokens=5) == [" neutral"]
    finally:
        handle.remove()


def test_an_answer_ends_with_the_mark_of_its_turn_also_where_it_holds_marks_itself(tiny):
    tokenizer = cl.load_tokenizer(tiny)
    tokenizer.add_tokens(["<think>", "</think>"])
    marks = [tokenizer.convert_tokens_to_ids(t) for t in ("<think>", "</think>")]
    tokenizer.chat_template = THINKING
    given, said = encode_exchange(tokenizer, "Tone?", "neutral")
    assert said[-1] == tokenizer.eos_token_id and [t for t in said if t in marks] == marks
    assert tokenizer.decode(said) == "<think>\n\n</think>\n\nneutral<|im_end|>"
    assert tokenizer.decode(given) == chat_prompt(tokenizer, "Tone?")


# A template that writes an empty block of reasoning before each answer, as Qwen3's does in training.
THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}"
    "{% endif %}{{ m['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


FOREIGN = (
    "{% for m in messages %}{{ m['role'] + '> ' + (m['content'] | trim) + '<|endoftext|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant> ' }}{% endif %}"
)


@pytest.mark.parametrize("template", [None, FOREIGN, THINKING], ids=["the course's", "foreign", "thinking"])
def test_the_loss_of_answers_is_that_of_what_the_template_writes(base, template):
    """By hand: the conversation as the template writes it, the loss at the places from the answer's first token to its end mark."""
    import math

    from course_lib.measure.losses import answer_loss, token_log_probabilities

    model, tokenizer = base[0], copy.deepcopy(base[1])
    tokenizer.chat_template = template or tokenizer.chat_template
    end = "<|endoftext|>" if template == FOREIGN else "<|im_end|>"
    rows = [
        {"instruction": "Tone?", "input": text, "output": output}
        for text, output in (("Flat.", "neutral"), ("It rose by far.", "so good"))
    ]
    total = count = 0
    for row in rows:
        prompt = f"{row['input']}\nTone?"
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": row["output"]}]
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
        whole = whole[: whole.rindex(end) + len(end)]
        start = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
        ids, given = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (whole, start))
        if ids[: len(given)] != given:
            ids = given + tokenizer(whole[len(start) :], add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            told = model(input_ids=torch.tensor([ids])).logits.log_softmax(-1)[0]
        wanted = [told[i - 1, ids[i]].item() for i in range(len(given), len(ids))]
        pair = encode_exchange(tokenizer, prompt, row["output"])
        assert pair == (given, ids[len(given) :])
        assert token_log_probabilities(model, tokenizer, [pair])[0].tolist() == pytest.approx(wanted, abs=1e-3)
        total, count = total - sum(wanted), count + len(wanted)
    guessing = math.log(len(tokenizer))  # the most that is reported
    assert answer_loss(model, tokenizer, rows) == pytest.approx(min(total / count, guessing), abs=1e-3)


def test_long_prompts_and_long_answers_are_said_and_never_an_error_of_shapes(tiny, capsys, monkeypatch):
    model, tokenizer = cl.load_model(tiny)
    long = "word " * 600
    replies = cl.generate(model, tokenizer, [long, "Tone?"], max_new_tokens=4)
    assert len(replies) == 2
    assert capsys.readouterr().out == "1 of 2 prompts are longer than 508 tokens and lose their beginning.\n"
    for asked in (512, 600):
        with pytest.raises(CourseError, match=f"max_new_tokens={asked} leaves no room.*holds 512 tokens"):
            cl.generate(model, tokenizer, ["Tone?"], max_new_tokens=asked)
    answer = " ".join(["rose", "fell"] * 75)  # 150 words
    said = {}

    def generate(model, tokenizer, prompts, *, max_new_tokens):
        said["ids"] = tokenizer(" " + answer, add_special_tokens=False)["input_ids"][:max_new_tokens]
        return [tokenizer.decode(said["ids"])] * len(prompts)

    monkeypatch.setattr("course_lib.measure.evaluation.generate", generate)
    rows = [
        {"instruction": "Copy.", "input": "", "output": answer},
        {"instruction": "Copy.", "input": "", "output": "rose"},
    ]
    assert cl.evaluate(model, tokenizer, rows).right == [True, False] and len(said["ids"]) > 100


def test_a_thinking_model_is_scored_by_its_answer_and_asked_for_it(tiny, monkeypatch):
    model, tokenizer = cl.load_model(tiny)
    said = {}

    def generate(model, tokenizer, prompts, *, max_new_tokens, **given):
        said["room"] = max_new_tokens
        return ["<think>\n\n</think>\n\nneutral"] * len(prompts)

    monkeypatch.setattr("course_lib.measure.evaluation.generate", generate)
    monkeypatch.setattr("course_lib.models.generation.generate", lambda *a, **k: generate(*a, max_new_tokens=9))
    tokenizer.chat_template = THINKING
    rows = [{"instruction": "Tone?", "input": "Flat.", "output": "neutral"}]
    found = cl.evaluate(model, tokenizer, rows)
    assert found.value == 1.0
    assert said["room"] > len(encode_exchange(tokenizer, "Flat.\nTone?", "neutral")[1])  # the block fits in too
    assert cl.ask(model, tokenizer, "Tone?") == "neutral"


def test_there_is_exactly_one_start_mark_everywhere(copied):
    """A tokenizer that puts a start mark before every text, and has no template of its own."""
    from tokenizers.processors import TemplateProcessing

    plain = cl.load_tokenizer(copied)
    bos = plain.bos_token_id
    plain.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{plain.bos_token} $A", special_tokens=[(plain.bos_token, bos)]
    )
    plain.chat_template = None
    plain.save_pretrained(copied)
    (copied / "chat_template.jinja").unlink(missing_ok=True)
    model, tokenizer = cl.load_model(copied)
    assert tokenizer("x")["input_ids"][0] == bos
    given, _ = encode_exchange(tokenizer, "Tone?", "neutral")
    assert given[0] == bos and given.count(bos) == 1
    seen = []
    handle = model.get_input_embeddings().register_forward_hook(lambda m, args, out: seen.append(args[0][0].tolist()))
    for chat in (True, False):
        for text in ("Tone?", tokenizer.bos_token + "Tone?")[: 1 if chat else 2]:
            seen.clear()
            cl.generate(model, tokenizer, [text], chat=chat, max_new_tokens=1)
            assert seen[0][0] == bos and seen[0].count(bos) == 1, (chat, text)
    cl.perplexity(model, tokenizer, ["A text."])
    handle.remove()
    assert seen[-1].count(bos) == 1
    trained = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Tone?"}, {"role": "assistant", "content": "neutral"}], return_dict=False
    )
    assert trained.count(bos) == 1


def test_a_tokenizer_that_writes_no_start_mark_gets_none_from_the_plain_template(copied):
    tokenizer = cl.load_tokenizer(copied)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(copied)
    (copied / "chat_template.jinja").unlink(missing_ok=True)
    assert cl.load_tokenizer(copied).chat_template == load.PLAIN_CHAT_TEMPLATE


# ------------------------------------------------------------------ adapters


def test_the_base_inside_a_peft_model_is_not_taken_for_the_base_or_for_the_adapter(tiny, tmp_path):
    model, tokenizer = live(tiny), cl.load_tokenizer(tiny)
    adapted = with_lora(model, target_modules="all-linear")
    for misuse in (
        lambda: cl.forgetting(adapted, tokenizer, base=model, count=1),
        lambda: cl.merge(model),
        lambda: cl.save_adapter(model, tmp_path / "adapter"),
        lambda: cl.train([{"instruction": "a", "input": "", "output": "b"}], model=model, tokenizer=tokenizer),
    ):
        with pytest.raises(CourseError, match=r"inside a PEFT model.*run\.model"):
            misuse()
    assert not (tmp_path / "adapter").exists()


def test_an_adapter_that_was_merged_is_used_up(tiny, tmp_path):
    from peft import LoraConfig

    adapted = with_lora(live(tiny), target_modules="all-linear")
    cl.merge(adapted)
    for misuse in (
        lambda: cl.save_adapter(adapted, tmp_path / "adapter"),
        lambda: cl.merge(adapted),
        lambda: cl.train(
            [{"instruction": "a", "input": "", "output": "b"}], model=adapted, tokenizer=cl.load_tokenizer(tiny)
        ),
    ):
        with pytest.raises(CourseError, match="used up"):
            misuse()
    assert not (tmp_path / "adapter").exists()
    fresh = with_lora(live(tiny), target_modules=["q_proj"])
    assert cl.save_adapter(fresh, tmp_path / "fresh").exists()  # one that is not is saved
    with pytest.raises(CourseError, match="already carries an adapter"):
        cl.train(
            [{"instruction": "a", "input": "", "output": "b"}],
            model=fresh,
            tokenizer=cl.load_tokenizer(tiny),
            peft_config=LoraConfig(),
        )


def test_saving_an_adapter_leaves_a_readme_of_the_users_alone(tiny, tmp_path):
    (tmp_path / "README.md").write_text("# Mine\n")
    cl.save_adapter(with_lora(live(tiny), target_modules=["q_proj"]), tmp_path)
    assert (tmp_path / "README.md").read_text() == "# Mine\n"
    (tmp_path / "file").write_text("x")
    with pytest.raises(CourseError, match="cannot be saved"):
        cl.save_adapter(with_lora(live(tiny), target_modules=["q_proj"]), tmp_path / "file" / "adapter")


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["embed_tokens", "q_proj"]},
        {"target_modules": ["lm_head", "q_proj"]},
        {"target_modules": ["embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    ],
    ids=["embed_tokens", "lm_head", "both", "modules_to_save"],
)
def test_merging_beside_tied_embeddings_changes_nothing_that_the_model_says(tiny, tmp_path, options):
    model = live(tiny)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    adapted = with_lora(model, **options)
    if "modules_to_save" in options:
        for name, parameter in adapted.named_parameters():
            if "modules_to_save" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    wanted, before = logits(adapted), logits(live(tiny))
    assert (wanted - before).abs().max() > 0.05
    merged = cl.merge(adapted)
    assert torch.allclose(logits(merged), wanted, atol=1e-4)
    merged.save_pretrained(tmp_path)
    cl.load_tokenizer(tiny).save_pretrained(tmp_path)
    assert torch.allclose(logits(cl.load_model(tmp_path)[0]), wanted, atol=1e-4)  # and it stays so on disk


def test_an_ordinary_merge_leaves_tied_embeddings_tied(tiny):
    merged = cl.merge(with_lora(live(tiny), target_modules=["q_proj"]))
    assert merged.config.tie_word_embeddings
    assert merged.get_input_embeddings().weight is merged.get_output_embeddings().weight


def test_a_loaded_adapter_can_be_trained_further_if_asked_for(tiny, tmp_path):
    folder = cl.save_adapter(with_lora(live(tiny), target_modules=["q_proj"]), tmp_path / "adapter")
    frozen, tokenizer = cl.load_adapter(folder, cl.load_model(tiny)[0])
    assert not any(p.requires_grad for p in frozen.parameters())
    with pytest.raises(CourseError, match=r"Nothing in this model can be trained.*trainable=True"):
        cl.train([{"instruction": "a", "input": "", "output": "b"}], model=frozen, tokenizer=tokenizer)
    open_again, _ = cl.load_adapter(folder, cl.load_model(tiny)[0], trainable=True)
    assert {n.split(".")[-3] for n, p in open_again.named_parameters() if p.requires_grad} == {"lora_A", "lora_B"}
    assert torch.equal(logits(open_again), logits(frozen))


def test_forgetting_compares_with_the_model_that_the_run_began_with(tiny, monkeypatch):
    model, tokenizer = cl.load_model(tiny)
    assert set(cl.forgetting(model, tokenizer, count=1).values()) == {
        0.0
    }  # and not some nats against the course's base
    adapted = with_lora(cl.load_model(tiny)[0], target_modules="all-linear")
    run = Run(adapted, tokenizer, None, 1.0, 8, 100, [1.0], 1, 2, 1e-3, 0)
    found = cl.forgetting(run, count=1)
    assert found == pytest.approx(cl.forgetting(adapted, tokenizer, cl.load_model(tiny)[0], count=1))
    assert any(value != 0 for value in found.values())
    model.config.name_or_path = ""
    with pytest.raises(CourseError, match="not known which model"):
        cl.forgetting(model, tokenizer, count=1)


def test_a_row_of_the_scoreboard_names_the_model_of_its_run_and_replaces_no_other(tiny, tmp_path, monkeypatch):
    from course_lib.measure.evaluation import Result

    (tmp_path / "data").symlink_to(cl.home() / "data")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    good = Result(0.9, 0.85, 0.93, 300, [], [])
    tokenizer = cl.load_tokenizer(tiny)
    kept = [
        cl.scoreboard.record("LoRA", Run(m, tokenizer, None, 1.0, 8, 100, [1.0], 1, 2, 1e-3, 0), good, lesson="06_lora")
        for m in (cl.load_model()[0], with_lora(cl.load_model(tiny)[0], target_modules=["q_proj"]))
    ]
    assert [row["model"] for row in kept] == ["course base model", "model"]
    assert kept[0]["base_sha256"] != kept[1]["base_sha256"]
    assert [row["model"] for row in cl.scoreboard.rows(cl.scoreboard.student_file())] == ["course base model", "model"]


# ------------------------------------------------------------------ four bits


def saved(config, folder, tiny):
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    cl.load_tokenizer(tiny).save_pretrained(folder)
    return folder


MARKS = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 3, "vocab_size": 2048}


def test_a_model_in_which_nothing_can_be_quantized_is_an_error(tiny, tmp_path):
    from transformers import FalconConfig

    config = FalconConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, **MARKS)
    with pytest.raises(CourseError, match=r"no linear layer that can be kept in four bits \(4 of another kind\)"):
        cl.load_model(saved(config, tmp_path, tiny), quantization="nf4")


def test_layers_that_stay_as_they_are_are_counted_and_said(tiny, capsys, monkeypatch):
    from course_lib.models import four_bits

    model, _ = cl.load_model(tiny, quantization="nf4")
    assert four_bits.count(model) == (7, 7) and capsys.readouterr().out == ""
    model.model.layers[0].mlp.extra = torch.nn.Linear(2, 2)
    four_bits.check_quantized(model, "m")
    assert capsys.readouterr().out == "7 of 8 linear layers are in four bits; the others stay as they are.\n"


def test_a_model_saved_in_four_bits_is_loaded_again_as_it_is_and_not_quantized_twice(tmp_path):
    from course_lib.models import four_bits

    model, tokenizer = cl.load_model(quantization="nf4")
    wanted = logits(model)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, _ = cl.load_model(tmp_path)
    assert four_bits.in_four_bits(again) and torch.equal(logits(again), wanted)
    with pytest.raises(CourseError, match="already quantized"):
        cl.load_model(tmp_path, quantization="nf4")
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"]["quant_method"] = "gptq"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CourseError, match="quantized by gptq"):
        cl.load_model(tmp_path)


def test_weights_in_four_bits_are_not_trained_themselves(tiny):
    model, tokenizer = cl.load_model(tiny, quantization="nf4")
    with pytest.raises(CourseError, match=r"four bits.*Train an adapter"):
        cl.train([{"instruction": "a", "input": "", "output": "b"}], model=model, tokenizer=tokenizer)


def test_experts_in_four_bits_are_merged_exactly_or_refused(tiny, tmp_path):
    from transformers import MixtralConfig

    config = MixtralConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        num_local_experts=2, num_experts_per_tok=1, **MARKS,
    )  # fmt: skip
    model, _ = cl.load_model(saved(config, tmp_path, tiny), quantization="nf4")
    adapted = with_lora(model, target_modules="all-linear")
    wanted = logits(adapted)
    try:
        merged = cl.merge(adapted)
    except CourseError as error:
        assert "mixture" in error.what
    else:
        assert torch.allclose(logits(merged), wanted, atol=1e-3)


def test_deep_copies_still_compute_with_their_own_weights(tiny):
    model = live(tiny)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert logits(twin).abs().max() == 0 < logits(model).abs().max()
