"""`sym.exp`, `sym.FullyConnected`: operators as functions of symbols."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentTypeError, problem
from . import compose
from .symbol import Symbol

__all__ = ["SymbolFunction"]


class SymbolFunction:
    """An operator called on symbols. Tensor inputs that are not given become variables.

    Besides the operator's arguments it takes `name`, of the node, and `attr`, a dict of labels.
    """

    def __init__(self, op: Any, name: str):
        self.op = op
        self.__name__ = self.__qualname__ = name
        self.__doc__ = op.__doc__
        self.__module__ = "mxcy.symbol"
        self._hint = name.lower()

    def __repr__(self) -> str:
        return f"<function {self.__module__}.{self.__name__}>"

    def __call__(self, *operands: Any, name: str | None = None, attr: dict[str, str] | None = None,
                 **keywords: Any) -> Symbol:  # fmt: skip
        if keywords.pop("out", None) is not None:
            raise ArgumentTypeError(problem(self.__name__, "out", "symbols hold no values to write"))
        inputs, attrs = self.op.bind_arguments(operands, keywords)
        return Symbol(compose.add_node(self.op, inputs, attrs, name, attr, self._hint))
