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


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a model of some ten thousand parameters with the course's tokenizer; a test that changes it takes a copy."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    import course_lib as cl

    tokenizer = cl.load_tokenizer()
    folder = tmp_path_factory.mktemp("tiny") / "model"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
