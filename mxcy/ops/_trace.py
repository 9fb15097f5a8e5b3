"""Tracing of elementwise bodies into short programs.

A body such as `return ufunc.exp(x) - 1` is called once with tracer values, which write down what is done
to them.  The result, a `Trace`, is plain data: the CPU's block machine compiles it for the dtypes at hand,
and a generator of GPU kernels can read the same steps.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._pointwise import Const, Program, compile_program
from ..dtypes import code_of

__all__ = ["SCALAR", "Trace", "Value", "cast", "own", "resolve", "trace", "ufunc"]


class Step(NamedTuple):
    """One call: the name of a ufunc (or of an own loop) and its operands."""

    function: str
    operands: tuple  # value numbers (inputs first, then results of the steps), or Const


class Trace(NamedTuple):
    """The steps of a body; `outputs` are value numbers.

    The last inputs are `derived` from others at each call: (function, operands), where operands are numbers
    of inputs, or Const.
    """

    inputs: int
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    derived: tuple[tuple[Callable, tuple], ...] = ()

    def derive(self, values: list) -> list:
        """The inputs with those that are derived from them."""
        for function, operands in self.derived:
            values.append(function(*[o.value if isinstance(o, Const) else values[o] for o in operands]))
        return values

    def compile(
        self, in_dtypes: list, out_dtypes: list | None = None, rules: str = "nd", name: str | None = None,
        flushes: bool = False,
    ) -> Program:
        """Return the CPU program for inputs of these dtype codes (or, for Python scalars, types)."""
        steps = [(resolve(step.function, rules), list(step.operands)) for step in self.steps]
        return compile_program(self.inputs, steps, list(self.outputs), in_dtypes, out_dtypes, name, flushes)


class Value:
    """What a body sees instead of an array: a number in the program being written."""

    __slots__ = ("dtype", "number", "recorder")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recorder: "Recorder", number: int, dtype: np.dtype | None = None):
        self.recorder = recorder
        self.number = number
        self.dtype = dtype  # of inputs; None for results

    @property
    def is_integer(self) -> bool:
        """Whether this input holds integers or booleans: bodies may compute those another way."""
        return self.dtype is not None and self.dtype.kind in "iub"

    def __add__(self, other):
        return ufunc.add(self, other)

    def __radd__(self, other):
        return ufunc.add(other, self)

    def __sub__(self, other):
        return ufunc.subtract(self, other)

    def __rsub__(self, other):
        return ufunc.subtract(other, self)

    def __mul__(self, other):
        return ufunc.multiply(self, other)

    def __rmul__(self, other):
        return ufunc.multiply(other, self)

    def __truediv__(self, other):
        return ufunc.true_divide(self, other)

    def __rtruediv__(self, other):
        return ufunc.true_divide(other, self)

    def __floordiv__(self, other):
        return ufunc.floor_divide(self, other)

    def __mod__(self, other):
        return ufunc.remainder(self, other)

    def __pow__(self, other):
        return ufunc.power(self, other)

    def __neg__(self):
        return ufunc.negative(self)

    def __eq__(self, other):
        return ufunc.equal(self, other)

    def __ne__(self, other):
        return ufunc.not_equal(self, other)

    def __lt__(self, other):
        return ufunc.less(self, other)

    def __le__(self, other):
        return ufunc.less_equal(self, other)

    def __gt__(self, other):
        return ufunc.greater(self, other)

    def __ge__(self, other):
        return ufunc.greater_equal(self, other)

    def __and__(self, other):
        return ufunc.logical_and(self, other)

    def __bool__(self):
        raise TypeError("the body of an elementwise operator cannot branch on values; use where")


class Number(Value):
    """A number given at run time, or one that follows from such numbers: a body computes with those before
    it runs, so that arrays stay in their dtype (to NumPy, what a step computes is no Python number).
    """

    __slots__ = ()

    def __add__(self, other):
        return self.recorder.number(operator.add, Value.__add__, self, other)

    def __radd__(self, other):
        return self.recorder.number(operator.add, Value.__radd__, other, self)

    def __sub__(self, other):
        return self.recorder.number(operator.sub, Value.__sub__, self, other)

    def __rsub__(self, other):
        return self.recorder.number(operator.sub, Value.__rsub__, other, self)

    def __mul__(self, other):
        return self.recorder.number(operator.mul, Value.__mul__, self, other)

    def __rmul__(self, other):
        return self.recorder.number(operator.mul, Value.__rmul__, other, self)

    def __truediv__(self, other):
        return self.recorder.number(operator.truediv, Value.__truediv__, self, other)

    def __rtruediv__(self, other):
        return self.recorder.number(operator.truediv, Value.__rtruediv__, other, self)

    def __neg__(self):
        return self.recorder.number(operator.neg, Value.__neg__, self)


class Recorder:
    """Collects the steps of one body; `room` inputs at the end are there for numbers that are derived."""

    def __init__(self, dtypes: list, room: int = 0):
        self.dtypes = [*dtypes, *[None] * room]
        self.given = len(dtypes)
        self.steps: list[Step] = []
        self.derived: list[tuple[Callable, tuple]] = []

    def number(self, function: Callable, step: Callable, *operands: Any) -> Value:
        """The number that a function makes of these, or, with an array among them, the step for it."""
        if any(isinstance(o, Value) and not isinstance(o, Number) for o in operands):
            first, second = operands
            return step(first, second) if isinstance(first, Number) else step(second, first)
        self.derived.append(
            (function, tuple([o.number if isinstance(o, Value) else Const(o) for o in operands]))
        )
        return Number(self, self.given + len(self.derived) - 1)

    def call(self, name: str, operands: tuple) -> Value:
        entries = [o.number if isinstance(o, Value) else Const(o) for o in operands]
        self.steps.append(Step(name, tuple(entries)))
        return Value(self, len(self.dtypes) + len(self.steps) - 1)


class Functions:
    """`ufunc.<name>` in bodies: ufuncs of NumPy and scipy.special.  `own.<name>`: the machine's loops."""

    def __init__(self, prefix: str = ""):
        self.__dict__["prefix"] = prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = self.prefix + name

        def record(*operands: Any) -> Value:
            recorder = next(o.recorder for o in operands if isinstance(o, Value))
            return recorder.call(full, operands)

        record.__name__ = name
        self.__dict__[name] = record
        return record


