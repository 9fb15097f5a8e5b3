"""The processes of `mxcy launch`: on this machine, or placed on the nodes of a Ray cluster.

On a cluster each worker has an actor, `Runner`, in a placement group that holds what the worker needs. It
starts the program under `guard.py`, and hands over what the program writes, line by line.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from ...errors import MXNetError, problem
from . import guard
from .arena import folder as memory_folder
from .cluster import QUIET, SESSIONS, START_SECONDS, ray_module
from .job import Job, private_folder

__all__ = ["Far", "Near", "Places", "reserve"]

GRACE_SECONDS = guard.GRACE_SECONDS
STRATEGIES = {"spread": "SPREAD", "packed": "PACK"}
LINE = 1 << 16  # bytes of a line, after which the rest is one of its own
LINES = 1000  # that wait for the launcher, after which the program does
READ_SECONDS = 1.0
REST_SECONDS = 2.0  # for output that comes after the program's end


class Near:
    """Workers that are processes of this machine, with the launcher's own streams.

    Parameters
    ----------
    job : that they belong to.
    program : with its arguments.
    folder : for the files that tell them about the job.
    machine : name of this one.
    directory, environment : where they run, and variables beside those of this process.
    """

    def __init__(self, job: Job, program: list[str], folder: str, machine: str, directory: str | None,
                 environment: dict[str, str]):  # fmt: skip
        self._job, self._program, self._folder, self._machine = job, program, folder, machine
        self._directory, self._environment = directory, environment
        self._processes: list[subprocess.Popen] = []
        self._watch: subprocess.Popen | None = None

    def start(self) -> None:
        """Start them; raises OSError if the program cannot be started."""
        # It outlives this process, also one that is killed, and ends what this has started.
        memory = str(memory_folder() / f"mxcy-{self._job.ticket.job}-")
        command = [sys.executable, "-IS", guard.__file__, self._folder, memory, *SESSIONS]
        self._watch = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        threads = threads_of(self._job.options.workers)
        for rank in range(self._job.options.workers):
            own = self._environment | self._job.environment(rank, self._machine, self._folder)
            process = subprocess.Popen(self._program, env=threads | os.environ | own, cwd=self._directory)
            self._processes.append(process)

    def codes(self) -> list[int | None]:
        """The exit code of each, None while it runs; waits a moment."""
        time.sleep(0.05)
        return [process.poll() for process in self._processes]

    def end(self) -> None:
        """End those that are left."""
        for stop in ("terminate", "kill"):
            for process in self._processes:
                if process.poll() is None:
                    getattr(process, stop)()
            for process in self._processes:
                try:
                    process.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    pass
        if self._watch is not None:
            self._watch.communicate(b".")


@dataclass
class Places:
    """Room that is reserved in a cluster: which bundle of the group, and which node, each worker has."""

    group: Any
    bundles: list[int]
    nodes: list[str]

    def release(self) -> None:
        """Give it back."""
        from ray.util.placement_group import remove_placement_group

        remove_placement_group(self.group)


def reserve(workers: int, placement: str, each: dict[str, float], seconds: float) -> Places:
    """Reserve room for workers, each with `each` ("CPU", "GPU"); those of one node have numbers in a row.

    Raises MXNetError that says what is missing if there is none within so many seconds.
    """
    ray = ray_module()
    from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group

    group = placement_group([each] * workers, strategy=STRATEGIES[placement])
    try:
        if not group.wait(seconds):
            free, all_ = ray.available_resources(), ray.cluster_resources()
            there = ", ".join(f"{free.get(name, 0):g} of {all_.get(name, 0):g} {name} free" for name in each)
            wanted = ", ".join(f"{count:g} {name}" for name, count in each.items())
            text = f"no room for {workers} workers with {wanted} each within {seconds:g} s: {there}"
            raise MXNetError(problem("workers", None, text, "ask for fewer, or for less by --cpus"))
        found = placement_group_table(group)["bundles_to_node_id"]
    except BaseException:
        remove_placement_group(group)
        raise
    order = list(dict.fromkeys(found[i] for i in range(workers)))
    bundles = sorted(range(workers), key=lambda i: (order.index(found[i]), i))
    return Places(group, bundles, [found[i] for i in bundles])


class Far:
    """Workers on the nodes of a cluster; what they write comes out here with the rank before each line.

    Parameters
    ----------
    job, program, directory, environment : as of `Near`; None for the directory in which Ray runs its actors.
    places : where they run.
    """

    def __init__(self, job: Job, program: list[str], places: Places, directory: str | None,
                 environment: dict[str, str]):  # fmt: skip
        self._about = job.to_json(), program, directory, environment
        self._places = places
        self._ray = ray_module()
        self._codes: list[int | None] = [None] * len(places.nodes)
        self._runners: list[Any] = []
        self._asked: dict[Any, int] = {}

    def start(self) -> None:
        """Start them; raises MXNetError for a worker that cannot be started."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        runner, places = self._ray.remote(Runner), self._places
        each = places.group.bundle_specs[0]
        for bundle in places.bundles:
            made = runner.options(
                num_cpus=each.get("CPU", 0), num_gpus=each.get("GPU", 0), max_concurrency=2,
                scheduling_strategy=PlacementGroupSchedulingStrategy(places.group, bundle),
                runtime_env={"env_vars": dict(QUIET)},
            )  # fmt: skip
            self._runners.append(made.remote())
        started = [
            one.start.remote(rank, node, places.nodes.count(node), *self._about)
            for rank, (node, one) in enumerate(zip(places.nodes, self._runners, strict=True))
        ]
        try:
            wrong = self._ray.get(started, timeout=START_SECONDS)
        except self._ray.exceptions.RayError as error:
            text = f"a node cannot run workers: {str(error).splitlines()[-1]}"
            raise MXNetError(problem("workers", None, text, "is mxcy installed there?")) from None
        for rank, text in enumerate(wrong):
            if text:
                raise MXNetError(problem(f"worker {rank}", None, text))
            self._ask(rank)

    def _ask(self, rank: int) -> None:
        self._asked[self._runners[rank].read.remote(READ_SECONDS)] = rank

    def codes(self) -> list[int | None]:
        """The exit code of each, None while it runs; waits until one has something to say."""
        if self._asked:
            ready, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=READ_SECONDS)
            for reference in ready:
                self._take(self._asked.pop(reference), reference)
        return list(self._codes)

    def _take(self, rank: int, reference: Any) -> None:
        try:
            lines, code = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            lines, code = [(2, b"the machine of this worker, or Ray's process on it, is gone")], -9
        for stream, line in lines:
            os.write(stream, b"[%d] %s\n" % (rank, line))
        self._codes[rank] = code
        if code is None:
            self._ask(rank)

    def end(self) -> None:
        """End those that are left, and their actors."""
        for runner, code in zip(self._runners, self._codes, strict=False):
            if code is None:
                runner.stop.remote()
        until = time.monotonic() + 2 * GRACE_SECONDS + REST_SECONDS
        while self._asked and time.monotonic() < until:
            self.codes()
        for runner in self._runners:
            self._ray.kill(runner)


