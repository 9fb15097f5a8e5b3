"""Normalisation of rows (layer, group, instance normalisation) and of channels (LRN), with gradients."""

from __future__ import annotations

import functools
import struct

from ..._array import empty
from ..._gpu import LETTERS, launch
from ._compiler import get_kernel
from ._functions import TYPES, convert
from .copying import copy_into
from .reduction import MAX_GRID, THREADS, lanes_along

__all__ = ["KERNELS"]

# The sum of `a` over the RX lanes of a row.
_SUM = """
        shared[t] = a
        cuda.syncthreads()
        half = RX // 2
        while half > 0:
            if lane < half:
                shared[t] += shared[t + half]
            cuda.syncthreads()
            half //= 2
        INTO = shared[line * RX]
        cuda.syncthreads()
"""

_ROWS = """
def kernel(rows, n, periods, each, eps, POINTERS):
    shared = cuda.shared.array(THREADS, dt_KIND)
    t = i64(cuda.threadIdx.x)
    lane = t % RX
    line = t // RX
    run = n // each
    block = i64(cuda.blockIdx.x)
    while block * KX < rows:
        r = block * KX + line
        count = n if r < rows else i64(0)
        at = r * n
        first = r % periods * each
BODY
        block += cuda.gridDim.x
"""

_FORWARD = """
        a = KIND(0)
        i = lane
        while i < count:
            a += READ(x[at + i])
            i += i64(RX)
SUM_total
        middle = total / KIND(n)
        a = KIND(0)
        i = lane
        while i < count:
            d = READ(x[at + i]) - middle
            a += d * d
            i += i64(RX)
SUM_squares
        width = sqrt_KIND(squares / KIND(n) + KIND(eps))
        i = lane
        while i < count:
            k = first + i // run
            y = (READ(x[at + i]) - middle) / width
            out[at + i] = WRITE(y * READ(gamma[k]) + READ(beta[k]))
            i += i64(RX)
        if lane == i64(0) and r < rows:
            mean[r] = WRITE(middle)
            deviation[r] = WRITE(width)
"""

_BACKWARD = """
        middle = KIND(0)
        scale = KIND(0)
        if r < rows:
            middle = READ(mean[r])
            scale = KIND(1) / READ(deviation[r])
        a = KIND(0)
        i = lane
        while i < count:
            a += READ(g[at + i]) * READ(gamma[first + i // run])
            i += i64(RX)
SUM_total
        a = KIND(0)
        i = lane
        while i < count:
            a += READ(g[at + i]) * READ(gamma[first + i // run]) * (READ(x[at + i]) - middle) * scale
            i += i64(RX)
SUM_product
        less = total / KIND(n)
        slope = product / KIND(n) * scale
        i = lane
        while i < count:
            d = READ(g[at + i]) * READ(gamma[first + i // run]) - less
            g_x[at + i] = WRITE((d - (READ(x[at + i]) - middle) * slope) * scale)
            i += i64(RX)
"""

# The gradients of the parameters: KX of them side by side, RX lanes over what each of them serves.
_PARAMETERS = """
def kernel(rows, n, periods, each, g, x, mean, deviation, g_gamma, g_beta):
    first = cuda.shared.array(THREADS, dt_KIND)
    second = cuda.shared.array(THREADS, dt_KIND)
    t = i64(cuda.threadIdx.x)
    lane = t // KX
    run = n // each
    q = i64(cuda.blockIdx.x) * KX + t % KX
    u = KIND(0)
    w = KIND(0)
    if q < periods * each:
        period = q // each
        start = (q - period * each) * run
        served = (rows - period + periods - i64(1)) // periods * run
        m = lane
        while m < served:
            j = m // run
            r = period + j * periods
            at = r * n + start + m - j * run
            head = READ(g[at])
            u += head
            w += head * (READ(x[at]) - READ(mean[r])) / READ(deviation[r])
            m += i64(RX)
    first[t] = u
    second[t] = w
    cuda.syncthreads()
    half = RX // 2
    while half > 0:
        if lane < half:
            first[t] += first[t + half * KX]
            second[t] += second[t + half * KX]
        cuda.syncthreads()
        half //= 2
    if lane == i64(0) and q < periods * each:
        g_beta[q] = WRITE(first[t])
        g_gamma[q] = WRITE(second[t])
"""

_CHANNELS = """
def kernel(size, channels, inner, width, alpha, beta, knorm, POINTERS, out):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        line = e // inner
        c = line % channels
        low = max(i64(0), c - (width - i64(1)) // i64(2))
        high = min(channels, c + (width - i64(1)) // i64(2) + i64(1))
BODY
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

_CHANNEL_BODIES = {
    "channel_sum": """
        a = KIND(0)
        for j in range(low, high):
            a += READ(x[e + (j - c) * inner])
        out[e] = WRITE(a)
""",
    "LRN": """
        a = KIND(0)
        for j in range(low, high):
            v = READ(x[e + (j - c) * inner])
            a += v * v
        out[e] = WRITE(READ(x[e]) * pow_KIND(KIND(knorm) + KIND(alpha / f64(width)) * a, KIND(-beta)))
