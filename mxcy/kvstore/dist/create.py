"""`create`: the store of this process in the job that it belongs to."""

from __future__ import annotations

import os
from typing import Any

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
        belongs = launched is not None or group is not None
        if store._process == os.getpid() and store._session.open and belongs:
            return DistKVStore(kind, store._session)  # a process is one worker
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


def by_name(name: str, address: str | None) -> tuple[Job, int, Any]:
    """The job of a name, this worker's number, and its machine."""
    ray = ray_module()
    if not ray.is_initialized():
        ray.init(address=address or "auto", logging_level="ERROR", log_to_driver=False)
    context = ray.get_runtime_context()
    worker = context.get_actor_id() or context.get_task_id() or context.get_worker_id()
    job, rank = find_job(name, str(worker))
    return job, rank, here()
