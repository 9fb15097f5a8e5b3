"""Batch normalisation and its gradient: one block for each channel, sums in float64 by a fixed tree."""

from __future__ import annotations

import functools
import struct
import textwrap

from ..._gpu import LETTERS, launch
from ._compiler import get_kernel
from ._functions import TYPES, convert, truth
from .reduction import THREADS

__all__ = ["KERNELS"]

_TREE = """
        first[t] = u
        second[t] = w
        cuda.syncthreads()
        half = THREADS // 2
        while half > 0:
            if t < half:
                first[t] += first[t + half]
                second[t] += second[t + half]
            cuda.syncthreads()
            half //= 2
        u = first[0]
        w = second[0]
        cuda.syncthreads()
"""

# The mean m and the variance v of channel c, whose first element is the origin: nothing cancels.
_STATISTICS = """
            origin = f64(LOAD(x[c * inner]))
            u = f64(0)
            w = f64(0)
            i = t
            while i < N:
                line = i // inner
                d = f64(LOAD(x[(line * C + c) * inner + i - line * inner])) - origin
                u += d
                w += d * d
                i += i64(THREADS)
TREE
            off = u / f64(N)
            m = origin + off
            v = w / f64(N) - off * off
            v = v if v > f64(0) or v != v else f64(0)
"""

_RESULT = """
        scale = KIND(s * GAMMA)
        centre = KIND(m)
        shift = KIND(f64(READ(beta[c])) - (m - f64(centre)) * f64(scale))
        i = t
        while i < N:
            line = i // inner
            at = (line * C + c) * inner + i - line * inner
            out[at] = STORE((LOAD(x[at]) - centre) * scale + shift)
            i += i64(THREADS)
        c += cuda.gridDim.x
"""

_FORWARD = """
def kernel(C, N, inner, eps, momentum, x, gamma, beta, moving_mean, moving_var,
           out, mean, deviation, trained):
    first = cuda.shared.array(THREADS, dt_f64)
    second = cuda.shared.array(THREADS, dt_f64)
    t = i64(cuda.threadIdx.x)
    c = i64(cuda.blockIdx.x)
    while c < C:
        m = f64(READ(moving_mean[c]))
        v = f64(READ(moving_var[c]))
        if BY_BATCH and N > i64(0):
STATISTICS
        s = f64(KIND(f64(1) / sqrt_f64(v + eps)))
        if t == i64(0):
            mean[c] = WRITE(m)
            deviation[c] = WRITE(s)
            if BY_BATCH:
                moving_mean[c] = WRITE(f64(READ(moving_mean[c])) * momentum + m * (f64(1) - momentum))
                moving_var[c] = WRITE(f64(READ(moving_var[c])) * momentum + v * (f64(1) - momentum))
            if c == i64(0):
                trained[0] = WRITE(f64(TRAINED))
RESULT
"""

_AGAIN = """
def kernel(C, N, inner, eps, x, gamma, beta, mean, deviation, trained, out):
    first = cuda.shared.array(THREADS, dt_f64)
    second = cuda.shared.array(THREADS, dt_f64)
    t = i64(cuda.threadIdx.x)
    c = i64(cuda.blockIdx.x)
    while c < C:
        m = f64(READ(mean[c]))
        s = f64(READ(deviation[c]))
        if FLAG(trained[0]) and N > i64(0):
STATISTICS
            s = f64(KIND(f64(1) / sqrt_f64(v + eps)))
RESULT
"""

_BACKWARD = """
def kernel(C, N, inner, g, x, gamma, mean, deviation, trained, g_x, g_gamma, g_beta):
    first = cuda.shared.array(THREADS, dt_f64)
    second = cuda.shared.array(THREADS, dt_f64)
    t = i64(cuda.threadIdx.x)
    c = i64(cuda.blockIdx.x)
    while c < C:
        centre = KIND(f64(READ(mean[c])))
        s = f64(READ(deviation[c]))
        u = f64(0)
        w = f64(0)
        i = t
        while i < N:
            line = i // inner
            at = (line * C + c) * inner + i - line * inner
            head = LOAD(g[at])
            u += f64(head)
            w += f64(head) * f64(LOAD(x[at]) - centre)
            i += i64(THREADS)
TREE
        if t == i64(0):
            g_beta[c] = WRITE(u)
            g_gamma[c] = WRITE(w * s * USES_GAMMA)
        factor = s * GAMMA
        ka = KIND(factor)
        kb = KIND(0)
        kc = KIND(0)
        if FLAG(trained[0]) and N > i64(0):
            kb = KIND(-factor * s * s * w / f64(N))
            kc = KIND(-factor * u / f64(N))
        i = t
        while i < N:
            line = i // inner
            at = (line * C + c) * inner + i - line * inner
            g_x[at] = STORE(LOAD(g[at]) * ka + ((LOAD(x[at]) - centre) * kb + kc))
            i += i64(THREADS)
        c += cuda.gridDim.x
"""


