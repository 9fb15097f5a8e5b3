"""Classes found by name: what initializers and metrics are registered in and created from.

register = get_register_func(EvalMetric, "metric")
create = get_create_func(EvalMetric, "metric")

@register
class Mine(EvalMetric): ...

create("mine")
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

from .errors import AssertedArgumentError, closest, problem

__all__ = ["get_alias_func", "get_create_func", "get_register_func", "get_registry"]

_registries: dict[type, dict[str, type]] = {}


def get_registry(base_class: type) -> dict[str, type]:
    """Return a copy of the classes registered for a base class, by lower-case name."""
    return dict(_registries.get(base_class, {}))


def get_register_func(base_class: type, nickname: str) -> Callable:
    """Return the function that registers a subclass under its own name or another one."""
    registry = _registries.setdefault(base_class, {})

    def register(klass: type, name: str | None = None) -> type:
        if not isinstance(klass, type) or not issubclass(klass, base_class):
            text = f"can only register subclasses of {base_class.__name__}"
            raise AssertedArgumentError(problem(nickname, "register", text))
        name = (name or klass.__name__).lower()
        if name in registry:
            old = registry[name]
            warnings.warn(
                f"New {nickname} {klass.__module__}.{klass.__name__} registered with name {name} is "
                f"overriding existing {nickname} {old.__module__}.{old.__name__}",
                UserWarning, stacklevel=2,
            )  # fmt: skip
        registry[name] = klass
        return klass

    register.__doc__ = f"Register a class of {nickname} under its name in lower case, or under `name`."
    return register


def get_alias_func(base_class: type, nickname: str) -> Callable:
    """Return the decorator that registers a class under more names."""
    register = get_register_func(base_class, nickname)

    def alias(*names: str) -> Callable[[type], type]:
        def enter(klass: type) -> type:
            for name in names:
                register(klass, name)
            return klass

        return enter

    alias.__doc__ = f"Return a decorator that registers a class of {nickname} under these names as well."
    return alias


def get_create_func(base_class: type, nickname: str) -> Callable:
    """Return the function that makes an object from a name, a description in JSON, or itself."""
    registry = _registries.setdefault(base_class, {})

    def create(*args: Any, **kwargs: Any) -> Any:
        if args:
            name, *rest = args
        else:
            name, rest = kwargs.pop(nickname, None), []
        if isinstance(name, base_class):
            if rest or kwargs:
                text = f"{nickname} is already an instance. Additional arguments are invalid"
                raise AssertedArgumentError(problem("create", nickname, text))
            return name
        if isinstance(name, dict):
            return create(**name)
        if not isinstance(name, str):
            text = f"{nickname} must be of string type, got {type(name).__name__}"
            raise AssertedArgumentError(problem("create", nickname, text))
        if name.startswith(("[", "{")):
            return create_from_json(name)
        klass = registry.get(name.lower())
        if klass is None:
            near = closest(name.lower(), registry)
            hint = f"did you mean {' or '.join(near)}?" if near else None
            text = f"{name} is not registered. Please register with {nickname}.register first"
            raise AssertedArgumentError(problem("create", nickname, text, hint))
        return klass(*rest, **kwargs)

    def create_from_json(text: str) -> Any:
        try:
            read = json.loads(text)
            if isinstance(read, dict):
                return create(**read)
            name, kwargs = read
        except (ValueError, TypeError):
            wrong = problem("create", nickname, f"not a description in JSON: {text!r}")
            raise AssertedArgumentError(wrong) from None
        return create(name, **kwargs)

    create.__doc__ = f"""Return a {nickname}.

    Parameters
    ----------
    {nickname} : a name in any case, the JSON text `["name", {{arguments}}]`, a dict of arguments with the
        name under {nickname!r}, or an object, which comes back as it is.
    *args, **kwargs : arguments of the class.
    """
    return create
