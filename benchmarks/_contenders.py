"""The packages that run the networks of `_networks`, each in a process of its own: steps and their memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import ceil, prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _networks import NETWORKS, shapes

__all__ = ["BATCHES", "CONTENDERS", "Contender", "serve"]

ROOT = Path(__file__).resolve().parent.parent
BATCHES = {"AlexNet": 32, "GoogLeNet": 16, "VGG-A": 8, "OverFeat": 16, "ResNet-50": 8}
# The environment of each.
CONTENDERS = {"mxcy": None, "torch": "torch", "mxnet": "mxnet", "onnxruntime": "torch"}


# --- mxcy and MXNet --------------------------------------------------------------------------------------
def symbolic(package: str, name: str, train: bool) -> Callable[[], object]:
    """A function that runs a step of mxcy or MXNet."""
    if package == "mxcy":
        import mxcy as mx
    else:
        import mxnet as mx

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


# --- PyTorch ---------------------------------------------------------------------------------------------
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
        gamma = self.parameter(f"{name}_gamma", channels, 1.0)
        beta = self.parameter(f"{name}_beta", channels, 0.0)
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


def eager(name: str, train: bool, threads: int) -> Callable[[], object]:
    """A function that runs a step of PyTorch."""
    import torch

    torch.set_num_threads(threads)
    run = Torch(torch.randn(shapes(name, BATCHES[name])["data"]) * 0.02, train)

    def step():
        with torch.set_grad_enabled(train):
            result = NETWORKS[name][0](run)
        if train:
            for value in run.parameters.values():
                value.grad = None
            result.backward()

    return step


# --- onnxruntime -----------------------------------------------------------------------------------------
class Value(NamedTuple):
    """A result of an ONNX graph."""

    graph: Onnx
    name: str
    shape: tuple

    def __add__(self, other):
        return self.graph.node("Add", [self, other], f"{self.name}_{other.name}", self.shape)


class Onnx:
    """Writes the definitions of `_networks` as an ONNX graph, for prediction."""

    def __init__(self, shape: tuple):
        self.shape, self.nodes, self.initializers = shape, [], []
        self.rng = np.random.default_rng(0)

    def node(self, kind: str, inputs: list, name: str, shape: tuple, **attrs) -> Value:
        from onnx import helper

        names = [value if isinstance(value, str) else value.name for value in inputs]
        self.nodes.append(helper.make_node(kind, names, [name], name=name, **attrs))
        return Value(self, name, shape)

    def parameter(self, name: str, shape: tuple, value: float | None = None) -> str:
        from onnx import numpy_helper

        drawn = self.rng.standard_normal(shape, np.float32) * np.float32(0.02)
        made = drawn if value is None else np.full(shape, value, np.float32)
        self.initializers.append(numpy_helper.from_array(made, name))
        return name

    def Variable(self, name):
        return Value(self, name, self.shape)

    def Convolution(self, x, num_filter, kernel, stride, pad, name, no_bias=False):
        inputs = [x, self.parameter(f"{name}_weight", (num_filter, x.shape[1], *kernel))]
        if not no_bias:
            inputs.append(self.parameter(f"{name}_bias", (num_filter,)))
        sizes = zip(x.shape[2:], kernel, stride, pad, strict=True)
        shape = (x.shape[0], num_filter, *((n + 2 * p - k) // s + 1 for n, k, s, p in sizes))
        return self.node("Conv", inputs, name, shape, kernel_shape=kernel, strides=stride, pads=pad * 2)

    def Activation(self, x, act_type, name):
        return self.node("Relu", [x], name, x.shape)

    def Pooling(self, x, pool_type, name, kernel, stride, pad, pooling_convention="valid", global_pool=False):
        if global_pool:
            return self.node("GlobalAveragePool", [x], name, (*x.shape[:2], 1, 1))
        full = pooling_convention == "full"
        steps = [(n + 2 * p - k) / s for n, k, s, p in zip(x.shape[2:], kernel, stride, pad, strict=True)]
        shape = (*x.shape[:2], *((ceil(n) if full else int(n)) + 1 for n in steps))
        attrs = {"kernel_shape": kernel, "strides": stride, "pads": pad * 2, "ceil_mode": int(full)}
        return self.node("MaxPool" if pool_type == "max" else "AveragePool", [x], name, shape, **attrs)

    def BatchNorm(self, x, fix_gamma, eps, momentum, name):
        values = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "var": 1.0}
        inputs = [self.parameter(f"{name}_{key}", (x.shape[1],), value) for key, value in values.items()]
        return self.node("BatchNormalization", [x, *inputs], name, x.shape, epsilon=eps)

    def Flatten(self, x, name):
        return self.node("Flatten", [x], name, (x.shape[0], prod(x.shape[1:])))

    def FullyConnected(self, x, num_hidden, name):
        inputs = [x, self.parameter(f"{name}_weight", (num_hidden, x.shape[1]))]
        inputs.append(self.parameter(f"{name}_bias", (num_hidden,)))
        return self.node("Gemm", inputs, name, (x.shape[0], num_hidden), transB=1)

    def Concat(self, *parts, name):
        shape = (parts[0].shape[0], sum(part.shape[1] for part in parts), *parts[0].shape[2:])
        return self.node("Concat", list(parts), name, shape, axis=1)

    def SoftmaxOutput(self, x, name):
        return self.node("Softmax", [x], name, x.shape)

    def save(self, result: Value, path: str) -> None:
        from onnx import TensorProto, helper

        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("data", self.shape), (result.name, result.shape))
        ]
        graph = helper.make_graph(self.nodes, "net", ends[:1], ends[1:], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        Path(path).write_bytes(model.SerializeToString())


def inferred(name: str, threads: int) -> Callable[[], object]:
    """A function that runs a prediction of onnxruntime."""
    import onnxruntime

    shape = shapes(name, BATCHES[name])["data"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        graph = Onnx(shape)
        graph.save(NETWORKS[name][0](graph), file.name)
        del graph
        session = onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
    data = np.random.default_rng(0).standard_normal(shape, np.float32)
    return lambda: session.run(None, {"data": data})


# --- processes -------------------------------------------------------------------------------------------
def serve(contender: str, name: str, mode: str, threads: int) -> None:
    """Answer "run" with the seconds of a step, "peak" with the resident bytes at the peak."""
    train = mode == "training"
    if contender == "torch":
        step = eager(name, train, threads)
    elif contender == "onnxruntime":
        step = inferred(name, threads)
    else:
        step = symbolic(contender, name, train)
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
    """A process that runs a network; `present` says whether its package is there."""

    def __init__(self, contender: str, name: str, mode: str, threads: int):
        environment = CONTENDERS[contender]
        python = Path(sys.executable)
        if environment:
            python = ROOT / ".peers" / environment / "bin/python"
        self.present = python.is_file() and (contender != "onnxruntime" or _has_onnx(python))
        if self.present:
            count = str(threads)
            limits = {"OMP_NUM_THREADS": count, "MXCY_NUM_THREADS": count, "OMP_WAIT_POLICY": "passive"}
            script = Path(__file__).with_name("networks.py")
            self.process = subprocess.Popen(
                [python, script, "--serve", contender, name, mode, count],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env={**os.environ, **limits},
            )  # fmt: skip

    def ask(self, what: str) -> float:
        """Run a step ("run"), or ask for the peak ("peak")."""
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args} ended")
        return float(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def _has_onnx(python: Path) -> bool:
    return subprocess.run([python, "-c", "import onnx, onnxruntime"], capture_output=True).returncode == 0
