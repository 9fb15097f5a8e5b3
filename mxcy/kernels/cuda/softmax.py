"""Softmax along an axis, its logarithm, their gradients, and the gradient of SoftmaxOutput.

RX lanes of a block share one line: they find its maximum and its sum by a tree in shared memory and read it
again from the cache to write it. float16, bfloat16 and integers are computed in float32.
"""

from __future__ import annotations

import functools
import struct

from ..._array import Array, empty
from ..._gpu import LETTERS, launch
from ..._pointwise import compile_program
from ..._reduce import reduce
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES, convert, load, store
from ._layout import Custom
from ._spaces import Walk, normalise
from .pointwise import Body
from .reduction import MAX_GRID, THREADS, elements, lanes_along

__all__ = ["KERNELS"]

INT64, FLOAT32, FLOAT64 = 7, 11, 12

_HEAD = """
def kernel(K, N, scale, {steps}, {parameters}, {pointers}):
    shared = cuda.shared.array({threads}, dt_{T})
    t = i64(cuda.threadIdx.x)
    lane = t % {rx}
    line = t // {rx}
    kb = i64(cuda.blockIdx.x)
    while kb * {kx} < K:
        k = kb * {kx} + line
        length = i64(0)
        count = i64(0)
        if k < K:
{place}
            length = N
            count = N
            {read_length}
"""

_TREE = """
        shared[t] = a
        cuda.syncthreads()
        half = {rx} // 2
        while half > 0:
            if lane < half:
                shared[t] = {fold}
            cuda.syncthreads()
            half //= 2
        {into} = shared[line * {rx}]
        cuda.syncthreads()
"""

_FORWARD = """
        a = {T}(-infinity)
        i = lane
        while i < count:
            a = maximum_{T}(a, {x} * scale)
            i += i64({rx})
{tree_top}
        a = {T}(0)
        i = lane
        while i < count:
            a += exp_{T}({x} * scale - top)
            i += i64({rx})
{tree_total}
        {last}
        i = lane
        while i < length:
            y = {T}(0)
            if i < count:
                y = {y}
            out[o + i * out_step] = {store}
            i += i64({rx})
        kb += cuda.gridDim.x
"""

_BACKWARD = """
        a = {T}(0)
        i = lane
        while i < count:
            a += {term}
            i += i64({rx})
{tree_total}
        i = lane
        while i < length:
            d = {T}(0)
            if i < count:
                d = {d} * scale
            out[o + i * out_step] = {store}
            i += i64({rx})
        kb += cuda.gridDim.x
"""


