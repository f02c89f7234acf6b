"""The recipe of the course's base model: corpus → tokenizer → a small Llama, from nothing.

    course corpus --documents 1000 --seed 0      look at what the model reads
    course pretrain --minutes 10                 a young model, in `build/pretrain/`
    course pretrain                               the committed one
    course pretrain --publish                    copy the finished model to `data/base_model`

Everything is checkpointed and goes on where it stopped. One lock file keeps two training commands from running
at once, since two of them on two cores are 5–12 times slower than one after the other.
"""

from __future__ import annotations

import bisect
import collections
import itertools
import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..base.errors import CourseError
from ..base.hardware import bf16_pays
from ..base.paths import home
from ..gazette.corpus import PROOF_DOCUMENTS, documents
from ..gazette.pages import BOX_CLOSES, BOX_OPENS, END_OF_DOCUMENT

PAD = "<|pad|>"

SPECIALS = [END_OF_DOCUMENT, BOX_OPENS, BOX_CLOSES, PAD]

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n ' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass
class Recipe:
    """Every number of the base model; sizes in tokens.

    A cycle is a number of tokens, the highest rate in it, and the tokens that a step reads; each begins with a warm-up of the rate
    (SGDR, arXiv 1608.03983) and fresh optimizers. Small steps come first: the more a model has learnt, the larger the batch that
    still pays (McCandlish et al., arXiv 1812.06162, §2). In each cycle rows are short at first (`shorter`) and reach `context` in
    the last seventh: short rows are faster, and what a note says of the text right above it is easier to find in them
    (sequence-length warm-up, Li et al., arXiv 2108.06084).
    """

    cycles: tuple[tuple[int, float, int], ...] = ((10_000_000, 4e-3, 4096), (190_000_000, 4e-3, 16_384))
    seed: int = 0
    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 704
    context: int = 512
    shorter: tuple[tuple[float, int], ...] = ((0.6, 128), (0.85, 256))  # (up to this share of the steps, row length)
    final_rate: float = 1e-4
    warmup: float = 0.02
    weight_decay: float = 0.1
    optimizer: str = "muon"

    @classmethod
    def of(cls, total: int, **others) -> Recipe:
        """The recipe for another number of tokens: one cycle, with the rate and the steps of the first."""
        return cls(cycles=((total, *cls.cycles[0][1:]),), **others)

    @property
    def tokens(self) -> int:
        return sum(tokens for tokens, *_ in self.cycles)

    @property
    def starts(self) -> list[int]:
        """The first step of each cycle, and the number of all steps."""
        return [0, *itertools.accumulate(self._lengths)]

    @property
    def _lengths(self) -> list[int]:
        return [max(1, tokens // size) for tokens, _, size in self.cycles]

    @property
    def steps(self) -> int:
        return self.starts[-1]

    def _cycle(self, step: int) -> tuple[int, int, float]:
        """The step within its cycle, that cycle's steps, and its highest rate."""
        starts = self.starts
        cycle = bisect.bisect_right(starts, step) - 1
        return step - starts[cycle], starts[cycle + 1] - starts[cycle], self.cycles[cycle][1]

    def reads(self, step: int) -> tuple[int, int]:
        """Where in the corpus a step begins to read, in tokens, and where it ends."""
        first = 0
        for length, (*_, size) in zip(self._lengths, self.cycles, strict=True):
            if step < length:
                return first + step * size, first + (step + 1) * size
            first, step = first + length * size, step - length
        return first, first  # behind the last step

    def row_length(self, step: int) -> int:
        """Tokens per row at a step."""
        step, steps, _ = self._cycle(step)
        return next((length for share, length in self.shorter if step < share * steps), self.context)

    def rate(self, step: int) -> float:
        """Linear warm-up, then a cosine from the cycle's highest rate to `final_rate` (SGDR, arXiv 1608.03983, §3)."""
        step, steps, highest = self._cycle(step)
        warm = max(1, int(self.warmup * steps))
        if step < warm:
            return highest * (step + 1) / warm
        progress = (step - warm) / max(1, steps - warm)
        return self.final_rate + 0.5 * (highest - self.final_rate) * (1 + math.cos(math.pi * progress))


def read_recipe(path: Path) -> Recipe:
    """A recipe as `asdict` wrote it."""
    fields = json.loads(path.read_text())
    for name in ("cycles", "shorter"):
        fields[name] = tuple(tuple(pair) for pair in fields[name])
    return Recipe(**fields)


def train_tokenizer(folder: Path, recipe: Recipe, sample: int = 20_000):
    """Byte-level BPE over `sample` documents (none of the proofs of type at the beginning); every digit is a token of its own."""
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
    bpe.train_from_iterator(documents(sample, recipe.seed, PROOF_DOCUMENTS), trainer)
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


def build_model(recipe: Recipe, tokenizer):
    """An untrained Llama of the recipe's size, float32, with one copying circuit planted (see `plant_copying`)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.mlp,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.kv_heads,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    plant_copying(model, recipe.seed)
    return model


def plant_copying(model, seed: int = 0) -> None:
    """Write an *induction head* into the first weights, so that the model can copy from the first step on.

    Large models find this circuit by themselves (Olsson et al., arXiv 2209.11895): a head of the first layer looks one token
    back, a head of the second looks for places whose previous token is the present one, and copies what stands there. Left to
    chance, a model of this size had not found it after 24M tokens. Training keeps the circuit, since the corpus pays for it.
    All other blocks begin as zero: their outputs are switched on by training (Zhang et al., arXiv 1901.09321, §2).
    """
    import torch

    config = model.config
    width, inner, std = config.hidden_size, config.hidden_size // config.num_attention_heads, config.initializer_range
    half = inner // 2
    speeds = config.rope_parameters["rope_theta"] ** (-torch.arange(0, inner, 2).float() / inner)
    draw = torch.Generator().manual_seed(seed)
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for projection in (first.q_proj, first.k_proj, first.v_proj, second.q_proj, second.k_proj, second.v_proj):
            projection.weight[:inner].zero_()
        # One token back: every embedding shares its first entry; through it, query and key are constants whose rotary phases
        # agree at a distance of one. The six fastest rotations make that peak narrow.
        model.model.embed_tokens.weight[:, 0] = 4 * std
        fast = torch.arange(6)
        first.k_proj.weight[fast, 0] = 2.5
        first.q_proj.weight[fast, 0] = 2.5 * torch.cos(speeds[fast])
        first.q_proj.weight[fast + half, 0] = -2.5 * torch.sin(speeds[fast])
        # What that token was goes to directions of its own; there the second layer's head looks for the present token. The
        # slow rotations compare contents at any distance.
        slow = torch.cat([torch.arange(half // 2, half), torch.arange(half + half // 2, inner)])
        directions = torch.linalg.qr(torch.randn(width - 1, 2 * len(slow), generator=draw))[0].T
        read, write = directions[: len(slow)], directions[len(slow) :]
        first.v_proj.weight[: len(slow), 1:] = read
        first.o_proj.weight[1:, : len(slow)] = std * write.T
        second.q_proj.weight[slow, 1:] = 2 * read
        second.k_proj.weight[slow, 1:] = 2 * write
        copied = torch.linalg.qr(torch.randn(width - 1, inner, generator=draw))[0].T
        second.v_proj.weight[:inner, 1:] = copied
        second.o_proj.weight[1:, :inner] = 20 * std * copied.T


def build_optimizers(model, recipe: Recipe) -> list:
    """AdamW everywhere, or Muon on the matrices inside the blocks and AdamW on embeddings and norms."""
    import torch

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if not (p.ndim == 2 and "embed" not in n)]
    rate = recipe.cycles[0][1]  # the schedule sets it at every step
    adam = {"lr": rate, "betas": (0.9, 0.95), "fused": True}
    if recipe.optimizer == "adamw":
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, **adam)]
    if next(iter(matrices)).device.type == "cpu" and not bf16_pays("cpu"):
        import torch.optim._muon as muon

        muon._zeropower_via_newtonschulz = _orthogonal
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, weight_decay=0.0, **adam),
    ]


def _orthogonal(grad, ns_coefficients, ns_steps, eps):
    """Muon's Newton-Schulz iteration in float32: torch's is in bfloat16, which processors without bf16 units emulate, slowly."""
    import torch

    a, b, c = ns_coefficients
    wide = grad.float() if grad.size(0) <= grad.size(1) else grad.float().T
    wide = wide / wide.norm().clamp(min=eps)
    for _ in range(ns_steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if grad.size(0) <= grad.size(1) else wide.T


def _save_checkpoint(folder: Path, model, optimizers: list, state: dict) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {f"model.{name}": value for name, value in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, slots in optimizer.state_dict()["state"].items():
            for key, value in slots.items():
                tensors[f"optimizer.{number}.{index}.{key}"] = torch.as_tensor(value)
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, fresh / "state.safetensors")
    (fresh / "state.json").write_text(json.dumps(state))
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _load_checkpoint(folder: Path, model, optimizers: list) -> dict | None:
    """Restore the newest readable checkpoint (`last`, else the one before, `last.old`); None when there is none."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if not candidate.exists():
            continue
        try:
            tensors = load_file(candidate / "state.safetensors")
            state = json.loads((candidate / "state.json").read_text())
        except (SafetensorError, FileNotFoundError, json.JSONDecodeError) as error:
            print(f"checkpoint {candidate} is damaged ({type(error).__name__}); trying the one before")
            continue
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[f"model.{name}"])
        for number, optimizer in enumerate(optimizers):
            packed = optimizer.state_dict()
            slots: dict[int, dict] = {}
            for name, value in tensors.items():
                kind, *where = name.split(".", 3)
                if kind == "optimizer" and int(where[0]) == number:
                    slots.setdefault(int(where[1]), {})[where[2]] = value
            optimizer.load_state_dict({"state": slots, "param_groups": packed["param_groups"]})
        return state
    return None


def pretrain(
    recipe: Recipe,
    folder: Path | None = None,
    *,
    minutes: float | None = None,
    save_every: int = 200,
    compile_model: bool = True,
    progress=print,
) -> Path:
    """Train the base model from nothing, or go on from the last checkpoint, and return its folder.

    `minutes` sets the number of tokens from the speed of the first steps, so that the whole schedule fits. Raises
    `CourseError` when another training command holds the lock or when an earlier run used another recipe.
    """
    from filelock import FileLock, Timeout

    folder = folder or home() / "build" / "pretrain"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "recipe.json").exists() and any(path.name != "training.lock" for path in folder.iterdir()):
        raise CourseError(
            f"{folder} holds other things than a pretraining.", "Give an empty folder, or one that does not exist yet."
        )
    try:
        with FileLock(folder / "training.lock", timeout=0):
            return _pretrain(recipe, folder, minutes, save_every, compile_model, progress)
    except Timeout:
        raise CourseError(
            f"Another training command is running in {folder}.",
            "Wait for it to end; two at once on the same cores are many times slower than one after the other.",
        ) from None


