"""What lesson 08 and its reference runs share: rows, prompts of vectors and of words, and what learned vectors say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.paths import home
from ...data.instructions import load_instructions, prompt_text
from ...measure.evaluation import Result, result
from ...measure.losses import label_offered
from ...methods.sft import train
from ...models.adapters import ADAPTER, save_adapter
from ...models.generation import chat_prompt, encode_exchange, generate, padded, padded_examples, positions_left_out
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
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    ids, mask, labels = (t.to(model.device) for t in padded_examples(pairs, tokenizer.pad_token_id))

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


# ------------------------------------------------------------------ kept prompts, and pads


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


def left_padded(
    model: PeftModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], batch: int = 32
) -> list[str]:
    """Replies as a plain loop of `model.generate` gives them: batches as they come, pads on the left of the text."""
    import torch

    replies = []
    for start in range(0, len(prompts), batch):
        texts = [chat_prompt(tokenizer, prompt) for prompt in prompts[start : start + batch]]
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
