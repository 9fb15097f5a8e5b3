"""`mxcy launch`: run a program n times as the workers of one job, on this machine or on a Ray cluster."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

from ...errors import MXNetError
from .cluster import Running, here, start_job
from .job import private_folder
from .membership import Options

__all__ = ["add_arguments", "run"]

GRACE_SECONDS = 5.0  # for the others, after one worker has failed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("-n", "--num-workers", type=positive, required=True, help="processes that train")
    parser.add_argument("-s", "--num-servers", type=positive, help="servers; as many as workers if not given")
    parser.add_argument("--address", help="of a running Ray cluster; otherwise one is started here")
    parser.add_argument("--elastic", action="store_true", help="go on without workers that are lost")
    parser.add_argument("--most", type=positive, default=0, help="with --elastic: workers there may be")
    parser.add_argument("--custom-updaters", action="store_true", help="servers run functions of the program")
    parser.add_argument("--join-seconds", type=float, default=60.0, help="until all workers are there")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds of any other wait")
    parser.add_argument("--lost-after", type=float, default=15.0, help="seconds of silence of a lost worker")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments")


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def run(given: argparse.Namespace) -> int:
    """Run the command; return its exit code: that of the first worker that failed."""
    program = given.program[1:] if given.program[:1] == ["--"] else given.program
    if not program:
        print("mxcy launch: expected a program, as in mxcy launch -n 4 python train.py", file=sys.stderr)
        return 2
    options = Options(
        workers=given.num_workers,
        servers=given.num_servers or given.num_workers,
        elastic=given.elastic,
        most=given.most,
        custom_updaters=given.custom_updaters,
        join=given.join_seconds,
        timeout=given.timeout,
        lost_after=given.lost_after,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end the job in order
    folder = private_folder()
    running = None
    try:
        running = start_job(options, given.address)
        return run_workers(running, program, folder, given.elastic)
    except KeyboardInterrupt:
        return 130
    except MXNetError as error:
        print(f"mxcy launch: {error}", file=sys.stderr)
        return 1
    finally:
        if running is not None:
            running.close()
        shutil.rmtree(folder, ignore_errors=True)


def run_workers(running: Running, program: list[str], folder: str, elastic: bool) -> int:
    """Start the program n times here, and wait for all."""
    options, machine = running.job.options, here()
    threads = str(max(1, (os.cpu_count() or 1) // options.workers))
    workers = []
    try:
        for rank in range(options.workers):
            own = running.job.environment(rank, machine, folder)
            environment = {"MXCY_NUM_THREADS": threads} | os.environ | own
            workers.append(subprocess.Popen(program, env=environment))
        return wait(workers, elastic)
    except OSError as error:
        print(f"mxcy launch: {program[0]}: {error.strerror}", file=sys.stderr)
        return 127
    finally:
        end(workers)


def wait(workers: list[subprocess.Popen], elastic: bool) -> int:
    """Wait for all; when one fails the others have a few seconds to say why they cannot go on."""
    failed, until = 0, float("inf")
    while True:
        # Looked at before the codes, so that the code of who ends meanwhile is seen in the next round.
        running = None in [worker.poll() for worker in workers]
        for rank, worker in enumerate(workers):
            if worker.returncode and not failed:
                failed = worker.returncode if worker.returncode > 0 else 128 - worker.returncode
                print(f"mxcy launch: worker {rank} ended with code {worker.returncode}", file=sys.stderr)
                if not elastic:
                    until = time.monotonic() + GRACE_SECONDS
        if not running or time.monotonic() >= until:
            break
        time.sleep(0.05)
    return failed if not elastic or all(worker.returncode for worker in workers) else 0


def end(workers: list[subprocess.Popen]) -> None:
    """End those that are left."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(stop)
        for worker in workers:
            try:
                worker.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                pass
