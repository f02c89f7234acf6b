"""YAML with the line of every key, so that a message can say where it is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .errors import CourseError

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")  # 1e-4: for YAML a text, for everybody else a number


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple, int]]:
    """The mapping in a YAML file, and the line of every key. Raises `CourseError` for what is no such file, and for a key that stands twice."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or 'it is no UTF-8 text'}).", "Check the path."
        ) from None
    lines: dict[tuple, int] = {}
    loader = yaml.SafeLoader(text)

    def value_of(node: Any, place: tuple) -> Any:
        if node.tag.startswith("!") or "python" in node.tag:
            raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag} makes an object", node.start_mark)
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = loader.construct_object(key_node, deep=True)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str):
                    raise CourseError(
                        f"{path.name}, line {line}: the key {key!r} is no word.", "Keys are the names of arguments."
                    )
                if key in found:
                    raise CourseError(
                        f"{path.name}, line {line}: '{key}' stands there twice (also in line {lines[(*place, key)]}).",
                        "Delete one of them.",
                    )
                lines[(*place, key)] = line
                found[key] = value_of(value_node, (*place, key))
            return found
        if isinstance(node, yaml.SequenceNode):
            return [value_of(item, place) for item in node.value]
        value = loader.construct_object(node, deep=True)
        return float(value) if isinstance(value, str) and node.style is None and NUMBER.fullmatch(value) else value

    try:
        node = loader.get_single_node()
        found = value_of(node, ()) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise CourseError(
            f"{path.name}{line}: not YAML ({getattr(error, 'problem', error)}).",
            "Check the indentation and the colons.",
        ) from None
    finally:
        loader.dispose()
    if not isinstance(found, dict):
        raise CourseError(f"{path.name} is no list of keys and values.", "Write key: value, one a line.")
    return found, lines
