"""Products that sums read are computed in the loop of the sum, and rounded as before."""

import numpy as np
import pytest
from mxcy._pointwise import compile_program, invoke

from mxcy import _array
from mxcy.dtypes import DTYPES, code_of

F32, F64, I32, F16 = (code_of(t) for t in ("f4", "f8", "i4", "f2"))
same = np.testing.assert_array_equal


def numbers(n, code, seed):
    found = np.random.default_rng(seed).normal(size=n) * 3 + 5
    return found.astype(DTYPES[code])


def computed(program, operands):
    return np.asarray(invoke(program, [_array.from_numpy(x) for x in operands])[0])


TIMES, PLUS, MINUS = np.multiply, np.add, np.subtract
SUMS = [  # steps over four operands, and the number of loops that are left of them
    ([(TIMES, (0, 1)), (TIMES, (2, 3)), (PLUS, (4, 5))], 1),
    ([(TIMES, (0, 1)), (TIMES, (2, 3)), (MINUS, (4, 5))], 1),
    ([(TIMES, (0, 1)), (PLUS, (4, 2)), (TIMES, (5, 3))], 2),
    ([(TIMES, (0, 1)), (MINUS, (4, 2)), (np.maximum, (5, 3))], 2),
    ([(TIMES, (0, 1)), (MINUS, (2, 4)), (PLUS, (3, 5))], 2),
    ([(TIMES, (0, 1)), (PLUS, (2, 4)), (PLUS, (5, 4)), (MINUS, (6, 3))], 4),  # read twice
    ([(TIMES, (0, 1)), (TIMES, (4, 2)), (PLUS, (3, 5))], 2),
]


@pytest.mark.parametrize("single", [(), (1,), (0, 2), (0, 1), (1, 3), (0, 1, 2, 3)], ids=str)
@pytest.mark.parametrize(("steps", "loops"), SUMS)
def test_products_in_sums_are_rounded_as_if_alone(steps, loops, single):
    for code, n in (F32, 1), (F32, 1500), (F64, 33), (F64, 20_000), (I32, 40), (F16, 40):
        operands = [numbers(1 if i in single else n, code, i) for i in range(4)]
        program = compile_program(4, steps, [3 + len(steps)], [code] * 4)
        assert f" {loops} steps" in repr(program) or code in (I32, F16)
        wide = [x.astype("f4") if code == F16 else x for x in operands]
        for function, (a, b) in steps:
            wide.append(function(wide[a], wide[b]))
        expected = wide[-1].astype("f2") if code == F16 else wide[-1]
        same(computed(program, operands), expected)
        apart = [np.repeat(x, 2)[::2] if x.size > 1 else x for x in operands]
        same(computed(program, apart), expected)


def test_no_product_is_read_after_a_result_took_its_place():
    steps = [(TIMES, (0, 1)), (PLUS, (0, 1)), (PLUS, (2, 1))]
    program = compile_program(2, steps, [3, 4], [F32, F32])
    a, b = (_array.from_numpy(np.full(2000, x, "f4")) for x in (3, 5))
    first, second = invoke(program, [a, b], [a, None])

    assert " 3 steps" in repr(program)
    same(np.asarray(first), np.full(2000, 8, "f4"))
    same(np.asarray(second), np.full(2000, 20, "f4"))
