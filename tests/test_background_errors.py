"""Errors of operations in the background: parameters of distributions are checked when numbers are drawn.

MXNet documents that programs catch these at `asnumpy`, `wait_to_read` and `waitall`.
"""

import gc
import weakref

import pytest

import mxcy as mx
from mxcy import nd
from mxcy.gluon import nn

pytestmark = pytest.mark.skipif(
    mx.engine.name() == "serial", reason="the serial engine raises at the call, as MXNet's NaiveEngine does"
)

DRAWS = [
    lambda: nd.random.normal(0, -1, (2, 2)),
    lambda: nd.random_normal(0, -1, (2, 2)),
    lambda: nd.random.uniform(2, 1, (2, 2)),
    lambda: nd.random.exponential(-1, (2, 2)),
    lambda: nd.random.poisson(-1, (2, 2)),
    lambda: nd.random.gamma(-1, 1, (2, 2)),
    lambda: nd.random.negative_binomial(2, 1.5, (2, 2)),
    lambda: nd.random.normal_like(nd.ones((2, 2)), scale=-1),
]


def wait_to_read(x):
    x.wait_to_read()


def asnumpy(x):
    x.asnumpy()


def waitall(x):
    nd.waitall()


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("read", [wait_to_read, asnumpy, waitall])
def test_the_error_is_raised_where_the_numbers_are_read(draw, read):
    product = nd.dot(nd.ones((2, 2)), draw())

    with pytest.raises(mx.MXNetError, match="expected") as error:
        read(product)
    assert "test_background_errors.py" in "".join(error.value.__notes__)  # which line asked for it
    nd.waitall()


def test_an_array_that_was_written_again_can_be_read():
    x = nd.random.normal(0, -1, (2, 2))
    x[:] = 1

    assert x.sum().asscalar() == 4
    with pytest.raises(mx.MXNetError):  # the error that nobody has seen
        nd.waitall()
    nd.waitall()


def test_networks_pass_it_on():
    net = nn.Sequential()
    net.add(nn.Dense(4, in_units=3), nn.Dropout(0.5))
    net.initialize()
    y = net(nd.random.normal(1, -1, (2, 3)))

    with pytest.raises(ValueError, match=r"random_normal\(scale\)"):
        y.wait_to_read()


def test_arguments_of_wrong_types_are_errors_at_the_call():
    with pytest.raises(TypeError):
        nd.random.normal("0", 1)
    with pytest.raises(ValueError, match="seed_state"):
        mx.random.seed("1")
    with pytest.raises(ValueError, match="seed_state"):
        mx.random.seed(None)


def test_an_array_with_an_error_that_was_read_is_freed():
    freed = []

    def read():
        x = nd.random.normal(0, -1, (2, 2))
        weakref.finalize(x, freed.append, True)
        with pytest.raises(mx.MXNetError):
            x.asnumpy()

    read()
    gc.collect()
    assert freed == [True]
