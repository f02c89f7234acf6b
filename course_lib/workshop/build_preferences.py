"""Writes `data/preferences`: briefs sampled from the brief writer, and pairs of them with the choices of simulated readers.

Sampling differs between processors, so what was sampled is committed (`samples.jsonl`, and in `samples.json` on which processor, with
which versions). `build` makes the pairs and labels from it byte for byte; `sample` samples anew, which takes some minutes.
"""

from __future__ import annotations

import json
import os
import platform
import random
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from ..base.errors import CourseError
from ..base.hardware import processor
from ..base.jsonl import read_jsonl, write_jsonl
from ..base.paths import home
from ..data.preferences import brief_prompts
from ..data.readers import choose
from ..gazette.brief import brief_score
from ..gazette.tasks import SPLITS
from ..models.adapters import ADAPTER
from ..models.identity import sha256
from ..models.instruct import brief_writer_folder, load_brief_writer
from .build_data import write_checksums

PROMPTS = {"train": 3600, "validation": 300, "test": 600}
SEED, EACH, BLOCK = 0, 2, 300  # replies a prompt; prompts that are sampled together
TEMPERATURE, LONGEST = 1.0, 48
SOURCE = "brief writer, temperature 1"
SAMPLES, FACTS = "samples.jsonl", "samples.json"


def preferences_folder() -> Path:
    """Where the course's preference data lies."""
    return home() / "data" / "preferences"


def build(folder: Path | None = None, say=print) -> Path:
    """Make pairs and labels from the committed samples, byte for byte; returns the folder.

    `folder` may be another one: the samples are then read from the course's. Raises `CourseError` when they are missing.
    """
    folder = folder or preferences_folder()
    folder.mkdir(parents=True, exist_ok=True)
    samples = read_samples(folder if (folder / SAMPLES).exists() else preferences_folder())
    for split in SPLITS:
        rows = list(pairs(split, samples))
        write_jsonl(folder / f"{split}.jsonl", rows)
        say(
            f"{split}: {len(rows):,} pairs of {PROMPTS[split]:,} prompts ({PROMPTS[split] - len(rows)} with equal replies)"
        )
    write_checksums(folder)
    return folder


def pairs(split: str, samples: dict[str, list[str]]) -> Iterator[dict]:
    """The first two replies to each prompt of a split, with true scores and who prefers which; equal replies make no pair."""
    for row in brief_prompts(split, PROMPTS[split], SEED):
        replies = tuple(samples[row["id"]][:2])
        if replies[0] == replies[1]:
            continue
        gold = tuple(round(brief_score(row["facts"], row["text"], reply), 4) for reply in replies)
        rng = random.Random(f"readers {row['id']}")
        yield {
            "id": row["id"],
            "domain": row["domain"],
            "prompt": row["prompt"],
            "first": replies[0],
            "second": replies[1],
            "gold_first": gold[0],
            "gold_second": gold[1],
            "gold": "" if gold[0] == gold[1] else "first" if gold[0] > gold[1] else "second",
            "reader": choose(rng, gold, replies),
            "unbiased": choose(rng, gold, replies, bias=0.0),
            "source": SOURCE,
        }


def read_samples(folder: Path) -> dict[str, list[str]]:
    """The committed samples, by the prompt's id."""
    path = folder / SAMPLES
    if not path.exists():
        raise CourseError(
            f"The sampled briefs are missing: {path}.",
            "Restore them with: git checkout -- data/preferences; or sample anew: course preferences --sample",
        )
    return {row["id"]: row["replies"] for row in read_jsonl(path)}


def sample(folder: Path | None = None, prompts: dict[str, int] | None = None, say=print) -> Path:
    """Sample briefs anew with the brief writer and note where; returns the folder. A run that was stopped goes on.

    `prompts` is the number of prompts a split, the committed numbers unless said. Another processor gives other samples.
    """
    from ..models.generation import generate

    folder = folder or preferences_folder()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{SAMPLES}.part"
    done = read_jsonl(part) if part.exists() else []
    known = {row["id"] for row in done}
    model, tokenizer = load_brief_writer()
    for split, count in (prompts or PROMPTS).items():
        asked = brief_prompts(split, count, SEED)
        for start in range(0, count, BLOCK):
            block = asked[start : start + BLOCK]
            if block[0]["id"] in known:
                continue
            said = generate(
                model,
                tokenizer,
                [row["prompt"] for row in block for _ in range(EACH)],
                max_new_tokens=LONGEST,
                temperature=TEMPERATURE,
                seed=SEED + start + 10_000 * SPLITS.index(split),
            )
            replies = [reply.strip() for reply in said]
            done += [{"id": r["id"], "replies": replies[EACH * i : EACH * (i + 1)]} for i, r in enumerate(block)]
            write_jsonl(part, done)
            say(f"{split}: {min(start + BLOCK, count):,} of {count:,} prompts")
    part.replace(folder / SAMPLES)
    (folder / FACTS).write_text(json.dumps(circumstances(), indent=1) + "\n", encoding="utf-8")
    return folder


def circumstances() -> dict:
    """Processor, versions, writer and settings of a sampling."""
    names = ("torch", "transformers", "tokenizers")
    return {
        "writer_sha256": sha256(brief_writer_folder() / ADAPTER),
        "temperature": TEMPERATURE,
        "max_new_tokens": LONGEST,
        "replies_a_prompt": EACH,
        "seed": SEED,
        "processor": processor(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
    }
