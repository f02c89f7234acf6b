"""Plausible wrong answers to the exercises of lesson 02; the checks must refuse each with its reason."""

from __future__ import annotations


def everything_counted(prompt, answer, width, pad):
    ids = prompt + answer + [pad] * (width - len(prompt) - len(answer))
    return ids, list(ids)


def padding_by_token(prompt, answer, width, pad):
    ids = prompt + answer + [pad] * (width - len(prompt) - len(answer))
    labels = [-100] * len(prompt) + ids[len(prompt) :]
    return ids, [-100 if label == pad else label for label in labels]


def moved_by_one(prompt, answer, width, pad):
    ids = prompt + answer + [pad] * (width - len(prompt) - len(answer))
    labels = [-100] * len(prompt) + answer + [-100] * (width - len(prompt) - len(answer))
    return ids, [*labels[1:], -100]


def end_forgotten(prompt, answer, width, pad):
    ids = prompt + answer + [pad] * (width - len(prompt) - len(answer))
    labels = [-100] * len(prompt) + answer[:-1]
    return ids, labels + [-100] * (width - len(labels))


def padding_counted(prompt, answer, width, pad):
    ids = prompt + answer + [pad] * (width - len(prompt) - len(answer))
    return ids, [-100] * len(prompt) + ids[len(prompt) :]


def split_by_rows(rows, share, seed):
    import random

    random.Random(seed).shuffle(rows)
    cut = int(share * len(rows))
    return rows[cut:], rows[:cut]


def rows_lost(rows, share, seed):
    cut = int(share * len(rows))
    test = rows[:cut]
    held = {row["name"] for row in test[:10]}
    return [row for row in rows if row["name"] not in held], [r for r in test if r["name"] in held]


def nothing_held_out(rows, share, seed):
    return rows, []


def one_name_held_out(rows, share, seed):
    one = min(row["name"] for row in rows)
    return [r for r in rows if r["name"] != one], [r for r in rows if r["name"] == one]


def always_fourteen_names(rows, share, seed):
    import random

    names = sorted({row["name"] for row in rows})
    held = set(random.Random(seed).sample(names, 14))
    return [r for r in rows if r["name"] not in held], [r for r in rows if r["name"] in held]


def without_the_seed(rows, share, seed):
    import random

    names = sorted({row["name"] for row in rows})
    held = set(random.sample(names, int(share * len(names))))
    return [r for r in rows if r["name"] not in held], [r for r in rows if r["name"] in held]


def the_first_names(rows, share, seed):
    names = sorted({row["name"] for row in rows})
    held = set(names[: int(share * len(names))])
    return [r for r in rows if r["name"] not in held], [r for r in rows if r["name"] in held]


def order_of_a_set(rows, share, seed):
    import random

    names = list({row["name"] for row in rows})
    held = set(random.Random(seed).sample(names, int(share * len(names))))
    return [r for r in rows if r["name"] not in held], [r for r in rows if r["name"] in held]
