"""Exercises of lesson 16: read a conversation, tell five certificates apart, and say what must not be published."""

from __future__ import annotations

from ..checks import causes, equals, function
from ..exercise import Exercise
from . import solutions

# ------------------------------------------------------------------ exercise 1


def _talk(*turns: str) -> list[dict]:
    return [dict(zip(("from", "value"), turn.split(": ", 1), strict=True)) for turn in turns]


TALKS = (
    (_talk("human: Is it ready?", "gpt: Yes."), "a question and its answer", "the messages are those before the answer, with the roles user and assistant."),
    (_talk("human: Is it ready?", "gpt: Not yet.", "human: When?", "gpt: On Friday."), "two answers", "each answer is a row, and all that was said before it belongs to its prompt."),
    (_talk("gpt: Good morning.", "human: Is it ready?", "gpt: Yes."), "a greeting before anybody asked", "a turn of the assistant that answers nothing is left out; chat templates begin with the user."),
    (_talk("human: Hello?", "human: Is it ready?", "gpt: Yes."), "two turns of one speaker in a row", "they are joined with a line break, since templates want the speakers in turns."),
    (_talk("human: Is it ready?", "gpt: Yes.", "human: Thanks!"), "a last turn without an answer", "there is nothing to learn from it, so it makes no row."),
    (_talk("human: Anybody there?"), "a conversation without an answer", "it gives no row at all."),
)  # fmt: skip


def judge_answers(answer) -> str | None:
    """A function from ShareGPT turns to (messages before, answer), tried on six conversations."""
    import copy

    cases = [((copy.deepcopy(turns),), equals(solutions.answers(turns), why), case, why) for turns, case, why in TALKS]
    return function(answer, "answers", cases)


SOURCE = """def answers(turns):
    roles = {"human": "user", "gpt": "assistant"}
    said = [{"role": roles[t["from"]], "content": t["value"]} for t in turns]
    return [(said[:place], m["content"]) for place, m in enumerate(said) if m["role"] == "assistant"]


answer = answers"""  # what most people write first

# ------------------------------------------------------------------ exercise 2

CAUSES = {"A": "rate", "B": "off", "C": "end", "D": "leak", "E": "labels"}
CLUES = {
    "A": "no weight has moved, although the adapter takes part in every step.",
    "B": "the weights have changed, and yet no probability differs.",
    "C": "the replies begin well; look at how many tokens they take.",
    "D": "the figure is splendid; look at which questions it was measured on.",
    "E": "everything moved and ends as it should, and the loss cannot fall below what the rows disagree about.",
}


def judge_causes(answer) -> str | None:
    """A cause for each of five certificates."""
    return causes(answer, CAUSES, CLUES)


# ------------------------------------------------------------------ exercise 3

FILES = (
    "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "optimizer.pt", "training_args.bin",
    ".env", "train.jsonl",
)  # fmt: skip
REFUSED = {"optimizer.pt", "training_args.bin", ".env"}
WHY = {
    "README.md": "the card is what others read first; it goes along.",
    "config.json": "without its configuration nobody can load the model.",
    "generation_config.json": "it holds the end marks; without it plain transformers may not know where to stop.",
    "model.safetensors": "safetensors are bare numbers; that is how weights are published.",
    "tokenizer.json": "without its tokenizer the model is of no use.",
    "train.jsonl": "data are not dangerous to open, so they are shown and not refused: whether they are yours to publish, nobody but you knows.",
}
MISSED = {
    "optimizer.pt": "one of the files is the state of a training: pickled, large, and of no use to anybody who only asks the model.",
    "training_args.bin": "one of the files ends in .bin and is a pickle, which can run code when it is opened.",
    ".env": "one of the files is hidden, and of a kind that holds access tokens.",
}


def judge_files(answer) -> str | None:
    """The set of files that an upload must refuse."""
    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
        return "the answer is a set of file names such as {'config.json'}, not a single value."
    given = set(answer)
    unknown = sorted(map(str, given - set(FILES)))
    if unknown:
        return f"{unknown[0]!r} is none of the files in the list."
    for name in FILES:
        if name in given - REFUSED:
            return f"{name} need not be refused: {WHY[name]}"
    missed = next((name for name in FILES if name in REFUSED - given), None)
    return MISSED[missed] if missed else None


EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_answers,
        (
            "First make a list of messages in the roles user and assistant; leave out and join while you do. Then look for the answers in it.",
            "An assistant's turn while the list is still empty is left out. A turn of the same role as the last message is joined to it.",
        ),
        solutions.answers,
        (
            SOURCE,
            "def answers(turns):\n    said = [{'role': {'human': 'user', 'gpt': 'assistant'}[t['from']], 'content': t['value']} for t in turns]\n"
            "    return [(said[:-1], said[-1]['content'])]\nanswer = answers",
            "def answers(turns):\n    return [(turns[:i], t['value']) for i, t in enumerate(turns) if t['from'] == 'gpt']\nanswer = answers",
            "def answers(turns):\n    return [([{'role': 'user', 'content': a['value']}], b['value'])\n"
            "            for a, b in zip(turns, turns[1:]) if (a['from'], b['from']) == ('human', 'gpt')]\nanswer = answers",
            "answer = [([], 'Yes.')]",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_causes,
        (
            "Begin with the two in which nothing changed: in one of them the weights moved all the same.",
            "Of the other three, one is about the test, one about the rows, and one about where an answer ends.",
        ),
        'answer = {"A": "rate", "B": "off", "C": "end", "D": "leak", "E": "labels"}',
        (
            'answer = {"A": "off", "B": "rate", "C": "end", "D": "leak", "E": "labels"}',
            'answer = {"A": "rate", "B": "off", "C": "labels", "D": "leak", "E": "end"}',
            'answer = {"A": "rate", "B": "off", "C": "end", "D": "labels", "E": "leak"}',
            'answer = {"A": "rate", "B": "off", "C": "end", "D": "leak", "E": "seed"}',
            'answer = "rate"',
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_files,
        (
            "Ask of each file: could it run code when opened? does it hold a secret? is it the state of a training?",
            "Three files. What is merely to be looked at before you send it does not count.",
        ),
        'answer = {"optimizer.pt", "training_args.bin", ".env"}',
        (
            'answer = {"optimizer.pt"}',
            'answer = {"optimizer.pt", "training_args.bin", ".env", "train.jsonl"}',
            'answer = {"optimizer.pt", ".env"}',
            'answer = {"optimizer.pt", "training_args.bin"}',
            'answer = {"optimizer.pt", "training_args.bin", ".env", "generation_config.json"}',
            'answer = ".env"',
        ),
    ),
]
