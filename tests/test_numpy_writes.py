"""Whatever writes to an array waits for those who read it, and autograd knows that it has been written."""

import numpy as onp
import pytest

import mxcy as mx
import mxcy.numpy as np
from mxcy import autograd

# Statements that write to `o`, an array of three float64; x: 0 to 9, m: the identity of order 3.
WRITES = """
np.add(x[:3], 1, o)
np.add(x[:3], 1, out=o)
np.add.at(o, [0], 1.0)
np.add.reduce(m, 0, None, o)
np.add.accumulate(x[:3], 0, None, o)
np.add.reduceat(x, [0, 1, 2], 0, None, o)
np.modf(x[:3], o, np.zeros(3))
np.around(x[:3], 0, o)
np.choose(np.array([0, 1, 0]), [x[:3], x[3:6]], o)
np.clip(x[:3], 1, 2, o)
np.clip(x[:3], 1, 2, out=o)
np.compress(np.array([1, 1, 1]), x[:3], None, o)
np.concatenate([x[:1], x[:2]], 0, o)
np.cumsum(x[:3], 0, None, o)
np.dot(m, x[:3], o)
np.dot(m, x[:3], out=o)
np.einsum('ij,j', m, x[:3], out=o)
np.fft.irfft(x[:2] + 0j, 3, -1, None, o)
np.fix(x[:3], o)
np.isposinf(x[:3], o.view(bool)[:3])
np.matmul(m, x[:3], o)
np.mean(m, 0, None, o)
np.nansum(m, 0, None, o)
np.outer(x[:3], x[:1], o.reshape(3, 1))
np.ptp(m, 0, o)
np.quantile(m, 0.5, 0, o)
np.stack([x[0], x[1], x[2]], 0, o)
np.sum(m, 0, None, o)
np.take(x, np.array([1, 2, 3]), None, o)
np.vecdot(m, m, o)
np.array([0, 1, 0]).choose([x[:3], x[3:6]], o)
x[:3].clip(1, 2, o)
x[:3].compress(np.array([1, 1, 1]), None, o)
x[:3].cumsum(None, None, o)
x[:3].round(0, o)
x.take(np.array([1, 2, 3]), None, o)
x.take(np.array([1, 2, 3]), out=o)
m.all(0, o)
m.argmax(0, o.view(int))
m.dot(x[:3], o)
m.std(0, None, o)
m.sum(0, None, o)
m.trace(0, 0, 1, None, o[0:1].reshape(()))
np.copyto(o, x[:3])
np.fill_diagonal(o.reshape(3, 1), 3.0)
np.nan_to_num(o, False)
np.nan_to_num(o, copy=False)
np.place(o, np.array([True, False, True]), [3.0])
np.put(o, [0], 3.0)
np.put_along_axis(o, np.array([0]), 3.0, 0)
np.putmask(o, np.array([True, False, True]), 3.0)
np.random.shuffle(o)
np.random.default_rng(0).shuffle(o)
np.random.default_rng(0).permuted(o, out=o)
np.random.default_rng(0).random(3, 'd', o)
np.random.default_rng(0).random(out=o)
np.random.default_rng(0).standard_exponential(3, 'd', 'zig', o)
np.random.default_rng(0).standard_gamma(1.0, 3, 'd', o)
np.random.default_rng(0).standard_normal(3, 'd', o)
o.__iadd__(1)
o.__setitem__(0, 3.0)
o.__setitem__([0, 1], 3.0)
o.byteswap(True)
o.fill(3)
o.flat.__setitem__(0, 1)
o.partition(1)
o.put([0], 3.0)
o.setfield(3.0, float)
o.sort()
setattr(o, 'real', 3.0)
"""


@pytest.mark.parametrize("statement", WRITES.strip().splitlines())
def test_writes_are_counted(statement):
    o, a = np.zeros(3), np.ones(3)
    a.attach_grad()
    with autograd.record():
        y = (a * o).sum()
    eval(statement, {"np": np, "o": o, "x": np.arange(10.0), "m": np.eye(3)})

    with pytest.raises(mx.MXNetError, match="written"):
        y.backward()


LARGE = 1 << 20
# Statements that write zeros to `o`, an array of ones; z: zeros, i: positions.
LARGE_WRITES = """
np.take(z, i, None, o)
np.take(z, i, None, out=o)
z.take(i, None, o)
np.clip(z, 0, 1, o)
z.clip(0, 1, o)
np.cumsum(z, 0, None, o)
np.compress(z == 0, z, 0, o)
np.around(z, 0, o)
np.concatenate([z[:5], z[5:]], 0, o)
np.copyto(o, z)
np.putmask(o, z == 0, 0.0)
o.__isub__(1)
o.fill(0)
"""


@pytest.mark.parametrize("statement", LARGE_WRITES.strip().splitlines())
def test_writes_wait_for_those_who_read(statement):
    z, i = np.zeros(LARGE), np.arange(LARGE)
    for _ in range(3):
        o = np.ones(LARGE)
        read = np.tanh(np.exp(np.sin(o)))
        eval(statement, {"np": np, "o": o, "z": z, "i": i})

        assert (onp.asarray(read) == onp.tanh(onp.exp(onp.sin(onp.ones(1))))).all()
        assert not onp.asarray(o).any()
