"""Random engine programs: what a step does, how to push it, and what it means in a plain loop.

A step is data, so the same program can go to the engine and to the model. Both compute
`w = 3 * w + k + sum(reads)` modulo 2**64, which no other order of the steps would give.
"""

import random
from dataclasses import dataclass, field

from mxcy import _engine, _testing

WORDS = 3
MODULUS = 1 << 64
LANES = ("cpu", "cpu", "cpu", "io")
VALUE_ERROR = 1  # FailureKind of native/op.hpp


class Deliberate(Exception):
    """What a failing Python operation raises; its argument says which step it was."""


@dataclass
class Step:
    reads: list[int]
    writes: list[int]
    k: int
    python: bool = False
    fails: bool = False
    overwrites: bool = False
    options: dict = field(default_factory=dict)


def random_step(rng: random.Random, names: list[int], k: int) -> Step:
    """A step over some of the variables `names`; duplicates and reads that are also writes included."""
    step = Step(
        reads=rng.choices(names, k=rng.randint(0, 4)),
        writes=rng.choices(names, k=rng.choice((1, 1, 1, 2, 3))),
        k=k,
        python=rng.random() < 0.15,
        fails=rng.random() < 0.03,
        overwrites=rng.random() < 0.2,
    )
    step.options["priority"] = rng.randint(-3, 3)
    step.options["nbytes"] = rng.choice((0, 100, 10**6))
    step.options["lane"] = rng.choice(LANES)
    if not step.python:
        # Run at the push, by workers and who waits, or by workers only.
        step.options["cost_ns"] = rng.choice((10, 1e6, 1e9))
        step.options["spin_ns"] = rng.choice((0, 0, 0, 20_000))
        step.options["grain"] = rng.choice((0, 0, 1))
    return step


class Engine:
    """Variables of the real engine, under names that outlive them."""

    def __init__(self, names):
        self.variables = {}
        for name in names:
            self.renew(name)

    def renew(self, name):
        """Drop the handle, whatever is pending, and take a fresh variable."""
        self.variables[name] = _engine.Var(8 * WORDS)
        _testing.zero(self.variables[name])

    def push(self, step: Step, engine=_engine):
        reads = [self.variables[name] for name in step.reads]
        writes = [self.variables[name] for name in step.writes]
        try:
            if step.python:
                self._push_python(step, reads, writes, engine)
            else:
                fail = VALUE_ERROR if step.fails else 0
                _testing.mix(writes, reads, step.k, fail=fail, overwrites=step.overwrites, **step.options)
        except (Deliberate, ValueError) as error:
            assert error_number(error) == step.k, "a step raises at its push only what it did itself"

    def _push_python(self, step, reads, writes, engine):
        def operation():
            if step.fails:
                raise Deliberate(step.k)
            _testing.compute(writes, reads, step.k, overwrites=step.overwrites)

        engine.push(operation, reads, writes, overwrites=step.overwrites, **step.options)

    def result(self, name):
        """The words of a variable, or the number of the step whose error it carries."""
        try:
            return _testing.words(self.variables[name])
        except (Deliberate, ValueError) as error:
            return error_number(error)


class Model:
    """The same as a plain loop."""

    def __init__(self, names):
        self.words = {}
        self.errors = {}
        for name in names:
            self.renew(name)

    def renew(self, name):
        self.words[name] = [0] * WORDS
        self.errors[name] = None

    def push(self, step: Step):
        inputs = step.reads if step.overwrites else step.reads + step.writes
        error = next((self.errors[name] for name in inputs if self.errors[name] is not None), None)
        if error is None and step.fails:
            error = step.k
        if error is None:
            self._compute(step)
        for name in step.writes:
            if step.overwrites or self.errors[name] is None:
                self.errors[name] = error

    def _compute(self, step):
        for i in range(WORDS):
            total = step.k + sum(self.words[name][i] for name in step.reads)
            for name in step.writes:
                before = 0 if step.overwrites else 3 * self.words[name][i]
                self.words[name][i] = (before + total) % MODULUS

    def result(self, name):
        return self.words[name] if self.errors[name] is None else self.errors[name]


def error_number(error: BaseException) -> int:
    """Which step an error came from."""
    if isinstance(error, Deliberate):
        return error.args[0]
    return int(str(error).rsplit(" ", 1)[1])


def forget_errors():
    """Wait for everything; errors that nobody reads are part of the programs."""
    try:
        _engine.waitall()
    except (Deliberate, ValueError):
        pass
