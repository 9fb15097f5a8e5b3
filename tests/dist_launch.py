"""Starts `mxcy launch` for tests, and looks whether anything is left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from mxcy.kvstore.dist.arena import folder, remove_job

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "dist_programs"
SECONDS = 300  # until a job must have ended, on a busy machine too
LAUNCHED = []


@contextlib.contextmanager
def nothing_is_left(monkeypatch):
    """Fails if launchers, their folders or shared memory are left."""
    temporary = Path(tempfile.mkdtemp(prefix="t"))  # short: Ray's sockets lie below it
    monkeypatch.setenv("TMPDIR", str(temporary))
    try:
        yield
        running = [process.pid for process in LAUNCHED if process.poll() is None]
        mine = {os.getpid(), *(process.pid for process in LAUNCHED)}
        left = [path.name for path in folder().glob("mxcy-*") if int(path.name.split("-")[1]) in mine]
        left += [path.name for path in temporary.glob("mxcy-job-*")]
    finally:
        for process in LAUNCHED:
            end(process)
        LAUNCHED.clear()
        shutil.rmtree(temporary, ignore_errors=True)

    assert (running, left) == ([], [])


def end(process):
    """End a launcher that a failed test has left, with all that it started."""
    family = []
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGCONT)
        process.terminate()  # it ends its actors
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    for one in family:
        if one.is_running():
            one.kill()
    for path in folder().glob(f"mxcy-{process.pid}-*"):
        remove_job("-".join(path.name.split("-")[1:3]))


def launch(*arguments, address=None, program=(), **options):
    """A launcher's process; `program` is what Python runs."""
    command = [sys.executable, "-m", "mxcy", "launch", *arguments]
    if address:
        command += ["--address", address]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command += [sys.executable, *map(str, program)]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, **pipes, **options)
    LAUNCHED.append(process)
    return process


def finish(process, code=0):
    """What it has written until it ended with this code."""
    out, err = process.communicate(timeout=SECONDS)

    assert process.returncode == code, out + err
    return out, err
