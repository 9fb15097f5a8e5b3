"""Distributed stores for workers of Ray Train: a backend that begins a job with each group of workers.

    from ray.train import ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
    from mxcy.kvstore.dist.train import KVStoreConfig

    def loop():
        store = mx.kv.create("dist_sync")  # rank and number of workers are those of Ray Train
        ...

    scaling = ScalingConfig(num_workers=4)
    DataParallelTrainer(loop, backend_config=KVStoreConfig(servers=2), scaling_config=scaling).fit()

When Ray Train starts its workers again after a failure, they get a new job: programs go on from their own
checkpoints, as with Ray Train's other backends. Needs `mxcy[train]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import MXNetError, problem
from .cluster import Running, ray_module
from .groups import begin, end
from .membership import Options

ray_module()
try:
    from ray.train.backend import Backend, BackendConfig
except ImportError:  # Ray is there, what its part for training needs is not
    Backend = BackendConfig = object  # type: ignore[assignment, misc]

__all__ = ["KVStoreConfig"]


@dataclass
class KVStoreConfig(BackendConfig):
    """What the job is like; the number of workers is that of the group.

    Parameters
    ----------
    servers : how many; as many as workers if not given.
    custom_updaters : servers run functions of the program.
    join, timeout, lost_after : seconds, as in `Options`.
    """

    servers: int | None = None
    custom_updaters: bool = False
    join: float = 60.0
    timeout: float = 600.0
    lost_after: float = 15.0

    def __post_init__(self) -> None:
        if BackendConfig is object:
            text, hint = "Ray Train is not installed", "pip install 'mxcy[train]'"
            raise MXNetError(problem("KVStoreConfig", None, text, hint))

    @property
    def backend_cls(self) -> type:
        """The class that Ray Train makes."""
        return KVStoreBackend

    def options(self, workers: int) -> Options:
        """Options of a job with so many workers."""
        return Options(
            workers=workers,
            servers=self.servers or workers,
            custom_updaters=self.custom_updaters,
            join=self.join,
            timeout=self.timeout,
            lost_after=self.lost_after,
        )


class KVStoreBackend(Backend):
    """Begins a job when workers start, and ends it with them."""

    def __init__(self) -> None:
        self._running: Running | None = None

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Workers are there; those of a group before them may be gone."""
        if self._running is not None:
            self._running.close()
        self._running = begin(worker_group, backend_config.options(len(worker_group)))

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:
        """Workers are about to end."""
        running, self._running = self._running, None
        if running is not None:
            end(worker_group, running)
