"""Jobs on Ray: a coordinator and servers as actors, which Ray places, restarts and finds by name.

Ray carries control only; values travel on the job's own sockets and in shared memory. Actors come back
after they were killed, with the ports and the state that they had.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ArgumentError, MXNetError, StateError, message, problem
from .aggregator import Aggregator
from .arena import folder, memory, new_name, remove_job, sweep
from .guard import remove_session
from .job import Job
from .membership import Membership, Options
from .service import Service, Ticket, make_ticket
from .shard import Shard

__all__ = ["Running", "find_job", "here", "is_inside_ray", "ray_module", "start_job"]

NAMESPACE = "mxcy-kvstore"
START_SECONDS = 120.0
LOOK_SECONDS = 5.0
SESSIONS: list[str] = []  # the folder of Ray's session, if this process has started it
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
}


def ray_module() -> Any:
    """Return the module `ray`, with its telemetry off."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        text = "distributed stores need Ray and ZeroMQ"
        raise MXNetError(problem("create", None, text, "pip install 'mxcy[dist]'")) from None
    return ray


def is_inside_ray() -> bool:
    """Whether this process is a worker of Ray, or has joined a cluster."""
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()


def here() -> str:
    """Name of this machine: Ray's node."""
    return ray_module().get_runtime_context().get_node_id()


class Host:
    """Body of the actors: one service."""

    def __init__(self, make: Callable[[], Any], ticket: str, local: bool):
        ray = ray_module()
        os.environ.setdefault("MXCY_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
        self._address = "127.0.0.1" if local else ray.util.get_node_ip_address()
        self._service = Service(make(), Ticket.of(ticket), self._address, memory()).start()

    def endpoint(self) -> str:
        """Where the service listens."""
        return self._service.endpoint

    def pid(self) -> int:
        """Its process, for those who look after it."""
        return os.getpid()

    def counters(self) -> dict:
        """What was dropped, by reason."""
        return dict(self._service.counters)

    def alive(self) -> bool:
        """Whether the service runs."""
        return self._service.alive()

    def set_endpoints(self, endpoints: dict[int, str]) -> None:
        """Tell the coordinator where the servers are."""
        self._service.core.endpoints = endpoints

    def set_job(self, job: str) -> None:
        """Keep what workers are told that come by name."""
        self._write({"job": job, "ranks": {}})

    def enter(self, worker: str) -> tuple[str, int]:
        """Give a worker that comes by name the job and its rank: the same one each time."""
        found = json.loads(self._told().read_bytes())
        rank = found["ranks"].setdefault(worker, len(found["ranks"]))
        self._write(found)
        return found["job"], rank

    def _told(self) -> Path:
        """The file of it, for one that comes back after a kill. It holds keys of the job."""
        return folder() / f"mxcy-{self._service.ticket.job}-h0"

    def _write(self, told: dict) -> None:
        new = self._told().with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(told, stream)
        new.replace(self._told())

    def close(self) -> None:
        """End the service and remove what it keeps, and what killed workers of this machine have left."""
        self._service.stop()
        remove_job(self._service.ticket.job)


@dataclass
class Running:
    """A job and its actors, to be ended by `close`."""

    name: str
    job: Job
    actors: list[Any] = field(default_factory=list)
    owns_ray: bool = False
    closed: bool = False

    def close(self) -> None:
        """End the actors, remove shared memory, and Ray if it was started for this job."""
        if self.closed:
            return
        self.closed = True
        ray = ray_module()
        atexit.unregister(self.close)
        try:
            if ray.is_initialized():
                closing = [actor.close.remote() for actor in self.actors]
                ray.wait(closing, num_returns=len(closing), timeout=5)
                for actor in self.actors:
                    ray.kill(actor)
        finally:
            remove_job(self.job.ticket.job)
            if self.owns_ray:
                end_cluster()


def connect(address: str | None, upload: str | None = None) -> bool:
    """Join the cluster at an address, or start one on this machine; return whether it was started.

    `upload`: a folder that is copied to the nodes; actors run in the copy.
    """
    ray = ray_module()
    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "namespace": NAMESPACE}
    if upload is not None:
        if not os.path.isdir(upload):
            raise ArgumentError(message("launch", "--upload", "a folder", repr(upload)))
        # Ray makes the launcher's folder known to actors only where no other is their own.
        path = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        quiet["runtime_env"] = {"working_dir": upload, "env_vars": path}
    if address is not None:
        try:
            look_for(address)
            ray.init(address=address, **quiet)
        except (OSError, ValueError, RuntimeError) as error:
            text = f"no Ray cluster at {address!r}: {str(error).splitlines()[0]}"
            raise MXNetError(problem("create", "address", text, "start one by ray start --head")) from None
        return False
    try:
        started = ray.init(address="local", include_dashboard=False, object_store_memory=100 << 20, **quiet)
    except Exception as error:  # Ray raises the class itself
        text = f"Ray did not start: {str(error).splitlines()[0]}"
        raise MXNetError(problem("create", None, text, "is the machine too busy?")) from error
    SESSIONS[:] = [started.address_info["session_dir"]]
    return True


