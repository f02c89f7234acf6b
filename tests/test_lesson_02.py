"""What lesson 02's reference runs train with: a chat template that begins replies without a space, and nothing else changed."""

from __future__ import annotations

import pytest

from course_lib.lessons.lesson_02_instruction_data import experiments as lesson
from course_lib.models.load import load_tokenizer


def test_only_the_space_before_a_reply_goes():
    turns = [{"role": "user", "content": "Shares fell."}, {"role": "assistant", "content": "negative"}]
    usual, other = load_tokenizer(), lesson.without_space(load_tokenizer())
    assert usual.chat_template != other.chat_template  # load_tokenizer gave two
    with_it, without = (t.apply_chat_template(turns, tokenize=False) for t in (usual, other))
    assert with_it.count("\n negative") == 1 and without == with_it.replace("\n negative", "\nnegative")
    asked = [t.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True) for t in (usual, other)]
    assert asked[0] == asked[1] and without.startswith(asked[1])


def test_a_template_without_that_space_is_refused():
    with pytest.raises(ValueError, match="no space"):
        lesson.without_space(lesson.without_space(load_tokenizer()))


def test_both_sizes_see_the_same_number_of_examples():
    keys = [key for key, _ in lesson.jobs()]
    assert len(keys) == len({tuple(key.values()) for key in keys}) == 12
    assert all(lesson.EXAMPLES % key["rows"] == 0 for key in keys)
