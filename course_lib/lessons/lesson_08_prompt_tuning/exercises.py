"""Exercises of lesson 08: counting, the soft prompt's forward pass, room in the context, and four failures to tell apart."""

from __future__ import annotations

from .. import checks
from ..exercise import Exercise
from . import solutions

HIDDEN, BLOCKS, KEY_WIDTH, TOKENS = 4096, 32, 1024, 50  # of exercise 1


def judge_count(answer) -> str | None:
    """Trained numbers of a soft prompt and of a prefix, on a model of the 8B kind with grouped keys."""
    try:
        prompt, prefix = (float(value) for value in answer)
    except (TypeError, ValueError):
        return "the answer is a pair of numbers: (soft prompt, prefix)."
    right = TOKENS * HIDDEN, TOKENS * BLOCKS * 2 * KEY_WIDTH
    if (prompt, prefix) == right:
        return None
    if (prefix, prompt) == right:
        return "the two are in the wrong order: the soft prompt comes first."
    if prompt == right[0] * BLOCKS:
        return "the soft prompt stands before the first block only; it is not repeated in each of them."
    if prompt == right[0] / 1000 or prompt == right[0] / 1e6:
        return "give the numbers themselves, not thousands or millions."
    if prompt != right[0]:
        return f"a soft prompt is one vector of the hidden size for each virtual token; {prompt:,.0f} is not that."
    reasons = {
        right[1] / 2: "that is half of the prefix: every block gets a key and a value for each virtual token.",
        right[1] / BLOCKS: "that is the prefix of one block, and there are thirty-two.",
        TOKENS * BLOCKS * 2 * HIDDEN: "keys and values here are 1,024 wide, not as wide as the hidden state.",
        right[0]: "a prefix is not a soft prompt: it stands in every block, as keys and values.",
    }
    return reasons.get(prefix, f"{prefix:,.0f} is not tokens · blocks · (key + value) · their width.")


def judge_front(answer) -> str | None:
    """A function `(vectors, embedded, mask, labels)` → the three tensors with the vectors in front, tried on two rows."""
    import torch

    if not callable(answer):
        return f"the answer is a function (answer = with_prompt), not a {type(answer).__name__}."
    draw = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 8, generator=draw, requires_grad=True)
    embedded = torch.randn(2, 5, 8, generator=draw)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    labels = torch.tensor([[-100, -100, -100, 7, 2], [-100, 9, 2, -100, -100]])
    try:
        got = answer(vectors, embedded.clone(), mask.clone(), labels.clone())
    except Exception as error:
        return f"your function raises {type(error).__name__} on two rows of five tokens: {error}."
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        return "the function returns three tensors: embeddings, mask and labels, in this order."
    long, seen, counted = got
    if tuple(long.shape) != (2, 8, 8):
        if tuple(long.shape) == (2, 5, 8):
            return "the vectors must be added as positions of their own, not into the embeddings of the words."
        return f"two rows of five words behind three vectors have the shape (2, 8, 8); yours is {tuple(long.shape)}."
    if torch.equal(long[:, :5], embedded) and not torch.equal(long[:, 3:], embedded):
        return "the vectors stand behind the text. A causal model reads from left to right: nothing in the text would see them."
    if not torch.equal(long[:, 3:], embedded) or not torch.equal(
        long[:, :3].detach(), vectors.detach().expand(2, 3, 8)
    ):
        return "every row should begin with the same three vectors, then its own five embeddings."
    if not long.requires_grad:
        return "the vectors have been detached: no gradient would reach them."
    if tuple(seen.shape) != (2, 8):
        return "the attention mask has not grown: it must cover the vectors too."
    if not torch.equal(seen[:, 3:], mask) or not bool((seen[:, :3] == 1).all()):
        return (
            "the mask is 1 for every vector and as before for the text; a zero there hides the prompt from the model."
        )
    if tuple(counted.shape) != (2, 8):
        return "the labels have not grown: the loss would compare each logit with the token three places off."
    if torch.equal(counted[:, :5], labels) and not torch.equal(counted[:, 3:], labels):
        return "the labels have been lengthened at the wrong end."
    if not torch.equal(counted[:, 3:], labels) or not bool((counted[:, :3] == -100).all()):
        return "no token is to be predicted at the vectors: their labels are -100, which the loss leaves out."
    return None


CONTEXT, VIRTUAL, REPLY = 512, 20, 32  # of exercise 3


def judge_room(answer) -> str | None:
    """The longest prompt that may be left uncut."""
    known = (
        (CONTEXT, "that leaves no position for the virtual tokens, and none for the reply."),
        (CONTEXT - REPLY, "the virtual tokens take positions as well, though the tokenizer never sees them."),
        (CONTEXT - VIRTUAL, "every token of the reply needs a position too."),
        (CONTEXT + VIRTUAL - REPLY, "virtual tokens take room, they do not give any."),
        (
            CONTEXT - 2 * VIRTUAL - REPLY,
            "the virtual tokens stand there once, not once for the prompt and once for the reply.",
        ),
    )
    otherwise = f"count again what has to stand in the {CONTEXT} positions beside the prompt."
    return checks.number(answer, CONTEXT - VIRTUAL - REPLY, decimals=0, known=known, otherwise=otherwise)