def end_cluster() -> None:
    """End the cluster that this process has started, and remove its folder."""
    ray = ray_module()
    if ray.is_initialized():
        ray.shutdown()
    while SESSIONS:
        remove_session(SESSIONS.pop())


def look_for(address: str) -> None:
    """Raise OSError if nobody listens at `host:port`; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), LOOK_SECONDS).close()


def actor_class(ray: Any, **options: Any) -> Any:
    """The class `Host` as an actor that comes back when it was killed, as long as who began the job runs."""
    return ray.remote(Host).options(
        num_cpus=0, max_restarts=-1, max_task_retries=-1, namespace=NAMESPACE,
        runtime_env={"env_vars": dict(QUIET)}, **options,
    )  # fmt: skip


def start_job(options: Options, address: str | None = None, name: str | None = None,
              nodes: list[str] | None = None, owns: bool = False) -> Running:  # fmt: skip
    """Begin a job: a coordinator and servers, spread over the machines of the cluster.

    Parameters
    ----------
    options : numbers of workers and servers, time limits and the like.
    address : of a running Ray cluster; None starts one on this machine.
    name : by which tasks of the cluster find the job.
    nodes : machines that workers will run on; where there are several, each gets an aggregator.
    owns : whether Ray, which runs already, is ended with the job.
    """
    ray = ray_module()
    sweep()
    owns = connect(address) or owns
    job = new_name()
    running = Running(name or job, Job(make_ticket(job), options, ""), owns_ray=owns)
    atexit.register(running.close)
    try:
        _start_actors(ray, running, options, owns, nodes)
    except BaseException:
        running.close()
        raise
    return running


def _start_actors(ray: Any, running: Running, options: Options, local: bool, nodes: list[str] | None) -> None:
    ticket = running.job.ticket
    text = ticket.to_json()
    alive = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    spread = nodes or alive

    def start(make: Callable[[], Any], node: str, **named: Any) -> Any:
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=True)
        actor = actor_class(ray, scheduling_strategy=strategy, **named).remote(make, text, local)
        running.actors.append(actor)
        return actor

    prefix = f"mxcy-{ticket.job}"
    servers = [
        start(shard_maker(f"{prefix}-s{i}", options), spread[i % len(spread)]) for i in range(options.servers)
    ]
    coordinator = start(membership_maker(f"{prefix}-c0", options), spread[0], name=running.name)
    limit = time.monotonic() + START_SECONDS
    endpoints = dict(enumerate(ray.get([s.endpoint.remote() for s in servers], timeout=START_SECONDS)))
    ray.get(coordinator.set_endpoints.remote(endpoints), timeout=max(limit - time.monotonic(), 1))
    running.job.coordinator = ray.get(coordinator.endpoint.remote(), timeout=max(limit - time.monotonic(), 1))
    if len(set(spread)) > 1:
        made = {
            node: start(aggregator_maker(f"{prefix}-a{i}", options, text, endpoints), node)
            for i, node in enumerate(dict.fromkeys(spread))
        }
        running.job.aggregators = {
            node: ray.get(actor.endpoint.remote(), timeout=START_SECONDS) for node, actor in made.items()
        }
    share(ray, coordinator, running.job)


def share(ray: Any, coordinator: Any, job: Job) -> None:
    """Leave the job with the coordinator, for workers that come by its name."""
    ray.get(coordinator.set_job.remote(job.to_json()), timeout=START_SECONDS)


def shard_maker(name: str, options: Options) -> Callable[[], Any]:
    """A function that makes the core of a server where the actor runs."""
    custom = load_function if options.custom_updaters else None
    senders = 2 * options.room
    return lambda: Shard(name, senders, custom)


def membership_maker(name: str, options: Options) -> Callable[[], Any]:
    """A function that makes the core of the coordinator."""
    return lambda: Membership(options, path=folder() / name)


def aggregator_maker(name: str, options: Options, ticket: str, endpoints: dict[int, str]) -> Any:
    """A function that makes the core of a machine's aggregator."""
    return lambda: Aggregator(name, options, Ticket.of(ticket), endpoints)


def load_function(content: bytes) -> Any:
    """Return the updater that a worker has sent: its code is run."""
    from ray import cloudpickle

    return cloudpickle.loads(content)


def find_job(name: str, worker: str) -> tuple[Job, int]:
    """Return the running job of a name, and the rank of this worker in it."""
    ray = ray_module()
    try:
        coordinator = ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        text = f"no job {name!r} in this Ray cluster"
        raise StateError(
            problem("create", "job", text, "begin it with mxcy.kvstore.dist.start_job")
        ) from None
    text, rank = ray.get(coordinator.enter.remote(worker), timeout=START_SECONDS)
    return Job.of(text), rank
