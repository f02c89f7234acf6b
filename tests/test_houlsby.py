"""Houlsby adapters on tiny random models of several architectures: equal to the formula, local, counted, saved, trained."""

import copy
import dataclasses
import json

import pytest
import torch
import torch.nn.functional as F
import transformers

from course_lib.base.errors import CourseError
from course_lib.models import houlsby
from course_lib.models.houlsby import HoulsbyConfig, add_adapter, set_adapter

WIDTH, LAYERS = 32, 3
_LLAMA = {
    "vocab_size": 64,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_HEADED = {k: v for k, v in _LLAMA.items() if k not in ("num_key_value_heads", "head_dim")}
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**_LLAMA),
    "qwen3": lambda: transformers.Qwen3Config(**_LLAMA),
    "gemma3": lambda: transformers.Gemma3TextConfig(**_LLAMA),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=64, n_embd=WIDTH, n_layer=LAYERS, n_head=4, pad_token_id=0, bos_token_id=1, eos_token_id=2
    ),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**_HEADED, use_parallel_residual=True),
    "phi": lambda: transformers.PhiConfig(**_HEADED),
    "opt": lambda: transformers.OPTConfig(**_HEADED, ffn_dim=48, word_embed_proj_dim=WIDTH),
}
IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]])


def tiny(kind="llama", seed=0):
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(CONFIGS[kind](), dtype=torch.float32).eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def far(model, name="default", std=0.5):
    """Move an adapter away from the identity, so that a test can fail."""
    torch.manual_seed(1)
    for tensor in houlsby.adapter_tensors(model, name).values():
        torch.nn.init.normal_(tensor, std=std)
    return model


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("placement", houlsby.SUBLAYERS)
def test_near_identity_counted_local_and_trained(kind, placement):
    model = tiny(kind)
    before = logits(model)
    config = HoulsbyConfig(bottleneck=4, placement=placement, init_std=1e-3)
    add_adapter(model, config)
    assert torch.allclose(logits(model), before, atol=1e-4)
    trained = [p for p in model.parameters() if p.requires_grad]
    each = 2 * 4 * WIDTH + WIDTH + 4  # 2md + d + m
    assert sum(p.numel() for p in trained) == each * LAYERS * (2 if placement == "houlsby" else 1)
    assert sum(p.numel() for p in trained) == config.count(WIDTH, LAYERS)
    far(model)
    assert not torch.allclose(logits(model), before, atol=1e-2)
    model(input_ids=IDS, labels=IDS).loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    with houlsby.disable_adapter(model):
        assert torch.equal(logits(model), before)
    houlsby.remove_adapter(model, "default")
    assert torch.equal(logits(model), before)
    assert not any("houlsby" in name for name in model.state_dict())


@pytest.mark.parametrize("nonlinearity", houlsby.NONLINEARITIES)
def test_forward_is_the_formula(nonlinearity):
    module = houlsby.Bottleneck(WIDTH, HoulsbyConfig(bottleneck=5, nonlinearity=nonlinearity, init_std=0.3))
    torch.nn.init.normal_(module.down.bias)
    torch.nn.init.normal_(module.up.bias)
    f = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu, "tanh": torch.tanh, "identity": lambda x: x}[nonlinearity]
    h = torch.randn(2, 3, WIDTH)
    inside = f(h @ module.down.weight.T + module.down.bias)
    assert torch.allclose(module(h), h + inside @ module.up.weight.T + module.up.bias, atol=1e-5)


