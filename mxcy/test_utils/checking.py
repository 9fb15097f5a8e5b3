"""Checks of symbols: values, gradients against expected ones and finite differences, speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import random
from .. import symbol as sym_module
from ..errors import ArgumentError, AssertedArgumentError, message
from ..ndarray import NDArray
from ..symbol import Symbol
from .comparing import (
    Tolerance,
    assert_almost_equal,
    compare_ndarray_tuple,
    default_numeric_eps,
    get_tolerance,
    get_tols,
)
from .drawing import rand_ndarray
from .surroundings import default_context, default_dtype

__all__ = [
    "check_consistency", "check_numeric_gradient", "check_speed", "check_symbolic_backward",
    "check_symbolic_forward", "compare_optimizer", "numeric_grad", "simple_forward",
]  # fmt: skip

SINGLE = default_dtype()
FLOATS = (np.float16, np.float32, np.float64)


def _check_dtype(function: str, dtype: Any, *others: str) -> None:
    """Raise AssertedArgumentError unless `dtype` is the class of a floating-point number or in `others`."""
    if not (dtype in others if isinstance(dtype, str) else dtype in FLOATS):
        expected = ", ".join([*[f"np.{kind.__name__}" for kind in FLOATS], *map(repr, others)])
        raise AssertedArgumentError(message(function, "dtype", expected, repr(dtype)))


def _array(value: Any, ctx: Any, dtype: Any) -> NDArray:
    """An array of a value; "asnumpy" keeps its dtype."""
    if not isinstance(value, np.ndarray):
        return value
    return nd.array(value, ctx=ctx, dtype=value.dtype if isinstance(dtype, str) else dtype)


def _by_name(what: str, names: Sequence[str], given: Any, ctx: Any, dtype: Any) -> dict[str, NDArray]:
    """Arrays by name from a list or a dict, which must have exactly these names."""
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ArgumentError(message("check", what, sorted(names), sorted(given)))
    else:
        given = dict(zip(names, given, strict=False))
    return {name: _array(given[name], ctx, dtype) for name in sorted(given)}


def _buffers(values: Mapping[str, Any], stypes: Mapping[str, str] | None, ctx: Any,
             dtype: Any) -> dict[str, NDArray]:  # fmt: skip
    """Arrays with values that gradients are written over, in storage types by name."""
    found = {name: nd.array(value, ctx=ctx, dtype=dtype) for name, value in values.items()}
    for name, stype in (stypes or {}).items():
        if name in found and stype not in (None, "default"):
            found[name] = found[name].tostype(stype)
    return found


def _states(symbol: Symbol, given: Any, ctx: Any, dtype: Any) -> dict[str, NDArray] | None:
    if given is None:
        return None
    found = _by_name("aux_states", symbol.list_auxiliary_states(), given, ctx, dtype)
    return {name: nd.array(value, ctx=ctx) if np.isscalar(value) else value for name, value in found.items()}


def _requests(symbol: Symbol, grad_req: Any) -> dict[str, str]:
    if isinstance(grad_req, str):
        return dict.fromkeys(symbol.list_arguments(), grad_req)
    if isinstance(grad_req, Mapping):
        return dict(grad_req)
    return dict(zip(symbol.list_arguments(), grad_req, strict=False))


def simple_forward(sym: Symbol, ctx: Any = None, is_train: bool = False, **inputs: Any) -> Any:
    """Return the outputs of a symbol for NumPy arrays as NumPy arrays; of one output, the array itself."""
    arrays = {name: nd.array(value) for name, value in inputs.items()}
    executor = sym.bind(ctx or default_context(), args=arrays)
    found = [out.asnumpy() for out in executor.forward(is_train=is_train)]
    return found[0] if len(found) == 1 else found


def numeric_grad(executor: Any, location: dict[str, Any], aux_states: Mapping[str, Any] | None = None,
                 eps: float = 1e-4, use_forward_train: bool = True,
                 dtype: Any = SINGLE) -> dict[str, np.ndarray]:  # fmt: skip
    """Return the gradient of the sum of an executor's first output by central differences.

    Parameters
    ----------
    location : NumPy arrays of the arguments by name; those that are no floats get zeros.
    aux_states : auxiliary states, which are set before each forward.
    eps : distance of the two points between which the slope is taken.
    use_forward_train : whether operators behave as in training.
    """
    values = {name: np.array(value, order="C") for name, value in location.items()}
    for name, value in values.items():
        executor.arg_dict[name][:] = value

    def total(name: str) -> Any:
        executor.arg_dict[name][:] = values[name]
        for state, value in (aux_states or {}).items():
            executor.aux_dict[state][:] = value
        return executor.forward(is_train=use_forward_train)[0].asnumpy().astype(np.float64)

    found = {name: np.zeros(value.shape, dtype) for name, value in values.items()}
    for name, value in values.items():
        if value.dtype.kind != "f":
            continue
        flat = value.reshape(-1)
        for i in range(flat.size):
            old = flat[i]
            flat[i] = old + eps / 2
            above = total(name)
            flat[i] = old - eps / 2
            found[name].reshape(-1)[i] = (above - total(name)).sum() / eps
            flat[i] = old
        executor.arg_dict[name][:] = value
    return found


def check_numeric_gradient(sym: Symbol, location: Any, aux_states: Any = None, numeric_eps: Tolerance = None,
                           rtol: Tolerance = None, atol: Tolerance = None, grad_nodes: Any = None,
                           use_forward_train: bool = True, ctx: Any = None,
                           grad_stype_dict: Mapping[str, str] | None = None,
                           dtype: Any = SINGLE) -> None:  # fmt: skip
    """Raise AssertionError unless a symbol's gradient agrees with finite differences.

    The output is multiplied by random numbers and added up, so that all of its elements count.

    Parameters
    ----------
    sym : a symbol with one output.
    location, aux_states : values of the arguments and of the states, in order or by name.
    grad_nodes : names of the arguments to check, all by default; or a dict of their grad_req.
    grad_stype_dict : storage types of the arrays that gradients are written to, by name.
    numeric_eps, rtol, atol : the distance of the differences, and tolerances; None: by dtype.
    """
    _check_dtype("check_numeric_gradient", dtype)
    if not isinstance(grad_nodes, (list, tuple, Mapping, type(None))):
        expected = "a list of names or a dict"
        raise ArgumentError(message("check_numeric_gradient", "grad_nodes", expected, grad_nodes))
    ctx = ctx or default_context()
    arrays = _by_name("location", sym.list_arguments(), location, ctx, dtype)
    values = {name: value.asnumpy() for name, value in arrays.items()}
    states = _states(sym, aux_states, ctx, dtype)
    kept = None if states is None else {name: value.asnumpy() for name, value in states.items()}
    nodes = sym.list_arguments() if grad_nodes is None else list(grad_nodes)
    requests = dict(grad_nodes) if isinstance(grad_nodes, Mapping) else dict.fromkeys(nodes, "write")
    _, shapes, _ = sym.infer_shape(**{name: value.shape for name, value in arrays.items()})
    weights = np.random.rand(*shapes[0]) + 0.1
    out = sym_module.make_loss(sym * sym_module.Variable("__random_proj"))
    arrays["__random_proj"] = nd.array(weights, ctx=ctx, dtype=dtype)
    before: dict[str, Any] = {
        name: np.random.normal(0, 0.01, arrays[name].shape) for name in (*nodes, "__random_proj")
    }
    grads = _buffers(before, grad_stype_dict, ctx, dtype)
    executor = out.bind(ctx, args=arrays, args_grad=grads, grad_req=requests, aux_states=states)
    executor.forward(is_train=True)
    eps = get_tolerance(executor.outputs[0], numeric_eps, default_numeric_eps())
    executor.backward()
    symbolic = {name: grads[name].asnumpy() for name in nodes}
    numeric = numeric_grad(executor, values, kept, eps, use_forward_train, dtype)
    for name in nodes:
        _compare_gradient(name, requests[name], numeric[name], symbolic[name], before[name].astype(dtype),
                          rtol, atol, "NUMERICAL", False)  # fmt: skip


def _compare_gradient(name: str, request: str, expected: Any, found: Any, before: Any, rtol: Tolerance,
                      atol: Tolerance, label: str, equal_nan: bool) -> None:  # fmt: skip
    """A gradient that is written, added to what was there, or not touched."""
    pairs = {"write": (expected, found), "add": (expected, found - before), "null": (before, found)}
    if request not in pairs:
        raise ArgumentError(message("check", "grad_req", "write, add or null", f"{request!r} for {name}"))
    names = (f"{label}_{name}", f"BACKWARD_{name}")
    assert_almost_equal(*pairs[request], rtol, atol, names, equal_nan)


def check_symbolic_forward(sym: Symbol, location: Any, expected: Any, rtol: Tolerance = None,
                           atol: Tolerance = None, aux_states: Any = None, ctx: Any = None,
                           equal_nan: bool = False, dtype: Any = SINGLE) -> list[NDArray]:  # fmt: skip
    """Raise AssertionError unless a symbol's outputs are those expected; return them.

    `location`, `expected` and `aux_states` are lists in order, or dicts by name. With `dtype="asnumpy"`
    arrays keep their dtypes.
    """
    _check_dtype("check_symbolic_forward", dtype, "asnumpy")
    ctx = ctx or default_context()
    arrays = _by_name("location", sym.list_arguments(), location, ctx, dtype)
    wanted = [expected[name] for name in sym.list_outputs()] if isinstance(expected, Mapping) else expected
    executor = sym.bind(ctx, args=arrays, aux_states=_states(sym, aux_states, ctx, dtype), grad_req="null")
    outputs = executor.forward(is_train=False)
    for name, value, output in zip(sym.list_outputs(), wanted, outputs, strict=False):
        names = (f"EXPECTED_{name}", f"FORWARD_{name}")
        assert_almost_equal(value, output, rtol, atol, names, equal_nan)
    return outputs


def check_symbolic_backward(sym: Symbol, location: Any, out_grads: Any, expected: Any, rtol: Tolerance = None,
                            atol: Tolerance = None, aux_states: Any = None, grad_req: Any = "write",
                            ctx: Any = None, grad_stypes: Any = None,
                            equal_nan: bool = False,
                            dtype: Any = SINGLE) -> dict[str, NDArray]:  # fmt: skip
    """Raise AssertionError unless a symbol's gradients are those expected; return them by name.

    `location`, `out_grads`, `expected`, `grad_req`, `grad_stypes` (storage types of the arrays that gradients
    are written to) and `aux_states` are lists in order, or dicts by name.
    """
    _check_dtype("check_symbolic_backward", dtype, "asnumpy")
    ctx = ctx or default_context()
    arrays = _by_name("location", sym.list_arguments(), location, ctx, dtype)
    if not isinstance(expected, Mapping):
        expected = dict(zip(sym.list_arguments(), expected, strict=False))
    before = {name: np.random.normal(size=value.shape) for name, value in sorted(expected.items())}
    if isinstance(grad_stypes, (list, tuple)):
        grad_stypes = dict(zip(sym.list_arguments(), grad_stypes, strict=False))
    grads: dict[str, NDArray] = {}
    for name, value in before.items():
        own = arrays[name].dtype if isinstance(dtype, str) else dtype
        grads |= _buffers({name: value}, grad_stypes, ctx, own)
        before[name] = grads[name].asnumpy()
    requests = _requests(sym, grad_req)
    executor = sym.bind(ctx, args=arrays, args_grad=grads, grad_req=requests,
                        aux_states=_states(sym, aux_states, ctx, dtype))  # fmt: skip
    executor.forward(is_train=True)
    if isinstance(out_grads, Mapping):
        out_grads = {name: _array(value, ctx, dtype) for name, value in out_grads.items()}
    elif out_grads is not None:
        out_grads = [_array(value, ctx, dtype) for value in out_grads]
    executor.backward(out_grads)
    for name, value in expected.items():
        found = grads[name].asnumpy()
        wanted = value.asnumpy() if isinstance(value, NDArray) else value
        _compare_gradient(
            name, requests[name], wanted, found, before[name], rtol, atol, "EXPECTED", equal_nan
        )
    return grads


def check_speed(sym: Symbol, location: Mapping[str, Any] | None = None, ctx: Any = None, N: int = 20,
                grad_req: Any = None, typ: str = "whole", **kwargs: Any) -> float:  # fmt: skip
    """Return the seconds of one forward and backward (`typ="whole"`) or one forward ("forward")."""
    if typ not in ("whole", "forward"):
        raise ArgumentError(message("check_speed", "typ", "'whole' or 'forward'", repr(typ)))
    shapes = kwargs if location is None else {name: value.shape for name, value in location.items()}
    executor = sym.simple_bind(ctx or default_context(), grad_req=grad_req or "write", **shapes)
    for name, array in executor.arg_dict.items():
        array[:] = np.random.normal(size=array.shape) if location is None else location[name]

    def once() -> None:
        executor.forward(is_train=typ == "whole")
        if typ == "whole":
            executor.backward(out_grads=executor.outputs)

    once()
    nd.waitall()
    begin = time.perf_counter()
    for _ in range(N):
        once()
    nd.waitall()
    return (time.perf_counter() - begin) / N


def check_consistency(sym: Any, ctx_list: Sequence[Mapping[str, Any]], scale: float = 1.0,
                      grad_req: Any = "write", arg_params: dict | None = None, aux_params: dict | None = None,
                      rtol: Tolerance = None, atol: Tolerance = None, raise_on_err: bool = True,
                      ground_truth: Mapping[str, Any] | None = None, equal_nan: bool = False,
                      use_uniform: bool = False, rand_type: Any = np.float64) -> Any:  # fmt: skip
    """Raise AssertionError unless a symbol gives the same on several contexts or in several dtypes.

    Parameters
    ----------
    sym : a symbol, or one for each entry of `ctx_list`.
    ctx_list : arguments of `simple_bind`: `{"ctx": mx.cpu(), "data": (2, 3), "type_dict": {...}}`.
    scale, use_uniform, rand_type : of the random values of arguments that `arg_params` does not hold.
    ground_truth : values by name of the output or argument; those of the most precise dtype by default.
    raise_on_err : whether differences raise, or are printed.

    Returns the values that the others were compared with.
    """
    symbols = [sym] * len(ctx_list) if isinstance(sym, Symbol) else list(sym)
    if len(ctx_list) < 2 or len(symbols) != len(ctx_list):
        expected = f"at least 2 entries, one for each of {len(symbols)} symbols"
        raise AssertedArgumentError(message("check_consistency", "ctx_list", expected, len(ctx_list)))
    kinds = {(*s.list_arguments(), None, *s.list_outputs()) for s in symbols}
    if len(kinds) > 1:
        expected = "the same arguments and outputs"
        raise AssertedArgumentError(message("check_consistency", "sym", expected, sorted(map(str, kinds))))
    executors = [
        s.simple_bind(grad_req=grad_req, **where) for s, where in zip(symbols, ctx_list, strict=True)
    ]
    names = symbols[0].list_outputs()
    given = {} if arg_params is None else arg_params
    for name, array in sorted(executors[0].arg_dict.items()):
        if name not in given:
            bound = 0.92 * scale
            size = array.shape
            drawn = (
                np.random.uniform(-bound, bound, size) if use_uniform else np.random.normal(0, scale, size)
            )
            given[name] = drawn.astype(rand_type)
    for executor in executors:
        for name, array in executor.arg_dict.items():
            array[:] = given[name]
        for name, array in executor.aux_dict.items():
            array[:] = (aux_params or {}).get(name, 0)
        for array in executor.grad_arrays:
            if array is not None:
                array[:] = 0
    best = int(np.argmax([np.dtype(executor.outputs[0].dtype).itemsize for executor in executors]))
    truth: dict[str, Any] = dict(ground_truth or {})

    def compare(phase: str, results: Callable[[Any, Sequence[str]], dict[str, Any]]) -> None:
        reference = truth or results(executors[best], names)
        for number, executor in enumerate(executors):
            if number != best:
                _compare_results(phase, number, results(executor, names), reference, rtol, atol, equal_nan,
                                 raise_on_err)  # fmt: skip

    for executor in executors:
        executor.forward(is_train=False)
    compare("predict", _outputs)
    if grad_req != "null":
        for executor in executors:
            executor.forward(is_train=True)
        coarse = min((np.dtype(e.outputs[0].dtype) for e in executors), key=lambda dtype: dtype.itemsize)
        heads = [out.asnumpy().astype(coarse) for out in executors[0].outputs]
        for executor in executors:
            pairs = zip(heads, executor.outputs, strict=True)
            executor.backward([nd.array(g, ctx=out.context, dtype=out.dtype) for g, out in pairs])
        compare("train", _results)
    return truth or _results(executors[best], names)


def _outputs(executor: Any, names: Sequence[str]) -> dict[str, Any]:
    return dict(zip(names, executor.outputs, strict=True))


def _results(executor: Any, names: Sequence[str]) -> dict[str, Any]:
    """Outputs and gradients by name; None for an argument without a gradient."""
    return {**_outputs(executor, names), **executor.grad_dict}


def _compare_results(phase: str, number: int, found: Mapping, reference: Mapping, rtol: Tolerance,
                     atol: Tolerance, equal_nan: bool, raises: bool) -> None:  # fmt: skip
    for name, value in found.items():
        if value is None or reference.get(name) is None:
            continue
        try:
            relative, absolute = get_tols(value, reference[name], rtol, atol)
            assert_almost_equal(value, reference[name], relative, absolute, equal_nan=equal_nan)
        except AssertionError as error:
            error.add_note(f"{phase}: entry {number} of ctx_list, at {name}")
            if raises:
                raise
            print(error)


def compare_optimizer(opt1: Any, opt2: Any, shape: Any, dtype: Any, w_stype: str = "default",
                      g_stype: str = "default", rtol: float = 1e-4, atol: float = 1e-5,
                      compare_states: bool = True, ntensors: int = 1) -> None:  # fmt: skip
    """Raise AssertionError unless two optimizers make the same of random weights and gradients.

    With a list of `ntensors` shapes, the second one updates all of them in one call. `w_stype` and `g_stype`
    are storage types of its weights and gradients; those of the first one are dense.
    """
    several = isinstance(shape, list)
    shapes = shape if several else [shape]
    if len(shapes) < ntensors:
        raise AssertedArgumentError(message("compare_optimizer", "ntensors", len(shapes), ntensors))
    ctx = default_context()

    def drawn(stype: str, density: float) -> list[NDArray]:
        if stype == "default":
            return [random.uniform(shape=s, ctx=ctx, dtype=dtype) for s in shapes]
        return [rand_ndarray(s, stype, density, dtype, ctx=ctx) for s in shapes]

    weights, gradients = drawn(w_stype, 1.0), drawn(g_stype, np.random.rand())
    dense = [w.copy().tostype("default") for w in weights]
    dense_gradients = [g.copy().tostype("default") for g in gradients]
    states = [opt2.create_state_multi_precision(i, w) for i, w in enumerate(weights)]
    if several:
        opt2.update_multi_precision(list(range(ntensors)), weights, gradients, states)
    else:
        opt2.update_multi_precision(0, weights[0], gradients[0], states[0])
    for i, (w, g) in enumerate(zip(dense, dense_gradients, strict=True)):
        state = opt1.create_state_multi_precision(i, w)
        opt1.update_multi_precision(i, w, g, state)
        if compare_states:
            compare_ndarray_tuple(state, states[i], rtol, atol)
        assert_almost_equal(w, weights[i], rtol=rtol, atol=atol)
