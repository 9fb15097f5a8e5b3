"""`sym.exp`, `sym.FullyConnected`: operators as functions of symbols."""

from __future__ import annotations

from typing import Any

from . import compose
from .symbol import Symbol

__all__ = ["SymbolFunction"]


class SymbolFunction:
    """An operator called on symbols. Tensor inputs that are not given become variables.

    Besides the operator's arguments it takes `name`, of the node, and labels: as a dict `attr`, or as
    keywords such as `lr_mult=0.1`, `ctx_group="a"` or `__mine__="text"`. `hint` begins the names of nodes
    that are not given one; it is the name of the function by default.
    """

    def __init__(self, op: Any, name: str, hint: str | None = None):
        self.op = op
        self.__name__ = self.__qualname__ = name
        self.__doc__ = op.__doc__
        self.__module__ = "mxcy.symbol"
        self._hint = hint or name.lower()

    def __repr__(self) -> str:
        return f"<function {self.__module__}.{self.__name__}>"

    def __call__(self, *operands: Any, **keywords: Any) -> Symbol:
        given = [x for x in (*operands, *keywords.values()) if isinstance(x, Symbol)]
        kind = next((type(x) for x in given if type(x) is not Symbol), Symbol)
        return kind(compose.call(self.op, operands, keywords, self._hint))
