"""Histories of jobs whose servers and workers are processes, which are killed and paused at random."""

import contextlib
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import FULL
from dist_jobs import Link, at_once

from mxcy.kvstore.dist.arena import folder, new_name, remove_job
from mxcy.kvstore.dist.job import Job, options_for
from mxcy.kvstore.dist.membership import Membership, Options
from mxcy.kvstore.dist.service import Service, make_ticket

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tests" / "dist_programs" / "member.py"
SECONDS = 300


class Forks:
    """A process that has imported what members need, and forks them: a killed one is back at once."""

    def __init__(self):
        self._socket, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "MXCY_NUM_THREADS": "1"}
        environment["MXNET_KVSTORE_BIGARRAY_BOUND"] = "100000"
        descriptor = far.fileno()
        command = [sys.executable, PROGRAM, str(descriptor)]
        self._process = subprocess.Popen(command, env=environment, cwd=ROOT, pass_fds=(descriptor,))
        far.close()
        self._lock = threading.Lock()

    def start(self, arguments):
        """A new member: its number and its input, output and errors."""
        pairs = [os.pipe() for _ in range(3)]
        given = [pairs[0][0], pairs[1][1], pairs[2][1]]
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(arguments).encode()], given)
            number = int(self._socket.recv(100))
        for one in given:
            os.close(one)
        own = [pairs[0][1], pairs[1][0], pairs[2][0]]
        return number, [os.fdopen(one, mode) for one, mode in zip(own, "wrr", strict=True)]

    def close(self):
        self._socket.close()
        self._process.wait()


@pytest.fixture(scope="module")
def forks():
    found = Forks()
    yield found
    found.close()


class Member:
    """A process, started again with the same arguments when it was killed."""

    def __init__(self, forks, *arguments):
        self._forks = forks
        self._arguments = [str(one) for one in arguments]
        self.said = queue.Queue()
        self.start()

    def start(self):
        self._number, self._pipes = self._forks.start(self._arguments)
        self.errors = []
        pairs = zip(self._pipes[1:], (self.said.put, self.errors.append), strict=True)
        self._readers = [threading.Thread(target=read, args=pair) for pair in pairs]
        for reader in self._readers:
            reader.start()

    def wait_for(self, word):
        """The first line that begins with a word."""
        while True:
            line = self.said.get(timeout=SECONDS)
            if line.startswith(word):
                return line.strip()
            assert line, "".join(self.errors)

    def _send(self, which):
        """Send a signal. Its output ends with the process, so its number is its own while readers run."""
        if any(reader.is_alive() for reader in self._readers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._number, which)

    def kill_and_start(self):
        self._send(signal.SIGKILL)
        self._reap()
        self.start()

    def pause(self, seconds, stop):
        self._send(signal.SIGSTOP)
        stop.wait(seconds)
        self._send(signal.SIGCONT)

    def end(self):
        """Let it end; kill it if it does not."""
        self._send(signal.SIGCONT)
        self._pipes[0].close()
        for reader in self._readers:
            reader.join(20)
        self._send(signal.SIGKILL)
        self._reap()

    def _reap(self):
        for reader in self._readers:
            reader.join()
        for pipe in self._pipes:
            pipe.close()
        while not self.said.empty():
            self.said.get()


def read(stream, take):
    for line in stream:
        take(line)
    take("")


class ProcessJob:
    """Two servers and two workers; with `apart` workers reach no memory of servers, only a link."""

    def __init__(self, forks, kind, apart, seed, length):
        self._forks = forks
        options = Options(workers=2, servers=2, join=SECONDS, timeout=SECONDS / 3, lost_after=SECONDS)
        self.options = options_for(kind, options)
        self.name = new_name()
        ticket = make_ticket(self.name)
        self.members, self.services, self.links = [], [], []
        try:
            names = [f"mxcy-{self.name}-s{i}" for i in range(2)]
            given = ["m", ticket.to_json(), "127.0.0.1"]
            self.servers = [self.add("server", name, 4, *given) for name in names]
            endpoints = {i: server.wait_for("tcp://") for i, server in enumerate(self.servers)}
            if apart:
                self.links = [Link(endpoint) for endpoint in endpoints.values()]
                endpoints = {i: link.endpoint for i, link in enumerate(self.links)}
            path = folder() / f"mxcy-{self.name}-c0"
            coordinator = Service(Membership(self.options, endpoints, path), ticket).start()
            self.services.append(coordinator)
            text = Job(ticket, self.options, coordinator.endpoint).to_json()
            memories = ["w0", "w1"] if apart else ["m", "m"]
            self.workers = [self.add("worker", text, i, memories[i], seed, length) for i in range(2)]
            for worker in self.workers:
                worker.wait_for("declared")
        except BaseException:
            self.close()
            raise

    def add(self, *arguments):
        self.members.append(Member(self._forks, *arguments))
        return self.members[-1]

    def close(self):
        for member in reversed(self.members):
            member.end()
        for one in [*self.links, *self.services]:
            one.close() if isinstance(one, Link) else one.stop()
        remove_job(self.name)


def disturb(job, fault, rng, stop):
    """Break something now and then."""
    long = 4.0 if FULL else 1.0
    while not stop.wait(rng.uniform(0.1, 1.0)):
        which = rng.choice(["server", "worker", "pause", "link"]) if fault == "all" else fault
        if which == "server":
            rng.choice(job.servers).kill_and_start()
        elif which == "worker":
            worker = rng.choice(job.workers)
            worker.kill_and_start()
            worker.wait_for("declared")
        elif which == "pause":
            rng.choice(job.members).pause(rng.uniform(0, long), stop)
        elif job.links:
            link = rng.choice(job.links)
            link.cut()
            stop.wait(rng.uniform(0, long))
            link.mend()


CASES = [
    (fault, kind, apart)
    for kind in ("dist_sync", "dist_async")
    for fault in ("server", "worker", "pause", "link", "all")
    for apart in (False, True)
    if apart or fault in ("server", "worker")
]
SHORT = [("all", "dist_sync", True), ("worker", "dist_async", False)]


@pytest.mark.parametrize(("fault", "kind", "apart"), CASES if FULL else SHORT)
def test_histories_of_processes_that_are_killed_and_paused(forks, fault, kind, apart):
    """Several jobs at a time: they wait more than they compute."""
    at_once(lambda seed: check(forks, fault, kind, apart, seed), range(5 if FULL else 1))


def check(forks, fault, kind, apart, seed):
    job = ProcessJob(forks, kind, apart, seed, 600 if FULL else 150)
    stop, rng = threading.Event(), random.Random(seed)
    thread = threading.Thread(target=disturb, args=(job, fault, rng, stop))
    try:
        thread.start()
        stop.wait(20 if FULL else 2)
        stop.set()
        thread.join()
        for worker in job.workers:
            worker.wait_for("done")
    except AssertionError as error:
        for member in job.members:
            error.add_note("".join(member.errors))
        raise
    finally:
        stop.set()
        thread.join()
        job.close()

    assert not list(folder().glob(f"mxcy-{job.name}-*"))
