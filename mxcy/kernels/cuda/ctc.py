"""Connectionist temporal classification, in double: a block for each sample, a thread for each of its states.

Steps follow each other with a barrier between them. Operands and formulas are those of the CPU's kernel
(`kernels/cpu/ctc.cpp`).
"""

from __future__ import annotations

import functools
import struct

from ..._gpu import LETTERS, SIMULATED, Scratch, launch
from ._compiler import get_kernel
from ._functions import convert, load
from .reduction import MAX_GRID
from .reduction import THREADS as ELEMENT_THREADS

__all__ = ["KERNELS"]

INT64, FLOAT64 = 7, 12
THREADS = 8 if SIMULATED else 128  # a power of two

_FUNCTIONS = """
def log_sum(a, b):
    high = a if a > b else b
    low = b if a > b else a
    if low == -infinity:
        return high
    return high + log1p_f64(exp_f64(low - high))
"""

# The logarithm of the sum of a row's exponentials; a block for each row.
_ROWS = """
def kernel(rows, classes, x, sums):
    shared = cuda.shared.array({threads}, dt_f64)
    t = i64(cuda.threadIdx.x)
    row = i64(cuda.blockIdx.x)
    while row < rows:
        top = f64(-infinity)
        c = t
        while c < classes:
            top = max(top, {read})
            c += i64({threads})
        shared[t] = top
        cuda.syncthreads()
        half = i64({threads} // 2)
        while half > 0:
            if t < half:
                shared[t] = max(shared[t], shared[t + half])
            cuda.syncthreads()
            half = half // i64(2)
        top = shared[0]
        cuda.syncthreads()
        total = f64(0)
        c = t
        while c < classes:
            total += exp_f64({read} - top)
            c += i64({threads})
        shared[t] = total
        cuda.syncthreads()
        half = i64({threads} // 2)
        while half > 0:
            if t < half:
                shared[t] += shared[t + half]
            cuda.syncthreads()
            half = half // i64(2)
        if t == 0:
            sums[row] = top + log_f64(shared[0])
        cuda.syncthreads()
        row += cuda.gridDim.x
"""

# Sample n: its length in steps, its labels, and whether they fit into the steps.
_SAMPLE = """
        length = {label_length}
        n_steps = {data_length}
        needed = length
        i = i64(0)
        while i < length:
            own = min(max({label_i}, i64(0)), classes - i64(1))
            if i > 0 and own == min(max({label_before}, i64(0)), classes - i64(1)):
                needed += i64(1)
            i += i64(1)
        count = i64(2) * length + i64(1)
        fits = n_steps > 0 and needed <= n_steps
"""

_FIND_LENGTH = """
        length = i64(0)
        while length < room and {label_length} != i64({padding}):
            length += i64(1)
"""

# alpha (and beta) of state s: the logarithm of all ways to it (from it).
_STATES = """
def kernel(steps, batch, classes, room, {parameters}):
    t = i64(cuda.threadIdx.x)
    n = i64(cuda.blockIdx.x)
    width = i64(2) * room + i64(1)
    while n < batch:
{sample}
        base = n * steps * width
        step = i64(0)
        while fits and step < n_steps:
            s = t
            while s < count:
                label = {state}
                total = f64(-infinity)
                if step == 0:
                    total = f64(0) if s < 2 else f64(-infinity)
                else:
                    at = base + (step - i64(1)) * width + s
                    total = alpha[at]
                    if s >= 1:
                        total = log_sum(total, alpha[at - 1])
                    if s % 2 == 1 and s >= 2 and label != {state_below}:
                        total = log_sum(total, alpha[at - 2])
                row = step * batch + n
                alpha[base + step * width + s] = total + {log_p}
                s += i64({threads})
            cuda.syncthreads()
            step += i64(1)
{beta}
        if t == 0:
            whole = f64(infinity)
            if fits:
                at = base + (n_steps - i64(1)) * width + count - i64(1)
                whole = log_sum(alpha[at], alpha[at - 1]) if count > 1 else alpha[at]
            {finish}
        n += cuda.gridDim.x
"""

