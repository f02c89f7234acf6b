"""Solutions of lesson 16, as a student would write them; `lesson.qN.solution()` shows their source."""

from __future__ import annotations


def answers(turns):
    roles = {"human": "user", "gpt": "assistant"}
    said, found = [], []
    for turn in turns:
        role, text = roles[turn["from"]], turn["value"]
        if role == "assistant" and not said:
            continue  # nobody has asked yet
        if said and said[-1]["role"] == role:
            said[-1] = {"role": role, "content": said[-1]["content"] + "\n" + text}
        else:
            said.append({"role": role, "content": text})
    for place, message in enumerate(said):
        if message["role"] == "assistant":
            found.append((said[:place], message["content"]))
    return found