OWN, CAST = "own.", "cast."
ufunc = Functions()
own = Functions(OWN)  # comparisons and logic here give 0 and 1 in the dtype of their operands, as MXNet's do


def cast(value: Value, dtype: np.dtype) -> Value:
    """Inside a body: the value converted to another dtype."""
    made = value.recorder.call(CAST + dtype.name, (value,))
    made.dtype = dtype
    return made


def trace(body: Any, dtypes: list, arguments: dict, derives: bool = False) -> Trace:
    """Return the trace of a body whose first arguments are arrays of these dtypes.

    `arguments` holds the others by name; `SCALAR` there stands for a number given at run time, for which
    `dtypes` has an entry at its end: None, or the dtype of an array of one element. If the trace `derives`,
    what the body computes of numbers alone becomes an input.
    """
    found = _traced(body, dtypes, arguments, derives, 0)
    if found.derived:
        found = _traced(body, dtypes, arguments, derives, len(found.derived))
    return found


def _traced(body: Any, dtypes: list, arguments: dict, derives: bool, room: int) -> Trace:
    recorder = Recorder(dtypes, room)
    tensors = len(dtypes) - sum(1 for value in arguments.values() if value is SCALAR)
    values = [
        (Number if derives and number >= tensors and dtype is None else Value)(recorder, number, dtype)
        for number, dtype in enumerate(dtypes)
    ]
    scalars = iter(values[tensors:])
    bound = {name: next(scalars) if value is SCALAR else value for name, value in arguments.items()}
    result = body(*values[:tensors], **bound)
    results = result if isinstance(result, tuple) else (result,)
    outputs = []
    for value in results:
        if value.number < len(recorder.dtypes):  # the body returned its argument
            value = recorder.call("positive", (value,))
        outputs.append(value.number)
    return Trace(len(recorder.dtypes), tuple(recorder.steps), tuple(outputs), tuple(recorder.derived))


SCALAR = object()  # in trace(): this argument is a number given at run time


def resolve(name: str, rules: str = "nd") -> Any:
    """Return the ufunc of a name (NumPy's, else scipy.special's), or the name of an own loop.

    By NumPy's rules a comparison is NumPy's own, which gives booleans.
    """
    if name.startswith(CAST):
        return ("cast", code_of(name[len(CAST) :]))
    if name.startswith(OWN):
        name = name[len(OWN) :]
        if rules == "nd" or not hasattr(np, name):
            return name
    found = getattr(np, name, None)
    if not isinstance(found, np.ufunc):
        import scipy.special  # imported on first use: it takes longer than NumPy itself

        found = getattr(scipy.special, name)
    return found
