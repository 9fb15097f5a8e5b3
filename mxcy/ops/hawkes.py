"""The likelihood of events whose rates rise after each of them."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._cases import case, given, integers, raises, uniform
from ._declare import layer, op
from ._operator import describe
from .detection import copied

NAME = "_contrib_hawkesll"
SECOND_ORDER = "gradients of a likelihood of events are differentiated once, not twice"
INPUTS = ("lda", "alpha", "beta", "state", "lags", "marks", "valid_length", "max_time")


def likelihood_reference(lda, alpha, beta, state, lags, marks, valid_length, max_time):
    likely, states = np.zeros(len(lda), lda.dtype), np.array(state, lda.dtype)
    for n in range(len(lda)):
        now, last = 0.0, np.zeros(lda.shape[1])
        for j in range(int(valid_length[n])):
            k = int(marks[n, j])
            now += lags[n, j]
            passed = now - last[k]
            faded = np.exp(-beta[k] * passed)
            likely[n] += np.log(lda[n, k] + alpha[k] * beta[k] * states[n, k] * faded)
            likely[n] -= lda[n, k] * passed + alpha[k] * states[n, k] * (1 - faded)
            states[n, k] = 1 + states[n, k] * faded
            last[k] = now
        passed = max_time[n] - last
        faded = np.exp(-beta * passed)
        likely[n] -= (lda[n] * passed + alpha * states[n] * (1 - faded)).sum()
        states[n] *= faded
    return [likely, states]


POSITIVE: dict = {"low": 0.3, "high": 1.5}
EVENTS = (
    uniform(2, 3, **POSITIVE),
    uniform(3, **POSITIVE),
    uniform(3, **POSITIVE),
    given([[0.5, 0.25, 1], [0, 2, 0.5]], constant=True),
    given([[0.5, 1, 0.25, 2], [1, 0.5, 0.25, 0.5]], constant=True),
    integers(2, 4, high=3),
    given([3, 4], constant=True),
    given([6, 5], constant=True),
)


@layer(
    kinds="f",
    free=("marks",),
    ref=likelihood_reference,
    grad_check="the gradient is that of the likelihood alone, as in MXNet",
    cases=[
        case(*EVENTS),
        raises(ShapeError, EVENTS[0], uniform(2), *EVENTS[2:], match=f"{NAME}(alpha): expected shape (3,)"),
        raises(ShapeError, uniform(3), *EVENTS[1:], match=f"{NAME}(lda): expected 2 dimensions (n, kinds)"),
    ],
)
class _contrib_hawkesll:
    """Logarithms of how likely events are, (n,), and the states of their processes at the end, (n, kinds).

    lda: (n, kinds), the rates without events.  alpha, beta: (kinds,); after an event of its kind the rate is
    higher by alpha * beta, which fades as exp(-beta t).  state: (n, kinds), the sums of exp(-beta age) over
    earlier events.  lags: (n, steps), from event to event; marks: their kinds, int32.  valid_length,
    max_time: (n,), how many events count and when watching ends.
    """

    def outputs(self):
        return ("output", "out_state")

    def dtypes(self, lda, *others):
        own = [lda if dtype is None else dtype for dtype in others]
        own[4] = np.dtype(np.int32)
        return [lda, *own], [lda, lda]

    def infer(self, out, lda, alpha, beta, state, lags, marks, valid_length, max_time):
        if lda is None or lags is None:
            return (lda, alpha, beta, state, lags, marks, valid_length, max_time), (None, None)
        for name, shape, expected in (("lda", lda, "(n, kinds)"), ("lags", lags, "(n, steps)")):
            if len(shape) != 2:
                raise ShapeError(message(NAME, name, f"2 dimensions {expected}", describe(shape)))
        n, kinds = lda
        each = (n, lags[1])
        return (lda, (kinds,), (kinds,), lda, each, each, (n,), (n,)), ((n,), lda)

    def forward(self, lda, alpha, beta, state, lags, marks, valid_length, max_time, *, out):
        return copied(kernels.hawkes(lda, alpha, beta, state, lags, marks, valid_length, max_time), out)

    def backward(self, g, lda, alpha, beta, state, lags, marks, valid_length, max_time):
        inputs = (lda, alpha, beta, state, lags, marks, valid_length, max_time)
        rates, branching, decays = _hawkesll_grad(g, *inputs)
        return rates, reduction.sum(branching, axis=0), reduction.sum(decays, axis=0)


def grad_reference(g, *inputs):
    """For every sample apart, by imaginary steps: exact to rounding."""
    found = []
    for i in range(3):
        slopes = np.zeros(inputs[0].shape, inputs[0].dtype)
        for k in range(slopes.shape[1]):
            moved = [x.astype(np.result_type(x, 1j)) if j < 3 else x for j, x in enumerate(inputs)]
            moved[i][..., k] += 1e-30j
            slopes[:, k] = g * likelihood_reference(*moved)[0].imag / 1e-30
        found.append(slopes)
    return found


def gradient_of_gradient(g_output, g_g_branching, g_g_decays, data, lda, alpha, beta, state, lags, marks,
                         valid_length, max_time):  # fmt: skip
    inputs = (data, lda, alpha, beta, state, lags, marks, valid_length, max_time)
    by_head, rates, branching, decays = _hawkesll_second(g_output, g_g_branching, g_g_decays, *inputs)
    return by_head, rates, reduction.sum(branching, axis=0), reduction.sum(decays, axis=0)


@op(
    grad=gradient_of_gradient,
    kinds="f",
    free=("marks",),
    dtype=lambda lda: [lda] * 3,
    outputs=("output", "g_branching", "g_decays"),
    shape=lambda lda: [lda] * 3,
    ref=grad_reference,
    first_order=SECOND_ORDER,
    cases=[case(uniform(2), *EVENTS)],
)
def _hawkesll_grad(data, lda, alpha, beta, state, lags, marks, valid_length, max_time, *, out):
    """The gradients of hawkesll's lda, and of alpha and beta for every sample, from that of its output."""
    inputs = (lda, alpha, beta, state, lags, marks, valid_length, max_time)
    return copied(kernels.hawkes_grad(data, *inputs), out)


