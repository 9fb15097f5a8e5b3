"""What the engine costs: variables, pushes, hand-over to a worker, chains, and parallel_for.

    python benchmarks/engine.py [--json FILE]

The operations do next to nothing, so that these are the engine's own times. Beside them, where there is one,
what the standard library takes for the same: a thread pool's `submit(...).result()`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from _turns import Table, arguments, finish

from mxcy import _engine, _testing

SMALL, BIG = 1.0, 1e9  # cost_ns: inline, queued
COUNT = 2000


def zeros(words: int = 2) -> _engine.Var:
    var = _engine.Var(8 * words)
    _testing.zero(var)
    return var


def timer(function: Callable[[], float]) -> Callable[[], float]:
    """Marks a function that returns the seconds that it has measured itself."""
    function.is_timer = True
    return function


def looped(function: Callable, *operands: object) -> Callable[[], float]:
    """Seconds per call of a function that loops COUNT times by itself; its last argument is the count."""

    @timer
    def measure() -> float:
        start = time.perf_counter()
        function(*operands, COUNT)
        taken = time.perf_counter() - start
        _engine.waitall()
        return taken / COUNT

    return measure


def push_inline(a, b, c, count):
    _testing.push_times(a, b, c, count, SMALL)


def push_queued(a, b, c, count):
    _testing.push_times(a, b, c, count, BIG)


def behind_a_gate(a, b, c, *, until_done: bool) -> Callable[[], float]:
    """Pushes behind an operation that still runs: the pushes alone, or from its end to the last one."""

    @timer
    def measure() -> float:
        _testing.mix([a], [], 0, spin_ns=10_000_000, nbytes=0)
        start = time.perf_counter()
        push_queued(a, b, c, COUNT)
        pushed = time.perf_counter()
        _engine.wait(a)
        released = time.perf_counter()
        _engine.wait(c)
        end = time.perf_counter()
        return ((end - released) if until_done else (pushed - start)) / COUNT

    return measure


def small_parts(table: Table) -> None:
    a, b, c = zeros(), zeros(), zeros()
    table.row("variable with buffer, made and dropped", {"mxcy": looped(_testing.make_variables, 64)})
    table.row("push, 2 reads 1 write, runs inline", {"mxcy": looped(push_inline, a, b, c)})
    table.row("push, queued, nothing completes", {"mxcy": behind_a_gate(a, b, c, until_done=False)})
    table.row("push, queued, workers complete", {"mxcy": looped(push_queued, a, b, c)})
    table.row("chain of dependent operations", {"mxcy": behind_a_gate(a, b, c, until_done=True)})


def hand_over(table: Table) -> None:
    a, b, c = zeros(), zeros(), zeros()
    with ThreadPoolExecutor(2) as pool:

        def submit(count):
            for _ in range(count):
                pool.submit(int).result()

        table.row(
            "one operation to a worker and back",
            {"mxcy": looped(_testing.round_trips, a, b, c), "ThreadPoolExecutor": looped(submit)},
        )


def split_loop(table: Table) -> None:
    words = 1 << 20
    a, b = zeros(words), zeros(words)

    def run(grain: int) -> Callable[[], None]:
        def add() -> None:
            _testing.mix([a], [b], 1, grain=grain)
            _engine.wait(a)

        return add

    table.row("2^20 words, parallel_for and one thread", {"split": run(1 << 14), "one thread": run(0)})


def main() -> None:
    options = arguments(__doc__)
    tables = [Table("parts", "ns"), Table("hand-over", "us"), Table("one operation split", "us")]
    for table, measure in zip(tables, (small_parts, hand_over, split_loop), strict=True):
        measure(table)
    finish(options, *tables)


if __name__ == "__main__":
    main()
