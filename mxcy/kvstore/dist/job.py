"""`Job`: what a worker process is told about its job, and how it finds it.

A process that `mxcy launch` starts finds the path of a file in `MXCY_KVSTORE_JOB`, which only its user can
read: it holds the keys of the job. Its number is in `MXCY_KVSTORE_RANK`.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...errors import ArgumentError, FormatError, message, problem
from .membership import Options
from .service import Ticket

__all__ = ["Job", "from_environment", "options_for", "private_folder"]

LEVELS = ("sequential", "eventual")


@dataclass
class Job:
    """A running job, as its workers see it.

    Attributes
    ----------
    ticket : the keys.
    options : how it behaves.
    coordinator : its endpoint.
    aggregators : endpoint by machine, if there are several machines.
    """

    ticket: Ticket
    options: Options
    coordinator: str
    aggregators: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as text; without the servers' secret."""
        return json.dumps(asdict(replace(self, ticket=self.ticket.for_workers())))

    @staticmethod
    def of(text: str) -> Job:
        """Return what `to_json` gave."""
        try:
            found: dict[str, Any] = json.loads(text)
            options = Options.of(found["options"])
            return Job(Ticket(**found["ticket"]), options, found["coordinator"], found["aggregators"])
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                problem("KVStore", "MXCY_KVSTORE_JOB", f"not a job's file: {error!r}")
            ) from None

    def environment(self, rank: int, machine: str, folder: str) -> dict[str, str]:
        """Write the file, and return the variables that a worker needs."""
        path = os.path.join(folder, f"job-{rank}.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as stream:
            stream.write(self.to_json())
        return {
            "MXCY_KVSTORE_JOB": path,
            "MXCY_KVSTORE_RANK": str(rank),
            "MXCY_KVSTORE_MACHINE": machine,
            # What programs written for MXNet read.
            "DMLC_ROLE": "worker",
            "DMLC_NUM_WORKER": str(self.options.workers),
            "DMLC_NUM_SERVER": str(self.options.servers),
            "DMLC_WORKER_ID": str(rank),
        }


def private_folder() -> str:
    """Make a folder that only this user can read."""
    return tempfile.mkdtemp(prefix="mxcy-job-")


def from_environment() -> tuple[Job, int, str] | None:
    """Return (job, rank, machine) if this process was launched."""
    path = os.environ.get("MXCY_KVSTORE_JOB")
    if path is None:
        return None
    try:
        with open(path) as stream:
            text = stream.read()
    except OSError as error:
        hint = "start programs by mxcy launch, or unset it"
        raise FormatError(problem("KVStore", "MXCY_KVSTORE_JOB", str(error), hint)) from None
    return Job.of(text), int(os.environ["MXCY_KVSTORE_RANK"]), os.environ["MXCY_KVSTORE_MACHINE"]


def options_for(kind: str, base: Options, consistency: Any = None, staleness: int | None = None) -> Options:
    """Return options with the consistency that a name of `create` stands for, or that is given."""
    level = "eventual" if "async" in kind else "sequential"
    levels = (level, level) if consistency is None else tuple(consistency)
    if len(levels) != 2 or any(one not in LEVELS for one in levels):
        expected = "a pair of 'sequential' and 'eventual', within and between machines"
        raise ArgumentError(message("create", "consistency", expected, repr(consistency)))
    if staleness is not None and (levels[1] != "eventual" or staleness < 0):
        raise ArgumentError(message("create", "staleness", "0 or more, with eventual consistency", staleness))
    return replace(base, kind=kind, levels=levels, staleness=staleness)
