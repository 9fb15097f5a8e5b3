"""`mxcy launch --address`: workers on the nodes of a Ray cluster, here two on one machine."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from conftest import FULL
from dist_launch import PROGRAMS, ROOT, SECONDS, finish, launch, nothing_is_left

import mxcy as mx

ENV = ("--env", "PYTHONPATH")  # the package is not installed


@pytest.fixture(scope="module")
def address():
    """Of a cluster with two nodes of two processors each."""
    mx.kvstore.dist.cluster.ray_module()
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 2, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        cluster.add_node(**node)
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with nothing_is_left(monkeypatch):
        yield


def test_workers_are_spread_over_nodes_and_their_lines_come_back(address, tmp_path):
    arguments = ["-n", "2", "-s", "2", "--working-dir", str(tmp_path), "--env", "GIVEN=two words", *ENV]
    out, err = finish(launch(*arguments, address=address, program=[PROGRAMS / "placed.py"]))

    found = [
        re.fullmatch(r"\[(\d)\] (\d) (\w+) True \[3.0, 3.0\] two words (.*)", x) for x in out.split("\n")
    ]
    found = sorted(match.groups() for match in found if match)
    assert [one[0] for one in found] == [one[1] for one in found] == ["0", "1"], out + err
    assert len({one[2] for one in found}) == 2
    assert {one[3] for one in found} == {str(tmp_path)}
    assert sorted(re.findall(r"\[\d\] on stderr", err)) == ["[0] on stderr", "[1] on stderr"]


def test_workers_are_packed_and_the_code_of_one_is_that_of_the_launcher(address):
    program = "import os, sys, mxcy as mx; kv = mx.kv.create('dist_sync')"
    program += "; os.write(1, kv._session.machine.encode() + b'\\n'); kv.barrier(); sys.exit(5 * kv.rank)"
    placed = ("--placement", "packed", *ENV)
    out, err = finish(launch("-n", "2", "-s", "1", *placed, address=address, program=["-c", program]), 5)

    assert len(set(re.findall(r"\[\d\] (\w+)", out))) == 1
    assert "worker 1 ended with code 5" in err


def family(number):
    """Processes that this one has begun on the cluster: they carry its number in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LAUNCHED_BY") == str(number):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL] if FULL else [signal.SIGKILL])
def test_a_launcher_that_is_stopped_or_killed_leaves_no_worker(address, how):
    """Each worker has a child that outlives it, and does not listen to SIGTERM."""
    child = "trap '' TERM; while :; do sleep 1; done"
    program = f"import subprocess, sys, time; subprocess.Popen(['sh', '-c', {child!r}])"
    program += "; print('here', flush=True); time.sleep(1000)"
    number = f"{os.getpid()}-{int(how)}"
    arguments = ["-n", "2", "-s", "1", "--env", f"LAUNCHED_BY={number}"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    process = launch(*arguments, address=address, program=["-c", program])
    signal.signal(signal.SIGINT, before)
    try:
        lines = sorted(process.stdout.readline() for _ in range(2))
        started = family(number)
    finally:
        process.send_signal(how)
        process.communicate(timeout=SECONDS)
    _, left = psutil.wait_procs(started, SECONDS)

    assert lines == ["[0] here\n", "[1] here\n"]
    assert len(started) >= 4
    assert not left
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGKILL:
        mx.kvstore.dist.arena.sweep()  # as the next job does


BESIDE = """
import sys
from mxcy.kvstore.dist.job import Job, private_folder
from mxcy.kvstore.dist.membership import Options
from mxcy.kvstore.dist.runners import Near
from mxcy.kvstore.dist.service import make_ticket
job = Job(make_ticket("1-00000000000a"), Options(workers=2), "")
program = [sys.executable, "-c", sys.argv[1]]
workers = Near(job, program, private_folder(), "here", None, {"LAUNCHED_BY": sys.argv[2]})
workers.start()
sys.stdin.read()
workers.end()
"""


@pytest.mark.parametrize("killed", [True, False])
def test_workers_beside_the_launcher_end_with_it(killed):
    """With the children that they leave, which do not listen to SIGTERM; memory of a killed one goes."""
    left_there = mx.kvstore.dist.arena.folder() / "mxcy-1-00000000000a-wleft0"
    left_there.touch()
    child = "trap '' TERM; while :; do sleep 1; done"
    program = f"import os, subprocess, time; subprocess.Popen(['sh', '-c', {child!r}])"
    program += "; os.write(1, b'here\\n'); time.sleep(1000)"
    number = f"{os.getpid()}-beside"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BESIDE, program, number]
    launcher = subprocess.Popen(command, env=environment, **pipes)
    lines = [launcher.stdout.readline() for _ in range(2)]
    started = family(number)
    if killed:
        launcher.kill()
    launcher.communicate(timeout=SECONDS)
    _, left = psutil.wait_procs(started, SECONDS)

    assert lines == ["here\n", "here\n"]
    assert len(started) >= 4
    assert not left
    until = time.monotonic() + SECONDS
    while killed and list(Path(tempfile.gettempdir()).glob("mxcy-job-*")) and time.monotonic() < until:
        time.sleep(0.05)  # the folder goes last

    assert left_there.exists() != killed
    left_there.unlink(missing_ok=True)


def test_what_cannot_be_placed_is_said_in_time(address):
    arguments = ["-n", "9", "-s", "1", "--join-seconds", "2"]
    _, err = finish(launch(*arguments, address=address, program=["-c", "pass"]), 1)

    assert "no room for 9 workers with 1 CPU each within 2 s" in err
    arguments = ["-n", "1", "-s", "1", "--working-dir", "/no/such/folder"]
    _, err = finish(launch(*arguments, address=address, program=["-c", "pass"]), 1)

    assert re.search(r"worker 0: no folder /no/such/folder on node \w+", err)


@pytest.mark.full
def test_a_folder_is_copied_to_the_nodes(address):
    """Programs that lie in it run there; actors of Ray find the package as the launcher does."""
    arguments = ["-n", "2", "-s", "1", "--upload", str(PROGRAMS), "--env", "GIVEN=x", *ENV]
    process = launch(*arguments, address=address, program=["placed.py"])
    out, _ = finish(process)

    assert len(re.findall(r"\[\d\] \d \w+ True \[3.0, 3.0\] x /", out)) == 2
    assert str(ROOT) not in out
