"""Reference runs of lesson 08: start and rate of a soft prompt, its length, its relatives, words in its place, and controls.

Every training is on tone: `ROWS` rows, `EPOCHS` epochs, batches of 8. Settings are chosen on `held_back()`, rows that no
run trains on; the `MANY` test rows are answered once a run, one character of `bits` a row. Jobs over several seeds keep
`bits_0`, `bits_1`, …, so that two methods can be compared on the same items and seeds. Two prompts are kept as files, in
`data/reference/08_prompt_tuning/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.paths import home
from ...data.instructions import load_instructions, prompt_text
from ...measure import scoreboard
from ...measure.evaluation import Result, evaluate, result
from ...measure.losses import answer_loss, label_offered
from ...measure.memory import peak_memory
from ...measure.statistics import mean_interval
from ...methods.sft import train
from ...models.adapters import ADAPTER, load_adapter, save_adapter
from ...models.generation import chat_prompt, encode_exchange, generate, padded, positions_left_out
from ...models.identity import model_name, own_model
from ...models.load import load_model

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ...base.run import Run

LESSON = "08_prompt_tuning"
SEEDS = (0, 1, 2)
ROWS, EPOCHS, BATCH = 512, 2, 8
TOKENS, RATE = 20, 0.1
PREFIX_RATE, P_TUNING_RATE = 0.03, 0.003
TEXT = "Note for the desk: the tone of this is positive, negative or neutral."  # what a prompt of words begins as
SHOTS = "Profits rose: positive. Profits fell: negative. Nothing new: neutral."
TONES = ("positive", "negative", "neutral")
WAYS = (
    "asked",
    "a sentence in front",
    "three examples in front",
    "the newspaper's own form",
    "its form, two short examples",
)
STARTS = {"random": "RANDOM", "vocabulary": "SAMPLE_VOCAB", "text": "TEXT"}
RATES = (5e-4, 0.01, 0.03, 0.1, 0.3)  # the first is the course's rate for full fine-tuning
OTHER_RATES = {"prefix tuning": (0.01, 0.03, 0.1), "P-tuning": (0.001, 0.003, 0.01)}
LENGTHS = (1, 5, 50)  # beside 20
ITEMS, MANY = 300, 1000  # test rows of a sweep, and of a comparison
RESERVED = 150  # training rows that no run trains on, beside the 150 of the validation split
SWAPPED = ("tone", "entity")
DISTANCES, FAR_ITEMS = (0, 40, 80, 160), 100  # tokens of other news before a test item


# ------------------------------------------------------------------ what is trained


def rows(seed: int, task: str = "tone", count: int = ROWS) -> Dataset:
    """Training rows of a task, in an order of the seed; the last `RESERVED` of the split are never among them."""
    data = load_instructions(task)["train"]
    pool = data.select(range(len(data) - RESERVED)).shuffle(seed=seed)
    return pool.select(range(min(count, len(pool))))


def held_back(task: str = "tone") -> Dataset:
    """The validation rows and the reserved training rows: for every choice, so that the test split decides none."""
    from datasets import concatenate_datasets

    data = load_instructions(task)
    reserved = data["train"].select(range(len(data["train"]) - RESERVED, len(data["train"])))
    return concatenate_datasets([data["validation"], reserved])


def soft_prompt(tokens: int = TOKENS, start: str = "text", text: str = TEXT) -> PeftConfig:
    """PEFT's prompt tuning with `tokens` vectors, begun at random, as words of the vocabulary, or as a text (repeated or cut)."""
    from peft import PromptTuningConfig

    words = {"prompt_tuning_init_text": text, "tokenizer_name_or_path": model_name()} if start == "text" else {}
    return PromptTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=tokens, prompt_tuning_init=STARTS[start], **words
    )


def relatives() -> dict[str, tuple[PeftConfig | None, float]]:
    """The methods that are compared, each with its learning rate."""
    from peft import PrefixTuningConfig, PromptEncoderConfig

    return {
        "prompt tuning": (soft_prompt(), RATE),
        "prefix tuning": (PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=TOKENS), PREFIX_RATE),
        "P-tuning": (
            PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=TOKENS, encoder_hidden_size=128),
            P_TUNING_RATE,
        ),
        "full fine-tuning": (None, 5e-4),
    }


def trained(config: PeftConfig | None, rate: float, seed: int = 0, data: Dataset | None = None) -> Run:
    """One training as every comparison of the lesson makes it."""
    data = rows(seed) if data is None else data
    return train(data, peft_config=config, learning_rate=rate, epochs=EPOCHS, batch_size=BATCH, seed=seed, quiet=True)