_BETA = """
        step = n_steps - i64(1)
        while fits and step >= 0:
            s = t
            while s < count:
                total = f64(0) if s >= count - i64(2) else f64(-infinity)
                if step < n_steps - i64(1):
                    row = (step + i64(1)) * batch + n
                    at = base + (step + i64(1)) * width
                    label = {state}
                    total = beta[at + s] + {log_p}
                    if s + 1 < count:
                        label = {state_above}
                        total = log_sum(total, beta[at + s + 1] + {log_p})
                    if s + 2 < count and s % 2 == 1:
                        label = {state_two_above}
                        if label != {state}:
                            total = log_sum(total, beta[at + s + 2] + {log_p})
                beta[base + step * width + s] = total
                s += i64({threads})
            cuda.syncthreads()
            step -= i64(1)
"""

_GRADIENT = """
def kernel(size, steps, batch, classes, room, {parameters}):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    width = i64(2) * room + i64(1)
    while e < size:
        row = e // classes
        label = e - row * classes
        step = row // batch
        n = row - step * batch
        whole = wholes[n]
        made = f64(0)
        if whole != f64(infinity) and step < lengths[2 * n]:
            mass = f64(0)
            at = (n * steps + step) * width
            s = i64(0)
            while s < i64(2) * lengths[2 * n + 1] + i64(1):
                if {state} == label:
                    mass += exp_f64(alpha[at + s] + beta[at + s] - whole)
                s += i64(1)
            made = {head} * (exp_f64({log_p}) - mass)
        out[e] = {result}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


class _Source:
    """The kernels for arrays of given dtype codes: x, labels, then the lengths that there are."""

    def __init__(self, code, label, data_length, label_length, blank_last):
        self.code, self.label, self.data_length, self.label_length = code, label, data_length, label_length
        self.blank_last = blank_last
        self.given = ["labels"]
        self.signature = "P" + LETTERS[label]
        for name, found in (("data_lengths", data_length), ("label_lengths", label_length)):
            if found is not None:
                self.given.append(name)
                self.signature += "P" + LETTERS[found]

    def _integer(self, code: int, pointer: str, place: str) -> str:
        return convert(code, INT64, load(code, f"{pointer}[{place}]"))

    def _label(self, place: str) -> str:
        return self._integer(self.label, "labels", f"n * room + {place}")

    def _state(self, s: str) -> str:
        """The class of state s of sample n."""
        blank = "classes - i64(1)" if self.blank_last else "i64(0)"
        label = self._label(f"({s}) // 2")
        return f"(min(max({label}, i64(0)), classes - i64(1)) if ({s}) % 2 == 1 else {blank})"

    def _log_p(self) -> str:
        element = convert(self.code, FLOAT64, load(self.code, "x[row * classes + label]"))
        return f"({element} - sums[row])"

    def _sample(self) -> str:
        text = _SAMPLE
        if self.label_length is None:
            padding = -1 if self.blank_last else 0
            text = text.replace("\n        length = {label_length}", _FIND_LENGTH.rstrip("\n"))
            text = text.replace("{padding}", str(padding))
            length = self._label("length")
        else:
            length = f"max(i64(0), min({self._integer(self.label_length, 'label_lengths', 'n')}, room))"
        steps = "steps"
        if self.data_length is not None:
            steps = f"max(i64(0), min({self._integer(self.data_length, 'data_lengths', 'n')}, steps))"
        return text.format(
            label_length=length,
            data_length=steps,
            label_i=self._label("i"),
            label_before=self._label("(i - i64(1))"),
        ).strip("\n")

    def rows(self) -> tuple[str, str]:
        read = convert(self.code, FLOAT64, load(self.code, "x[row * classes + c]"))
        return _ROWS.format(threads=THREADS, read=read), "qqP" + LETTERS[self.code] + "Pd"

    def states(self, with_gradient: bool) -> tuple[str, str]:
        pieces = {
            "state": self._state("s"),
            "state_below": self._state("s - i64(2)"),
            "state_above": self._state("s + i64(1)"),
            "state_two_above": self._state("s + i64(2)"),
            "log_p": self._log_p(),
            "threads": THREADS,
        }
        loss = convert(FLOAT64, self.code, "(f64(0) if whole == f64(infinity) else -whole)")
        keep = "wholes[n] = whole; lengths[2 * n] = n_steps; lengths[2 * n + 1] = length"
        source = _STATES.format(
            **pieces,
            parameters=", ".join(
                [
                    "x",
                    *self.given,
                    "sums",
                    "alpha",
                    *(["beta", "wholes", "lengths"] if with_gradient else ["out"]),
                ]
            ),
            sample=self._sample(),
            beta=_BETA.format(**pieces) if with_gradient else "",
            finish=keep if with_gradient else f"out[n] = {loss}",
        )
        signature = "qqqqP" + LETTERS[self.code] + self.signature + "PdPd"
        return source, signature + ("PdPdPq" if with_gradient else "P" + LETTERS[self.code])

    def gradient(self, head: int) -> tuple[str, str]:
        given = ["x", "heads", "labels", "sums", "alpha", "beta", "wholes", "lengths", "out"]
        source = _GRADIENT.format(
            parameters=", ".join(given),
            state=self._state("s"),
            head=convert(head, FLOAT64, load(head, "heads[n]")),
            log_p=self._log_p(),
            result=convert(FLOAT64, self.code, "made"),
        )
        letter = LETTERS[self.code]
        signature = f"qqqqqP{letter}P{LETTERS[head]}P{LETTERS[self.label]}PdPdPdPdPqP{letter}"
        return source, signature


@functools.cache
def _kernels(
    codes: tuple[int, int, int | None, int | None], blank_last: bool, head: int | None, device: int
) -> list:
    source = _Source(*codes, blank_last)
    made = [("rows", source.rows(), ""), ("states", source.states(head is not None), _FUNCTIONS)]
    if head is not None:
        made.append(("gradient", source.gradient(head), ""))
    return [get_kernel(f"ctc_{name}", *text, device, functions) for name, text, functions in made]


def _ctc(name: str, x, heads, inputs: list, out, parameters: bytes) -> None:
    # CtcParams: steps, batch, classes, label_room; blank_last, has_data_lengths, has_label_lengths
    steps, batch, classes, room, blank_last, has_data, has_label = struct.unpack("qqqq???", parameters[:35])
    if out.size == 0:
        return
    lengths = iter(inputs[1:])
    codes = (
        x._dtype_code,
        inputs[0]._dtype_code,
        next(lengths)._dtype_code if has_data else None,
        next(lengths)._dtype_code if has_label else None,
    )
    head = None if heads is None else heads._dtype_code
    kernels = _kernels(codes, blank_last, head, x._context_code & 0xFF)
    places, end = [], 0  # of sums, alpha, beta, wholes, lengths
    for count in (steps * batch, *[steps * batch * (2 * room + 1)] * 2, batch, 2 * batch):
        places.append(Scratch(end))
        end += -(-8 * count // 256) * 256
    sums, alpha, beta, wholes, kept = places
    extents = [steps, batch, classes, room]
    results = [out] if heads is None else [beta, wholes, kept]
    launches = [
        (kernels[0], min(max(steps * batch, 1), MAX_GRID), THREADS, [steps * batch, classes, x, sums]),
        (kernels[1], min(batch, MAX_GRID), THREADS, [*extents, x, *inputs, sums, alpha, *results]),
    ]
    if heads is not None:
        grid = min(-(-out.size // ELEMENT_THREADS), MAX_GRID)
        arguments = [out.size, *extents, x, heads, inputs[0], *places, out]
        launches.append((kernels[2], grid, ELEMENT_THREADS, arguments))
    launch(name, [out], [x, *inputs, *([] if heads is None else [heads])], launches, end)


def _loss(outputs: list, inputs: list, parameters: bytes) -> None:
    _ctc("CTCLoss", inputs[0], None, inputs[1:], outputs[0], parameters)


def _gradient(outputs: list, inputs: list, parameters: bytes) -> None:
    _ctc("CTCLoss_backward", inputs[0], inputs[1], inputs[2:], outputs[0], parameters)


KERNELS = {"CTCLoss": _loss, "CTCLoss_backward": _gradient}
