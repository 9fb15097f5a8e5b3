"""How fast is mx.gpu(0), beside PyTorch on the same device and beside a plain copy of device memory?

    python benchmarks/gpu.py            # prints, and writes benchmarks/results/gpu_<device>.txt

Device times are medians by events on the compute stream, PyTorch's by its own events; both run in one
process, in turn. Bandwidth counts each array once: what a kernel reads plus what it writes.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from pathlib import Path

import mxcy as mx
from mxcy import _gpu, nd

try:
    import torch
except ImportError:
    torch = None

N = 10**8
ROUNDS = 9
LINES: list[str] = []


def say(text: str = "") -> None:
    print(text, flush=True)
    LINES.append(text)


def device_ms(function, loops: int) -> float:
    """Milliseconds of device time of one call."""
    timer = _gpu.Timer(0)
    for _ in range(loops):
        function()
    return timer.elapsed() / loops


def torch_ms(function, loops: int) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(loops):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / loops


def in_turn(ours, theirs, loops: int) -> tuple[float, float]:
    """Medians of both."""
    ours()
    mine, others = [], []
    if theirs is not None:
        theirs()
    for _ in range(ROUNDS):
        mine.append(device_ms(ours, loops))
        if theirs is not None:
            others.append(torch_ms(theirs, loops))
    return statistics.median(mine), statistics.median(others) if others else float("nan")


def microseconds(function, calls: int = 2000) -> float:
    """Host time of one call that only enqueues, the best of some rounds."""
    best = float("inf")
    for _ in range(7):
        nd.waitall()
        if torch is not None:
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            function()
        best = min(best, (time.perf_counter() - start) / calls)
    nd.waitall()
    return best * 1e6


def row(name: str, nbytes: float, ours, theirs, copy_rate: float, loops: int = 5) -> float:
    mine, other = in_turn(ours, theirs, loops)
    rate = nbytes / mine / 1e6
    share = f"{rate / copy_rate:6.2f} of a copy" if copy_rate else ""
    say(f"{name:34s} {mine:8.3f} ms {rate:8.0f} GB/s {share:16s} PyTorch {other:8.3f} ms, ratio {mine / other:5.2f}")
    return rate


def elementwise() -> float:
    gpu = mx.gpu(0)
    a, b = (mx.nd.random.uniform(0.5, 1.5, shape=(N,)).as_in_context(gpu) for _ in range(2))
    out = nd.empty((N,), ctx=gpu)
    t = None
    if torch is not None:
        ta, tb = torch.rand(N, device="cuda") + 0.5, torch.rand(N, device="cuda") + 0.5
        tout = torch.empty_like(ta)
    copy_rate = row("copy", 8 * N, lambda: a.copyto(out), torch and (lambda: tout.copy_(ta)), 0)
    row("a + b", 12 * N, lambda: nd.broadcast_add(a, b, out=out),
        torch and (lambda: torch.add(ta, tb, out=tout)), copy_rate)  # fmt: skip
    row("exp(a)", 8 * N, lambda: nd.exp(a, out=out), torch and (lambda: torch.exp(ta, out=tout)), copy_rate)
    ha, hb = a.astype("float16"), b.astype("float16")
    hout = nd.empty((N,), ctx=gpu, dtype="float16")
    if torch is not None:
        tha, thb = ta.half(), tb.half()
        thout = torch.empty_like(tha)
    row("a + b, float16", 6 * N, lambda: nd.broadcast_add(ha, hb, out=hout),
        torch and (lambda: torch.add(tha, thb, out=thout)), copy_rate)  # fmt: skip
    bias = nd.ones((1000,), ctx=gpu)
    wide, wide_out = a.reshape((N // 1000, 1000)), out.reshape((N // 1000, 1000))
    if torch is not None:
        tbias, twide = torch.ones(1000, device="cuda"), ta.reshape(-1, 1000)
        twide_out = tout.reshape(-1, 1000)
    row("matrix + row", 8 * N, lambda: nd.broadcast_add(wide, bias, out=wide_out),
        torch and (lambda: torch.add(twide, tbias, out=twide_out)), copy_rate)  # fmt: skip
    side, side_out = a.reshape((10000, 10000)), out.reshape((10000, 10000))
    row("transposed + matrix", 12 * N, lambda: nd.broadcast_add(side.T, side) if t else nd.transpose(side, out=side_out),
        torch and (lambda: tout.reshape(10000, 10000).copy_(ta.reshape(10000, 10000).T)), copy_rate)  # fmt: skip
    chain(a, b, ta if torch is not None else None, tb if torch is not None else None, copy_rate)
    return copy_rate


def chain(a, b, ta, tb, copy_rate) -> None:
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    made = mx.sym.sqrt(x * x + y * y) * 0.5 + mx.sym.tanh(x)
    executor = made.bind(mx.gpu(0), {"x": a, "y": b}, grad_req="null")

    def eager(p, q):
        return torch.sqrt(p * p + q * q) * 0.5 + torch.tanh(p)

    row("chain of 7, fused (bind)", 12 * N, lambda: executor.forward(is_train=False),
        torch and (lambda: eager(ta, tb)), copy_rate)  # fmt: skip
    if torch is not None and "--compile" in sys.argv:
        compiled = torch.compile(eager)
        row("chain of 7, torch.compile", 12 * N, lambda: executor.forward(is_train=False),
            lambda: compiled(ta, tb), copy_rate)  # fmt: skip


def overhead() -> None:
    gpu = mx.gpu(0)
    a, b = nd.ones((16,), ctx=gpu), nd.ones((16,), ctx=gpu)
    out = nd.empty((16,), ctx=gpu)
    calls = {"a + b": lambda: a + b, "exp(a)": lambda: nd.exp(a), "a + b into out": lambda: nd.broadcast_add(a, b, out=out)}
    peers = {}
    if torch is not None:
        ta, tb = torch.ones(16, device="cuda"), torch.ones(16, device="cuda")
        tout = torch.empty_like(ta)
        peers = {"a + b": lambda: ta + tb, "exp(a)": lambda: torch.exp(ta), "a + b into out": lambda: torch.add(ta, tb, out=tout)}
    for name, call in calls.items():
        mine = microseconds(call)
        other = microseconds(peers[name]) if name in peers else float("nan")
        say(f"push of {name:26s} {mine:8.2f} us            PyTorch {other:8.2f} us, ratio {mine / other:5.2f}")


def main() -> None:
    if mx.context.num_gpus() == 0:
        raise SystemExit("there is no GPU here")
    _gpu.require(0)
    name = _gpu.name_of(0)
    say(f"{name}, CUDA driver {_gpu.driver_version()}, PyTorch {torch.__version__ if torch else 'not there'}")
    overhead()
    elementwise()
    if "--keep" in sys.argv:
        path = Path(__file__).parent / "results" / f"gpu_{re.sub('[^A-Za-z0-9]+', '-', name).lower()}.txt"
        path.write_text("\n".join(LINES) + "\n")


if __name__ == "__main__":
    main()
