"""What mxcy lacks of, or has otherwise than, the interface of MXNet 1.9.1 (golden/interface.json)."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mxcy.ops._operator import Operator

GOLDEN = Path(__file__).resolve().parent / "golden" / "interface.json"
ABSENT = object()


def real_interface() -> dict[str, dict]:
    """Modules of the real one: `own` names with signatures, and `names` from elsewhere."""
    return json.loads(GOLDEN.read_text())


def module_of(name: str) -> Any:
    """Our module of this name (`mxnet.gluon.nn`), ABSENT if there is none."""
    try:
        return importlib.import_module(name.replace("mxnet", "mxcy", 1))
    except ModuleNotFoundError:
        return ABSENT


def differences() -> Iterator[tuple[str, str]]:
    """Pairs of a path (`gluon.nn.Dense.summary`) and what is different there."""
    for name, real in real_interface().items():
        ours = module_of(name)
        short = name.removeprefix("mxnet").lstrip(".")
        if ours is ABSENT:
            yield short, "no such module"
            continue
        prefix = f"{short}." if short else ""
        for key in real["names"]:
            if getattr(ours, key, ABSENT) is ABSENT:
                yield prefix + key, "missing"
        for key, description in real["own"].items():
            found = getattr(ours, key, ABSENT)
            yield from compare(prefix + key, description, found)


def compare(path: str, real: Any, ours: Any) -> Iterator[tuple[str, str]]:
    """Differences of one name: an operator's defaults, a class's members, or a signature."""
    if ours is ABSENT:
        yield path, "missing"
    elif isinstance(real, str):
        if real:
            yield from ((path, text) for text in compare_signatures(real, ours))
    elif isinstance(ours, Operator):
        yield from ((path, text) for text in compare_operators(real, ours))
    elif isinstance(ours, type):
        for key, description in real.items():
            found = getattr(ours, key, ABSENT)
            yield from compare(f"{path}.{key}", description, found)
    else:
        words = [key if value in ("input", "required") else f"{key}={value}" for key, value in real.items()]
        texts = compare_signatures(f"({', '.join(words)})", ours, ordered=False)
        yield from ((path, text) for text in texts)


def compare_operators(real: dict[str, str], ours: Operator) -> Iterator[str]:
    """Inputs, attributes and defaults of an operator."""
    for key, default in real.items():
        attribute = ours.attributes.get(key)
        if attribute is None:
            if key not in ours.inputs and not (ours.variadic and default == "input"):
                yield f"no argument {key}"
        elif default not in ("input", "required"):
            own, theirs = plain(attribute.format(attribute.default)), plain(default)
            if not equal(own, theirs):
                yield f"{key}={own}, not {theirs}"


def equal(own: Any, real: Any) -> bool:
    """Whether two defaults mean the same; MXNet shows those of operators as float32."""
    if isinstance(own, float) and isinstance(real, float):
        return own == real or np.float32(own) == np.float32(real)
    return own == real or {own, real} in ({None, 0.0}, {None, ()})


def plain(text: str) -> Any:
    """The value of MXNet's text of a default."""
    words = {"None": None, "True": 1.0, "False": 0.0, "[]": (), "()": (), "": None}
    text = text.strip()
    if text in words:
        return words[text]
    if text[:1] in "([":
        return tuple(plain(part) for part in text[1:-1].split(",") if part)
    try:
        return float(text)
    except ValueError:
        return text


def compare_signatures(real: str, ours: Any, ordered: bool = True) -> Iterator[str]:
    """Names, order and defaults of parameters; ours may take more, if they have defaults."""
    try:
        signature = inspect.signature(ours)
    except (TypeError, ValueError):
        return
    own = {p.name: p for p in signature.parameters.values()}
    kinds = {p.kind for p in own.values()}
    position = list(own)
    last = -1
    for text in split(real[1:-1]):
        name, _, default = text.partition("=")
        if name.startswith("*"):
            ordered = False  # what follows is given by name
            continue
        if name not in own:
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                yield f"no argument {name}"
            continue
        if ordered and (position.index(name) < last or own[name].kind == inspect.Parameter.KEYWORD_ONLY):
            yield f"{name} is elsewhere"
        last = max(last, position.index(name))
        value = own[name].default
        if default and value is inspect.Parameter.empty:
            yield f"{name} has no default"
        elif default and not same_default(default, value):
            yield f"{name}={value!r}, not {default}"


def same_default(real: str, ours: Any) -> bool:
    """Whether a default is the real one's."""
    if real.startswith("<"):
        return ours is None or not isinstance(ours, (int, float, str))
    shown = ours.__name__ if isinstance(ours, type) else repr(ours)
    return real in (shown, "_Null") or equal(plain(shown), plain(real))


def split(text: str) -> list[str]:
    """The parameters of a signature."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text + ","):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [part for part in parts if part]