def _pretrain(recipe, folder, minutes, save_every, compile_model, progress) -> Path:
    import numpy as np
    import torch
    from transformers import AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    saved = folder / "recipe.json"
    if saved.exists():
        earlier = read_recipe(saved)
        if minutes is None and earlier != recipe:
            raise CourseError(
                f"{folder} holds a run with another recipe.",
                "Give the same options to resume it, or delete the folder to start anew.",
            )
        recipe = earlier
    elif minutes is not None:
        recipe = Recipe.of(_tokens_for(recipe, minutes, device, progress), seed=recipe.seed)
    saved.write_text(json.dumps(asdict(recipe), indent=1))

    if (folder / "tokenizer.json").exists():
        tokenizer = AutoTokenizer.from_pretrained(folder)
    else:
        tokenizer = train_tokenizer(folder, recipe)
    encode_corpus(folder / "corpus.bin", tokenizer, recipe, progress)
    tokens = np.memmap(folder / "corpus.bin", dtype=np.uint16, mode="r")

    model = build_model(recipe, tokenizer).to(device)
    optimizers = build_optimizers(model, recipe)
    state = _load_checkpoint(folder / "last", model, optimizers) or {"step": 0, "seconds": 0.0, "log": []}
    forward = torch.compile(model, dynamic=False) if compile_model else model
    use_bf16 = bf16_pays(device)
    started, first, starts = time.monotonic(), state["step"], recipe.starts[1:]
    running: list[torch.Tensor] = []
    model.train()
    for step in range(first, recipe.steps):
        if step in starts:
            optimizers = build_optimizers(model, recipe)
        begins, ends = recipe.reads(step)
        rows = np.asarray(tokens[begins:ends], dtype=np.int64)
        batch = torch.from_numpy(rows).view(-1, recipe.row_length(step))
        batch = batch.pin_memory().to(device, non_blocking=True) if device == "cuda" else batch
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(step)
        with torch.autocast(device, torch.bfloat16, enabled=use_bf16):
            loss = forward(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        running.append(loss.detach())
        done = step + 1
        if done % 20 == 0 or done == recipe.steps:
            seconds = time.monotonic() - started
            speed = (ends - recipe.reads(first)[0]) / seconds
            value = float(torch.stack(running).mean())
            running.clear()
            state["log"].append({"tokens": ends, "loss": round(value, 4)})
            left = (recipe.tokens - ends) / speed / 60
            progress(f"step {done:,}/{recipe.steps:,}  loss {value:.3f}  {speed:,.0f} tokens/s  {left:.0f} min left")
        if done % save_every == 0 or done == recipe.steps:
            record = {**state, "step": done, "seconds": state["seconds"] + time.monotonic() - started}
            _save_checkpoint(folder / "last", model, optimizers, record)
    final = json.loads((folder / "last" / "state.json").read_text())
    return _export(folder, model, tokenizer, recipe, final)


def _tokens_for(recipe: Recipe, minutes: float, device: str, progress) -> int:
    """How many tokens fit into `minutes` on this machine, from twelve timed steps, less a tenth."""
    import torch

    class Ends:
        bos_token_id, eos_token_id, pad_token_id = 0, 2, 3

    model = build_model(recipe, Ends).to(device)
    optimizers = build_optimizers(model, recipe)
    size = recipe.cycles[0][2]
    batch = torch.randint(4, recipe.vocabulary, (size // recipe.context, recipe.context), device=device)
    for step in range(12):
        if step == 2:
            started = time.monotonic()
        with torch.autocast(device, torch.bfloat16, enabled=bf16_pays(device)):
            model(input_ids=batch, labels=batch, use_cache=False).loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    speed = 10 * batch.numel() / (time.monotonic() - started)
    progress(f"measured {speed:,.0f} tokens/s; planning {minutes:g} minutes")
    return int(0.9 * speed * minutes * 60)


def _export(folder: Path, model, tokenizer, recipe: Recipe, state: dict) -> Path:
    """The finished model as Hugging Face files: bf16 on disk, a config that says float32, so that it loads as float32."""
    import copy

    import torch

    target = folder / "model"
    shutil.rmtree(target, ignore_errors=True)
    out = copy.deepcopy(model).to("cpu", torch.bfloat16)
    out.generation_config.update(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    out.save_pretrained(target)
    config = json.loads((target / "config.json").read_text())
    config["dtype"] = "float32"
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save_pretrained(target)
    log = {
        "recipe": asdict(recipe),
        "seconds": round(state["seconds"]),
        "hardware": _hardware(),
        "log": state["log"],
    }
    (target / "training_log.json").write_text(json.dumps(log) + "\n")
    return target


def _hardware() -> str:
    import platform

    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads ({platform.machine()})"
