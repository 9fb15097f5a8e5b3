"""`create`: the store of this process in the job that it belongs to."""

from __future__ import annotations

import os
from typing import Any

from ...errors import ArgumentError, StateError, message, problem
from .arena import memory
from .cluster import find_job, here, is_inside_ray, ray_module, start_job
from .job import Job, from_environment, options_for
from .membership import Options
from .session import Session
from .store import STORES, DistKVStore

__all__ = ["create"]


def create(
    kind: str,
    job: str | None = None,
    consistency: tuple[str, str] | None = None,
    staleness: int | None = None,
    address: str | None = None,
    rank: int | None = None,
) -> DistKVStore:
    """Return the store of this worker.

    A process that `mxcy launch` started belongs to that job, and a worker of Ray Train to that of its group
    (`dist.train`). Otherwise `job` names one in the Ray cluster of this process, or at `address`. Without
    any, a job of one worker is started on this machine.

    Parameters
    ----------
    kind : "dist_sync", "dist_async", "dist_device_sync" and MXNet's other names.
    job : name of a job, see `start_job`.
    consistency : "sequential" or "eventual" within machines, and between them; by default what `kind` says.
    staleness : with eventual consistency: a worker waits while another is more rounds behind than this.
    address : of a Ray cluster.
    rank : number of this worker, where tasks know it; otherwise workers are numbered as they come.
    """
    launched = from_environment()
    group = os.environ.get("MXCY_KVSTORE_NAME") if job is None else None
    for store in STORES:
        belongs = launched is not None or group is not None or (job is None and store.alone)
        if store._process == os.getpid() and store._session.open and belongs:
            return beside(store, kind, consistency, staleness)
    if launched is None and group is None and job is None:
        refuse_others()
    close = None
    if launched is not None:
        found, number, machine = launched
    elif group is not None:
        found, _, machine = by_name(group, address)
        number = int(os.environ["MXCY_KVSTORE_RANK"])
    elif job is not None or is_inside_ray():
        found, number, machine = by_name(job or "mxcy", address)
    else:
        running = start_job(Options(), address)
        found, number, machine, close = running.job, 0, here(), running.close
    number = number if rank is None else rank
    try:
        options = options_for(kind, found.options, consistency, staleness)
        aggregator = found.aggregators.get(machine)
        session = Session(found.ticket, options, found.coordinator, number, machine, aggregator, memory())
    except BaseException:
        if close is not None:
            close()
        raise
    return DistKVStore(kind, session, close)


def beside(store: DistKVStore, kind: str, consistency: Any, staleness: int | None) -> DistKVStore:
    """One more store of a process, which is one worker: the keys and their order are those of the first."""
    session = store._session
    wanted = options_for(kind, session.options, consistency, staleness)
    for what in ("levels", "staleness"):
        own, other = getattr(session.options, what), getattr(wanted, what)
        if own != other:
            expected = f"{what} {own}, as the {store.type!r} store of this process has"
            raise ArgumentError(message("create", "kind", expected, f"{other} of {kind!r}"))
    return DistKVStore(kind, session)


def refuse_others() -> None:
    """Raise StateError in a process of MXNet's launcher, whose servers and scheduler speak another language.

    It would be the only worker of a job of its own, and train alone.
    """
    if "DMLC_PS_ROOT_URI" in os.environ:
        count = os.environ.get("DMLC_NUM_WORKER", "4")
        text = "DMLC_PS_ROOT_URI is set: this process was begun by MXNet's launcher"
        hint = f"start the program by mxcy launch -n {count}, or unset it"
        raise StateError(problem("create", "kind", text, hint))


def by_name(name: str, address: str | None) -> tuple[Job, int, Any]:
    """The job of a name, this worker's number, and its machine."""
    ray = ray_module()
    if not ray.is_initialized():
        ray.init(address=address or "auto", logging_level="ERROR", log_to_driver=False)
    context = ray.get_runtime_context()
    worker = context.get_actor_id() or context.get_task_id() or context.get_worker_id()
    job, rank = find_job(name, str(worker))
    return job, rank, here()
