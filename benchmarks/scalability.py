"""Accuracy against passes and time with 1, 2 and 4 workers (figure 8 of the paper), and what a model says.

    python benchmarks/scalability.py [--passes 8] [--keep]     trains on this machine
    python benchmarks/scalability.py --rate 100mbit [--keep]   on hosts in network namespaces (root)
    python benchmarks/scalability.py --model                   only the table for 10, 100 and 1,000 machines

A batch of 64 digits is divided over the workers, so that "dist_sync" takes the same steps whatever their
number (each worker normalises its own part of the batch). The model of docs/scaling.md predicts the time of
a step from that of one worker and from a measured exchange without computing; both are printed.
The last runs compare "dist_async" with "dist_sync" on equal terms: the same digits in the same number of
passes, no momentum, each with the learning rate of `RATES` that does best. With --rate each worker is a
host of its own with its own shared memory and so much bandwidth, the server is one more host, and Ray is in
no part of it.
With --keep the figures and the picture go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tests" / "dist_programs" / "digits.py"
SERVICES = ROOT / "benchmarks" / "_services.py"
RESULTS = ROOT / "benchmarks" / "results"
RATES = ("0.05", "0.1", "0.2")  # for the mean over a batch


def trained(workers, kind, passes, numbers, rate=None):
    """What one run of the program wrote; on hosts of their own if there is a bandwidth."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "found.json")
        program = [sys.executable, PROGRAM, kind, str(passes), path, *numbers]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        if rate:
            on_hosts(workers, program, environment, folder, rate)
        else:
            command = [sys.executable, "-m", "mxcy", "launch", "-n", str(workers), "-s", "1"]
            subprocess.run([*command, *program], check=True, env=environment, cwd=ROOT)
        with open(path) as stream:
            return json.load(stream)


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


def step_seconds(compute, size, machines, servers, bandwidth, latency, add_rate, spread=0.0, overlap=0.0):
    """The model of docs/scaling.md: seconds of a step of `machines` with one sum each.

    compute: seconds of a step of one machine; size: bytes of the parameters; servers: on as many machines;
    bandwidth: bytes a second in each direction of a machine; add_rate: bytes a second that a server adds;
    spread: standard deviation of compute as a part of it; overlap: part of the exchange behind backward.
    """
    share = size / servers * machines  # what one server takes in, and sends out
    exchange = (size + share) / bandwidth + share / add_rate + 4 * latency
    if machines == 1:
        exchange = size / add_rate
    slowest = compute * (1 + spread * math.sqrt(2 * math.log(machines)))
    return slowest + (1 - overlap) * exchange


def print_model():
    """Rates of 1, 10, 100 and 1,000 machines for a network of 100 MB."""
    print("machines  servers  10 Gbit/s: step ms  efficiency   100 Gbit/s: step ms  efficiency")
    for machines in (1, 10, 100, 1000):
        for servers in sorted({machines, max(1, machines // 10)}):
            row = [f"{machines:8}  {servers:7}"]
            for bandwidth in (1.25e9, 12.5e9):
                numbers = {"size": 100e6, "latency": 1e-4, "add_rate": 5e9, "spread": 0.05, "overlap": 0.5}
                one = step_seconds(0.3, machines=1, servers=1, bandwidth=bandwidth, **numbers)
                many = step_seconds(0.3, machines=machines, servers=servers, bandwidth=bandwidth, **numbers)
                row.append(f"{many * 1e3:18.0f}  {one / many:10.2f}")
            print("  ".join(row))


def picture(found, path):
    """Accuracy against passes and against time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
    for label, result in found.items():
        seconds, accuracy = zip(*result["passes"], strict=True)
        axes[0].plot(range(1, len(accuracy) + 1), accuracy, "o-", label=label)
        axes[1].plot(seconds, accuracy, "o-", label=label)
    axes[0].set(xlabel="passes over the data", ylabel="accuracy on 1,000 other digits")
    axes[1].set(xlabel="seconds")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def timed(result):
    """The result with the seconds of a step."""
    return result | {"step": result["passes"][-1][0] / result["steps"] / len(result["passes"])}


def described(label, result):
    """A line about a run."""
    accuracy, passes = result["passes"][-1][1], len(result["passes"])
    times = f"step {result['step'] * 1e3:.1f} ms, exchange {result['exchange'] * 1e3:.1f} ms"
    return f"{label:46}: accuracy {accuracy:.3f} after {passes} passes, {times}"


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
    found = {}
    for workers in (1, 2, 4):
        label = f"dist_sync, {workers} worker" + "s" * (workers > 1)
        found[label] = timed(trained(workers, "dist_sync", given.passes, ("0.05", "0.9"), given.rate))
        first = found["dist_sync, 1 worker"]
        predicted = first["step"] - first["exchange"] + found[label]["exchange"]
        found[label]["predicted"] = predicted
        print(f"{described(label, found[label])}, step of the model {predicted * 1e3:.1f} ms", flush=True)
    for kind in ("dist_sync", "dist_async"):
        tried = {rate: timed(trained(2, kind, given.passes, (rate, "0"), given.rate)) for rate in RATES}
        best = max(RATES, key=lambda rate: tried[rate]["passes"][-1][1])
        label = f"{kind}, 2 workers, no momentum, rate {best}"
        found[label] = tried[best]
        found[label]["tried"] = {rate: one["passes"][-1][1] for rate, one in tried.items()}
        print(f"{described(label, tried[best])}; rates {found[label]['tried']}", flush=True)
    if given.keep:
        name = f"scalability-{given.rate}" if given.rate else "scalability"
        with open(RESULTS / f"{name}.json", "w") as stream:
            json.dump(found, stream, indent=1)
        picture(found, RESULTS / f"{name}.png")
    print_model()


if __name__ == "__main__":
    main()