@pytest.mark.parametrize("parallel", [True, False])
def test_it_stands_before_the_skip_connection(parallel):
    """A layer of GPT-NeoX written out by hand: x + adapter(attention(...)) + adapter(mlp(...)), also in parallel."""
    config = CONFIGS["gpt_neox"]()
    config.use_parallel_residual = parallel
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    add_adapter(model, HoulsbyConfig(bottleneck=4))
    far(model)
    layer, seen = model.gpt_neox.layers[0], {}
    handles = [
        layer.register_forward_hook(lambda m, i, o: seen.update(x=i[0], y=o[0] if isinstance(o, tuple) else o)),
        layer.attention.dense.register_forward_hook(lambda m, i, o: seen.update(attention=o)),
        layer.mlp.dense_4h_to_h.register_forward_hook(lambda m, i, o: seen.update(mlp=o)),
    ]
    with torch.no_grad():
        model(input_ids=IDS)
        a = layer.attention.houlsby["default"](seen["attention"])
        b = layer.mlp.houlsby["default"](seen["mlp"])
    assert torch.allclose(seen["y"], seen["x"] + a + b, atol=1e-5)
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "phi"])
def test_a_deep_copy_uses_its_own_adapter(kind):
    model = far(add_adapter(tiny(kind), HoulsbyConfig(bottleneck=4)))
    before, twin = logits(model), copy.deepcopy(model)
    assert torch.equal(logits(twin), before)
    far(twin, std=2.0)
    assert torch.equal(logits(model), before) and not torch.allclose(logits(twin), before, atol=1e-2)
    set_adapter(twin, None)
    assert houlsby.active_adapters(model) == ["default"] and torch.equal(logits(model), before)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox"])
