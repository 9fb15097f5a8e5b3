"""Random programs of pointwise operations that wait together, and what becomes of them.

    python tests/fusion_cases.py FIRST LAST

prints the outcome of each seed as JSON. The outcome must not depend on how the operations ran:
pending ones in one pass, one by one (MXCY_FUSION=0), or each at its call (MXCY_ENGINE=serial).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import sys
import threading
import warnings

import numpy as np
from mxcy._pointwise import compile_program, invoke

from mxcy import _array, _engine
from mxcy.dtypes import code_of
from mxcy.errors import MXNetError

SHAPES = [(3, 5), (64, 33), (40, 1500), (1, 70_000), (700, 7), (30, 20, 11)]
FLOATS = {
    1: [np.sqrt, np.exp, np.tanh, np.negative, np.log, np.reciprocal, np.floor, "relu", "sigmoid"],
    2: [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.power, "less", "equal"],
}
INTEGERS = {
    1: [np.negative, np.absolute, np.sign],
    2: [np.add, np.subtract, np.multiply, np.maximum, np.power, "greater"],
}


class Held:
    """Keeps everything that uses some arrays waiting until `release`; nothing in the serial twin."""

    def __init__(self, arrays):
        self.opened = threading.Event()
        if _engine.engine() == "threaded":
            handles = [a.var_handle() for a in arrays]
            _engine.push(self.opened.wait, reads=handles, lane="io", name="hold")
            _engine.push(lambda: None, writes=handles, lane="io", name="free")

    def release(self):
        self.opened.set()


class RandomProgram:
    """Arrays of one shape and dtype in slots, and steps that replace or overwrite them."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.raises = seed % 4 == 0  # errstate raises at the call where there is no wait
        self.numbers = np.random.default_rng(seed)
        self.shape = self.rng.choice(SHAPES)
        self.dtype = np.dtype(self.rng.choice(["f4", "f4", "f8", "f2", "i4"]))
        self.slots = [self.fresh() for _ in range(4)]
        narrow = [self.shape[-1:], (self.shape[0], *(1,) * (len(self.shape) - 1))]
        self.constants = [_array.from_numpy(self.values(shape)) for shape in narrow]

    def values(self, shape):
        """Numbers of which a few make loops complain."""
        found = self.numbers.integers(-3, 60, shape) / (1 if self.dtype.kind == "i" else 8)
        return found.astype(self.dtype)

    def fresh(self):
        """A new array: in C order, turned, with gaps, or backwards."""
        kind = self.rng.randrange(8)
        turned = tuple(reversed(range(len(self.shape))))
        if kind == 0:
            return _array.from_numpy(self.values(self.shape[::-1]))._transpose_view(turned)
        if kind == 1:
            wide = _array.from_numpy(self.values((*self.shape[:-1], 2 * self.shape[-1])))
            return wide[..., ::2] if self.rng.random() < 0.5 else wide[..., : self.shape[-1]]
        if kind == 2:
            return _array.from_numpy(self.values(self.shape))[..., ::-1]
        return _array.from_numpy(self.values(self.shape))

    def operand(self):
        if self.rng.random() < 0.2:
            return self.rng.choice(self.constants)
        if self.rng.random() < 0.2:
            return self.rng.choice([2, 3]) if self.dtype.kind == "i" else self.rng.choice([0.5, 2.0, -1.5])
        return self.rng.choice(self.slots)

    def step(self):
        """Push one operation; the target is there before, so that an error stays with it."""
        kinds = INTEGERS if self.dtype.kind == "i" else FLOATS
        count = self.rng.choice([1, 2, 2])
        function = self.rng.choice(kinds[count])
        operands = [self.rng.choice(self.slots), self.operand()][:count]
        own_loop = isinstance(function, str)
        if own_loop and count == 2:
            operands[1] = self.rng.choice(self.slots)
        place = self.rng.randrange(len(self.slots))
        how = self.rng.random()
        if how < 0.6:
            target = _array.empty(self.shape, self.dtype)
        elif how < 0.7:
            target = self.fresh()
        else:
            target = self.slots[place]
        if how > 0.95:  # only a part of it
            rows = slice(0, (self.shape[0] + 1) // 2)
            target = target[rows]
            operands = [x[rows] if getattr(x, "ndim", 0) > 1 else x for x in operands]
        else:
            self.slots[place] = target
        code = code_of(self.dtype)
        types = [type(x) if isinstance(x, (int, float)) else code for x in operands]
        program = compile_program(count, [(function, range(count))], [count], types, [code])
        state = {"divide": "raise"} if self.raises and self.rng.random() < 0.1 else {}
        try:
            with np.errstate(**state):
                invoke(program, operands, [target])
        except MXNetError:
            pass  # its array keeps it

    def outcome(self):
        arrays = [*self.slots, *self.constants]
        held = Held(arrays)
        del arrays
        for _ in range(self.rng.randint(2, 25)):
            self.step()
        held.release()
        return [result_of(x) for x in self.slots]


def result_of(x):
    """A digest of the values, or the error. NaNs are alike: which of two a product keeps depends on where the
    loop ends."""
    try:
        found = np.array(x)
    except MXNetError as error:
        return f"{type(error).__name__}: {error}"
    if found.dtype.kind == "f":
        found[np.isnan(found)] = np.nan
    return hashlib.sha1(found.tobytes()).hexdigest()


def joined(events):
    """How many operations ran in one pass with the one before: it ends where they begin."""
    ran = sorted((start, end, thread) for _, lane, thread, start, end in events if lane in ("cpu", "caller"))
    return sum(a[1] == b[0] and a[2] == b[2] for a, b in itertools.pairwise(ran))


def run(seed):
    """The outcome of a seed: what each slot holds, and the warnings (those at a call are not the twin's)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = RandomProgram(seed).outcome()
        try:
            _engine.waitall()
        except MXNetError:
            pass  # of arrays that are gone
        while _engine.counters()["unseen_errors"]:
            try:
                _engine.waitall()
            except MXNetError:
                pass
    return {"slots": found, "warnings": sorted(str(w.message) for w in caught)}


if __name__ == "__main__":
    events = []
    if _engine.engine() == "threaded":
        _engine.set_hook(events.extend)
    outcomes = [run(seed) for seed in range(int(sys.argv[1]), int(sys.argv[2]))]
    print(json.dumps({"outcomes": outcomes, "joined": joined(events)}))
