"""Which precision is chosen, by what a card really has units for: a patched torch stands for the cards that are not here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from course_lib.base import hardware
from course_lib.base.errors import CourseError
from course_lib.methods.arguments import joined
from course_lib.methods.guard import trained_in_float32
from course_lib.methods.run import common_settings
from course_lib.models.four_bits import compute_dtype
from course_lib.workshop import doctor

CARDS = {  # compute capability, bfloat16 units, GiB, and what is to be chosen
    "Tesla P100": ((6, 0), False, 16, "float32"),
    "Tesla V100": ((7, 0), False, 16, "float16"),
    "Tesla T4": ((7, 5), False, 15, "float16"),
    "NVIDIA A100": ((8, 0), True, 40, "bfloat16"),
    "NVIDIA H100": ((9, 0), True, 80, "bfloat16"),
}


@pytest.fixture(params=list(CARDS))
def card(request, monkeypatch):
    """A machine with this card; like the real one, a card without bfloat16 units says it supports bfloat16, by emulation."""
    capability, units, memory, chosen = CARDS[request.param]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: units or including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: request.param)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=memory * 2**30)
    )
    return request.param, chosen


def test_a_card_computes_in_what_it_has_units_for(card, tmp_path):
    name, chosen = card
    assert hardware.precision() == chosen
    settings = common_settings(tmp_path)
    assert (settings["bf16"], settings["fp16"], settings["use_cpu"]) == (
        chosen == "bfloat16",
        chosen == "float16",
        False,
    )
    assert compute_dtype() == getattr(torch, chosen)
    said = doctor.check_compute()
    assert name in said and f"cl.train computes in {chosen}" in said and "GiB" in said
    assert ("loss scaling" in said) is (chosen == "float16")


def test_a_cpu_computes_as_it_did(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for wins, chosen in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(hardware, "bf16_wins", lambda wins=wins: wins)
        settings = common_settings(tmp_path)
        assert (settings["bf16"], settings["fp16"], settings["use_cpu"]) == (wins, False, True)
        assert hardware.precision() == chosen and f"computes in {chosen}" in doctor.check_compute()
        assert compute_dtype() == torch.float32


def test_who_says_bf16_has_chosen_and_float16_is_out():
    t4 = {"bf16": False, "fp16": True, "seed": 0}
    assert joined(t4, {"seed": 1}) == {"bf16": False, "fp16": True, "seed": 1}
    assert joined(t4, {"bf16": True}) == {"bf16": True, "fp16": False, "seed": 0}
    assert joined(t4, {"bf16": False}) == {"bf16": False, "fp16": False, "seed": 0}  # float32


def test_under_float16_what_is_trained_is_kept_in_float32_and_the_frozen_rest_stays():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2).bfloat16(), torch.nn.Linear(2, 2).half(), torch.nn.Linear(2, 2))
    model[1].requires_grad_(False)
    trained_in_float32(model)
    assert [p.dtype for p in model.parameters()] == [torch.float32] * 2 + [torch.float16] * 2 + [torch.float32] * 2


def test_a_trainer_that_is_alone_or_shards_is_refused(monkeypatch):
    from course_lib.methods.guard import check_together

    def trainer(seen: int, **options):
        return SimpleNamespace(accelerator=SimpleNamespace(num_processes=seen), **options)

    check_together(trainer(1))
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_together(trainer(2))
    with pytest.raises(CourseError, match="started 2 processes, and the trainer knows of 1"):
        check_together(trainer(1))
    with pytest.raises(CourseError, match="whole weights in each process"):
        check_together(trainer(2, is_fsdp_enabled=True))


def test_reinforcement_learning_in_several_processes_is_refused_before_anything_is_loaded(monkeypatch):
    from course_lib.methods.rl import train_rl

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(CourseError, match="There are 2 processes, and train_rl samples and trains in one"):
        train_rl([{"prompt": "a"}], len, model="/nowhere")


def test_rows_are_shared_out_evenly_or_not_at_all(monkeypatch):
    from course_lib.base.processes import share_of

    assert share_of(7) == 7
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert share_of(8) == 4
    with pytest.raises(CourseError, match="batch_size=7 rows cannot be shared out evenly to 2 processes"):
        share_of(7)
