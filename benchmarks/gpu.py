"""How fast is mx.gpu(0), beside PyTorch on the same device and beside a plain copy of device memory?

    python benchmarks/gpu.py --keep     # prints, and writes benchmarks/results/gpu_<device>.txt

Device times are medians by events on the stream that does the work; both run in one process, in turn.
Bandwidth counts each array once: what a kernel reads plus what it writes.
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
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(loops):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / loops


def in_turn(ours, theirs, loops: int = 5) -> tuple[float, float]:
    """Medians of both."""
    nd.waitall()
    for function in filter(None, (ours, theirs)):
        function()
    mine, others = [], [float("nan")]
    for _ in range(ROUNDS):
        mine.append(device_ms(ours, loops))
        if theirs is not None:
            others.append(torch_ms(theirs, loops))
    return statistics.median(mine), statistics.median(others[1:] or others)


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


def beside(mine: float, other: float, unit: str) -> str:
    return f"PyTorch {other:8.3f} {unit}, ratio {mine / other:5.2f}"


class Bandwidth:
    """Rows that say what part of the bandwidth of a copy a kernel reaches."""

    copy_rate = float("nan")

    def row(self, name: str, nbytes: float, ours, theirs) -> None:
        mine, other = in_turn(ours, theirs)
        rate = nbytes / mine / 1e6
        if name == "copy":
            self.copy_rate = rate
        share = f"{rate / self.copy_rate:5.2f} of a copy"
        say(f"{name:34s} {mine:8.3f} ms {rate:6.0f} GB/s {share} {beside(mine, other, 'ms')}")


def peer(function):
    """A function of PyTorch, None where there is none."""
    return None if torch is None else function


def elementwise(bandwidth: Bandwidth) -> None:
    gpu, row = mx.gpu(0), bandwidth.row
    a, b = (nd.random.uniform(0.5, 1.5, shape=(N,), ctx=gpu) for _ in range(2))
    out = nd.empty((N,), ctx=gpu)
    ta = tb = tout = None
    if torch is not None:
        ta, tb = (torch.rand(N, device="cuda") + 0.5 for _ in range(2))
        tout = torch.empty_like(ta)
    row("copy", 8 * N, lambda: a.copyto(out), peer(lambda: tout.copy_(ta)))
    row("a + b", 12 * N, lambda: nd.broadcast_add(a, b, out=out), peer(lambda: torch.add(ta, tb, out=tout)))
    row("exp(a)", 8 * N, lambda: nd.exp(a, out=out), peer(lambda: torch.exp(ta, out=tout)))
    halves(bandwidth, a, b, ta, tb)
    bias, wide, wide_out = nd.ones((1000,), ctx=gpu), a.reshape((-1, 1000)), out.reshape((-1, 1000))
    tbias = peer(lambda: torch.ones(1000, device="cuda")) and torch.ones(1000, device="cuda")
    row("matrix + row", 8 * N, lambda: nd.broadcast_add(wide, bias, out=wide_out),
        peer(lambda: torch.add(ta.reshape(-1, 1000), tbias, out=tout.reshape(-1, 1000))))  # fmt: skip
    side, side_out = a.reshape((10000, 10000)), out.reshape((10000, 10000))
    row("transpose", 8 * N, lambda: nd.transpose(side, out=side_out),
        peer(lambda: tout.reshape(10000, 10000).copy_(ta.reshape(10000, 10000).T)))  # fmt: skip
    chain(bandwidth, a, b, ta, tb)


def halves(bandwidth: Bandwidth, a, b, ta, tb) -> None:
    a, b = a.astype("float16"), b.astype("float16")
    out = nd.empty((N,), ctx=mx.gpu(0), dtype="float16")
    theirs = None
    if torch is not None:
        ta, tb = ta.half(), tb.half()
        tout = torch.empty_like(ta)
        theirs = lambda: torch.add(ta, tb, out=tout)
    bandwidth.row("a + b, float16", 6 * N, lambda: nd.broadcast_add(a, b, out=out), theirs)


def chain(bandwidth: Bandwidth, a, b, ta, tb) -> None:
    x, y = mx.sym.Variable("x"), mx.sym.Variable("y")
    made = mx.sym.sqrt(x * x + y * y) * 0.5 + mx.sym.tanh(x)
    executor = made.bind(mx.gpu(0), {"x": a, "y": b}, grad_req="null")

    def eager(p, q):
        return torch.sqrt(p * p + q * q) * 0.5 + torch.tanh(p)

    ours = lambda: executor.forward(is_train=False)
    bandwidth.row("chain of 7, bound", 12 * N, ours, peer(lambda: eager(ta, tb)))
    if torch is not None and "--compile" in sys.argv:
        compiled = torch.compile(eager)
        bandwidth.row("chain of 7, torch.compile", 12 * N, ours, lambda: compiled(ta, tb))


def reductions(bandwidth: Bandwidth) -> None:
    for shape, axes in (((N,), (0,)), ((10**4, 10**4), (1,)), ((10**4, 10**4), (0,)), ((10**6, 100), (1,))):
        x = nd.random.uniform(shape=shape, ctx=mx.gpu(0))
        t = None if torch is None else torch.rand(shape, device="cuda")
        bandwidth.row(f"sum of {shape} over {axes}", 4 * N, lambda x=x, axes=axes: nd.sum(x, axis=axes),
                      peer(lambda t=t, axes=axes: torch.sum(t, axes)))  # fmt: skip
    for shape in ((10**4, 10**4), (10**6, 100)):
        x = nd.random.uniform(shape=shape, ctx=mx.gpu(0))
        t = None if torch is None else torch.rand(shape, device="cuda")
        bandwidth.row(f"softmax of {shape}", 8 * N, lambda x=x: nd.softmax(x),
                      peer(lambda t=t: torch.softmax(t, 1)))  # fmt: skip


def products() -> None:
    n = 4096
    for dtype in ("float32", "float16", "bfloat16"):
        a, b = (nd.random.uniform(shape=(n, n), ctx=mx.gpu(0)).astype(dtype) for _ in range(2))
        theirs = None
        if torch is not None:
            ta, tb = (torch.rand((n, n), device="cuda").to(getattr(torch, dtype)) for _ in range(2))
            theirs = lambda ta=ta, tb=tb: ta @ tb
        mine, other = in_turn(lambda a=a, b=b: nd.dot(a, b), theirs)
        rate = 2 * n**3 / mine / 1e9
        speed = f"{rate:6.0f} TFLOP/s        "
        say(f"product {n} x {n}, {dtype:12s}  {mine:8.3f} ms {speed} {beside(mine, other, 'ms')}")


def overhead() -> None:
    gpu = mx.gpu(0)
    a, b, out = nd.ones((16,), ctx=gpu), nd.ones((16,), ctx=gpu), nd.empty((16,), ctx=gpu)
    m = nd.ones((16, 16), ctx=gpu)
    ours = {
        "a + b": lambda: a + b,
        "exp(a)": lambda: nd.exp(a),
        "a + b into out": lambda: nd.broadcast_add(a, b, out=out),
        "sum(a)": lambda: nd.sum(a),
        "dot(m, m)": lambda: nd.dot(m, m),
    }
    theirs = {}
    if torch is not None:
        ta, tb, tout = (torch.ones(16, device="cuda") for _ in range(3))
        tm = torch.ones(16, 16, device="cuda")
        theirs = {
            "a + b": lambda: ta + tb,
            "exp(a)": lambda: torch.exp(ta),
            "a + b into out": lambda: torch.add(ta, tb, out=tout),
            "sum(a)": lambda: torch.sum(ta),
            "dot(m, m)": lambda: tm @ tm,
        }
    for name, call in ours.items():
        mine = microseconds(call)
        other = microseconds(theirs[name]) if name in theirs else float("nan")
        say(f"push of {name:26s} {mine:8.2f} us {'':25s} {beside(mine, other, 'us')}")


def perceptron() -> None:
    """Forward, backward and update of 784-128-64-10 at batch 64."""
    net = mx.sym.Variable("data")
    for i, width in enumerate((128, 64, 10)):
        net = mx.sym.FullyConnected(net, num_hidden=width, name=f"fc{i}")
        net = mx.sym.Activation(net, act_type="relu") if width != 10 else net
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"), context=mx.gpu(0))
    module.bind([("data", (64, 784))], [("softmax_label", (64,))])
    module.init_params(mx.init.Xavier())
    module.init_optimizer(optimizer_params={"learning_rate": 0.01})
    data, label = nd.random.uniform(shape=(64, 784), ctx=mx.gpu(0)), nd.ones((64,), ctx=mx.gpu(0))
    batch = mx.io.DataBatch([data], [label])

    def step():
        module.forward_backward(batch)
        module.update()

    step()
    mine = microseconds(step, 200)
    other = float("nan") if torch is None else microseconds(torch_perceptron(), 200)
    say(f"perceptron step                    {mine:8.1f} us {'':25s} {beside(mine, other, 'us')}")


def torch_perceptron():
    layers = torch.nn.Sequential(
        torch.nn.Linear(784, 128),
        torch.nn.ReLU(),
        torch.nn.Linear(128, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 10),
    ).cuda()
    optimizer = torch.optim.SGD(layers.parameters(), lr=0.01)
    data, label = torch.rand(64, 784, device="cuda"), torch.ones(64, dtype=torch.long, device="cuda")

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layers(data), label).backward()
        optimizer.step()

    step()
    return step


def main() -> None:
    if mx.context.num_gpus() == 0:
        raise SystemExit("there is no GPU here")
    _gpu.require(0)
    name, driver = _gpu.name_of(0), _gpu.driver_version()
    say(f"{name}, CUDA driver {driver}, PyTorch {torch.__version__ if torch else 'not there'}")
    bandwidth = Bandwidth()
    overhead()
    elementwise(bandwidth)
    reductions(bandwidth)
    products()
    perceptron()
    if "--keep" in sys.argv:
        slug = re.sub("[^A-Za-z0-9]+", "-", name).lower()
        path = Path(__file__).parent / "results" / f"gpu_{slug}.txt"
        path.write_text("\n".join(LINES) + "\n")


if __name__ == "__main__":
    main()
