"""Anchors of detectors: boxes around every element of a map."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Numbers
from ._cases import case, raises, uniform
from ._declare import layer
from ._operator import describe
from .spatial import of_constant

PRIOR = "_contrib_MultiBoxPrior"


def anchors(height, width, sizes=(1.0,), ratios=(1.0,), clip=False, steps=(-1.0, -1.0), offsets=(0.5, 0.5)):
    """(height * width * kinds, 4) of all sizes with the first ratio, then the first size with the others."""
    step_y, step_x = (1 / height, 1 / width) if steps[0] <= 0 else steps
    y, x = (np.arange(height) + offsets[0]) * step_y, (np.arange(width) + offsets[1]) * step_x
    kinds = [(s, np.sqrt(ratios[0])) for s in sizes] + [(sizes[0], np.sqrt(r)) for r in ratios[1:]]
    half = np.array([(s * height / width * root / 2, s / root / 2) for s, root in kinds])
    centers = np.stack(np.broadcast_arrays(x, y[:, None]), -1)[:, :, None]
    boxes = np.concatenate([centers - half, centers + half], -1).reshape(-1, 4)
    return np.clip(boxes, 0, 1) if clip else boxes


@layer(
    kinds="f",
    ref=lambda x, **attrs: anchors(*x.shape[2:], **attrs)[None],
    grad_check="anchors depend on the shape of data alone",
    cases=[
        case(uniform(1, 3, 2, 3), sizes=(0.5, 0.25), ratios=(1.0, 2.0, 0.5)),
        case(uniform(1, 3, 2, 3), sizes=(0.5,), clip=True, offsets=(0.2, 0.7)),
        case(uniform(2, 1, 3, 2), steps=(0.3, 0.4), ratios=(2.0,)),
        raises(ShapeError, uniform(2, 3), match=f"{PRIOR}(data): expected 4 dimensions"),
        raises(ArgumentError, uniform(1, 1, 2, 2), sizes=(), match=f"{PRIOR}(sizes): expected at least one"),
        raises(ArgumentError, uniform(1, 1, 2, 2), steps=(-1, 0.5), match=f"{PRIOR}(steps): expected both"),
    ],
)
class _contrib_MultiBoxPrior:
    """Boxes (x1, y1, x2, y2) around every element of data (n, channels, h, w): (1, h * w * kinds, 4).

    Coordinates are fractions of the picture.  Kinds: all `sizes` with the first of `ratios` (width to
    height), then the first size with the other ratios.  steps: (y, x) from one element to the next, 1 / h and
    1 / w if not positive.  offsets: of a centre from its element, in steps.  (Liu et al., 2016.)
    """

    sizes: Numbers = (1.0,)
    ratios: Numbers = (1.0,)
    clip: bool = False
    steps: Numbers = (-1.0, -1.0)
    offsets: Numbers = (0.5, 0.5)

    def check(self):
        for name, values in (("sizes", self.sizes), ("ratios", self.ratios)):
            if not values or min(values) <= 0:
                raise ArgumentError(message(PRIOR, name, "at least one number above 0", values))
        for name, values in (("steps", self.steps), ("offsets", self.offsets)):
            if len(values) != 2:
                raise ArgumentError(message(PRIOR, name, "two numbers, of y and x", values))
        if self.steps[0] * self.steps[1] < 0:
            raise ArgumentError(message(PRIOR, "steps", "both above 0 or neither", self.steps))

    def infer(self, out, data):
        if data is None:
            return (data,), (None,)
        if len(data) != 4:
            expected = "4 dimensions (n, channels, height, width)"
            raise ShapeError(message(PRIOR, "data", expected, describe(data)))
        kinds = len(self.sizes) + len(self.ratios) - 1
        count = None if None in data[2:] else data[2] * data[3] * kinds
        return (data,), ((1, count, 4),)

    def forward(self, data, *, out):
        boxes = anchors(*data.shape[2:], **self.__dict__)[None]
        return kernels.copy(of_constant(data, boxes), out=out)

    def backward(self, g, data):
        return None