def second_reference(rates, branching, decays, g, *inputs):
    """By differences of fourth order of the exact gradient, in extended precision."""
    along = (rates, branching, decays)
    wide = [np.asarray(x, np.longdouble) for x in inputs]

    def found(n, step):
        """The gradient of one sample, with branching and decays of its own."""
        own = [x[n : n + 1] for x in (wide[0], *wide[3:])]
        moved = [own[0], wide[1], wide[2]]
        moved = [x + step * np.asarray(v[n], np.longdouble) for x, v in zip(moved, along, strict=True)]
        return [x[0] for x in grad_reference(1, *moved, *own[1:])]

    by_head, made, step = np.zeros(len(g)), [np.zeros(x.shape) for x in along], np.longdouble(1e-4)
    for n in range(len(g)):
        by_head[n] = sum((v[n] * x).sum() for v, x in zip(along, found(n, 0), strict=True))
        ends = [found(n, k * step) for k in (-2, -1, 1, 2)]
        for i, (a, b, c, d) in enumerate(zip(*ends, strict=True)):
            made[i][n] = g[n] * ((a - d) + 8 * (c - b)) / (12 * step)
    return [by_head, *made]


@op(
    grad=None,
    kinds="f",
    free=("marks",),
    dtype=lambda lda: [lda] * 4,
    outputs=("output", "h_rates", "h_branching", "h_decays"),
    shape=lambda lda: [(lda[0],), lda, lda, lda],
    ref=second_reference,
    grad_check=SECOND_ORDER,
    first_order=SECOND_ORDER,
    cases=[case(uniform(2, 3), uniform(2, 3), uniform(2, 3), uniform(2), *EVENTS)],
)
def _hawkesll_second(
    rates, branching, decays, data, lda, alpha, beta, state, lags, marks, valid_length, max_time, *, out
):
    """Derivatives of the products of what `_hawkesll_grad` makes with three directions (n, kinds): by its
    head gradient (`data`), by lda, and for every sample by alpha and by beta.
    """
    inputs = (data, lda, alpha, beta, state, lags, marks, valid_length, max_time)
    return copied(kernels.hawkes_second((rates, branching, decays), *inputs), out)
