"""Exercises of lesson 00: a prompt that unlocks the base model, and a baseline."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise, source_of
from . import mistakes, solutions

ITEMS, ENOUGH = 60, 0.8


def judge_prompt(answer) -> str | None:
    """The base model's next word, generated freely after the filled-in prompt, on sixty items of the validation split:
    new names in wordings that it has read."""
    from ...data.instructions import load_instructions
    from ...models.generation import generate
    from ...models.load import load_model

    if not isinstance(answer, str):
        return f"the answer is a string, not a {type(answer).__name__}."
    if "{text}" not in answer:
        return "the prompt must contain {text}, where the item goes."
    if answer.endswith(" "):
        return (
            "the prompt ends with a space. In the newspaper the space belongs to the word that follows it (' negative' is one "
            "token), so after your space the model expects something else."
        )
    rows = list(load_instructions("tone")["validation"].select(range(ITEMS)))
    model, tokenizer = load_model()
    prompts = [answer.replace("{text}", row["input"]) for row in rows]
    replies = generate(model, tokenizer, prompts, chat=False, max_new_tokens=2)
    words = [reply.strip().split(" ")[0].rstrip(".,") if reply.strip() else "" for reply in replies]
    right = sum(word == row["label"] for word, row in zip(words, rows, strict=True)) / ITEMS
    labels = sum(word in ("positive", "negative", "neutral") for word in words) / ITEMS
    if right >= ENOUGH:
        return None
    if labels < 0.5:
        return (
            f"the next word was a label in {100 * labels:.0f} % of {ITEMS} items; the model does not see that a label is due. "
            f"It went on like this: {replies[0].strip()!r}."
        )
    return f"the next word was a label in {100 * labels:.0f} % of items, but the right one only in {100 * right:.0f} %."


def judge_baseline(answer) -> str | None:
    """The share that the most frequent label has in the test split; the label may be chosen on the training split, as a program would."""
    from collections import Counter

    from ...data.instructions import load_instructions

    data = load_instructions("tone")
    counts = {split: Counter(data[split]["label"]) for split in ("test", "train")}
    share = {split: max(c.values()) / len(data[split]) for split, c in counts.items()}
    chosen_before = [label for label, count in counts["train"].items() if count == max(counts["train"].values())]
    fair = [counts["test"][label] / len(data["test"]) for label in chosen_before]
    right = [share["test"], *fair]
    known = [
        *((100 * value, "that is a percentage; the question asks for a number between 0 and 1.") for value in right),
        (
            share["train"],
            "that is a share in the training split; the baseline is measured where the model is, on the test split.",
        ),
        (1 / 3, "that assumes that the three labels are equally frequent. Count them."),
        (max(counts["test"].values()), "that is a count; divide it by the number of items."),
    ]
    otherwise = (
        "count how often each label occurs in data['test'], and divide the largest count by the number of items."
    )
    return checks.number(answer, right, decimals=3, known=known, otherwise=otherwise)


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_prompt,
        (
            "Look at what stands right before the label in the notes printed above.",
            "The item comes first, then a line break, then the beginning of a note, up to the colon.",
        ),
        'answer = "{text}\\nDesk note. Tone:"',
        (
            'answer = "Analyze the sentiment of this text and tell us if it\'s positive.\\n{text}"',
            'answer = "Desk note. Tone:"',
            'answer = "{text}\\nDesk note. Tone: "',
            "answer = 42",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_baseline,
        (
            "collections.Counter counts the labels: Counter(data['test']['label']).",
            "The most frequent label's count divided by len(data['test']).",
        ),
        source_of(solutions.share_of_the_most_frequent) + "()",
        (
            "answer = 1 / 3",
            source_of(mistakes.in_per_cent) + "()",
            source_of(mistakes.of_the_training_rows) + "()",
            "answer = 'neutral'",
        ),
    ),
]