""",
    # g_x = g d^-beta - 2 alpha beta / size x_c sum over j of g_j x_j d_j^(-beta - 1)
    "LRN_backward": """
        total = KIND(0)
        own = KIND(0)
        for j in range(low, high):
            a = KIND(0)
            near = max(i64(0), j - (width - i64(1)) // i64(2))
            far = min(channels, j + (width - i64(1)) // i64(2) + i64(1))
            for k in range(near, far):
                v = READ(x[e + (k - c) * inner])
                a += v * v
            d = KIND(knorm) + KIND(alpha / f64(width)) * a
            power = pow_KIND(d, KIND(-beta))
            place = e + (j - c) * inner
            total += READ(g[place]) * READ(x[place]) * power / d
            if j == c:
                own = READ(g[e]) * power
        out[e] = WRITE(own - KIND(2.0 * alpha * beta / f64(width)) * READ(x[e]) * total)
""",
}


def _replace(text: str, code: int, kx: int = 1, rx: int = 1) -> str:
    """Fill in the types and sizes; READ(...) and WRITE(...) convert."""
    wide = 12 if code == 12 else 11
    for name, source, target in (("READ", code, wide), ("WRITE", wide, code)):
        while (at := text.find(name + "(")) >= 0:
            depth, end = 1, at + len(name) + 1
            while depth:
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            inside = text[at + len(name) + 1 : end - 1]
            text = text[:at] + convert(source, target, f"({inside})") + text[end:]
    for name in ("total", "squares", "product"):
        text = text.replace(f"SUM_{name}", _SUM.strip("\n").replace("INTO", name))
    text = text.replace("KIND", TYPES[wide]).replace("THREADS", str(THREADS))
    return text.replace("RX", str(rx)).replace("KX", str(kx))


@functools.lru_cache(maxsize=256)
def _rows_kernel(backward: bool, code: int, rx: int, device: int):
    pointers = ["g, x, gamma, mean, deviation, g_x", "x, gamma, beta, out, mean, deviation"][not backward]
    text = _ROWS.replace("BODY", (_BACKWARD if backward else _FORWARD).strip("\n")).replace(
        "POINTERS", pointers
    )
    source = _replace(text, code, THREADS // rx, rx)
    return get_kernel("row_norm", source, "qqqqd" + ("P" + LETTERS[code]) * 6, device)


@functools.lru_cache(maxsize=64)
def _parameters_kernel(code: int, kx: int, device: int):
    source = _replace(_PARAMETERS, code, kx, THREADS // kx)
    return get_kernel("row_norm_grad", source, "qqqq" + ("P" + LETTERS[code]) * 6, device)


def _forward(outputs: list, inputs: list, parameters: bytes) -> None:
    # RowNormParams: rows, n, periods, each; eps
    rows, n, periods, each, eps = struct.unpack("qqqqd", parameters[:40])
    x = inputs[0]
    if x.size == 0:
        return
    rx = lanes_along(n)
    kernel = _rows_kernel(False, x._dtype_code, rx, x._context_code & 0xFF)
    grid = min(-(-rows * rx // THREADS), MAX_GRID)
    arguments = [rows, n, periods, each, eps, *inputs, *outputs]
    launch("row_norm", list(outputs), list(inputs), [(kernel, grid, THREADS, arguments)])


def _backward(outputs: list, inputs: list, parameters: bytes) -> None:
    rows, n, periods, each, _ = struct.unpack("qqqqd", parameters[:40])
    (g, x, gamma, mean, deviation), (g_x, g_gamma, g_beta) = inputs, outputs
    code, device = g._dtype_code, g._context_code & 0xFF
    kx = min(32, THREADS)
    last = _parameters_kernel(code, kx, device)
    numbers = [rows, n, periods, each]
    grid = max(1, -(-periods * each // kx))
    launches = [(last, grid, THREADS, [*numbers, g, x, mean, deviation, g_gamma, g_beta])]
    if x.size:
        rx = lanes_along(n)
        kernel = _rows_kernel(True, code, rx, device)
        arguments = [*numbers, 0.0, g, x, gamma, mean, deviation, g_x]
        launches.append((kernel, min(-(-rows * rx // THREADS), MAX_GRID), THREADS, arguments))
    launch("row_norm_grad", list(outputs), list(inputs), launches)


@functools.lru_cache(maxsize=64)
def _channels_kernel(name: str, code: int, device: int):
    count = 2 if name == "LRN_backward" else 1
    text = _CHANNELS.replace("BODY", _CHANNEL_BODIES[name].strip("\n"))
    source = _replace(text.replace("POINTERS", "g, x" if count == 2 else "x"), code)
    return get_kernel(name, source, "qqqqddd" + ("P" + LETTERS[code]) * (count + 1), device)


def _channels(name: str):
    def run(outputs: list, inputs: list, parameters: bytes) -> None:
        # ChannelSumParams: outer, channels, inner, size; alpha, beta, knorm
        _, channels, inner, width, *numbers = struct.unpack("qqqqddd", parameters[:56])
        target = outputs[0]
        if target.size == 0:
            return
        kernel = _channels_kernel(name, target._dtype_code, target._context_code & 0xFF)
        made = target
        if any(x._storage_id == target._storage_id for x in inputs):  # others read what a thread would write
            made = empty(target.shape, target.dtype, 0, target._context_code)
        arguments = [target.size, channels, inner, width, *numbers, *inputs, made]
        grid = min(-(-target.size // THREADS), MAX_GRID)
        launch(name, [made], list(inputs), [(kernel, grid, THREADS, arguments)])
        if made is not target:
            copy_into(target, made)

    return run


KERNELS = {
    "row_norm": _forward,
    "row_norm_grad": _backward,
    **{name: _channels(name) for name in _CHANNEL_BODIES},
}
