"""`SymbolBlock`: a symbol as a block."""

from __future__ import annotations

import os.path
from typing import Any

import numpy as np

from .. import symbol as sym
from .._array import Array
from ..errors import ArgumentError, AssertedArgumentError, MXNetError, problem
from ..ndarray.ndarray import _STORAGE_TYPE_STR_TO_ID
from ..symbol import Symbol
from .hybrid import HybridBlock
from .nesting import flatten, regroup
from .parameter import ParameterDict

__all__ = ["SymbolBlock"]

ROW_SPARSE = str(_STORAGE_TYPE_STR_TO_ID["row_sparse"])


class SymbolBlock(HybridBlock):
    """A block that computes symbols from variables; all other variables are parameters.

    Parameters
    ----------
    outputs : a symbol or a list of them.
    inputs : the variables that are inputs.
    params : parameters to share.
    """

    def __init__(self, outputs: Any, inputs: Any, params: ParameterDict | None = None):
        super().__init__(prefix=None, params=None)
        self._prefix = ""
        self._params = ParameterDict("", params)
        inputs = [inputs] if isinstance(inputs, Symbol) and len(inputs.list_outputs()) == 1 else inputs
        if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
            outputs = outputs[0]
        variables, self._in_format = flatten(inputs, "input")
        heads, self._out_format = flatten(outputs, "output")
        for variable in variables:
            if len(variable.get_internals().list_outputs()) != 1:
                text = f"inputs must be variables, but {variable.name!r} is an output of an operator"
                raise AssertedArgumentError(problem("SymbolBlock", "inputs", text))
        out = sym.Group(heads) if len(heads) > 1 else heads[0]
        for node in out.get_internals():
            if node.attr("__storage_type__") == ROW_SPARSE:
                text = f"parameters must be dense, but {node.name!r} is row-sparse"
                raise AssertedArgumentError(problem("SymbolBlock", "outputs", text))
        names = {variable.name for variable in variables}
        dtypes = dtypes_of(variables, out)
        for name in out.list_arguments():
            if name not in names:
                self.params.get(name, allow_deferred_init=True, dtype=dtypes.get(name, np.float32))
        for name in out.list_auxiliary_states():
            if name not in names:
                dtype = dtypes.get(name, np.float32)
                self.params.get(name, grad_req="null", allow_deferred_init=True, dtype=dtype)
        self._cached_graph = variables, out
        common = os.path.commonprefix(list(self._params.keys()))  # noqa: RUF071 - of characters
        self._reg_params = {name[len(common) :]: value for name, value in self._params.items()}

    def __repr__(self) -> str:
        variables, out = self._cached_graph
        counts = f"{len(variables)} -> {len(out.list_outputs())}"
        return f"{type(self).__name__}(\n{out} : {counts}\n)"

    @staticmethod
    def imports(symbol_file: str, input_names: Any, param_file: str | None = None, ctx: Any = None,
                allow_missing: bool = False, ignore_extra: bool = False) -> SymbolBlock:  # fmt: skip
        """Return a block from the files of `export` or of a checkpoint, here or of MXNet.

        `input_names` is the name of the input, or a list of them.
        """
        out = sym.load(symbol_file)
        names = [input_names] if isinstance(input_names, str) else input_names
        dtype: dict[str, Any] = {"dtype": np.float32} if param_file is None else {}
        block = SymbolBlock(out, [sym.var(name, **dtype) for name in names])
        if param_file is not None:
            block.collect_params().load(param_file, ctx, allow_missing, ignore_extra, cast_dtype=True,
                                        dtype_source="saved")  # fmt: skip
        return block

    def _clear_cached_op(self) -> None:
        """The graph is what the block is made of, and stays."""
        vars(self).update(_cached_op=None, _cached_op_args=[])

    def forward(self, x: Any, *args: Any) -> Any:
        """Compute the outputs for arrays, or the graph for symbols."""
        if isinstance(x, Array):
            with x.context:
                return self._call_cached_op(x, *args)
        if not isinstance(x, Symbol):
            text = f"the first input must be an NDArray or a Symbol, got {type(x).__name__}"
            raise AssertedArgumentError(problem("SymbolBlock", None, text))
        given, form = flatten([x, *args], "input")
        if form != self._in_format:
            text = f"expected inputs of the structure {self._in_format}, got {form}"
            raise ArgumentError(problem("SymbolBlock", None, text))
        variables, out = self._cached_graph
        composed = out(**{v.name: value for v, value in zip(variables, given, strict=True)})
        return regroup(list(composed), self._out_format)

    def reset_ctx(self, ctx: Any) -> None:
        """Move all parameters to other devices."""
        self.collect_params().reset_ctx(ctx)


def dtypes_of(variables: list[Symbol], out: Symbol) -> dict[str, Any]:
    """The dtypes of parameters as far as they follow from those of the inputs."""
    known = {v.name: v.infer_type_partial()[0][0] for v in variables}
    try:
        given: dict[str, Any] = {str(name): dtype for name, dtype in known.items() if dtype is not None}
        arguments, _, states = out.infer_type_partial(**given)
    except MXNetError:
        return {}
    found = dict(zip(out.list_arguments(), arguments, strict=True))
    found |= dict(zip(out.list_auxiliary_states(), states, strict=True))
    return {name: dtype for name, dtype in found.items() if dtype is not None}
