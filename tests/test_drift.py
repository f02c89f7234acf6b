"""The drift wall: lock, ranges, environments and Colab agree, and every keyword that we pass to a library is still there."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from signatures import accepted, calls, complaints, dictionary_keys, keywords, source_of

from course_lib.workshop import colab

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RANGES = [Requirement(text) for text in PROJECT["dependencies"]]
SOURCES = sorted([*(ROOT / "course_lib").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb")])


def read_pins(text: str) -> dict[str, str]:
    """`{name: version}` of a lock; a line that is not one exact pin of one new name is a fault."""
    pins = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        requirement = Requirement(line)
        name, exact = (
            canonicalize_name(requirement.name),
            [s.version for s in requirement.specifier if s.operator == "=="],
        )
        assert len(exact) == len(requirement.specifier) == 1 and "*" not in exact[0], f"{line}: not an exact pin"
        assert name not in pins, f"{line}: pinned twice"
        pins[name] = exact[0]
    return pins


LOCK = read_pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def outside(pins: dict[str, str], ranges: list[Requirement]) -> list[str]:
    """The ranges that the pins do not satisfy."""
    found = []
    for wanted in ranges:
        pin = pins.get(canonicalize_name(wanted.name))
        if pin is None or not wanted.specifier.contains(pin):
            found.append(f"{wanted}: the lock has {pin}")
    return found


# ------------------------------------------------------------------ versions


def test_the_lock_is_inside_the_ranges():
    assert len(RANGES) >= 10 and outside(LOCK, RANGES) == []


def test_a_pin_outside_its_range_is_caught():
    ranges = [Requirement("trl>=1.16,<1.17"), Requirement("peft>=0.20")]
    assert outside({"trl": "1.16.3", "peft": "0.21.2"}, ranges) == []
    assert outside({"trl": "1.17.0"}, ranges) == [
        "trl<1.17,>=1.16: the lock has 1.17.0",
        "peft>=0.20: the lock has None",
    ]
    for bad in ("trl>=1.16", "trl==1.*", "trl==1.16\ntrl==1.15", "trl"):
        with pytest.raises(AssertionError, match=r"not an exact pin|pinned twice"):
            read_pins(bad)


def test_conda_installs_the_lock_on_a_python_that_we_support():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [item for item in environment["dependencies"] if isinstance(item, str)]
    (by_pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert "-r requirements.txt" in by_pip and "-e ." in by_pip and "pip" in plain
    (python,) = [found[1] for item in plain if (found := re.fullmatch(r"python=+([\d.]+)", item))]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


@pytest.mark.parametrize("name", [wanted.name for wanted in RANGES])
def test_what_is_installed_is_what_was_tested(name):
    if os.environ.get("COURSE_ANY_VERSIONS"):
        pytest.skip("COURSE_ANY_VERSIONS is set: other versions than the tested ones are wanted here")
    assert Version(metadata.version(name)).public == LOCK[canonicalize_name(name)]


# ------------------------------------------------------------------ Colab

SNAPSHOT = {
    "torch": "2.11.0+cu128", "transformers": "5.15.0", "peft": "0.20.0", "accelerate": "1.14.0", "datasets": "4.0.0",
    "pyarrow": "18.1.0", "numpy": "2.1.0", "scipy": "1.16.1", "ipywidgets": "7.7.1", "torchao": "0.10.0",
}  # fmt: skip


def test_colab_needs_no_more_than_the_lock_and_no_less_than_the_ranges():
    assert set(colab.NEEDED) == {r.name for r in RANGES} - {"torch", "matplotlib", "jupyterlab", "nbval"}
    for name, least in colab.NEEDED.items():
        assert Version(least) <= Version(LOCK[name]), f"{name}: Colab would need more than the tested {LOCK[name]}"
        assert outside({name: least}, [r for r in RANGES if r.name == name]) == []
    assert all(colab.NEEDED[name] == LOCK[name] for name in colab.EXACT)
    assert colab.plan(LOCK) == []


def test_colab_gets_only_what_its_snapshot_lacks():
    wanted = {Requirement(text).name: Requirement(text).specifier for text in colab.plan(SNAPSHOT)}
    assert set(wanted) == {"trl", "transformers", "datasets", "bitsandbytes"}
    assert str(wanted["trl"]) == f"=={LOCK['trl']}"
    assert all(wanted[name].contains(LOCK[name]) for name in wanted) and not wanted["datasets"].contains("4.7.0")


def test_colab_is_left_alone_where_nothing_lacks_and_mended_where_something_is_old():
    enough = SNAPSHOT | {
        "trl": colab.NEEDED["trl"],
        "transformers": "5.23.0",
        "datasets": "5.0.0",
        "bitsandbytes": "0.50.0",
    }
    assert colab.plan(enough) == []
    assert colab.plan(enough | {"trl": "1.17.0"}) == [f"trl=={LOCK['trl']}"]
    assert colab.plan(enough | {"transformers": "5.9.1"}) == [f"transformers>={colab.NEEDED['transformers']},<6"]


@pytest.mark.parametrize("installed", [{}, SNAPSHOT, {"torch": "1.0", "numpy": "1.0"}], ids=["bare", "colab", "old"])
def test_colab_never_touches_torch_or_numpy(installed):
    assert not {Requirement(text).name for text in colab.plan(installed)} & {"torch", "numpy"}


def test_colab_holds_torch_and_numpy_and_removes_an_old_torchao(monkeypatch):
    calls = []

    def run(command, check):
        held = command[command.index("--constraint") + 1] if "--constraint" in command else None
        calls.append((command[3:], Path(held).read_text().split() if held else []))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(colab, "installed_versions", lambda: SNAPSHOT)
    colab.main()
    (removal, _), (installation, held) = calls
    assert removal[0] == "uninstall" and removal[-1] == "torchao"
    assert installation[0] == "install" and held == ["torch==2.11.0+cu128", "numpy==2.1.0"]
    wanted = colab.plan(SNAPSHOT)
    assert installation[-len(wanted) :] == wanted


# ------------------------------------------------------------------ keywords

PARTS = [(path, path.relative_to(ROOT).as_posix()) for path in SOURCES]
LIBRARY = {  # what we pass, or will: a keyword that is there
    "trl.SFTConfig": "max_length",
    "trl.SFTTrainer": "processing_class",
    "peft.LoraConfig": "target_modules",
    "transformers.BitsAndBytesConfig": "bnb_4bit_quant_type",
    "transformers.LlamaConfig": "tie_word_embeddings",
    "transformers.AutoModelForCausalLM.from_pretrained": "dtype",
    "transformers.AutoTokenizer.from_pretrained": "trust_remote_code",
    "peft.PeftModel.from_pretrained": "is_trainable",
    "course_lib.train": "max_steps",
}
GONE = {"trl.SFTConfig": "max_seq_length", "trl.SFTTrainer": "tokenizer"}  # names of earlier releases


@pytest.mark.slow  # imports the libraries
@pytest.mark.parametrize(("path", "name"), PARTS, ids=[name for _, name in PARTS])
def test_every_keyword_that_we_pass_exists(path, name):
    assert complaints(source_of(path)) == []


@pytest.mark.slow
def test_every_setting_of_sft_config_exists():
    assert set(settings()) - accepted("trl.SFTConfig") == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_an_invented_keyword_is_caught_in_the_real_library(name):
    module, _, rest = name.partition(".")
    bad = ["invented_keyword", *([GONE[name]] if name in GONE else [])]
    said = complaints(f"import {module}\n{module}.{rest}({LIBRARY[name]}=1, {', '.join(f'{k}=1' for k in bad)})")
    assert said == [f"line 2: {name} has no '{k}'" for k in bad]


@pytest.mark.slow
def test_a_class_that_was_removed_is_caught():
    assert complaints("from trl import PPOConfig as C\nC(seed=1)") == ["line 2: there is no trl.PPOConfig"]


def settings() -> list[str]:
    return dictionary_keys(source_of(ROOT / "course_lib" / "methods" / "run.py"), "common_settings", "settings")


def test_the_wall_sees_what_our_source_passes():
    seen = {}
    for path in SOURCES:
        for _, name, passed in calls(source_of(path)):
            seen.setdefault(name, set()).update(passed)
    assert seen["transformers.AutoModelForCausalLM.from_pretrained"] >= {"dtype", "use_safetensors"}
    assert "trust_remote_code" in seen["transformers.AutoTokenizer.from_pretrained"]
    assert "hidden_size" in seen["transformers.LlamaConfig"]
    assert seen["trl.SFTTrainer"] >= {"args", "processing_class", "peft_config"} and "trl.SFTConfig" in seen
    assert "per_device_train_batch_size" in seen["sft_config"] and "epochs" in seen["...methods.sft.train"]
    assert {"use_cpu", "bf16", "fp16", "report_to"} <= set(settings())


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("from trl import SFTConfig as C\nC(a=1, **rest)", [(2, "trl.SFTConfig", ["a"])]),
        ("import peft\npeft.LoraConfig(r=1)", [(2, "peft.LoraConfig", ["r"])]),
        ("import course_lib as cl\ncl.train(rows, b=1)", [(2, "course_lib.train", ["b"])]),
        ("from trl import SFTTrainer\nSFTTrainer(args=1).train(x=1)", [(2, "trl.SFTTrainer", ["args"])]),
        ("find(1).from_pretrained(x, y=1)", [(1, "find(1).from_pretrained", ["y"])]),
        ("from transformers import set_seed\nset_seed(seed=1)\nother(c=1)", []),
    ],
)
def test_calls_are_found(source, seen):
    assert calls(source) == seen


def test_keywords_are_read_off_fields_parameters_and_what_is_popped():
    @dataclasses.dataclass
    class Fields:
        a: int = 1
        hidden: int = dataclasses.field(default=0, init=False)

    def function(b, *, c=1, **kwargs):
        hub_names = ["e", "f"]
        return kwargs.pop("d", None), kwargs.get("g"), hub_names

    assert keywords(Fields) == {"a"}
    assert keywords(function) == {*"bcdefg"}


def test_an_invented_keyword_and_a_lost_class_are_caught():
    def stub(name):
        if name == "trl.Lost":
            raise LookupError(name)
        return {"max_length"}

    source = "import trl\ntrl.SFTConfig(max_length=1, max_seq_length=1)\ntrl.Lost()"
    assert complaints(source, stub) == ["line 2: trl.SFTConfig has no 'max_seq_length'", "line 3: there is no trl.Lost"]
    assert complaints("import trl\ntrl.SFTConfig(max_length=1)", stub) == []
