"""Jobs on a Ray cluster: the launcher, training, `kill -9`, names, and that nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import FULL
from dist_launch import PROGRAMS, ROOT, SECONDS, finish, launch, nothing_is_left

import mxcy as mx
from mxcy.kvstore.dist.arena import folder, new_name
from mxcy.kvstore.dist.cluster import Host, membership_maker
from mxcy.kvstore.dist.membership import Options
from mxcy.kvstore.dist.service import make_ticket

HERE = ("--placement", "here")  # workers beside the launcher, servers in the cluster of these tests


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of one Ray cluster for all tests here."""
    ray = mx.kvstore.dist.cluster.ray_module()
    started = ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 << 20,
                       log_to_driver=False, logging_level="ERROR", namespace="mxcy-kvstore")  # fmt: skip
    try:
        yield started.address_info["gcs_address"]
    finally:
        ray.shutdown()


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with nothing_is_left(monkeypatch):
        yield


def train(cluster, tmp_path, *how):
    program = [PROGRAMS / "trainings.py", "dist_sync", tmp_path, *how]
    finish(launch("-n", "2", "-s", "2", *HERE, address=cluster, program=program))
    return {way: [dict(np.load(tmp_path / f"{way}-{rank}.npz")) for rank in (0, 1)] for way in how}


def test_module_and_trainer_give_all_workers_the_same_weights(cluster, tmp_path):
    found = train(cluster, tmp_path, "module", "store")
    if FULL:
        found |= train(cluster, tmp_path, "worker")

        assert (found["worker"][0]["weight"] == found["store"][0]["weight"]).all()
    for first, second in found.values():
        assert all((first[name] == second[name]).all() for name in first)
    assert mx.nd.load(str(tmp_path / "trainer1-0.states"))
    assert mx.nd.load(str(tmp_path / "module-0.states"))


def test_the_interface_of_mxnet(cluster, tmp_path):
    program = [PROGRAMS / "interface.py", tmp_path]
    out, _ = finish(launch("-n", "2", "-s", "2", *HERE, address=cluster, program=program))

    assert sorted(re.findall(r"worker \d is done", out)) == ["worker 0 is done", "worker 1 is done"]


def servers_of(process):
    """Actors of the launcher's job."""
    prefix = f"mxcy-{process.pid}-"
    found = []
    for one in psutil.process_iter():
        try:
            maps = {m.path for m in one.memory_maps()} if "Host" in " ".join(one.cmdline()) else set()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if any(Path(path).name.startswith(prefix) for path in maps):
            found.append(one)
    return found


def weights_after(rounds, workers):
    """What tests/dist_programs/rounds.py comes to, by an optimizer of this process."""
    updater = mx.optimizer.get_updater(mx.optimizer.create("adam", learning_rate=0.01))
    weights = {"a": mx.nd.ones(10), "b": mx.nd.ones(50_000)}
    for round_ in range(rounds):
        draws = [np.random.default_rng([rank, round_]) for rank in range(workers)]
        for name, weight in weights.items():
            parts = [mx.nd.array(rng.normal(size=weight.shape)) for rng in draws]
            updater(name, mx.nd.add_n(*parts), weight)
    return [zlib.crc32(weight.asnumpy()) for weight in weights.values()]


def test_training_ends_with_the_same_weights_after_kills_of_servers(cluster):
    process = launch("-n", "2", "-s", "1", *HERE, address=cluster, program=[PROGRAMS / "rounds.py", "150"])
    killed = 0
    while process.poll() is None and killed < (5 if FULL else 1):
        for server in servers_of(process):
            server.kill()
            killed += 1
            time.sleep(1.0)
        time.sleep(0.05)
    out, _ = finish(process)

    assert killed
    checksums = weights_after(150, 2)
    for rank in (0, 1):
        assert f"{rank} {checksums}" in out  # lines of several processes may run into each other


ENDS = [("import sys; sys.exit(3)", 3), ("raise ValueError", 1)]


@pytest.mark.parametrize(("ends", "code"), ENDS if FULL else ENDS[:1])
def test_a_failed_worker_ends_the_job_with_its_code(cluster, ends, code):
    program = f"import mxcy as mx; kv = mx.kv.create('dist_sync'); kv.init(1, mx.nd.ones(3)); {ends}"
    _, err = finish(launch("-n", "2", "-s", "1", *HERE, address=cluster, program=["-c", program]), code)

    assert "mxcy launch: worker" in err


def test_ctrl_c_ends_everything(cluster):
    # One call of the system for each line: with an unbuffered output, print makes two.
    program = "import mxcy as mx, os, time; mx.kv.create('dist_sync'); os.write(1, b'here\\n')"
    program += "; time.sleep(100)"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    arguments = ["-n", "2", "-s", "1", *HERE]
    process = launch(*arguments, address=cluster, program=["-c", program], start_new_session=True)
    signal.signal(signal.SIGINT, before)
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["here\n", "here\n"]
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=SECONDS)

    assert process.returncode == 130
    assert not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]


def test_tasks_find_a_job_by_its_name(cluster):
    ray = mx.kvstore.dist.cluster.ray_module()

    @ray.remote(num_cpus=0)
    def worker():
        import mxcy as mx

        store = mx.kv.create("dist_sync", job="by-name")
        store.init("w", mx.nd.zeros(3))
        out = mx.nd.zeros(3)
        store.pushpull("w", mx.nd.ones(3) * (store.rank + 1), out=out)
        result = store.rank, out.asnumpy().tolist()
        store.close()
        return result

    options = mx.kvstore.dist.Options(workers=2, servers=1)
    running = mx.kvstore.dist.start_job(options, name="by-name")
    try:
        found = ray.get([worker.remote() for _ in range(2)], timeout=SECONDS)
    finally:
        running.close()

    assert sorted(found) == [(0, [3, 3, 3]), (1, [3, 3, 3])]
    with pytest.raises(mx.MXNetError, match="no job 'by-name' in this Ray cluster"):
        mx.kv.create("dist_sync", job="by-name")


def test_a_coordinator_that_was_killed_knows_the_job_and_the_ranks(tmp_path):
    ticket = make_ticket(new_name())
    given = membership_maker(f"mxcy-{ticket.job}-c0", Options(workers=2)), ticket.to_json(), True
    host = Host(*given)
    host.set_job("of the job")
    found = [host.enter(worker) for worker in "aba"]
    host._service.stop(keep=True)
    host = Host(*given)
    found += [host.enter(worker) for worker in "cb"]
    (folder() / f"mxcy-{ticket.job}-wleft0").touch()  # of a worker that was killed
    modes = {path.stat().st_mode & 0o77 for path in folder().glob(f"mxcy-{ticket.job}-h0")}
    host.close()

    assert found == [("of the job", rank) for rank in (0, 1, 0, 2, 1)]
    assert modes == {0}
    assert not list(folder().glob(f"mxcy-{ticket.job}-*"))


def test_a_missing_cluster_is_named_in_time():
    process = launch("-n", "1", address="127.0.0.1:1", program=["-c", "pass"])
    _, err = finish(process, 1)

    assert "no Ray cluster at '127.0.0.1:1'" in err


@pytest.mark.full
def test_workers_of_two_nodes_are_added_up_on_each():
    command = [sys.executable, PROGRAMS / "two_nodes.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    given = {"capture_output": True, "text": True, "timeout": SECONDS, "check": False}
    found = subprocess.run(command, env=environment, **given)

    assert "done" in found.stdout, found.stderr
