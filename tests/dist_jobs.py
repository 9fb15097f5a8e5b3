"""Jobs whose servers and workers are threads of the test's process, over real sockets and shared memory."""

import contextlib
import os
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import mxcy as mx
from mxcy.kvstore.dist.aggregator import Aggregator
from mxcy.kvstore.dist.arena import folder, new_name, remove_job
from mxcy.kvstore.dist.cluster import load_function
from mxcy.kvstore.dist.frames import Kind
from mxcy.kvstore.dist.job import options_for
from mxcy.kvstore.dist.membership import Membership, Options
from mxcy.kvstore.dist.service import Service, make_ticket
from mxcy.kvstore.dist.session import Session
from mxcy.kvstore.dist.shard import Shard
from mxcy.optimizer.updater import describe

SECONDS = 300.0  # of waits that end before, on a busy machine too
SIZES = {"small": 20, "big": 300_000}  # big is split over the servers, and its parts travel in frames


@contextlib.contextmanager
def nothing_is_left(monkeypatch):
    """Keys are split from 100,000 elements on; fails if threads or shared memory are left."""
    monkeypatch.setenv("MXNET_KVSTORE_BIGARRAY_BOUND", "100000")
    before = set(threading.enumerate())
    yield
    left = list(folder().glob(f"mxcy-{os.getpid()}-*"))
    for path in left:
        path.unlink()

    assert left == []
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("mxcy-kvstore")]


def declare(session, sizes=None, dtype="float32", value=1.0):
    """Make keys known, of ones or other values; return them."""
    sizes = sizes or SIZES
    specs = [{"key": k, "shape": [n], "dtype": dtype} for k, n in sizes.items()]
    session.declare(specs, lambda name: np.full(sizes[name], value, dtype))
    return [session.key("test", k) for k in sizes]


def pulled(session, keys):
    """The values of keys by name."""
    outs = {key.name: np.empty(key.size, key.dtype) for key in keys}
    session.pull(keys).into(outs)
    return outs


def use(session, name, **params):
    """Let the servers use an optimizer; all workers call this."""
    if session.rank == 0:
        session.call_all("optimizer", optimizer=describe(mx.optimizer.create(name, **params)))
    session.barrier()


class FaultyService(Service):
    """Loses, repeats and delays frames of workers."""

    def __init__(self, *given, **named):
        self._rng = random.Random(1)
        self._late = []
        super().__init__(*given, **named)

    def _take(self, identity, frame):
        chance = self._rng.random()
        if frame.kind in (Kind.HELLO, Kind.PING) or chance > 0.05:
            super()._take(identity, frame)
        if 0.03 < chance < 0.1:
            self._late.append((identity, frame))
        while self._late and self._rng.random() < 0.3:
            super()._take(*self._late.pop(self._rng.randrange(len(self._late))))


class ThreadJob:
    """A job of as many machines as asked for; with `apart` workers share no memory with servers.

    `aggregators`: on how many machines, by default on all if there are several.
    """

    def __init__(self, workers=2, servers=2, machines=1, links=False, faulty=False, apart=False,
                 aggregators=None, **options):  # fmt: skip
        self.kind = FaultyService if faulty else Service
        self.options = Options(workers=workers, servers=servers, join=SECONDS, timeout=SECONDS, **options)
        self.name = new_name()
        self.ticket = make_ticket(self.name)
        self.machines = [f"machine{i}" for i in range(machines)]
        self.apart = apart
        self.servers = [self.shard(i) for i in range(servers)]
        endpoints = {i: server.endpoint for i, server in enumerate(self.servers)}
        self.links = [Link(endpoint) for endpoint in endpoints.values()] if links else []
        if links:
            endpoints = {i: link.endpoint for i, link in enumerate(self.links)}
            for server in self.servers:
                self.links.append(Link(f"tcp://127.0.0.1:{server.channel_port}"))
                server.channel_port = self.links[-1].port
        self.endpoints = endpoints
        self.coordinator = self.member(endpoints)
        count = machines * (machines > 1) if aggregators is None else aggregators
        self.aggregators = {name: self.aggregator(i) for i, name in enumerate(self.machines[:count])}

    def shard(self, i):
        custom = load_function if self.options.custom_updaters else None
        core = Shard(f"mxcy-{self.name}-s{i}", 2 * self.options.room, custom)
        return self.kind(core, self.ticket, memory=self.machines[i % len(self.machines)]).start()

    def member(self, endpoints):
        core = Membership(self.options, endpoints, folder() / f"mxcy-{self.name}-c0")
        return Service(core, self.ticket).start()

    def aggregator(self, i):
        ticket = self.ticket.for_workers()
        core = Aggregator(f"mxcy-{self.name}-a{i}", self.options, ticket, self.endpoints)
        return self.kind(core, self.ticket, memory=self.machines[i]).start()

    def session(self, rank, kind="dist_sync", **how):
        machine = self.machines[rank * len(self.machines) // self.options.workers % len(self.machines)]
        own = self.aggregators.get(machine)
        options = options_for(kind, self.options, **how)
        endpoint = None if own is None else own.endpoint
        memory = f"of worker {rank}" if self.apart else None
        ticket = self.ticket.for_workers()
        return Session(ticket, options, self.coordinator.endpoint, rank, machine, endpoint, memory)

    def restart(self, i):
        """End a server as a kill would, with what it has in shared memory, and start it again."""
        self.servers[i].stop(keep=True)
        self.servers[i] = self.shard(i)

    def restart_coordinator(self):
        self.coordinator.stop(keep=True)
        self.coordinator = self.member({})

    def restart_aggregator(self, machine):
        self.aggregators[machine].stop(keep=True)
        self.aggregators[machine] = self.aggregator(self.machines.index(machine))

    def close(self):
        for link in self.links:
            link.close()
        for service in [*self.servers, self.coordinator, *self.aggregators.values()]:
            service.stop()
        remove_job(self.name)


@contextlib.contextmanager
def thread_job(**options):
    job = ThreadJob(**options)
    try:
        yield job
    finally:
        job.close()


def at_once(check, seeds):
    """Run `check(seed)` for all seeds at a time, each in a thread."""
    with ThreadPoolExecutor(len(seeds)) as pool:
        running = {seed: pool.submit(check, seed) for seed in seeds}
    for seed, one in running.items():
        error = one.exception()
        if error is not None:
            error.add_note(f"seed {seed}")
            raise error


def run_workers(job, body, **how):
    """Run `body(session)` in a thread for each worker; return what they return, raise what one raises."""
    results, errors = {}, []

    def run(rank):
        try:
            session = job.session(rank, **how)
            try:
                results[rank] = body(session)
            finally:
                session.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(job.options.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[rank] for rank in range(job.options.workers)]


class Link:
    """A TCP connection to an endpoint that a test can cut: what is under way is lost."""

    def __init__(self, endpoint):
        host, port = endpoint.removeprefix("tcp://").split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._open = []
        self._whole = True
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._whole:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(self._target)
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Drop the connections, and refuse new ones until `mend`."""
        with self._lock:
            self._whole = False
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()

    def mend(self):
        """Let connections through again."""
        with self._lock:
            self._whole = True

    def close(self):
        self.cut()
        self._listener.close()
