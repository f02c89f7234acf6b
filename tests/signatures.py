"""Which keywords we pass to the libraries, found in our source, and which ones the libraries take, read off their own code."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pkgutil
import re
import textwrap
from pathlib import Path

import nbformat

TRAIN, CONFIG = "course_lib.methods.sft.train", "course_lib.methods.sft.sft_config"  # pass on to SFTConfig
OURS = ("course_lib.train", "methods.sft.train", "sft.train", "sft_config", "methods.sft.sft_config")


def source_of(path: Path) -> str:
    """Python of a module, or of all code cells of a notebook, without magics."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return re.sub(r"^[%!].*", "", "\n".join(cells), flags=re.MULTILINE)


def calls(source: str) -> list[tuple[int, str, list[str]]]:
    """Line, full dotted name and keywords of each call in the source that the wall watches."""
    known, found = {}, []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            known |= {a.asname or a.name: f"{module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            root, dot, rest = ast.unparse(node.func).partition(".")
            name, passed = known.get(root, root) + dot + rest, [k.arg for k in node.keywords if k.arg]
            plain = re.fullmatch(r"[\w.]+", name)  # else a method of something made on the spot
            if watched(name) and (plain or (passed and name.endswith(".from_pretrained"))):
                found.append((node.lineno, name, passed))
    return found


def dictionary_keys(source: str, function: str, variable: str) -> list[str]:
    """The keys of the dictionary that a function assigns to a variable."""
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == function]
    assigned = [
        n for f in functions for n in ast.walk(f) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Dict)
    ]
    (made,) = [n.value for n in assigned if ast.unparse(n.targets[0]) == variable]
    return [ast.literal_eval(key) for key in made.keys]


def watched(name: str) -> bool:
    """All of TRL and PEFT, the configurations of transformers, whatever loads a model, and our own functions that pass on."""
    config = name.startswith("transformers.") and name.endswith("Config")
    return name.startswith(("trl.", "peft.")) or config or name.endswith(".from_pretrained") or ours(name)


def ours(name: str) -> bool:
    """Whether a name, absolute or relative, is one of our functions that pass keywords on."""
    return name.lstrip(".").removeprefix("course_lib.") in {own.removeprefix("course_lib.") for own in OURS}


def accepted(name: str) -> set[str]:
    """The keywords that a class or function takes; `LookupError` when it does not exist."""
    if ours(name):
        own = CONFIG if "sft_config" in name else TRAIN
        return keywords(pkgutil.resolve_name(own)) | accepted("trl.SFTConfig")
    try:
        found = keywords(pkgutil.resolve_name(name))
    except (ImportError, AttributeError, ValueError):
        raise LookupError(name) from None
    if name.startswith("transformers.AutoModel"):
        found |= accepted("transformers.PreTrainedModel.from_pretrained")
    if name.startswith("transformers.AutoTokenizer"):
        base = "transformers.PreTrainedTokenizerBase"
        found |= accepted(f"{base}.from_pretrained") | accepted(f"{base}.__init__")
    return found


def keywords(thing) -> set[str]:
    """Fields of a dataclass, named parameters, and what a function takes out of its `**kwargs` by name."""
    fields = {f.name for f in dataclasses.fields(thing) if f.init} if dataclasses.is_dataclass(thing) else set()
    parameters = inspect.signature(thing).parameters.values()
    fields |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if inspect.isclass(thing) or all(p.kind != p.VAR_KEYWORD for p in parameters):
        return fields
    source = textwrap.dedent(inspect.getsource(thing))
    taken = re.findall(r"\bkwargs\.(?:pop|get)\(\s*[\"'](\w+)[\"']", source)
    listed = re.findall(r"_names = \[([^\]]*)\]", source)  # names that are moved to another dict in one go
    return fields | set(taken) | set(re.findall(r"[\"'](\w+)[\"']", " ".join(listed)))


def complaints(source: str, accepted=accepted) -> list[str]:
    """One sentence for each watched call whose keyword, or whose callee, the library does not have."""
    found = []
    for line, name, passed in calls(source):
        try:
            takes = accepted(name)
            found += [f"line {line}: {name} has no '{keyword}'" for keyword in passed if keyword not in takes]
        except LookupError:
            found.append(f"line {line}: there is no {name}")
    return found