class Runner:
    """Body of the actor of one worker."""

    def __init__(self) -> None:
        self._lines: queue.Queue[tuple[int, bytes]] = queue.Queue(LINES)  # stream 0: the exit code
        self._guard: subprocess.Popen | None = None

    def start(self, rank: int, node: str, beside: int, job: str, program: list[str],
              directory: str | None, environment: dict[str, str]) -> str | None:  # fmt: skip
        """Start the program; return what is wrong, if something is."""
        if directory is not None and not os.path.isdir(directory):
            return f"no folder {directory} on node {node}; see --working-dir and --upload"
        folder = private_folder()
        own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        # `python` is the one that Ray runs.
        own["PATH"] = os.path.dirname(sys.executable) + os.pathsep + own.get("PATH", os.defpath)
        own = threads_of(beside) | own | environment | Job.of(job).environment(rank, node, folder)
        coming, status = os.pipe()
        command = [sys.executable, "-IS", guard.__file__, str(status), folder, *program]
        pipe = subprocess.PIPE
        self._guard = subprocess.Popen(command, env=own, cwd=directory, stdin=pipe, stdout=pipe, stderr=pipe,
                                       pass_fds=(status,))  # fmt: skip
        os.close(status)
        self._guard.wait()  # it has forked
        threading.Thread(target=self._follow, args=(coming,), daemon=True).start()
        return None

    def _follow(self, coming: int) -> None:
        """Hand over lines, and the code in the end."""
        assert self._guard is not None
        streams = {1: self._guard.stdout, 2: self._guard.stderr}
        readers = [
            threading.Thread(target=self._hand_over, args=pair, daemon=True) for pair in streams.items()
        ]
        for reader in readers:
            reader.start()
        with open(coming, "rb") as status:
            code = status.read() or b"-9"  # the guard was killed
        for reader in readers:
            reader.join(REST_SECONDS)
        self._lines.put((0, code))

    def _hand_over(self, number: int, stream: Any) -> None:
        while line := stream.readline(LINE):
            self._lines.put((number, line.removesuffix(b"\n")))

    def read(self, seconds: float) -> tuple[list[tuple[int, bytes]], int | None]:
        """Return what was written, and the exit code if there is nothing more; waits so long for a line."""
        found: list[tuple[int, bytes]] = []
        try:
            found.append(self._lines.get(timeout=seconds))
            while len(found) < LINES:
                found.append(self._lines.get_nowait())
        except queue.Empty:
            pass
        if found and found[-1][0] == 0:
            return found[:-1], int(found[-1][1])
        return found, None

    def stop(self) -> None:
        """Let the guard end the program."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()


def threads_of(beside: int) -> dict[str, str]:
    """Threads of a worker's engine where so many share a machine."""
    return {"MXCY_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // beside))}
