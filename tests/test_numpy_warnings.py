"""What NumPy warns of is warned of with the same words, and at the line of the program."""

import warnings

import numpy as onp
import pytest

import mxcy.numpy as np

# a, b: floats with NaN and zeros; large: near the end of the range; i, u, f, h, c: other dtypes; e: nothing;
# x: a result without axes; z: an array without axes.
STATEMENTS = """
a / b
a // b
divmod(a, b)
large ** 3
a /= b
b **= -1
i //= 0
i[:] = a[:3]
u[:] = a[:2]
u[:] = onp.array([300.0, 1.0])
f[:] = large
f[0] = 1e300
f[...] = 1e300
f[[0, 1]] = large
h[:] = onp.array([1e30, 2])
h += onp.float16(6e4)
a[:2] = c
f[:] = c
a[0] = c[0]
M.T[...] = c[0]
M[:, [0, 1]] = c
a[a > 0] /= 0
a[0] /= 0
np.asarray(a, dtype=int)
np.asarray(large, 'float32')
np.array(a, dtype=int)
a.astype(int)
c.astype(float)
np.copyto(i, a[:3], casting='unsafe')
x / 0
x // 0
x % 0
x ** -1
x * 1e308
0 / (x * 0)
z / 0
1 / z
z + 1j * a[3]
"""


def operands(np):
    return {
        "np": np, "onp": onp, "a": np.array([1.0, 0, -1, onp.nan]), "b": np.zeros(4), "z": np.zeros(()),
        "large": np.array([1e300, 1e308]), "i": np.array([1, 0, 3]), "c": np.array([1 + 2j, 3j]),
        "f": np.array([1e30, 2], dtype="float32"), "h": np.array([6e4, 2], dtype="float16"),
        "u": np.array([1, 2], "uint8"), "M": np.zeros((2, 3)), "x": np.array([3.0])[0],
    }  # fmt: skip


def said(statement, np):
    """What a statement warns of: class, text, file and line."""
    given = operands(np)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(f"\n{statement}", "program.py", "exec"), given)
    return [(w.category, str(w.message), w.filename, w.lineno) for w in caught]


@pytest.mark.parametrize("statement", STATEMENTS.strip().splitlines())
def test_warnings_are_those_of_numpy(statement):
    assert said(statement, np) == said(statement, onp)


@pytest.mark.parametrize("value", [onp.inf, 1e300])
def test_numbers_without_an_integer_are_refused_as_by_numpy(value):
    for kind in (np, onp):
        with pytest.raises((ValueError, OverflowError)):
            kind.zeros(3, int)[:] = kind.array([value])[0]
        with pytest.raises((ValueError, OverflowError)):
            kind.zeros(3, int)[0] = value
