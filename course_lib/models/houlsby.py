"""Bottleneck adapters after Houlsby et al. (arXiv 1902.00751, section 2): small modules between the frozen sub-layers of a model.

An adapter maps the output h of a sub-layer (width d) to h + up(f(down(h))), through a bottleneck of width m. It stands "after
the projection back to the input size, but before adding the skip connection" (section 2.1). Houlsby's placement has one after
attention and one after the MLP; Pfeiffer's (arXiv 2005.00247) only the one after the MLP, half the parameters.
The paper also trains the layer norms anew; this module leaves them frozen.

The adapters are children of the sub-layers, and one forward hook, a plain function that finds them on the module it is called
for, sends each output through those that are switched on. So `generate`, `copy.deepcopy`, gradient checkpointing and 4-bit weights
work as without them, and an adapter's tensors are part of `state_dict()`.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from ..base.errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ATTENTION = ("self_attn", "attn", "attention", "self_attention")  # what the sub-layers are called in transformers
MLP = ("mlp", "ffn", "feed_forward", "fc2")  # OPT has no MLP module; its fc2 is the projection back
SUBLAYERS = {"houlsby": (ATTENTION, MLP), "pfeiffer": (MLP,)}
NONLINEARITIES = {
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "identity": lambda x: x,  # a linear bottleneck, for comparison
}
BANK = "houlsby"  # name of the child that holds a sub-layer's adapters
TYPE = "HOULSBY"  # as "peft_type" in adapter_config.json, where PEFT's adapters say LORA, IA3, …


@dataclasses.dataclass
class HoulsbyConfig:
    """What an adapter is like; takes the place of a PEFT config in `cl.train(peft_config=…)`.

    `bottleneck` is m, the width inside. `placement`: "houlsby" (after attention and after the MLP) or "pfeiffer" (after
    the MLP). `nonlinearity`: "gelu", "relu", "silu", "tanh", or "identity". Both matrices start as N(0, `init_std`²), cut
    at two standard deviations, biases at zero (the paper, section 3.6). `layers`: numbers of the
    layers that get adapters, `None` for all. Raises `CourseError` for values that are none of these.
    """

    bottleneck: int = 16
    placement: str = "houlsby"
    nonlinearity: str = "gelu"
    init_std: float = 1e-2
    layers: list[int] | None = None

    peft_type: ClassVar[str] = TYPE
    is_prompt_learning: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for value, known, word in (
            (self.placement, SUBLAYERS, "placement"),
            (self.nonlinearity, NONLINEARITIES, "nonlinearity"),
        ):
            if value not in known:
                raise CourseError(f"HoulsbyConfig knows no {word} {value!r}.", f"Choose one of {', '.join(known)}.")
        if not isinstance(self.bottleneck, int) or self.bottleneck < 1:
            raise CourseError(
                f"HoulsbyConfig's bottleneck is {self.bottleneck!r}.", "Give the width as a whole number, 1 or more."
            )
        if not self.init_std >= 0:
            raise CourseError(f"HoulsbyConfig's init_std is {self.init_std!r}.", "Give 0 or more; the paper has 0.01.")
        if self.layers is not None:
            self.layers = sorted(set(self.layers))

    def to_dict(self) -> dict[str, Any]:
        """The fields and `peft_type`, as `adapter_config.json` holds them."""
        return {"peft_type": TYPE, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> HoulsbyConfig:
        """The config of an `adapter_config.json`. Raises `CourseError` for one of another kind, or with unknown fields."""
        if values.get("peft_type") != TYPE:
            raise CourseError(f"This is the config of a {values.get('peft_type')} adapter.", f"A {TYPE} one is needed.")
        names = {field.name for field in dataclasses.fields(cls)}
        given = {k: v for k, v in values.items() if k in names}
        if set(given) != names:
            raise CourseError(
                f"The adapter's config lacks {', '.join(sorted(names - set(given)))}.",
                "Save it again with cl.save_adapter: the tensors alone do not say how they are to be used.",
            )
        return cls(**given)

    def count(self, hidden_size: int, layers: int) -> int:
        """Parameters on a model: 2md + d + m for each adapter (section 2.1), so many a layer as `placement` says."""
        m, d = self.bottleneck, hidden_size
        chosen = layers if self.layers is None else len(self.layers)
        return (2 * m * d + d + m) * len(SUBLAYERS[self.placement]) * chosen


class Bottleneck(nn.Module):
    """h + up(f(down(h))): (…, d) → (…, m) → (…, d). It computes in float32, or as autocast says, and returns h's dtype."""

    def __init__(self, hidden_size: int, config: HoulsbyConfig) -> None:
        super().__init__()
        self.down = nn.Linear(hidden_size, config.bottleneck)
        self.up = nn.Linear(config.bottleneck, hidden_size)
        self.nonlinearity = config.nonlinearity
        for layer in (self.down, self.up):
            std = config.init_std
            nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std) if std else nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        inside = NONLINEARITIES[self.nonlinearity](self.down(hidden.to(self.down.weight.dtype)))
        return hidden + self.up(inside).to(hidden.dtype)


