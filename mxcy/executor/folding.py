"""Weights with norms folded into them, which predictions share until what they come from changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import finalize

from .._export import forget_exports, is_exported, watch_exports
from ..graph.ir import Entry, Graph, Node
from ..ndarray import NDArray
from .options import Options
from .program import Program

__all__ = ["Folding"]


class Folding:
    """The arrays of new variables, computed from those of others.

    Attributes
    ----------
    arrays : of the new variables.
    """

    def __init__(
        self, weights: Mapping[Node, Entry], arrays: Mapping[Node, NDArray], ctx: Any, options: Options
    ):
        graph = Graph(weights.values())
        given = {node: arrays[node] for node in graph.variables}
        self._program = Program(graph, given, [], ctx, options=options)
        self._read = list(given.values())
        self._seen: Any = None
        self._exports = watch_exports(self._read)
        finalize(self, forget_exports, self._read).atexit = False
        self.arrays = dict(zip(weights, self._program.outputs, strict=True))

    def refresh(self) -> None:
        """Compute the arrays again if what they come from may have changed since the last time.

        An operation that writes an array raises its version; what others write through an export (NumPy,
        DLPack) does not, so that a new export of one counts as a change.
        """
        seen = [count[0] for count in self._exports], [array._version for array in self._read]
        if seen != self._seen or any(map(is_exported, self._read)):
            self._program.forward.run(False)
            self._seen = seen