CASES = {"A": "rate", "B": "padding", "C": "context", "D": "words"}
CLUES = {
    "A": "the vectors do move, by a thousandth of their length. What was copied from a recipe for all weights?",
    "B": "what is different for a sentence when others of another length are answered together with it?",
    "C": "short inputs work, and the limit lies twenty tokens below the model's. What is in those twenty places?",
    "D": "the vectors work, so nothing is wrong with the training. What was taken for a meaning?",
}


def judge_cases(answer) -> str | None:
    """One of four causes for each of the four reports."""
    return checks.causes(answer, CASES, CLUES)


_FRONT = "import torch\n\n\ndef with_prompt(vectors, embedded, mask, labels):\n    n = len(vectors)\n"

EXERCISES = [
    Exercise(
        "Exercise 1",
        judge_count,
        (
            "A soft prompt: one vector of the hidden size for each virtual token, and nothing else.",
            "A prefix: in each of the 32 blocks, for each virtual token, one key and one value of 1,024 numbers.",
        ),
        "answer = (50 * 4096, 50 * 32 * 2 * 1024)",
        (
            "answer = (50 * 32 * 2 * 1024, 50 * 4096)",
            "answer = (50 * 4096 * 32, 50 * 32 * 2 * 1024)",
            "answer = (50 * 4096, 50 * 32 * 1024)",
            "answer = (50 * 4096, 50 * 32 * 2 * 4096)",
            "answer = (50 * 4096, 50 * 2 * 1024)",
            "answer = (204.8, 3276.8)",
            "answer = 204800",
        ),
    ),
    Exercise(
        "Exercise 2",
        judge_front,
        (
            "vectors.expand(len(embedded), -1, -1) gives every row the same vectors; torch.cat(..., dim=1) puts them in front.",
            "The mask grows by ones at the same end, the labels by -100: torch.full((rows, n), -100).",
        ),
        solutions.with_prompt,
        (
            _FRONT + "    r = len(embedded)\n    return (torch.cat([embedded, vectors.expand(r, -1, -1)], 1), "
            "torch.cat([mask, torch.ones(r, n)], 1), torch.cat([labels, torch.full((r, n), -100)], 1))\nanswer = with_prompt",
            _FRONT + "    r = len(embedded)\n    return torch.cat([vectors.expand(r, -1, -1), embedded], 1), mask, "
            "torch.cat([torch.full((r, n), -100), labels], 1)\nanswer = with_prompt",
            _FRONT + "    r = len(embedded)\n    return (torch.cat([vectors.expand(r, -1, -1), embedded], 1), "
            "torch.cat([torch.ones(r, n), mask], 1), labels)\nanswer = with_prompt",
            _FRONT + "    r = len(embedded)\n    return (torch.cat([vectors.expand(r, -1, -1), embedded], 1), "
            "torch.cat([torch.zeros(r, n), mask], 1), torch.cat([torch.full((r, n), -100), labels], 1))\nanswer = with_prompt",
            _FRONT + "    r = len(embedded)\n    return (torch.cat([vectors.expand(r, -1, -1), embedded], 1), "
            "torch.cat([torch.ones(r, n), mask], 1), torch.cat([torch.zeros(r, n).long(), labels], 1))\nanswer = with_prompt",
            _FRONT + "    r = len(embedded)\n    return (torch.cat([vectors.detach().expand(r, -1, -1), embedded], 1), "
            "torch.cat([torch.ones(r, n), mask], 1), torch.cat([torch.full((r, n), -100), labels], 1))\nanswer = with_prompt",
            _FRONT + "    return embedded + vectors.mean(0), mask, labels\nanswer = with_prompt",
        ),
    ),
    Exercise(
        "Exercise 3",
        judge_room,
        (
            "Count positions, not tokens of text: what stands before the prompt, and what will stand behind it?",
            "Before it stand 20 vectors; behind it up to 32 tokens of reply.",
        ),
        "answer = 512 - 20 - 32",
        (
            "answer = 512",
            "answer = 512 - 32",
            "answer = 512 - 20",
            "answer = 512 + 20 - 32",
            "answer = 512 - 20 - 20 - 32",
        ),
    ),
    Exercise(
        "Exercise 4",
        judge_cases,
        (
            "Each cause is used once. Begin with the report in which the training itself went wrong.",
            "B and C both fail in use. In one it is the neighbours that matter, in the other the length.",
        ),
        'answer = {"A": "rate", "B": "padding", "C": "context", "D": "words"}',
        (
            'answer = {"A": "padding", "B": "rate", "C": "context", "D": "words"}',
            'answer = {"A": "rate", "B": "context", "C": "padding", "D": "words"}',
            'answer = {"A": "words", "B": "padding", "C": "context", "D": "rate"}',
            'answer = {"A": "rate", "B": "padding", "C": "context", "D": "length"}',
            'answer = "rate"',
        ),
    ),
]
