"""Exercises of lesson 00: a prompt that unlocks the base model, and a baseline."""

from __future__ import annotations

from ..exercise import Exercise

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
    """The share of the most frequent label in the test split."""
    from collections import Counter

    from ...data.instructions import load_instructions

    data = load_instructions("tone")
    shares = {}
    for split in ("test", "train"):
        counts = Counter(data[split]["label"])
        shares[split] = counts.most_common(1)[0][1] / len(data[split])
    value = float(answer)
    if abs(value - shares["test"]) < 0.002:
        return None
    if abs(value - 100 * shares["test"]) < 0.2:
        return "that is a percentage; the question asks for a number between 0 and 1."
    if abs(value - shares["train"]) < 0.002:
        return (
            "that is the share in the training split; the baseline is measured where the model is, on the test split."
        )
    if abs(value - 1 / 3) < 0.002:
        return "that assumes that the three labels are equally frequent. Count them."
    return "count how often each label occurs in data['test'], and divide the largest count by the number of items."


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
        "from collections import Counter\n\n"
        "data = cl.load_instructions('tone')\n"
        "counts = Counter(data['test']['label'])\n"
        "answer = max(counts.values()) / len(data['test'])",
        (
            "answer = 1 / 3",
            "from collections import Counter\n\n"
            "data = cl.load_instructions('tone')\n"
            "answer = 100 * max(Counter(data['test']['label']).values()) / len(data['test'])",
            "from collections import Counter\n\n"
            "data = cl.load_instructions('tone')\n"
            "answer = max(Counter(data['train']['label']).values()) / len(data['train'])",
            "answer = 'neutral'",
        ),
    ),
]