def _replace(text: str, macro: str, make) -> str:
    """Replace MACRO(...) by make(what stands in the brackets)."""
    while (at := text.find(macro + "(")) >= 0:
        depth, end = 1, at + len(macro) + 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = text[:at] + make(text[at + len(macro) + 1 : end - 1]) + text[end:]
    return text


@functools.lru_cache(maxsize=128)
def _kernel(which: str, code: int, own: int, flag: int, fix_gamma: bool, by_batch: bool, device: int):
    """own: the dtype of parameters; flag: that of what says whether the statistics are those of the data."""
    wide, own_wide = (12 if c == 12 else 11 for c in (code, own))
    text = {"forward": _FORWARD, "again": _AGAIN, "backward": _BACKWARD}[which]
    statistics = _STATISTICS.replace("TREE", textwrap.indent(_TREE.strip("\n"), "    ")).strip("\n")
    text = text.replace("STATISTICS", statistics).replace("RESULT", _RESULT.strip("\n"))
    text = text.replace("TREE", _TREE.strip("\n"))
    text = text.replace("USES_GAMMA", "f64(0)" if fix_gamma else "f64(1)")
    text = text.replace("GAMMA", "f64(1)" if fix_gamma else "f64(READ(gamma[c]))")
    text = text.replace("TRAINED", str(int(by_batch))).replace("BY_BATCH", str(by_batch))
    text = _replace(text, "LOAD", lambda x: convert(code, wide, x))
    text = _replace(text, "READ", lambda x: convert(own, own_wide, x))
    text = _replace(text, "FLAG", lambda x: truth(11 if flag in (9, 10) else flag, convert(flag, 11, x)
                    if flag in (9, 10) else x))  # fmt: skip
    text = _replace(text, "STORE", lambda x: convert(wide, code, f"({x})"))
    text = _replace(text, "WRITE", lambda x: convert(12, own, f"({x})"))
    text = text.replace("KIND", TYPES[wide]).replace("THREADS", str(THREADS))
    a, b, c = ("P" + LETTERS[number] for number in (code, own, flag))
    signature = {
        "forward": "qqqdd" + a + b * 4 + a + b * 2 + c,
        "again": "qqqd" + a + b * 4 + c + a,
        "backward": "qqq" + a * 2 + b * 3 + c + a + b * 2,
    }[which]
    return get_kernel("BatchNorm", text, signature, device)


def _numbers(parameters: bytes):
    # BatchNormParams: outer, channels, inner; eps, momentum; fix_gamma, by_batch
    return struct.unpack("qqqdd??", parameters[:42])


def _grid(channels: int) -> int:
    return max(1, min(channels, 65535))


def _forward(outputs: list, inputs: list, parameters: bytes) -> None:
    if len(outputs) == 1:
        _again(outputs, inputs, parameters)
        return
    outer, channels, inner, eps, momentum, fix_gamma, by_batch = _numbers(parameters)
    x, gamma, beta, *moving = inputs
    moving = moving or outputs[4:]
    device = x._context_code & 0xFF
    codes = (x._dtype_code, gamma._dtype_code, outputs[3]._dtype_code)
    kernel = _kernel("forward", *codes, fix_gamma, by_batch, device)
    arguments = [channels, outer * inner, max(inner, 1), eps, momentum, x, gamma, beta, *moving, *outputs[:4]]
    launches = [(kernel, _grid(channels), THREADS, arguments)]
    launch("BatchNorm", list(outputs), list(inputs), launches, updates=True)


def _again(outputs: list, inputs: list, parameters: bytes) -> None:
    outer, channels, inner, eps, _, fix_gamma, _ = _numbers(parameters)
    x, gamma, trained = inputs[0], inputs[1], inputs[5]
    codes = (x._dtype_code, gamma._dtype_code, trained._dtype_code)
    kernel = _kernel("again", *codes, fix_gamma, False, x._context_code & 0xFF)
    arguments = [channels, outer * inner, max(inner, 1), eps, *inputs, outputs[0]]
    launch("BatchNorm", list(outputs), list(inputs), [(kernel, _grid(channels), THREADS, arguments)])


def _backward(outputs: list, inputs: list, parameters: bytes) -> None:
    outer, channels, inner, _, _, fix_gamma, _ = _numbers(parameters)
    head, gamma, trained = inputs[0], inputs[2], inputs[5]
    codes = (head._dtype_code, gamma._dtype_code, trained._dtype_code)
    kernel = _kernel("backward", *codes, fix_gamma, False, head._context_code & 0xFF)
    arguments = [channels, outer * inner, max(inner, 1), *inputs, *outputs]
    launch("BatchNorm_backward", list(outputs), list(inputs), [(kernel, _grid(channels), THREADS, arguments)])


KERNELS = {"BatchNorm": _forward, "BatchNorm_backward": _backward}