class Bank(nn.ModuleDict):
    """All adapters of one sub-layer by name, and the names of those that are switched on, in the order of the stack."""

    def __init__(self) -> None:
        super().__init__()
        self.active: tuple[str, ...] = ()


def _after(sublayer: nn.Module, inputs: Any, output: Any) -> Any:
    """Forward hook: the output, or the first of several, through the active adapters. No closure, so a deep copy uses its own."""
    bank = getattr(sublayer, BANK)
    hidden, *rest = output if isinstance(output, tuple) else (output,)
    for name in bank.active:
        if name in bank:
            hidden = bank[name](hidden)
    return (hidden, *rest) if isinstance(output, tuple) else hidden


# ------------------------------------------------------------------ add, switch, remove


def add_adapter(
    model: PreTrainedModel, config: HoulsbyConfig, name: str = "default", *, trainable: bool = True
) -> PreTrainedModel:
    """Put a new adapter into a model and switch it on alone; returns the model. Only its own parameters are trained.

    The model's weights and its other Houlsby adapters are frozen. Raises `CourseError` for a name that is taken or cannot be
    one, for layers that do not exist, for a PEFT model, and for an architecture whose sub-layers are not found.
    """
    if hasattr(model, "peft_config"):
        raise CourseError(
            "This model already carries an adapter of PEFT, and a second one on top would not stand on the base.",
            "Load the model afresh, or merge the adapter first with cl.merge.",
        )
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or hasattr(nn.ModuleDict, name):
        raise CourseError(f"An adapter cannot be called {name!r}.", "Use letters, digits, - and _, such as 'tone'.")
    if name in adapters_of(model):
        raise CourseError(f"The model already has an adapter called '{name}'.", "Choose another name, or remove that.")
    places = _places(model, config)
    model.requires_grad_(False)
    width = model.config.get_text_config().hidden_size
    for place in places:
        if not hasattr(place, BANK):
            setattr(place, BANK, Bank())
            place.register_forward_hook(_after)
        device = next(place.parameters()).device
        getattr(place, BANK)[name] = Bottleneck(width, config).to(device).requires_grad_(trainable)
    model.houlsby_configs = {**adapters_of(model), name: config}
    set_adapter(model, name)
    return model


def adapters_of(model: nn.Module) -> dict[str, HoulsbyConfig]:
    """The Houlsby adapters that a model carries, by name; empty if none."""
    return getattr(model, "houlsby_configs", {})


def active_adapters(model: nn.Module) -> list[str]:
    """The names of the adapters that are switched on, in the order in which an output passes them."""
    return next((list(bank.active) for bank in _banks(model)), [])


def set_adapter(model: nn.Module, names: str | list[str] | tuple[str, ...] | None) -> None:
    """Switch on one adapter, a stack of several (the first stands nearest to the sub-layer), or with `None` none at all.

    What is trained stays as it was (`train_adapter`). Raises `CourseError` for an unknown name.
    """
    chosen = (names,) if isinstance(names, str) else tuple(names or ())
    for name in chosen:
        _known(model, name)
    for bank in _banks(model):
        bank.active = chosen


def train_adapter(model: nn.Module, name: str) -> None:
    """Let this adapter alone be trained; it is switched on if it was off. Raises `CourseError` for an unknown name."""
    _known(model, name)
    model.requires_grad_(False)
    for bank in _banks(model):
        if name in bank:
            bank[name].requires_grad_(True)
    if name not in active_adapters(model):
        set_adapter(model, name)


