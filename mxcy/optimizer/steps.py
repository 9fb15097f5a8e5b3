"""Steps of optimizers: the updates of all parameters as one operation of the engine.

A step says what it reads and writes, which of its numbers change from one time to the next (rates), and all
else that it depends on. When the same arrays are updated in the same way a second time, what is pushed is
recorded, with the changing numbers as elements of an array; from then on an update of any number of
parameters writes that array, if the numbers have changed, and pushes the record. Records are kept here and
not in the optimizer, whose fields are what programs save and copy. Most updates are those of the time
before down to their numbers: they push the record without asking what each step does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, is_
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from .. import autograd, ops
from .. import ndarray as nd
from .._segment import Recording, Segment
from ..ndarray import NDArray
from ..ops._update import plain_numbers
from .optimizer import Optimizer

__all__ = ["Step", "Stepping", "changes", "step_of"]

SHORT_NS = 300_000  # what takes less is done sooner here than handed to another thread
_MOST = 4096  # records of one optimizer: programs that update one parameter at a time have one for each

# Numbers of update operators that change from step to step; the others are settings.
CHANGING = frozenset({"lr", "wd", "eta", "first", "second"})
SINGLE = np.float32


class Step(NamedTuple):
    """One update of a parameter.

    `run(numbers)` pushes it, with `numbers` as floats or as arrays of one element; None means those of the
    step, and that arguments are to be checked.
    """

    run: Callable[[Mapping[str, Any] | None], None]
    arrays: tuple[NDArray, ...]  # what it reads and writes
    numbers: dict[str, float]  # what may be others next time
    rest: tuple  # what else it depends on
    dtype: Any  # that of its numbers as arrays; None: it cannot be recorded


class Record:
    """The last steps with some arrays, and their segment from the second time on."""

    __slots__ = ("arrays", "asked", "cells", "parameters", "rest", "segment", "values")

    def __init__(self, arrays: list[NDArray], rest: list[tuple]):
        self.arrays = arrays
        self.rest = rest
        self.segment: Segment | bool | None = None  # False: it cannot be recorded
        self.cells: dict[Any, NDArray] = {}  # the numbers of all steps, by the dtype that they have there
        self.values: list[float] = []
        self.parameters: tuple[list, list, list] = [], [], []  # weights, gradients, states of the last steps
        self.asked: Any = None  # all else that decided them

    def repeats(self, weight: Sequence, grad: Sequence, state: Sequence) -> bool:
        """Whether the last steps were those of these parameters."""
        weights, gradients, states = self.parameters
        same = len(weight) == len(weights) and all(map(is_, weight, weights))
        return same and all(map(is_, grad, gradients)) and all(map(is_, state, states))

    def fits(self, arrays: list[NDArray], rest: list[tuple]) -> bool:
        """Whether these steps are those of the record but for their numbers."""
        return rest == self.rest and len(arrays) == len(self.arrays) and all(map(is_, arrays, self.arrays))

    def record(self, steps: Sequence[Step]) -> None:
        """Make the segment."""
        context = self.arrays[0].context
        count = sum(len(step.numbers) for step in steps)
        self.cells = {
            dtype: nd.zeros((max(count, 1),), ctx=context, dtype=dtype) for dtype in {s.dtype for s in steps}
        }
        places: list[dict[str, NDArray]] = []
        place = 0
        for step in steps:
            cells = self.cells[step.dtype]
            places.append({name: cells[place + i : place + i + 1] for i, name in enumerate(step.numbers)})
            place += len(step.numbers)

        def push() -> None:
            for step, numbers in zip(steps, places, strict=True):
                step.run(numbers)

        recording = Recording()
        self.segment = recording.add(push, "in an update of parameters") and recording.finish()
        if isinstance(self.segment, Segment):
            self.segment.here = self.segment.cost_ns < SHORT_NS

    def run(self, steps: Sequence[Step]) -> None:
        """Push the segment with the numbers of these steps."""
        values = list(chain.from_iterable([step.numbers.values() for step in steps]))
        if values != self.values:
            for dtype, cells in self.cells.items():
                cells[:] = np.array(values, dtype)
            self.values = values
        self.segment.run()  # type: ignore[union-attr]


_records: WeakKeyDictionary[Any, dict[int, Record]] = WeakKeyDictionary()


def take(optimizer: Any, steps: Sequence[Step]) -> Record | None:
    """Run the steps of an optimizer, as one operation if it has run them before; return their record."""
    if autograd.is_recording() or any(step.dtype is None for step in steps):
        for step in steps:
            step.run(None)
        return None
    known = _records.setdefault(optimizer, {})
    arrays = [x for step in steps for x in step.arrays]
    rest = [step.rest for step in steps]
    record = known.get(id(arrays[0]))
    if record is None or not record.fits(arrays, rest):
        for step in steps:
            step.run(None)
        if len(known) >= _MOST:
            known.clear()
        known[id(arrays[0])] = Record(arrays, rest)
        return None
    if record.segment is None:
        record.record(steps)
    if record.segment is False:
        for step in steps:
            step.run(None)
        return None
    record.run(steps)
    return record


def step_of(name: str, arrays: tuple[NDArray, ...], attrs: dict[str, Any]) -> Step:
    """The step that an update operator makes of (weight, gradient, states); `attrs` holds its attributes."""
    op: Any = ops.lookup(name)
    weight = arrays[0]
    numbers = attrs if op.numbers is plain_numbers else op.numbers(attrs)
    changing, rest = {}, [op]
    for key, value in numbers.items():
        if key in CHANGING:
            changing[key] = value
        else:
            rest.append(value)

    def run(given: Mapping[str, Any] | None) -> None:
        if given is None:
            op(*arrays, out=weight, **attrs)
        else:
            op.run(arrays, {**op.numbers(attrs), **given}, weight)

    dtype = SINGLE if op.full else weight.dtype
    return Step(run, arrays, changing, tuple(rest), dtype if all_dense(arrays) else None)


def all_dense(arrays: Sequence[NDArray]) -> bool:
    """Whether what is pushed for arrays does not depend on which elements sparse ones keep."""
    return all(x.stype == "default" for x in arrays)


def changes(change: Callable[..., None], arrays: tuple[NDArray, ...], numbers: dict[str, float],
            rest: tuple = ()) -> Step:  # fmt: skip
    """The step that a function of numbers makes by operators; `rest` is what else it depends on."""
    dtypes = {x.dtype for x in arrays}

    def run(given: Mapping[str, Any] | None) -> None:
        change(**(numbers if given is None else given))

    fixed = len(dtypes) == 1 and all_dense(arrays)
    return Step(run, arrays, numbers, rest, dtypes.pop() if fixed else None)


class Stepping(Optimizer):
    """Base class of optimizers that update a parameter by a step.

    A subclass defines `_step(index, weight, grad, state, copied, lr, wd)`. If it `copies`, it has operators
    for half-precision weights, and with `copied` the state is (state, float32 copy), or with `copy_first`
    the other way round. `settings` names the fields that decide a step together with rates and how gradients
    are scaled; None says that more does, such as the number of updates.
    """

    copies = copy_first = False
    one_dtype = False  # whether the weights of a list have to have one dtype
    settings: ClassVar[tuple[str, ...] | None] = None
    _asked: ClassVar[Any] = None  # reads those fields, and how gradients are scaled

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        own = cls.__dict__
        if "settings" in own:
            cls._asked = attrgetter("rescale_grad", "clip_gradient", *own["settings"])
        elif "_step" in own or "_take" in own:
            cls._asked = None

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """See `Optimizer.create_state_multi_precision`."""
        found = super().create_state_multi_precision(index, weight)
        turned = self.copies and not self.copy_first and self._has_copy(weight)
        return found[::-1] if turned else found

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """See `Optimizer.update`."""
        self._update(index, weight, grad, state, False)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """See `Optimizer.update_multi_precision`."""
        copied = self.multi_precision and any(
            map(self._has_copy, weight if isinstance(index, (list, tuple)) else [weight])
        )
        if copied and self.copies:
            self._update(index, weight, grad, state, True)
        elif copied or type(self).update is not Stepping.update:
            super().update_multi_precision(index, weight, grad, state)
        else:
            self._update(index, weight, grad, state, False)

    @property
    def takes_lists(self) -> bool:
        """Whether any number of parameters may be given at once."""
        return type(self).update is Stepping.update

    def _update(self, index: Any, weight: Any, grad: Any, state: Any, precise: bool) -> None:
        if isinstance(index, (list, tuple)):
            self._take(index, weight, grad, state, precise)
        else:
            self._take([index], [weight], [grad], [state], precise)

    def _take(
        self, index: Sequence, weight: Sequence, grad: Sequence, state: Sequence, precise: bool
    ) -> None:
        """Update parameters; `precise` says that the copies of half-precision weights are updated."""
        self._update_count(index)
        lrs, wds = self._rates_of(index)
        asked = None if self._asked is None else (self._asked(self), lrs, wds, precise)
        record = None if asked is None else _records.get(self, {}).get(id(weight[0]) if weight else 0)
        if record is not None and record.asked == asked and record.repeats(weight, grad, state):
            if not autograd.is_recording():
                record.segment.run()  # type: ignore[union-attr]
                return
        record = take(self, [
            self._step(*given, precise and self._has_copy(given[1]), lr, wd)
            for given, lr, wd in zip(zip(index, weight, grad, state, strict=True), lrs, wds, strict=True)
        ])  # fmt: skip
        if record is not None and asked is not None:
            record.asked = asked
            record.parameters = list(weight), list(grad), list(state)

    def _fixed(self, *settings: Any) -> tuple:
        """What steps depend on besides rates: these settings, and how gradients are scaled."""
        return (type(self), *settings, self.rescale_grad, self.clip_gradient)

    def _step(
        self, index: Any, weight: NDArray, grad: NDArray, state: Any, copied: bool, lr: float, wd: float
    ) -> Step:
        raise NotImplementedError(f"{type(self).__name__} must define _step")
