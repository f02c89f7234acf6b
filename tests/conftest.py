"""Shared fixtures: paths, the base model, a tiny model made on the spot, and a machine without a network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = str(ROOT / "tests" / "offline")  # holds a sitecustomize.py that closes the network to any Python process


@pytest.fixture(scope="session")
def base():
    """The course's base model and tokenizer; tests that train must load their own."""
    import course_lib as cl

    return cl.load_model()


@pytest.fixture(scope="session")
def offline_env():
    """Environment for a subprocess (and its kernels) that can open no connection but to this machine."""
    path = os.pathsep.join(p for p in (OFFLINE, os.environ.get("PYTHONPATH")) if p)
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture()
def no_network(monkeypatch):
    """In this process, every connection to another machine fails at once."""
    import socket

    def refuse(*args, **kwargs):
        raise OSError("the network is switched off in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