def step(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Callable[[], None]:
    """One whole training step in float32 on eight rows, for `peak_memory`: the loss of the answers, backward, AdamW."""
    import torch
    import torch.nn.functional as F

    pairs = [encode_exchange(tokenizer, prompt_text(row), row["output"]) for row in rows(0, count=BATCH)]
    ids, mask = padded([prompt + answer for prompt, answer in pairs], tokenizer.pad_token_id)
    labels = torch.full_like(ids, -100)
    for row, (prompt, answer) in enumerate(pairs):
        labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    ids, mask, labels = (t.to(model.device) for t in (ids, mask, labels))

    def one() -> None:
        optimizer.zero_grad(set_to_none=True)
        logits = model(input_ids=ids, attention_mask=mask).logits[:, -ids.shape[1] :]
        F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()).backward()
        optimizer.step()

    return one


def vectors(model: PeftModel) -> torch.Tensor:
    """The soft prompt of a PEFT model: (virtual tokens, hidden)."""
    return model.get_prompt_embedding_to_save(model.active_adapter)


# ------------------------------------------------------------------ words in the place of vectors


def in_words(tokenizer: PreTrainedTokenizerBase) -> dict[str, Callable[[dict], str]]:
    """Ways of asking the frozen base in words: name → the whole text for a row, on which the model is to go on."""

    def turn(row: dict) -> str:
        return chat_prompt(tokenizer, prompt_text(row))

    return {
        "asked": turn,
        "a sentence in front": lambda row: TEXT + turn(row),
        "three examples in front": lambda row: SHOTS + turn(row),
        "the newspaper's own form": lambda row: f"{row['input']}\nNote for the desk: the tone of this is",
        "its form, two short examples": lambda row: (
            f"Profits rose. Tone: positive.\nProfits fell. Tone: negative.\n{row['input']}\nTone:"
        ),
    }


def in_words_result(name: str, data: Sequence[dict]) -> tuple[Result, float, int]:
    """One way of asking: replies scored, share right when the three labels are offered, and tokens that the words take."""
    model, tokenizer = load_model()
    data = list(data)
    texts = [in_words(tokenizer)[name](row) for row in data]
    found = result(data, generate(model, tokenizer, texts, chat=False, max_new_tokens=4))
    offered = [a == row["label"] for a, row in zip(label_offered(model, tokenizer, texts, TONES), data, strict=True)]
    bare = [len(tokenizer(prompt_text(row), add_special_tokens=False)["input_ids"]) for row in data[:1]]
    used = len(tokenizer(texts[0], add_special_tokens=False)["input_ids"]) - bare[0]
    return found, sum(offered) / len(offered), used


