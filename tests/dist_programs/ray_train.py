"""Two workers of Ray Train, of which one fails at the first attempt, train by a distributed store."""

import sys
from pathlib import Path

import numpy as np

from mxcy.kvstore.dist.cluster import ray_module
from mxcy.kvstore.dist.train import KVStoreConfig

FOLDER = Path(sys.argv[1])


def loop(given):
    """Least squares by steps of gradients, each worker with its own rows."""
    import ray.train

    import mxcy as mx

    folder = Path(given["folder"])
    store = mx.kv.create("dist_sync")
    context = ray.train.get_context()
    assert (store.rank, store.num_workers) == (context.get_world_rank(), context.get_world_size())
    store.init("w", mx.nd.zeros(3))
    store.set_optimizer(mx.optimizer.create("sgd", learning_rate=0.1, momentum=0.9))
    rows = np.random.default_rng(store.rank).normal(size=(20, 3)).astype("f")
    x, weight = mx.nd.array(rows), mx.nd.zeros(3)
    for i in range(30):
        if i == 10 and store.rank == 1 and not (folder / "failed").exists():
            (folder / "failed").touch()
            raise ValueError("the first attempt fails")
        error = mx.nd.dot(x, weight) - 1
        store.pushpull("w", mx.nd.dot(x, error, transpose_a=True) / 20, out=weight)
    np.save(folder / f"{store.rank}.npy", weight.asnumpy())


ray = ray_module()
ray.init(num_cpus=3, include_dashboard=False, object_store_memory=80 << 20, logging_level="ERROR")
from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: E402
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer  # noqa: E402

trainer = DataParallelTrainer(
    loop, train_loop_config={"folder": str(FOLDER)}, backend_config=KVStoreConfig(servers=1),
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path=str(FOLDER / "runs"), failure_config=FailureConfig(max_failures=1)),
)  # fmt: skip
trainer.fit()
assert (FOLDER / "failed").exists()
ray.shutdown()
print("done")
