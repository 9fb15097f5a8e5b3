"""Jobs of workers that others have started: a group of Ray's actors, and Ray Train where it is installed."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import FULL
from dist_launch import PROGRAMS, ROOT, SECONDS, nothing_is_left

import mxcy as mx
from mxcy.kvstore.dist import train
from mxcy.kvstore.dist.groups import begin, end


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with nothing_is_left(monkeypatch):
        yield


class Group:
    """Workers of Ray with the interface of a group of Ray Train."""

    def __init__(self, ray, count):
        self._ray = ray
        worker = ray.remote(Body)
        self.workers = [worker.options(num_cpus=0).remote() for _ in range(count)]

    def __len__(self):
        return len(self.workers)

    def execute_single_async(self, rank, function, *given):
        return self.workers[rank].run.remote(function, *given)

    def execute(self, function, *given):
        every = [self.execute_single_async(i, function, *given) for i in range(len(self))]
        return self._ray.get(every, timeout=SECONDS)


class Body:
    def run(self, function, *given):
        return function(*given)


def sums(rounds):
    """What a worker has after rounds of sums; as a program would be written."""
    import mxcy as mx

    store = mx.kv.create("dist_sync")
    again = mx.kv.create("dist_sync")
    out = mx.nd.zeros(3)
    store.init("w", out)
    for _ in range(rounds):
        again.pushpull("w", mx.nd.ones(3) * (store.rank + 1), out=out)
    return store.rank, store.num_workers, out.asnumpy().tolist()


def test_a_group_gets_jobs_one_after_the_other():
    ray = mx.kvstore.dist.cluster.ray_module()
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it
    ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=80 << 20,
             log_to_driver=False, logging_level="ERROR")  # fmt: skip
    try:
        group = Group(ray, 2)
        for _ in range(2 if FULL else 1):
            running = begin(group, mx.kvstore.dist.Options(workers=2, servers=1))
            try:
                found = group.execute(sums, 2)
            finally:
                end(group, running)

            assert found == [(0, 2, [3, 3, 3]), (1, 2, [3, 3, 3])]
        with pytest.raises(mx.MXNetError, match="no job 'mxcy' in this Ray cluster"):
            group.execute(sums, 1)
    finally:
        ray.shutdown()


def test_without_ray_train_its_config_says_what_to_install():
    if train.BackendConfig is object:
        with pytest.raises(mx.MXNetError, match=r"pip install 'mxcy\[train\]'"):
            train.KVStoreConfig()
    else:
        assert train.KVStoreConfig(servers=3).options(2).servers == 3


NEEDED = ROOT / "build" / "ray-train"  # `make test-full` puts there what Ray Train needs beside Ray


@pytest.mark.full
@pytest.mark.skipif(train.BackendConfig is object and not NEEDED.is_dir(), reason="needs ray[train]")
def test_workers_of_ray_train_that_fail_once_train_to_the_same_weights(tmp_path):
    path = os.pathsep.join([str(ROOT), str(NEEDED), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, PROGRAMS / "ray_train.py", tmp_path]
    given = {"capture_output": True, "text": True, "timeout": SECONDS, "check": False}
    found = subprocess.run(command, env=environment, cwd=ROOT, **given)

    assert "done" in found.stdout, found.stderr
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in (0, 1))
    assert (first == second).all()
    assert first.any()
