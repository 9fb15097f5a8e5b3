"""One process of a job without Ray: a server, or a worker that checks the history it sees.

    server NAME SENDERS MEMORY TICKET ADDRESS    serves, and writes where
    worker JOB RANK MEMORY SEED LENGTH           pushes and pulls, and writes how far it is

    python member.py DESCRIPTOR    has all imported, and is neither: for each list of such words that comes
                                   on a socket, with descriptors for input, output and errors, it forks one,
                                   and answers with its number

A worker that was killed and started again goes on where the servers have it.
"""

import json
import os
import random
import signal
import socket
import sys
import traceback

import numpy as np

import mxcy as mx
from mxcy.kvstore.dist.job import Job
from mxcy.kvstore.dist.service import Service, Ticket
from mxcy.kvstore.dist.session import Session
from mxcy.kvstore.dist.shard import Shard
from mxcy.optimizer.updater import describe

SIZES = {"a": 5, "b": 300_000}


def say(text):
    os.write(1, f"{text}\n".encode())


def serve(name, senders, memory, ticket, address):
    service = Service(Shard(name, int(senders)), Ticket.of(ticket), address, memory).start()
    say(service.endpoint)
    sys.stdin.read()  # until the test lets go
    service.stop()


def pulled(session, key):
    out = np.empty(key.size, key.dtype)
    session.pull([key]).into({key.name: out})
    return out


def program_of(seed, length):
    """(key to push, whether to pull) again and again."""
    rng = random.Random(seed)
    return [(rng.choice("ab"), rng.random() < 0.6) for _ in range(length)]


def check_sequential(session, keys, program):
    """Without an updater a pull sees the sum of the last round, and of no other."""
    left = {name: key.pushed for name, key in keys.items()}  # pushes of a process before this one
    rounds = dict(left)
    for name, pulls in program:
        if left[name]:
            left[name] -= 1
            continue
        rounds[name] += 1
        value = np.full(keys[name].size, rounds[name] * 10 + session.rank, keys[name].dtype)
        session.push([(keys[name], value)])
        for key in keys.values() if pulls else ():
            wanted = 20 * rounds[key.name] + 1 if rounds[key.name] else -1

            assert (pulled(session, key) == wanted).all(), (key.name, rounds, pulled(session, key))


def check_eventual(session, keys, program):
    """Each worker counts in elements of its own: none is lost, none counts twice, none goes back."""
    left = {name: key.pushed for name, key in keys.items()}
    pushed, seen = dict(left), {name: pulled(session, key) for name, key in keys.items()}
    for name, pulls in program:
        if left[name]:
            left[name] -= 1
            continue
        own = np.zeros(keys[name].size, keys[name].dtype)
        own[session.rank :: 2] = 1
        session.push([(keys[name], own)])
        pushed[name] += 1
        if pulls:
            value = pulled(session, keys[name])

            assert (value >= seen[name]).all()
            assert (value[session.rank :: 2] == pushed[name]).all(), (value, pushed)
            seen[name] = value


def work(job, rank, memory, seed, length):
    job = Job.of(job)
    sequential = job.options.kind == "dist_sync"
    session = Session(job.ticket, job.options, job.coordinator, int(rank), "here", None, memory)
    start, dtype = (-1, "float32") if sequential else (0, "float64")
    specs = [{"key": k, "shape": [n], "dtype": dtype} for k, n in SIZES.items()]
    session.declare(specs, lambda name: np.full(SIZES[name], start, dtype))
    keys = {k: session.key("test", k) for k in SIZES}
    if not sequential:
        if session.rank == 0:
            session.call_all("optimizer", optimizer=describe(mx.optimizer.create("test")))
        session.barrier()
    say("declared")
    program = program_of(int(seed), int(length))
    (check_sequential if sequential else check_eventual)(session, keys, program)
    session.flush()
    say("pushed")
    session.barrier()
    if not sequential:
        for name, key in keys.items():
            wanted = sum(one == name for one, _ in program)

            assert (pulled(session, key) == wanted).all(), (name, wanted, pulled(session, key))
    session.close()
    say("done")


def fork(arguments, streams, other):
    """The number of a new process that does what the arguments say."""
    number = os.fork()
    if number:
        return number
    try:
        other.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        {"server": serve, "worker": work}[arguments[0]](*arguments[1:])
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def main(descriptor):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that end
    with socket.socket(fileno=int(descriptor)) as other:
        while True:
            message, streams, _, _ = socket.recv_fds(other, 1 << 16, 3)
            if not message:
                return
            number = fork(json.loads(message), streams, other)
            for stream in streams:
                os.close(stream)
            other.send(b"%d" % number)


if __name__ == "__main__":
    main(sys.argv[1])
