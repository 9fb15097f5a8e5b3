"""A job for a group of Ray workers that another library has started, as those of Ray Train.

A group is what Ray Train gives to its backends: `len(group)`, `group.execute(function, …)` on all workers in
the order of their ranks, and `group.execute_single_async(rank, function, …)` on one.
"""

from __future__ import annotations

import os
from typing import Any

from .cluster import Running, here, ray_module, start_job
from .membership import Options
from .store import close_all

__all__ = ["begin", "end"]


def begin(group: Any, options: Options) -> Running:
    """Begin a job on the machines of a group; `create` finds it in each of its processes, with the rank."""
    nodes = list(dict.fromkeys(group.execute(here)))
    running = start_job(options, nodes=nodes)
    try:
        told = [group.execute_single_async(i, enter, running.name, i, options) for i in range(len(group))]
        ray_module().get(told)
    except BaseException:
        running.close()
        raise
    return running


def end(group: Any, running: Running) -> None:
    """Let the workers that are left leave the job, and end it."""
    try:
        group.execute(leave)
    finally:
        running.close()


def enter(name: str, rank: int, options: Options) -> None:
    """In a worker: belong to a job from now on."""
    leave()
    os.environ |= {
        "MXCY_KVSTORE_NAME": name,
        "MXCY_KVSTORE_RANK": str(rank),
        # What programs written for MXNet read.
        "DMLC_ROLE": "worker",
        "DMLC_NUM_WORKER": str(options.workers),
        "DMLC_NUM_SERVER": str(options.servers),
        "DMLC_WORKER_ID": str(rank),
    }


def leave() -> None:
    """In a worker: close its stores."""
    close_all()
    os.environ.pop("MXCY_KVSTORE_NAME", None)
