"""`mxcy launch`: run a program n times as the workers of one job, on this machine or on a Ray cluster.

Without --address a cluster of this machine is started for the job, and workers are processes beside the
launcher. With it they are placed on the nodes of that cluster, servers beside them; what they write comes
out here with the rank before each line. The job ends as a whole: with the last worker, with one that fails,
by Ctrl-C, or when the launcher is killed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from typing import Any

from ...errors import ArgumentError, MXNetError, message
from .cluster import connect, end_cluster, here, start_job
from .job import private_folder
from .membership import Options
from .runners import GRACE_SECONDS, Far, Near, reserve

__all__ = ["add_arguments", "run"]

SENT = ("MXNET_", "MXCY_")  # variables with these names go with the program to other machines
OWN = ("MXCY_KVSTORE_JOB", "MXCY_KVSTORE_RANK", "MXCY_KVSTORE_MACHINE", "MXCY_NUM_THREADS")


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
    place = parser.add_argument_group("where workers run")
    places = ("spread", "packed", "here")
    about = "over the nodes of the cluster, on few of them, or beside the launcher; spread with --address"
    place.add_argument("--placement", choices=places, help=about)
    place.add_argument("--cpus", type=amount, default=1.0, help="processors that each reserves on its node")
    place.add_argument("--gpus", type=amount, default=0.0, help="GPUs that each reserves")
    place.add_argument("--working-dir", help="folder to run in; by default this one")
    place.add_argument("--upload", metavar="DIR", help="copy this folder to the nodes, and run in the copy")
    place.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]",
                       help="variable for workers; those of MXNET_ and MXCY_ go to nodes anyway")  # fmt: skip
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments")


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def amount(text: str) -> float:
    """An argument that measures something."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return number


def run(given: argparse.Namespace) -> int:
    """Run the command; return its exit code: that of the first worker that failed."""
    program = given.program[1:] if given.program[:1] == ["--"] else given.program
    if not program:
        print("mxcy launch: expected a program, as in mxcy launch -n 4 python train.py", file=sys.stderr)
        return 2
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end the job in order
    opened: list[Any] = []  # functions that end what was begun
    try:
        workers = begin(given, program, opened)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray has put its own there
        workers.start()
        return wait(workers, given.elastic)
    except KeyboardInterrupt:
        return 130
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        print(f"mxcy launch: {error.filename}: {error.strerror}", file=sys.stderr)
        return 127
    except MXNetError as error:
        print(f"mxcy launch: {error}", file=sys.stderr)
        return 1
    finally:
        handlers = [signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)]
        try:
            for close in reversed(opened):
                close()
        finally:
            signal.signal(signal.SIGINT, handlers[0])
            signal.signal(signal.SIGTERM, before)


def begin(given: argparse.Namespace, program: list[str], opened: list[Any]) -> Near | Far:
    """Begin the job; return its workers, which are to be started."""
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
    environment = variables(given.env)
    placement = given.placement or ("spread" if given.address else "here")
    if placement == "here":
        if given.upload:
            raise ArgumentError(message("launch", "--upload", "workers on nodes", "--placement here"))
        folder = private_folder()
        opened.append(lambda: shutil.rmtree(folder, ignore_errors=True))
        running = start_job(options, given.address)
        opened.append(running.close)
        about = (running.job, program, folder, here(), given.working_dir, environment)
        workers: Near | Far = Near(*about)
        opened.append(workers.end)
        return workers
    each = {"CPU": given.cpus, "GPU": given.gpus}
    each = {name: count for name, count in each.items() if count} or {"CPU": 0.001}
    owns = connect(given.address, given.upload)
    if owns:
        opened.append(end_cluster)
    places = reserve(options.workers, placement, each, options.join)
    opened.append(places.release)
    running = start_job(options, given.address, nodes=list(dict.fromkeys(places.nodes)), owns=owns)
    opened.append(running.close)
    sent = {name: value for name, value in os.environ.items() if name.startswith(SENT) and name not in OWN}
    directory = given.working_dir or (None if given.upload else os.getcwd())
    workers = Far(running.job, program, places, directory, sent | environment)
    opened.append(workers.end)
    return workers


def variables(given: list[str]) -> dict[str, str]:
    """The variables of NAME=VALUE; NAME alone is one of the launcher's own."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not (equals or name in os.environ):
            expected = "NAME=VALUE, or the name of a variable that is set"
            raise ArgumentError(message("launch", "--env", expected, repr(one)))
        found[name] = value if equals else os.environ[name]
    return found


def wait(workers: Near | Far, elastic: bool) -> int:
    """Wait for all; when one fails the others have a few seconds to say why they cannot go on."""
    failed, until = 0, float("inf")
    while True:
        codes = workers.codes()
        for rank, code in enumerate(codes):
            if code and not failed:
                failed = code if code > 0 else 128 - code
                print(f"mxcy launch: worker {rank} ended with code {code}", file=sys.stderr)
                if not elastic:
                    until = time.monotonic() + GRACE_SECONDS
        if None not in codes or time.monotonic() >= until:
            break
    return failed if not elastic or all(codes) else 0