@functools.lru_cache(maxsize=2048)
def _plan(name, gradient, logarithm, codes, has_length, shape, axis, steps, device):
    """codes and steps: of the inputs, the lengths (if there are any) and the result."""
    others = [d for d in range(len(shape)) if d != axis]
    own = [[s[d] for d in others] for s in steps]
    if has_length:
        own[-2] = list(steps[-2])
    extents, merged = normalise([shape[d] for d in others], own)
    walk = Walk("k", extents, merged)
    wide = FLOAT64 if FLOAT64 in (codes[0], codes[-1]) else FLOAT32
    kind, out = TYPES[wide], codes[-1]
    rx = lanes_along(shape[axis])
    kx = THREADS // rx
    n_inputs = 2 if gradient else 1
    names = ["b0", "b1"][:n_inputs] + (["bl"] if has_length else []) + ["o"]
    pointers = ["p0", "p1"][:n_inputs] + (["lengths"] if has_length else []) + ["out"]
    read = [
        convert(code, wide, load(code, f"p{j}[b{j} + i * step{j}]"))
        for j, code in enumerate(codes[:n_inputs])
    ]
    length = "pass"
    if has_length:
        length = f"count = min(N, max(i64(0), {convert(codes[-2], INT64, load(codes[-2], 'lengths[bl]'))}))"

    def tree(fold: str, into: str) -> str:
        return _TREE.format(rx=rx, into=into, fold=fold)

    step_names = [f"step{j}" for j in range(n_inputs)] + ["out_step"]
    head = _HEAD.format(
        steps=", ".join(step_names),
        parameters=", ".join(walk.parameters),
        pointers=", ".join(pointers),
        threads=THREADS,
        T=kind,
        rx=rx,
        kx=kx,
        read_length=length,
        place="\n".join(" " * 12 + line for line in walk.lines("k", names)),
    )
    total = tree("shared[t] + shared[t + half]", "total")
    written = {"T": kind, "rx": rx, "tree_total": total}
    if gradient:
        term, d = (
            (read[1], f"({read[1]} - exp_{kind}({read[0]}) * total)")
            if logarithm
            else (f"{read[0]} * {read[1]}", f"({read[1]} - total) * {read[0]}")
        )
        body = _BACKWARD.format(term=term, d=d, store=store(out, convert(wide, out, "d")), **written)
    else:
        y = (
            f"{read[0]} * scale - top - total"
            if logarithm
            else f"exp_{kind}({read[0]} * scale - top) / total"
        )
        body = _FORWARD.format(
            x=read[0],
            y=y,
            tree_top=tree(f"maximum_{kind}(shared[t], shared[t + half])", "top"),
            last=f"total = log_{kind}(total)" if logarithm else "pass",
            store=store(out, convert(wide, out, "y")),
            **written,
        )
    source = (head + body).replace(", , ", ", ")
    signature = "qq" + LETTERS[wide] + "q" * (len(step_names) + len(walk.parameters))
    signature += "".join("P" + LETTERS[code] for code in codes)
    kernel = get_kernel(name, source, signature, device)
    return kernel, min(-(-walk.size // kx), MAX_GRID), walk.size, walk.arguments


def _run(name: str, gradient: bool):
    def run(outputs: list, inputs: list, parameters: bytes) -> None:
        # SoftmaxParams: axis; logarithm, negate, has_length; inverse_temperature
        axis, logarithm, negate, has_length, inverse = struct.unpack("i???xd", parameters[:16])
        target = outputs[0]
        if target.size == 0:
            return
        arrays = [*inputs, target]
        codes = tuple([x._dtype_code for x in arrays])
        steps = tuple([elements(x.strides, x._dtype_code) for x in arrays])
        kernel, grid, lines, numbers = _plan(
            name,
            gradient,
            logarithm,
            codes,
            has_length,
            target.shape,
            axis,
            steps,
            target._context_code & 0xFF,
        )
        along = [s[axis] for k, s in enumerate(steps) if not (has_length and k == len(steps) - 2)]
        scale = -inverse if negate else inverse
        arguments = [lines, target.shape[axis], scale, *along, *numbers, *arrays]
        launch(name, [target], list(inputs), [(kernel, grid, THREADS, arguments)])

    return run


# --- SoftmaxOutput ----------------------------------------------------------------------------------------


@functools.cache
def _loss_body(
    code: int, label: int, by_class: bool, has_head: bool, use_ignore: bool, by_valid: bool
) -> Body:
    wide = FLOAT64 if code == FLOAT64 else FLOAT32
    kind = TYPES[wide]

    def lines(lane: str) -> list[str]:
        probability = convert(code, wide, f"x0{lane}")
        scale = f"c0 / x{3 if has_head else 2}{lane}" if by_valid else "c0"
        if not by_class:
            made = [f"d = ({probability} - {convert(label, wide, f'x1{lane}')}) * {kind}({scale})"]
        else:
            made = [
                f"label = {convert(label, INT64, f'x1{lane}')}",
                f"own = index{lane} // c5 % c4 == label",
                f"d = ({probability} - (c1 if own else c2)) * {kind}({scale})",
            ]
            if use_ignore:
                made.append(f"d = {kind}(0) if label == c3 else d")
        if has_head:
            made.append(f"d = d * {convert(code, wide, f'x2{lane}')}")
        return [*made, f"y0{lane} = {convert(wide, code, 'd')}"]

    types = [code, label] + ([code] if has_head else []) + ([FLOAT64] if by_valid else [])
    return Body(
        "SoftmaxOutput_backward", Custom(types, [code], [wide, wide, wide, INT64, INT64, INT64], lines)
    )


@functools.cache
def _counts_program(label: int):
    """1 for every label that counts."""
    import numpy as np

    steps = [(("cast", INT64), (0,)), (np.not_equal, (2, 1)), (("cast", FLOAT64), (3,))]
    return compile_program(2, steps, [4], [label, int], name="valid labels")


@functools.cache
def _at_least_one():
    import numpy as np

    from ..._pointwise import Const

    return compile_program(1, [(np.maximum, (0, Const(1.0)))], [1], [FLOAT64], name="valid labels")


def _spread(label: Array, shape: tuple) -> Array:
    """Labels as a view of the shape (samples, classes, positions), the same for all classes."""
    count, classes, inner = shape
    item = label.itemsize
    return label._strided(0, (count, classes, inner), (inner * item, 0, item))


def _softmax_output_gradient(outputs: list, inputs: list, parameters: bytes) -> None:
    # SoftmaxOutputParams: count, classes, inner; scale, smooth_alpha; ignore_label; use_ignore, by_valid,
    # has_head_gradient, label_is_probability
    found = struct.unpack("qqqddq????", parameters[:52])
    count, classes, inner, scale, alpha, ignored, use_ignore, by_valid, has_head, is_probability = found
    target, (probability, label) = outputs[0], inputs[:2]
    if target.size == 0:
        return
    shape = (count, classes, inner)
    code = probability._dtype_code
    whole = [_as_three(x, shape) for x in (probability, target)]
    operands = [whole[0], _as_three(label, shape) if is_probability else _spread(label, shape)]
    if has_head:
        operands.append(_as_three(inputs[2], shape))
    if by_valid:
        valid = empty((1,), DTYPES[FLOAT64], 0, target._context_code)
        import numpy as np

        reduce(
            np.add,
            [label, ignored],
            None,
            False,
            FLOAT64,
            pre=_counts_program(label._dtype_code),
            post=_at_least_one(),
            out=valid._reshape_view(()),
        )
        operands.append(valid)
    body = _loss_body(code, label._dtype_code, not is_probability, has_head, use_ignore, by_valid)
    others = alpha / (classes - 1) if alpha else 0.0
    body.run(operands, [whole[1]], (scale, 1 - alpha, others, ignored, classes, inner))


def _as_three(x: Array, shape: tuple) -> Array:
    return x._reshape_view(shape)


KERNELS = {
    "softmax": _run("softmax", False),
    "log_softmax": _run("log_softmax", False),
    "softmax_grad": _run("softmax_grad", True),
    "log_softmax_grad": _run("log_softmax_grad", True),
    "SoftmaxOutput_backward": _softmax_output_gradient,
}
