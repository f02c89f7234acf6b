"""What the base model reads: its tokenizer, and the corpus as token ids in a file."""

from __future__ import annotations

import collections
import itertools
import json
import os
from pathlib import Path

from ..gazette.corpus import PROOF_DOCUMENTS, documents
from ..gazette.pages import BOX_CLOSES, BOX_OPENS, END_OF_DOCUMENT
from .base_recipe import Recipe

PAD = "<|pad|>"
SPECIALS = [END_OF_DOCUMENT, BOX_OPENS, BOX_CLOSES, PAD]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n ' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def train_tokenizer(folder: Path, recipe: Recipe, count: int = 20_000):
    """Byte-level BPE over `count` documents (none of the proofs of type at the beginning); every digit is a token of its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(documents(count, recipe.seed, PROOF_DOCUMENTS), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_DOCUMENT,
        eos_token=BOX_CLOSES,
        pad_token=PAD,
        additional_special_tokens=[BOX_OPENS],
        model_max_length=recipe.context,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _token_ids(seed: int, start: int, count: int):
    """The ids of documents `start` to `start + count`, a boundary before each; in a worker process of `encode_corpus`."""
    import numpy as np

    ids: list[int] = []
    for encoding in _tokenizer.encode_batch_fast(list(documents(count, seed, start))):
        ids.append(_boundary)
        ids.extend(encoding.ids)
    return np.asarray(ids, dtype=np.uint16)


def _set_tokenizer(text: str) -> None:
    from tokenizers import Tokenizer

    global _tokenizer, _boundary
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one process per core is enough
    _tokenizer = Tokenizer.from_str(text)
    _boundary = _tokenizer.token_to_id(END_OF_DOCUMENT)


def encode_corpus(path: Path, tokenizer, recipe: Recipe, progress=print) -> None:
    """Write at least `recipe.tokens` token ids (uint16), documents one after another, to `path`, on all cores; resumable."""
    import multiprocessing

    done = json.loads((path.parent / "corpus.json").read_text()) if path.exists() else {"tokens": 0, "documents": 0}
    if path.exists():
        os.truncate(path, done["tokens"] * 2)
    needed, batch = recipe.reads(recipe.steps)[0] + 1, 5000
    if done["tokens"] >= needed:
        return
    starts = itertools.count(done["documents"], batch)
    processes = multiprocessing.get_context("spawn")
    workers = os.cpu_count() or 1
    with (
        processes.Pool(workers, _set_tokenizer, (tokenizer.backend_tokenizer.to_str(),)) as pool,
        path.open("ab") as file,
    ):
        waiting = collections.deque(
            pool.apply_async(_token_ids, (recipe.seed, next(starts), batch)) for _ in range(2 * workers)
        )
        while done["tokens"] < needed:
            ids = waiting.popleft().get()
            waiting.append(pool.apply_async(_token_ids, (recipe.seed, next(starts), batch)))
            ids.tofile(file)
            file.flush()
            done = {"tokens": done["tokens"] + len(ids), "documents": done["documents"] + batch}
            (path.parent / "corpus.json").write_text(json.dumps(done))
            if done["documents"] % 100_000 == 0:
                progress(f"corpus  {done['documents']:,} documents  {done['tokens'] / 1e6:.1f}M tokens")