@contextmanager
def disable_adapter(model: nn.Module) -> Iterator[None]:
    """Within it the model computes as its base does, as in PEFT's `with model.disable_adapter()`."""
    before = active_adapters(model)
    set_adapter(model, None)
    try:
        yield
    finally:
        set_adapter(model, before)


def remove_adapter(model: nn.Module, name: str) -> None:
    """Take an adapter out of the model; without the last one nothing is left. Raises `CourseError` for an unknown name."""
    _known(model, name)
    set_adapter(model, [n for n in active_adapters(model) if n != name])
    model.houlsby_configs = {n: c for n, c in model.houlsby_configs.items() if n != name}
    for module in list(model.modules()):
        bank = getattr(module, BANK, None)
        if isinstance(bank, Bank) and name in bank:
            del bank[name]
            if not len(bank):
                delattr(module, BANK)
                for key in [k for k, hook in module._forward_hooks.items() if hook is _after]:
                    del module._forward_hooks[key]
    if not model.houlsby_configs:
        del model.houlsby_configs


# ------------------------------------------------------------------ tensors, for saving and loading


def adapter_tensors(model: nn.Module, name: str = "default") -> dict[str, torch.Tensor]:
    """One adapter's tensors under names that do not depend on its own: `model.layers.0.mlp.houlsby.down.weight`."""
    _known(model, name)
    return {
        f"{place}.{key}": tensor
        for place, bank in model.named_modules()
        if isinstance(bank, Bank) and name in bank
        for key, tensor in bank[name].state_dict().items()
    }


def put_tensors(model: nn.Module, tensors: dict[str, torch.Tensor], name: str = "default") -> None:
    """Write saved tensors into an adapter of the same shape. Raises `CourseError` if they are not exactly the ones it has."""
    mine = adapter_tensors(model, name)
    if {k: t.shape for k, t in mine.items()} != {k: t.shape for k, t in tensors.items()}:
        raise CourseError(
            "The adapter does not fit this model: its tensors are not the ones that its config asks for here.",
            "Load it onto the model that it was trained on, with the config that it was saved with.",
        )
    with torch.no_grad():
        for key, tensor in mine.items():
            tensor.copy_(tensors[key])


# ------------------------------------------------------------------ where they stand


def _places(model: nn.Module, config: HoulsbyConfig) -> list[nn.Module]:
    """The sub-layers that get an adapter: attention and MLP (or the MLP) of the chosen layers."""

    def child(layer: nn.Module, names: tuple[str, ...]) -> nn.Module | None:
        return next((module for name, module in layer.named_children() if name in names), None)

    layers = [m for m in model.modules() if child(m, ATTENTION) is not None and child(m, MLP) is not None]
    places = [child(layer, names) for layer in layers for names in (ATTENTION, MLP)]
    # Bloom and MPT hand the skip connection into the sub-layer, so its output is not the place that is meant.
    if not layers or any("residual" in inspect.signature(place.forward).parameters for place in places):
        raise CourseError(
            f"In {type(model).__name__} the place for a Houlsby adapter was not found.",
            "It works on models of the forms of Llama, Qwen, Gemma, GPT-2, GPT-NeoX, Phi and OPT.",
        )
    wrong = [n for n in config.layers or [] if not 0 <= n < len(layers)]
    if wrong:
        raise CourseError(
            f"HoulsbyConfig names layers {wrong}, and the model has {len(layers)}.", f"Use 0 to {len(layers) - 1}."
        )
    chosen = layers if config.layers is None else [layers[n] for n in config.layers]
    return [child(layer, names) for layer in chosen for names in SUBLAYERS[config.placement]]


def _banks(model: nn.Module) -> list[Bank]:
    return [module for module in model.modules() if isinstance(module, Bank)]


def _known(model: nn.Module, name: str) -> None:
    names = list(adapters_of(model))
    if name not in names:
        there = f"Its Houlsby adapters are {', '.join(names)}." if names else "It has no Houlsby adapter."
        raise CourseError(f"The model has no adapter called '{name}'.", there)
