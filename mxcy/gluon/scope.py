"""Names of blocks and of their parameters: `hybridsequential0_dense1_weight`."""

from __future__ import annotations

import threading
from typing import Any

from .. import name as names
from .parameter import ParameterDict

__all__ = ["BlockScope"]


class _Current(threading.local):
    scope: BlockScope | None = None


_current = _Current()


class BlockScope:
    """In a `with` statement, blocks that are made are called after the one that the scope is of."""

    def __init__(self, block: Any):
        self._block = block
        self._counts: dict[str, int] = {}
        self._outer: list[tuple[BlockScope | None, Any]] = []

    @staticmethod
    def create(prefix: str | None, params: ParameterDict | None, hint: str) -> tuple[str, ParameterDict]:
        """Return (prefix, parameters) of a new block."""
        scope = _current.scope
        if scope is None:
            prefix = names.current().get(None, hint) + "_" if prefix is None else prefix
            made = ParameterDict(prefix) if params is None else ParameterDict(params.prefix, params)
            return prefix, made
        if prefix is None:
            count = scope._counts.get(hint, 0)
            prefix = f"{hint}{count}_"
            scope._counts[hint] = count + 1
        if params is None:
            parent = scope._block.params
            made = ParameterDict(parent.prefix + prefix, parent._shared)
        else:
            made = ParameterDict(params.prefix, params)
        return scope._block.prefix + prefix, made

    def __enter__(self) -> BlockScope:
        if not self._block._empty_prefix:
            prefix = names.Prefix(self._block.prefix)
            self._outer.append((_current.scope, prefix))
            _current.scope = self
            prefix.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if not self._block._empty_prefix:
            outer, prefix = self._outer.pop()
            prefix.__exit__(*error)
            _current.scope = outer
