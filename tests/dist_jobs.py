"""Jobs whose servers and workers are threads of the test's process, over real sockets and shared memory."""

import contextlib
import threading

from mxcy.kvstore.dist.aggregator import Aggregator
from mxcy.kvstore.dist.arena import folder, remove_job
from mxcy.kvstore.dist.job import new_name, options_for
from mxcy.kvstore.dist.membership import Membership, Options
from mxcy.kvstore.dist.service import Service, make_ticket
from mxcy.kvstore.dist.session import Session
from mxcy.kvstore.dist.shard import Shard


class ThreadJob:
    """A job of as many machines as asked for; `kill` and `revive` end and restart a server."""

    def __init__(self, workers=2, servers=2, machines=1, **options):
        self.options = Options(workers=workers, servers=servers, join=20.0, timeout=60.0, **options)
        self.name = new_name()
        self.ticket = make_ticket(self.name)
        self.machines = [f"machine{i}" for i in range(machines)]
        self.servers = [self.shard(i) for i in range(servers)]
        endpoints = {i: server.endpoint for i, server in enumerate(self.servers)}
        self.coordinator = self.member(endpoints)
        self.aggregators = {}
        if machines > 1:
            self.aggregators = {name: self.aggregator(i, endpoints) for i, name in enumerate(self.machines)}

    def shard(self, i):
        core = Shard(f"mxcy-{self.name}-s{i}", 2 * self.options.workers)
        return Service(core, self.ticket, machine=self.machines[i % len(self.machines)]).start()

    def member(self, endpoints):
        core = Membership(self.options, endpoints, folder() / f"mxcy-{self.name}-c0")
        return Service(core, self.ticket).start()

    def aggregator(self, i, endpoints):
        ticket = self.ticket.for_workers()
        core = Aggregator(f"mxcy-{self.name}-a{i}", self.options, ticket, endpoints)
        return Service(core, self.ticket, machine=self.machines[i]).start()

    def session(self, rank, kind="dist_sync", **how):
        machine = self.machines[rank * len(self.machines) // self.options.workers]
        own = self.aggregators.get(machine)
        options = options_for(kind, self.options, **how)
        endpoint = None if own is None else own.endpoint
        return Session(self.ticket.for_workers(), options, self.coordinator.endpoint, rank, machine, endpoint)

    def restart(self, i):
        """End a server as a kill would, with what it has in shared memory, and start it again."""
        self.servers[i].stop(keep=True)
        self.servers[i] = self.shard(i)

    def close(self):
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
