"""Timing in turn: every round runs each contender once, so that what else the machine does hits all alike.

A contender is a function (timed here), or a `Timer` of a `Peer`: another interpreter that runs the same
script with `--peer`, waits for the name of a row on its standard input and answers with the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def seconds(
    function: Callable[[], object], loops: int = 1, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the time of one call."""
    start = clock()
    for _ in range(loops):
        function()
    return (clock() - start) / loops


class Peer:
    """A process of another interpreter that times functions when it is told to."""

    def __init__(self, environment: str, script: str, threads: int = 2):
        python = ROOT / ".peers" / environment / "bin" / "python"
        self.process = None
        if python.is_file():
            count = str(threads)
            self.process = subprocess.Popen(
                [python, script, "--peer", environment],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "OMP_NUM_THREADS": count, "OMP_WAIT_POLICY": "passive"},
            )  # fmt: skip

    def timer(self, name: str) -> Callable[[], float] | None:
        """Return a function that asks for the seconds of a row, or None if the peer is not there."""
        if self.process is None:
            return None

        def ask() -> float:
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            if not answer:
                raise SystemExit(f"the peer ended at row {name!r}")
            return float(answer)

        ask.is_timer = True
        return ask

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def serve(functions: dict[str, tuple[Callable[[], object], int]]) -> None:
    """Answer a `Peer`: `functions` maps names of rows to (function, loops)."""
    for line in sys.stdin:
        function, loops = functions[line.strip()]
        print(seconds(function, loops), flush=True)


class Table:
    """Rows of medians, or what `times` says; the first contender is ours, "x" the others' time over it."""

    def __init__(self, title: str, unit: str = "ms", times: str = "medians"):
        self.scale = {"ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
        self.unit = unit
        self.rows: list[dict] = []
        print(f"{title} ({unit}, {times}; 'x' is the other's time over ours)")

    def row(
        self,
        name: str,
        contenders: dict[str, Callable | None],
        loops: int = 1,
        rounds: int = 15,
        rest: float = 0,
    ) -> dict:
        """Run the contenders in turn and print their medians.

        `rest` is a pause before each, for thread pools that spin for a while when they have run.
        """
        present = {key: function for key, function in contenders.items() if function is not None}
        times: dict[str, list[float]] = {key: [] for key in present}
        for number in range(rounds + 2):
            for key, function in present.items():
                time.sleep(rest)
                taken = function() if getattr(function, "is_timer", False) else seconds(function, loops)
                if number >= 2:  # the first rounds fill caches and pools
                    times[key].append(taken)
        medians = {key: statistics.median(values) for key, values in times.items()}
        ours = next(iter(medians))
        cells = [f"{ours} {medians[ours] * self.scale:9.3f}"]
        for key, value in list(medians.items())[1:]:
            cells.append(f"{key} {value * self.scale:9.3f} ({value / medians[ours]:5.2f}x)")
        print(f"  {name:34s} " + "   ".join(cells), flush=True)
        self.rows.append({"row": name, "seconds": medians})
        return medians


def arguments(description: str | None, *names: str) -> argparse.Namespace:
    """Parse `--json FILE`, options of these names with a text each and, for peers, `--peer NAME`."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    for name in names:
        parser.add_argument(f"--{name}")
    parser.add_argument("--json", type=Path, help="write the medians to this file")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    return parser.parse_args()


def finish(options: argparse.Namespace, *tables: Table) -> None:
    """Write the JSON file if one was asked for."""
    if options.json:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "cpus": os.cpu_count()}
        rows = [row for table in tables for row in table.rows]
        options.json.write_text(json.dumps({**machine, "rows": rows}, indent=1))
