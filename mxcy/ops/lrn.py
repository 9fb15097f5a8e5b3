"""Local response normalisation."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe, find


def sums_reference(x, nsize):
    reach = (nsize - 1) // 2
    channels = range(x.shape[1])
    return np.stack([x[:, max(c - reach, 0) : c + reach + 1].sum(1) for c in channels], 1)


def lrn_reference(x, nsize, alpha=1e-4, beta=0.75, knorm=2.0):
    return x * (knorm + alpha / nsize * sums_reference(x * x, nsize)) ** -beta


@layer(
    kinds="f",
    ref=lrn_reference,
    cases=[
        case(uniform(2, 7, 3, 2), nsize=5),
        case(uniform(2, 3, 4), nsize=3, alpha=0.5, beta=0.5, knorm=1.0),
        case(uniform(2, 4, 2, 2), nsize=4, alpha=0.3, beta=1.2),
        case(uniform(0, 3, 2, 2), nsize=3),
        raises(ArgumentError, uniform(1, 3, 2, 2), nsize=0, match="LRN(nsize): expected at least 1, got 0"),
        raises(ShapeError, uniform(3), nsize=3, match="LRN(data): expected at least 2 dimensions"),
    ],
)
class LRN:
    """x (knorm + alpha / nsize s)^-beta, where s is the sum of squares over nsize neighbouring channels.

    data: (n, channels, ...).  The channels within (nsize - 1) / 2 count, as far as there are any; an even
    nsize takes one less.  (Krizhevsky, Sutskever and Hinton, 2012.)
    """

    alpha: float = 1e-4
    beta: float = 0.75
    knorm: float = 2.0
    nsize: int

    def check(self):
        if self.nsize < 1:
            raise ArgumentError(message("LRN", "nsize", "at least 1", self.nsize))

    def written(self):
        return 2

    def infer(self, out, data):
        data = out if data is None else data
        if data is not None and len(data) < 2:
            raise ShapeError(message("LRN", "data", "at least 2 dimensions", describe(data)))
        return (data,), (data,)

    def forward(self, data, *, out):
        return kernels.lrn(data, self.nsize, self.alpha, self.beta, self.knorm, out=out)

    def backward(self, g, data):
        return _lrn_grad(g, data, **self.__dict__)


def lrn_grad_reference(g, x, nsize, alpha=1e-4, beta=0.75, knorm=2.0):
    s = knorm + alpha / nsize * sums_reference(x * x, nsize)
    back = sums_reference(g * x * s ** (-beta - 1), nsize)
    return g * s**-beta - 2 * alpha * beta / nsize * x * back


def lrn_grad_gradient(g, data, x, alpha, beta, knorm, nsize):
    """With s the base of the power, c = alpha / nsize, W the sums over neighbours and head h = g:

    g_x = data s^-b - 2 c b x W(data x s^(-b - 1)), differentiated by data and x.
    """
    power, c = find("_power_scalar"), alpha / nsize

    def sums(value):
        return _channel_sum(value, nsize=nsize)

    s = sums(x * x) * c + knorm
    p, q, r = (power(s, scalar=-beta - k) for k in (0, 1, 2))
    through = sums(g * x)
    of_data = g * p - x * q * through * (2 * c * beta)
    inner = sums(g * data * q) * x + g * sums(x * data * q) + through * data * q
    of_x = inner * (-2 * c * beta) + x * sums(through * x * data * r) * (4 * c * c * beta * (beta + 1))
    return of_data, of_x


@op(
    grad=lrn_grad_gradient,
    kinds="f",
    ref=lrn_grad_reference,
    cases=[
        case(uniform(2, 7, 3), uniform(2, 7, 3), nsize=5),
        case(uniform(2, 4, 2), uniform(2, 4, 2), nsize=3, alpha=0.5, beta=1.2, knorm=1.0),
    ],
)
def _lrn_grad(data, x, *, alpha: float = 1e-4, beta: float = 0.75, knorm: float = 2.0, nsize: int, out):
    """The gradient of LRN's input x from that of its output (`data`)."""
    return kernels.lrn_grad(data, x, nsize, alpha, beta, knorm, out=out)


@op(
    grad=lambda g, nsize: _channel_sum(g, nsize=nsize),
    kinds="f",
    ref=sums_reference,
    cases=[case(uniform(2, 5, 3), nsize=3)],
)
def _channel_sum(data, *, nsize: int, out):
    """Sums over the channels within (nsize - 1) / 2 of each."""
    return kernels.channel_sum(data, nsize, out=out)
