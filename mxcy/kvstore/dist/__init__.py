"""Stores over many machines: `create("dist_sync")` and `create("dist_async")`. See docs/scaling.md.

A job has workers, which train, servers, which keep the values and run the optimizer, and one coordinator.

    mxcy launch -n 4 -s 2 python train.py

or, inside tasks of Ray: `start_job(Options(workers=4, servers=2), address="auto", name="train")` in the
program that starts the tasks, and `mx.kv.create("dist_sync", job="train")` in each of them.
"""

from .cluster import Running, start_job
from .create import create
from .membership import Options
from .store import DistKVStore

__all__ = ["DistKVStore", "Options", "Running", "create", "start_job"]