def test_gradient_checkpointing_gives_the_same_gradients(kind):
    def gradients(checkpointing):
        model = far(add_adapter(tiny(kind), HoulsbyConfig(bottleneck=4)), std=0.1).train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if checkpointing:
            model.activation_checkpointing_enable()
            assert model.is_activation_checkpointing
        model(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
        return [p.grad for p in model.parameters() if p.requires_grad]

    for plain, saved in zip(gradients(False), gradients(True), strict=True):
        assert plain.abs().sum() > 0 and torch.allclose(plain, saved, atol=1e-6)


def test_batched_generation_equals_single():
    model = far(add_adapter(tiny(), HoulsbyConfig(bottleneck=4)))
    ids = torch.tensor([[0, 0, 5, 6, 7], [8, 9, 10, 11, 12]])
    settings = {"max_new_tokens": 6, "do_sample": False, "min_new_tokens": 6}
    together = model.generate(input_ids=ids, attention_mask=(ids != 0).long(), **settings)
    alone = model.generate(input_ids=ids[:1, 2:], attention_mask=torch.ones(1, 3, dtype=torch.long), **settings)
    assert together[0, 5:].tolist() == alone[0, 3:].tolist()


def test_several_on_one_model_and_a_stack():
    model = tiny()
    base = logits(model)
    far(add_adapter(model, HoulsbyConfig(bottleneck=4), "a"), "a")
    with_a = logits(model)
    far(add_adapter(model, HoulsbyConfig(bottleneck=6, placement="pfeiffer"), "b"), "b")
    with_b = logits(model)
    assert not torch.allclose(with_a, with_b, atol=1e-2)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained and all(".houlsby.b." in n for n in trained)
    set_adapter(model, ["a", "b"])
    first = logits(model)
    set_adapter(model, ["b", "a"])
    assert not torch.allclose(first, logits(model), atol=1e-3)  # the order of a stack matters
    assert not torch.allclose(first, with_a, atol=1e-2)
    for names, expected in (("a", with_a), ("b", with_b), (None, base)):
        set_adapter(model, names)
        assert torch.equal(logits(model), expected)
    houlsby.train_adapter(model, "a")
    assert houlsby.active_adapters(model) == ["a"]
    assert all(".houlsby.a." in n for n, p in model.named_parameters() if p.requires_grad)
    houlsby.remove_adapter(model, "b")
    assert list(houlsby.adapters_of(model)) == ["a"] and torch.equal(logits(model), with_a)


def test_some_layers_only():
    config = HoulsbyConfig(bottleneck=4, layers=[2, 0])
    model = add_adapter(tiny(), config)
    places = {name.split(".")[2] for name in houlsby.adapter_tensors(model)}
    assert places == {"0", "2"}
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == config.count(WIDTH, LAYERS)


def test_tensors_under_names_without_the_adapters_own():
    one = far(add_adapter(tiny(), HoulsbyConfig(bottleneck=4), "mine"), "mine")
    other = add_adapter(tiny(), HoulsbyConfig(bottleneck=4), "yours")
    houlsby.put_tensors(other, houlsby.adapter_tensors(one, "mine"), "yours")
    assert torch.equal(logits(one), logits(other))
    wide = add_adapter(tiny(), HoulsbyConfig(bottleneck=5))
    with pytest.raises(CourseError, match="does not fit"):
        houlsby.put_tensors(wide, houlsby.adapter_tensors(one, "mine"))
    # the same shapes with another non-linearity fit, and compute something else: why the config belongs to the file
    relu = add_adapter(tiny(), HoulsbyConfig(bottleneck=4, nonlinearity="relu"))
    houlsby.put_tensors(relu, houlsby.adapter_tensors(one, "mine"))
    assert not torch.allclose(logits(one), logits(relu), atol=1e-2)


def test_start_far_from_the_identity():
    base = logits(tiny())
    shift = [(logits(add_adapter(tiny(), HoulsbyConfig(init_std=std))) - base).abs().max() for std in (1e-3, 1e-1, 1.0)]
    assert shift[0] < 1e-3 < shift[1] < shift[2]


def test_config_to_dict_and_back():
    config = HoulsbyConfig(bottleneck=8, placement="pfeiffer", nonlinearity="relu", layers=[1])
    values = json.loads(json.dumps(config.to_dict()))
    assert values["peft_type"] == "HOULSBY" and HoulsbyConfig.from_dict(values) == config
    for field in dataclasses.fields(config):
        with pytest.raises(CourseError, match=field.name):
            HoulsbyConfig.from_dict({k: v for k, v in values.items() if k != field.name})
    with pytest.raises(CourseError, match="LORA"):
        HoulsbyConfig.from_dict({"peft_type": "LORA", "r": 8})


@pytest.mark.parametrize(
    "wrong",
    [{"placement": "parallel"}, {"nonlinearity": "swish7"}, {"bottleneck": 0}, {"bottleneck": 0.5}, {"init_std": -1}],
)
def test_config_refuses(wrong):
    with pytest.raises(CourseError, match=next(iter(wrong))):
        HoulsbyConfig(**wrong)


def test_add_refuses():
    model = add_adapter(tiny(), HoulsbyConfig(bottleneck=4))
    with pytest.raises(CourseError, match="already has an adapter called 'default'"):
        add_adapter(model, HoulsbyConfig(bottleneck=4))
    for name in ("a.b", "", "train", "keys"):
        with pytest.raises(CourseError, match="cannot be called"):
            add_adapter(model, HoulsbyConfig(bottleneck=4), name)
    with pytest.raises(CourseError, match=r"layers \[3\]"):
        add_adapter(model, HoulsbyConfig(layers=[3]), "other")
    with pytest.raises(CourseError, match="no adapter called 'other'"):
        set_adapter(model, "other")
    bloom = transformers.BloomConfig(vocab_size=64, hidden_size=WIDTH, n_layer=1, n_head=4)
    with pytest.raises(CourseError, match="place for a Houlsby adapter was not found"):
        add_adapter(transformers.AutoModelForCausalLM.from_config(bloom), HoulsbyConfig())


def test_a_peft_model_is_refused():
    from peft import LoraConfig, get_peft_model

    with pytest.raises(CourseError, match="already carries an adapter of PEFT"):
        add_adapter(get_peft_model(tiny(), LoraConfig(target_modules=["q_proj"])), HoulsbyConfig())


def test_bf16_weights_keep_their_dtype():
    model = add_adapter(tiny().to(torch.bfloat16), HoulsbyConfig(bottleneck=4))
    assert logits(model).dtype == torch.bfloat16
    assert all(t.dtype == torch.float32 for t in houlsby.adapter_tensors(model).values())
    with torch.autocast("cpu", torch.bfloat16):
        model(input_ids=IDS, labels=IDS).loss.backward()
