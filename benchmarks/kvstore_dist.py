"""What a round of push and pull takes: between two machines, within one, and of many small arrays.

    python benchmarks/kvstore_dist.py [--mb 100] [--rounds 5]

Two workers, each a process, push and pull one array of 100 MB. "between": no shared memory and no sum within
a machine, so all bytes go over sockets of this machine with CURVE keys, encrypted and decrypted on the same
processors. "within": by shared memory. "small": 200 arrays of 1 kB. A rate counts the bytes that one worker
pushes and pulls in a round. Servers are processes of their own, as many as workers; no Ray is in the way.
The last lines are the bounds on this machine: a bare socket that pushes and adds, and memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import socket
import statistics
import time

import numpy as np

from mxcy.kvstore.dist.arena import new_name, remove_job
from mxcy.kvstore.dist.job import options_for
from mxcy.kvstore.dist.membership import Membership, Options
from mxcy.kvstore.dist.service import Service, make_ticket
from mxcy.kvstore.dist.session import Session
from mxcy.kvstore.dist.shard import Shard

WORKERS = 2


def serve(name, ticket, workers, machine, pipe):
    """A server's process."""
    service = Service(Shard(name, 2 * workers), ticket, memory=machine).start()
    pipe.send(service.endpoint)
    pipe.recv()
    service.stop()


def busy(process):
    """Seconds of the processors that a process has had, by its clock in Linux."""
    return time.clock_gettime(~process << 3 | 2)


def work(ticket, options, coordinator, rank, machine, sizes, rounds, start, results, server):
    """A worker's process: seconds of each round, and those of processors that it and one server took."""
    session = Session(ticket.for_workers(), options, coordinator, rank, machine)
    specs = [{"key": f"k{i}", "shape": [n], "dtype": "float32"} for i, n in enumerate(sizes)]
    session.declare(specs, lambda name: np.zeros(sizes[int(name[1:])], "f"))
    keys = [session.key("push", spec["key"]) for spec in specs]
    values = [np.full(key.size, rank + 1, "f") for key in keys]
    outs = {key.name: np.empty(key.size, "f") for key in keys}
    times = []
    for _ in range(rounds + 2):
        session.barrier()
        start.wait()
        begun, before = time.perf_counter(), busy(os.getpid()) + busy(server)
        session.push(list(zip(keys, values, strict=True)))
        session.pull(keys).into(outs)
        seconds = time.perf_counter() - begun
        times.append((seconds, busy(os.getpid()) + busy(server) - before))
        assert all(out[0] == out[-1] == 3 for out in outs.values())
    session.close()
    results.put(times[2:])


def measure(machines, sizes, rounds):
    """Median seconds of a round, and of processors in all processes."""
    context = mp.get_context("spawn")
    name = new_name()
    ticket, options = make_ticket(name), Options(workers=WORKERS, servers=WORKERS)
    options = options_for("dist_sync", options, consistency=("eventual", "sequential"))
    servers = []
    for i in range(WORKERS):
        near, far = context.Pipe()
        arguments = (f"mxcy-{name}-s{i}", ticket, WORKERS, machines[0], far)
        servers.append((context.Process(target=serve, args=arguments), near))
        servers[-1][0].start()
    endpoints = {i: near.recv() for i, (_, near) in enumerate(servers)}
    coordinator = Service(Membership(options, endpoints), ticket).start()
    start, results = context.Barrier(WORKERS), context.Queue()
    try:
        workers = [
            context.Process(target=work, args=(ticket, options, coordinator.endpoint, rank,
                                               machines[1 + rank], sizes, rounds, start, results,
                                               servers[rank][0].pid))
            for rank in range(WORKERS)
        ]  # fmt: skip
        for worker in workers:
            worker.start()
        times = [results.get(timeout=120) for _ in workers]
        for worker in workers:
            worker.join()
    finally:
        for process, near in servers:
            near.send("stop")
            process.join()
        coordinator.stop()
        remove_job(name)
    each = [list(zip(*both, strict=True)) for both in zip(*times, strict=True)]
    return statistics.median(max(took) for took, _ in each), statistics.median(sum(used) for _, used in each)


def echo(listener, nbytes):
    """The other side of the bare socket: adds what comes, and sends it back."""
    connection, _ = listener.accept()
    kept, buffer = np.zeros(nbytes // 4, "f"), np.empty(1 << 18, "f")
    for _ in range(3):
        for at in range(0, nbytes, buffer.nbytes):
            part = memoryview(buffer).cast("B")[: min(buffer.nbytes, nbytes - at)]
            got = 0
            while got < len(part):
                got += connection.recv_into(part[got:])
            kept[at // 4 : at // 4 + len(part) // 4] += buffer[: len(part) // 4]
        connection.sendall(kept)
    connection.close()


def bare_socket(nbytes):
    """Seconds of push, add and pull over TCP, without keys."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = mp.get_context("fork").Process(target=echo, args=(listener, nbytes))
    process.start()
    out, values, times = np.empty(nbytes // 4, "f"), np.ones(nbytes // 4, "f"), []
    with socket.create_connection(listener.getsockname()) as connection:
        for _ in range(3):
            begun = time.perf_counter()
            connection.sendall(values)
            view, got = memoryview(out).cast("B"), 0
            while got < nbytes:
                got += connection.recv_into(view[got:])
            times.append(time.perf_counter() - begun)
    process.join()
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="where to write the figures")
    given = parser.parse_args()
    size = given.mb * 10**6 // 4
    figures = {}
    for label, machines in (("between", ("a", "b", "c")), ("within", ("a", "a", "a"))):
        seconds, used = measure(machines, [size], given.rounds)
        figures[label], figures[f"processors {label}"] = 2 * size * 4 / seconds / 1e9, used * 1e3
        rate = f"{figures[label]:.2f} GB/s each worker, {used * 1e3:.0f} ms of processors"
        print(f"{label:8} {seconds * 1e3:7.1f} ms a round of {given.mb} MB: {rate}")
    for label, machines in (("between", ("a", "b", "c")), ("within", ("a", "a", "a"))):
        seconds, _ = measure(machines, [256] * 200, 10 * given.rounds)
        figures[f"small {label}"] = seconds * 1e3
        print(f"small    {seconds * 1e3:7.1f} ms a round of 200 arrays of 1 kB, {label}")
    seconds = bare_socket(size * 4)
    figures["bare socket"] = 2 * size * 4 / seconds / 1e9
    print(f"bound    {figures['bare socket']:.2f} GB/s push, add and pull of one process over a bare socket")
    a, b = np.ones(size, "f"), np.zeros(size, "f")
    begun = time.perf_counter()
    np.copyto(b, a)
    figures["memcpy"] = a.nbytes / (time.perf_counter() - begun) / 1e9
    print(f"bound    {figures['memcpy']:.2f} GB/s copy of memory; {os.cpu_count()} processors")
    if given.json:
        with open(given.json, "w") as stream:
            json.dump(figures, stream, indent=1)


if __name__ == "__main__":
    main()
