"""Reference runs of lesson 08: start and rate of a soft prompt, its length, its relatives, words in its place, and controls.

Every training is on tone: `ROWS` rows, `EPOCHS` epochs, batches of 8. Settings are chosen on `held_back()`, rows that no
run trains on; the `MANY` test rows are answered once a run, one character of `bits` a row. Jobs over several seeds keep
`bits_0`, `bits_1`, …, so that two methods can be compared on the same items and seeds. Two prompts are kept as files, in
`data/reference/08_prompt_tuning/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...base.paths import home
from ...data.instructions import load_instructions, prompt_text
from ...measure import scoreboard
from ...measure.evaluation import Result, evaluate, result
from ...measure.losses import answer_loss, label_offered
from ...measure.memory import peak_memory
from ...measure.statistics import mean_interval
from ...models.adapters import load_adapter, save_adapter
from ...models.generation import chat_prompt
from ...models.load import load_model
from .setting import (
    DISTANCES,
    FAR_ITEMS,
    ITEMS,
    LENGTHS,
    LESSON,
    MANY,
    OTHER_RATES,
    RATE,
    RATES,
    SEEDS,
    STARTS,
    TONES,
    WAYS,
    behind_other_news,
    held_back,
    in_words_result,
    left_padded,
    nearest,
    prompt_folder,
    relatives,
    rows,
    soft_prompt,
    step,
    trained,
    vectors,
    with_vectors,
)

if TYPE_CHECKING:
    from peft import PeftConfig

    from ...base.run import Run

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
        "bits": bits(evaluate(run.model, run.tokenizer, load_instructions("tone")["test"], count=ITEMS)),
        "losses": [round(loss, 3) for loss in run.losses],
        "norm": round(vectors(run.model).norm(dim=1).mean().item(), 3),
    }
    return found | (reading(run) if read else {})


def seeds_job(name: str, config: PeftConfig | None, rate: float, count: int = MANY, *, row: bool = True) -> dict:
    """One method over all seeds on `count` test rows; with `row` also its line on the scoreboard."""
    test = load_instructions("tone")["test"].select(range(count))
    made, found = [], []
    for seed in SEEDS:
        made.append(trained(config, rate, seed))
        found.append(evaluate(made[-1].model, made[-1].tokenizer, test))
    right = mean_interval([[float(ok) for ok in r.right] for r in found])
    if row:
        pooled = Result(right.value, max(0.0, right.low), min(1.0, right.high), count, [], [])
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
    found = evaluate(run.model, run.tokenizer, load_instructions("tone")["test"], count=ITEMS)
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
