"""Beyond one machine: sharding really shards, starts that fail are said, and the Accelerate configuration can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from course_lib.base.errors import CourseError
from course_lib.lessons.lesson_16_real_models import beyond

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "data" / "recipes" / "accelerate" / "two_nodes.yaml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A course home of its own, so that no `runs/` of a student is touched."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))


def test_the_accelerate_configuration_is_one_of_accelerate_and_says_where_it_has_been_run():
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    found = load_config_from_file(str(CONFIG))
    assert isinstance(found, ClusterConfig)
    assert (found.num_machines, found.num_processes, found.distributed_type) == (2, 16, "MULTI_GPU")
    assert found.mixed_precision == "no" and found.use_cpu is False  # the precision is the course's own choice
    assert "has been run: nowhere" in CONFIG.read_text() and "processes: 16" in CONFIG.read_text()


def test_the_launcher_takes_each_option_that_the_comments_name():
    from accelerate.commands.launch import launch_command_parser

    words = ["--config_file", str(CONFIG), "--machine_rank", "1", "--main_process_ip", "10.0.0.1", "-m", "course_lib.workshop.cli", "train"]  # fmt: skip
    options = launch_command_parser().parse_args(words)
    assert options.module and options.machine_rank == 1 and options.training_script == "course_lib.workshop.cli"


@pytest.mark.slow
def test_each_of_two_processes_holds_half_and_trains_as_one():
    told = json.loads(beyond.start(beyond.shard_script(), processes=2).splitlines()[-1])
    assert told["world_size"] == 2 and [p["rank"] for p in told["processes"]] == [0, 1]
    for process in told["processes"]:
        assert 2 * process["parameters"] == told["parameters"]
        for whole, local in process["shapes"].values():
            assert local == [whole[0] // 2, *whole[1:]]
    assert told["sharded"] == pytest.approx(told["alone"], abs=1e-5)
    assert told["alone"][-1] < told["alone"][0]


@pytest.mark.slow
def test_a_start_that_fails_is_one_sentence_with_its_reason():
    path = beyond.script("broken.py", "raise ValueError('Error of mine')")
    with pytest.raises(CourseError, match=r"2 processes ended with status 1: .*Error of mine"):
        beyond.start(path)
