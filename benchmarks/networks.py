"""Are whole networks as fast as with PyTorch and MXNet: images per second, forward and forward+backward?

    python benchmarks/networks.py [NETWORK ...] [--modes prediction training] [--rounds N] [--json FILE]

Figure 6 of the MXNet paper. Every contender is a process of its own, which runs when it is told to; two
threads each. Training computes the gradients of all parameters, not that of the images. The last lines
say how much resident memory each process took at its peak, parameters, images and libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from _networks import NETWORKS, shapes

ROOT = Path(__file__).resolve().parent.parent
BATCHES = {"AlexNet": 32, "GoogLeNet": 16, "VGG-A": 8, "OverFeat": 16, "ResNet-50": 8}
MODES = ("prediction", "training")
THREADS = "2"


# --- contenders ------------------------------------------------------------------------------------------
def symbolic(package: str, name: str, train: bool):
    """A function that runs a step of mxcy or MXNet."""
    if package == "mxcy":
        import mxcy as mx
    else:
        import mxnet as mx
    import numpy as np

    net = NETWORKS[name][0](mx.sym)
    known = shapes(name, BATCHES[name])
    wanted = {n: "write" if train and n not in known else "null" for n in net.list_arguments()}
    executor = net.simple_bind(mx.cpu(), grad_req=wanted, **known)
    rng = np.random.default_rng(0)
    for key, array in executor.arg_dict.items():
        array[:] = 1 if "label" in key else rng.standard_normal(array.shape, dtype=np.float32) * 0.02
    for key, array in executor.aux_dict.items():
        array[:] = float("var" in key)
    mx.nd.waitall()
    if package == "mxcy":  # give back what drawing parameters took
        from mxcy import _engine

        _engine._pool(trim=True)

    def step():
        executor.forward(is_train=train)
        if train:
            executor.backward()
        mx.nd.waitall()

    return step


class Torch:
    """Runs the definitions of `_networks` at once, on tensors; parameters are made when first asked for."""

    def __init__(self, data, train: bool):
        import torch

        self.torch, self.f = torch, torch.nn.functional
        self.data, self.train = data, train
        self.parameters: dict = {}
        self.states: dict = {}

    def parameter(self, name: str, shape: tuple, value: float | None = None):
        if name not in self.parameters:
            made = self.torch.randn(shape) * 0.02 if value is None else self.torch.full(shape, value)
            self.parameters[name] = made.requires_grad_(self.train)
        return self.parameters[name]

    def Variable(self, name):
        return self.data

    def Convolution(self, x, num_filter, kernel, stride, pad, name, no_bias=False):
        weight = self.parameter(f"{name}_weight", (num_filter, x.shape[1], *kernel))
        bias = None if no_bias else self.parameter(f"{name}_bias", (num_filter,))
        return self.f.conv2d(x, weight, bias, stride, pad)

    def Activation(self, x, act_type, name):
        return self.torch.relu(x)

    def Pooling(self, x, pool_type, name, kernel, stride, pad, pooling_convention="valid", global_pool=False):
        if global_pool:
            return x.mean((2, 3), keepdim=True)
        pool = self.f.max_pool2d if pool_type == "max" else self.f.avg_pool2d
        return pool(x, kernel, stride, pad, ceil_mode=pooling_convention == "full")

    def BatchNorm(self, x, fix_gamma, eps, momentum, name):
        channels = (x.shape[1],)
        gamma, beta = (
            self.parameter(f"{name}_gamma", channels, 1.0),
            self.parameter(f"{name}_beta", channels, 0.0),
        )
        if name not in self.states:
            self.states[name] = (self.torch.zeros(channels), self.torch.ones(channels))
        return self.f.batch_norm(x, *self.states[name], gamma, beta, self.train, 1 - momentum, eps)

    def Flatten(self, x, name):
        return x.flatten(1)

    def FullyConnected(self, x, num_hidden, name):
        weight = self.parameter(f"{name}_weight", (num_hidden, x.shape[1]))
        return self.f.linear(x, weight, self.parameter(f"{name}_bias", (num_hidden,)))

    def Concat(self, *parts, name):
        return self.torch.cat(parts, 1)

    def SoftmaxOutput(self, x, name):
        if not self.train:
            return self.torch.softmax(x, 1)
        labels = self.torch.ones(x.shape[0], dtype=self.torch.long)
        return self.f.cross_entropy(x, labels, reduction="sum")


def eager(name: str, train: bool):
    """A function that runs a step of PyTorch."""
    import torch

    torch.set_num_threads(int(THREADS))
    run = Torch(torch.randn(shapes(name, BATCHES[name])["data"]) * 0.02, train)

    def step():
        with torch.set_grad_enabled(train):
            result = NETWORKS[name][0](run)
        if train:
            for value in run.parameters.values():
                value.grad = None
            result.backward()

    return step


def serve(contender: str, name: str, mode: str) -> None:
    """Answer "run" with the seconds of a step, "peak" with the resident bytes at the peak."""
    train = mode == "training"
    step = eager(name, train) if contender == "torch" else symbolic(contender, name, train)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of steps, not of drawing parameters
    for line in sys.stdin:
        if line.strip() == "peak":
            status = Path("/proc/self/status").read_text()
            print(int(status.split("VmHWM:")[1].split()[0]) << 10, flush=True)
            continue
        begin = time.perf_counter()
        step()
        print(time.perf_counter() - begin, flush=True)


class Contender:
    """A process that runs a network."""

    def __init__(self, contender: str, name: str, mode: str):
        python = Path(sys.executable)
        if contender != "mxcy":
            python = ROOT / ".peers" / ("torch" if contender == "torch" else "mxnet") / "bin/python"
        self.process = None
        if python.is_file():
            limits = {"OMP_NUM_THREADS": THREADS, "MXCY_NUM_THREADS": THREADS, "OMP_WAIT_POLICY": "passive"}
            self.process = subprocess.Popen(
                [python, __file__, "--serve", contender, name, mode],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env={**os.environ, **limits},
            )  # fmt: skip

    def ask(self, what: str) -> float:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args} ended")
        return float(answer)

    def close(self) -> None:
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


# --- the report ------------------------------------------------------------------------------------------
def compare(name: str, mode: str, rounds: int) -> dict:
    """Run all contenders in turn; print and return images per second and peaks."""
    contenders = {key: Contender(key, name, mode) for key in ("mxcy", "torch", "mxnet")}
    present = {key: value for key, value in contenders.items() if value.process is not None}
    times: dict[str, list[float]] = {key: [] for key in present}
    for number in range(rounds + 2):
        for key, contender in present.items():
            taken = contender.ask("run")
            if number >= 2:  # the first rounds choose kernels and take memory from the system
                times[key].append(taken)
    rates = {key: BATCHES[name] / median(found) for key, found in times.items()}
    peaks = {key: contender.ask("peak") / 2**20 for key, contender in present.items()}
    for contender in contenders.values():
        contender.close()
    cells = [f"{rates['mxcy']:>9.1f}"]
    cells += [f"{rates[key]:>9.1f} ({rates['mxcy'] / rates[key]:>5.2f}x)" for key in rates if key != "mxcy"]
    memory = "  ".join(f"{key} {value:,.0f}" for key, value in peaks.items())
    label = f"{name} ({BATCHES[name]}) {mode}"
    print(f"{label:<28}" + "".join(f"{cell:>20}" for cell in cells) + f"   peak MiB: {memory}", flush=True)
    return {
        "network": name,
        "mode": mode,
        "batch": BATCHES[name],
        "images_per_second": rates,
        "peak_mib": peaks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(*options.serve)
    header = "".join(f"{title:>20}" for title in ("mxcy", "PyTorch (ratio)", "MXNet (ratio)"))
    print(f"{'images per second (batch)':<28}{header}")
    rows = [
        compare(name, mode, options.rounds) for name in options.names or NETWORKS for mode in options.modes
    ]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return None


if __name__ == "__main__":
    main()