def behind_other_news(data: Dataset, tokens: int, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """The same rows with so many tokens of other news before each item; instruction and answer stay as they are."""
    from datasets import Dataset

    other = " ".join(row["input"] for row in load_instructions("section")["test"].select(range(40)))
    ids = tokenizer(other[:6000], add_special_tokens=False, verbose=False)["input_ids"]
    news = tokenizer.decode(ids[:tokens])
    return Dataset.from_list([{**row, "input": f"{news} {row['input']}".strip()} for row in data])


# ------------------------------------------------------------------ what the vectors say


def nearest(
    model: PreTrainedModel, soft: torch.Tensor, tokenizer: PreTrainedTokenizerBase
) -> list[tuple[str, float, int]]:
    """For each vector the vocabulary entry of the largest cosine: its text, the cosine, and its number."""
    import torch.nn.functional as F

    table = model.get_input_embeddings().weight.detach()
    cosines = F.normalize(soft.to(table), dim=1) @ F.normalize(table, dim=1).T
    best = cosines.max(1)
    return [(tokenizer.decode([i]), c, i) for i, c in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


def with_vectors(model: PeftModel, soft: torch.Tensor) -> PeftModel:
    """The same prompt-tuned model with other vectors in it, in place."""
    import torch

    with torch.no_grad():
        model.prompt_encoder[model.active_adapter].embedding.weight.copy_(soft)
    return model


# ------------------------------------------------------------------ the jobs


def bits(outcome: Result) -> str:
    """Right and wrong as one character a row."""
    return "".join("01"[ok] for ok in outcome.right)


def rate_job(config: PeftConfig, rate: float, seed: int = 0, read: bool = False) -> dict:
    """One method at one rate: the answer loss on the held-back rows, and `ITEMS` test rows; with `read` its words as well."""
    run = trained(config, rate, seed)
    kept = held_back()
    found = {
        "answer_loss": answer_loss(run.model, run.tokenizer, list(kept)),
        "n_held_back": len(kept),
        "bits": bits(evaluate(run.model, run.tokenizer, load_instructions("tone")["test"], limit=ITEMS)),
        "losses": [round(loss, 3) for loss in run.losses],
        "norm": round(vectors(run.model).norm(dim=1).mean().item(), 3),
    }
    return found | (reading(run) if read else {})


def seeds_job(name: str, config: PeftConfig | None, rate: float, items: int = MANY, *, row: bool = True) -> dict:
    """One method over all seeds on `items` test rows; with `row` also its line on the scoreboard."""
    test = load_instructions("tone")["test"].select(range(items))
    made, found = [], []
    for seed in SEEDS:
        made.append(trained(config, rate, seed))
        found.append(evaluate(made[-1].model, made[-1].tokenizer, test))
    right = mean_interval([[float(ok) for ok in r.right] for r in found])
    if row:
        pooled = Result(right.value, max(0.0, right.low), min(1.0, right.high), items, [], [])
        memory = peak_memory(step(made[0].model, made[0].tokenizer), made[0].model)
        told = {"lesson": LESSON, "source": "reference", "seeds": SEEDS, "peak_memory_bytes": memory}
        scoreboard.record(name, made[0], pooled, **told)
    return {f"bits_{seed}": bits(r) for seed, r in zip(SEEDS, found, strict=True)} | {
        "right": right.value,
        "low": right.low,
        "high": right.high,
        "trainable": made[0].trainable_parameters,
        "rate": made[0].learning_rate,
        "train_seconds": round(made[0].seconds, 1),
    }


def frozen_job(start: str) -> dict:
    """Vectors that are never trained, one draw a seed: replies scored, and the labels offered, on `ITEMS` test rows."""
    from peft import get_peft_model
    from transformers import set_seed

    test = load_instructions("tone")["test"].select(range(ITEMS))
    told: dict = {}
    for seed in SEEDS if start != "text" else SEEDS[:1]:
        model, tokenizer = load_model()
        set_seed(seed)
        model = get_peft_model(model, soft_prompt(start=start)).eval()
        told[f"bits_{seed}"] = bits(evaluate(model, tokenizer, test))
        texts = [chat_prompt(tokenizer, prompt_text(row)) for row in test]
        choice = label_offered(model, tokenizer, texts, TONES)
        told[f"offered_{seed}"] = "".join("01"[a == row["label"]] for a, row in zip(choice, test, strict=True))
    return told


def words_job(name: str) -> dict:
    """One way of asking in words, on `MANY` test rows."""
    found, offered, used = in_words_result(name, load_instructions("tone")["test"].select(range(MANY)))
    return {"bits": bits(found), "right": found.value, "offered": round(offered, 4), "positions": used}


def length_job(tokens: int, seed: int) -> dict:
    """A soft prompt of another length: `ITEMS` test rows, and the answer loss on the held-back rows."""
    run = trained(soft_prompt(tokens), RATE, seed)
    found = evaluate(run.model, run.tokenizer, load_instructions("tone")["test"], limit=ITEMS)
    return {"bits": bits(found), "answer_loss": answer_loss(run.model, run.tokenizer, list(held_back()))}


def reading(run: Run) -> dict:
    """What the nearest words of learned vectors are worth: the words, and the accuracy with those words instead of the vectors.

    `bits_words` is measured with the words as the vocabulary has them, `bits_long` with each made as long as its vector.
    """
    test = load_instructions("tone")["test"].select(range(ITEMS))
    soft = vectors(run.model)
    near = nearest(run.model.get_base_model(), soft, run.tokenizer)
    table = run.model.get_base_model().get_input_embeddings().weight.detach().cpu()
    words = table[[i for _, _, i in near]]
    scaled = words * (soft.norm(dim=1) / words.norm(dim=1))[:, None]
    return {
        "words": [word for word, _, _ in near],
        "cosine": round(sum(cosine for _, cosine, _ in near) / len(near), 4),
        "norm_of_words": round(table.norm(dim=1).mean().item(), 3),
        "bits_words": bits(evaluate(with_vectors(run.model, words), run.tokenizer, test)),
        "bits_long": bits(evaluate(with_vectors(run.model, scaled), run.tokenizer, test)),
    }


def prompt_folder(task: str) -> Path:
    """Where the kept prompt of a task lies, committed."""
    return home() / "data" / "reference" / LESSON / task


def prompts() -> dict[str, Path]:
    """The folders of the kept prompts, by task. For a model other than the course's own they are made first, in `runs/`."""
    if own_model():
        return {task: prompt_folder(task) for task in SWAPPED}
    places = {task: home() / "runs" / LESSON / Path(model_name()).name / task for task in SWAPPED}
    for task, place in places.items():
        if not (place / ADAPTER).exists():
            config = soft_prompt(start="vocabulary")
            save_adapter(train(rows(0, task), peft_config=config, max_steps=32, quiet=True).model, place)
    return places


def kept_job(task: str, seed: int = 0) -> dict:
    """A prompt for one task, saved; its accuracy is that of the file, loaded again."""
    run = trained(soft_prompt(start="vocabulary"), RATE, seed, rows(seed, task))
    save_adapter(run.model, prompt_folder(task))
    model, tokenizer = load_adapter(prompt_folder(task))
    found = evaluate(model, tokenizer, load_instructions(task)["test"].select(range(ITEMS)))
    return {
        "right": found.value,
        "n_right": ITEMS,
        "bytes": (prompt_folder(task) / "adapter_model.safetensors").stat().st_size,
    }


def padding_job() -> dict:
    """The kept tone prompt on `ITEMS` test rows: batches of 32 with pads between the vectors and the text, and equal lengths."""
    model, tokenizer = load_adapter(prompt_folder("tone"))
    test = load_instructions("tone")["test"].select(range(ITEMS))
    wrong = result(list(test), left_padded(model, tokenizer, [prompt_text(row) for row in test]))
    return {"bits_pads": bits(wrong), "bits_equal": bits(evaluate(model, tokenizer, test))}


def distance_job(mixed: bool) -> dict:
    """Test rows with other news before the item: the kept prompt, and lesson 06's LoRA; or a prompt trained on such rows, `mixed`.

    The mixed prompt is trained on the usual rows, a third of them with no, 60 and 120 tokens of other news before the item.
    """
    from datasets import concatenate_datasets

    model, tokenizer = load_adapter(prompt_folder("tone"))
    compared = {"prompt": model, "lora": load_adapter(home() / "data" / "reference" / "06_lora" / "tone")[0]}
    if mixed:
        data = rows(0)
        parts = [data.shard(3, i) for i in range(3)]
        parts = [behind_other_news(part, 60 * i, tokenizer) if i else part for i, part in enumerate(parts)]
        compared = {"prompt": trained(soft_prompt(), RATE, 0, concatenate_datasets(parts)).model}
    test = load_instructions("tone")["test"].select(range(FAR_ITEMS))
    told = {}
    for tokens in DISTANCES:
        farther = behind_other_news(test, tokens, tokenizer) if tokens else test
        told |= {f"{name}_{tokens}": bits(evaluate(m, tokenizer, farther)) for name, m in compared.items()}
    return told


def left_padded(
    model: PeftModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], size: int = 32
) -> list[str]:
    """Replies as a plain loop of `model.generate` gives them: batches as they come, pads on the left of the text."""
    import torch

    replies = []
    for start in range(0, len(prompts), size):
        texts = [chat_prompt(tokenizer, prompt) for prompt in prompts[start : start + size]]
        encoded = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        ids, mask = padded(encoded, tokenizer.pad_token_id, left=True)
        with torch.inference_mode(), positions_left_out():
            out = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=8,
                do_sample=False,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        replies += tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
    return replies


def jobs() -> Iterator[tuple[dict, Callable[[], dict]]]:
    """All jobs of the lesson. Those that the lesson cannot do without come first."""
    methods = relatives()
    yield {"part": "kept", "task": "tone", "seed": 0}, partial(kept_job, "tone")
    yield {"part": "method", "method": "prompt tuning"}, partial(seeds_job, "prompt tuning", *methods["prompt tuning"])
    for start in STARTS:
        for rate in RATES:
            job = partial(rate_job, soft_prompt(start=start), rate, read=rate == RATE)
            yield {"part": "grid", "start": start, "rate": rate, "seed": 0}, job
    full = partial(seeds_job, "full fine-tuning", *methods["full fine-tuning"], row=False)
    yield {"part": "method", "method": "full fine-tuning"}, full
    for way in WAYS:
        yield {"part": "words", "way": way}, partial(words_job, way)
    yield {"part": "kept", "task": "entity", "seed": 0}, partial(kept_job, "entity")
    yield {"part": "padding"}, padding_job
    yield {"part": "distance", "mixed": False, "seed": 0}, partial(distance_job, False)
    again = partial(rate_job, soft_prompt(start="random"), RATE, 1, read=True)
    yield {"part": "grid", "start": "random", "rate": RATE, "seed": 1}, again
    prefix = partial(seeds_job, "prefix tuning", *methods["prefix tuning"], ITEMS)
    yield {"part": "method", "method": "prefix tuning"}, prefix
    for start in STARTS:
        yield {"part": "frozen", "start": start}, partial(frozen_job, start)
    for tokens in LENGTHS:
        yield {"part": "length", "tokens": tokens, "seed": 0}, partial(length_job, tokens, 0)
    yield {"part": "distance", "mixed": True, "seed": 0}, partial(distance_job, True)
    yield {"part": "method", "method": "P-tuning"}, partial(seeds_job, "P-tuning", *methods["P-tuning"], ITEMS)
    for name, rates in OTHER_RATES.items():
        for rate in rates:
            yield {"part": "rate", "method": name, "rate": rate, "seed": 0}, partial(rate_job, methods[name][0], rate)
