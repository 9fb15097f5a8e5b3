"""A penalty on how active units are."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import layer
from ._operator import describe
from .attention import eager

NAME = "IdentityAttachKLSparseReg"


@layer(
    kinds="f",
    ref=lambda x, average, **attrs: x,
    grad_check="adds a penalty to the gradient, by definition",
    cases=[
        case(uniform(3, 4, low=0.1, high=0.9), uniform(4, low=0.1, high=0.9)),
        raises(ShapeError, uniform(3), uniform(3), match=f"{NAME}(data): expected 2 dimensions (n, units)"),
        raises(
            ArgumentError,
            uniform(3, 4),
            uniform(4),
            momentum=1.5,
            match=f"{NAME}(momentum): expected a number from 0 to 1",
        ),
    ],
)
class IdentityAttachKLSparseReg:
    """data (n, units), the output of a sigmoid, whose gradient holds units to an average activity.

    In training the state moving_avg (units,) becomes momentum moving_avg + (1 - momentum) mean(data), and the
    gradient of data gets penalty (-target / moving_avg + (1 - target) / (1 - moving_avg)), the derivative of
    how far the averages are from `sparseness_target` (Kullback and Leibler, 1951; Ng, 2011).
    """

    sparseness_target: float = 0.1
    penalty: float = 0.001
    momentum: float = 0.9
    aux = ("moving_avg",)
    visible = 1

    def check(self):
        for name in ("sparseness_target", "momentum"):
            if not 0 <= getattr(self, name) <= 1:
                raise ArgumentError(message(NAME, name, "a number from 0 to 1", getattr(self, name)))

    def outputs(self):
        return ("output", "average")

    def written(self):
        return 1

    def infer(self, out, data, moving_avg):
        data = out if data is None else data
        if data is None:
            return (data, moving_avg), (data, moving_avg)
        if len(data) != 2:
            raise ShapeError(message(NAME, "data", "2 dimensions (n, units)", describe(data)))
        return (data, data[1:]), (data, data[1:])

    def forward(self, data, moving_avg, *, out, is_train):
        if is_train:
            fresh = eager("_mul_scalar", eager("mean", data, axis=0), scalar=1 - self.momentum)
            kept = eager("_mul_scalar", moving_avg, scalar=self.momentum)
            kernels.copy(eager("broadcast_add", kept, fresh), out=moving_avg)
        return [kernels.copy(data, out=out[0]), kernels.copy(moving_avg, out=out[1])]

    def backward(self, g, average):
        target = self.sparseness_target
        slope = (1 - target) / (1 - average) - target / average
        return g + slope * self.penalty, None
