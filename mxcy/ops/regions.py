"""Regions of images, as detectors pool them: ROIPooling and ROIAlign."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, given, raises, uniform
from ._declare import layer, op
from ._operator import describe

FIRST_ORDER = "gradients of pooled regions are not differentiated again"
ALIGN = "_contrib_ROIAlign"


# --- references ----------------------------------------------------------------------------------------
def region_of(x, roi):
    """The image of a region, None where there is none."""
    return x[int(roi[0])] if 0 <= roi[0] < len(x) else None


def half_away(x):
    return int(np.copysign(np.floor(np.abs(x) + 0.5), x))


def largest(x, rois, pooled_size, spatial_scale):
    """(place of the result, place in x) of all elements that are kept."""
    for n, roi in enumerate(rois):
        if region_of(x, roi) is None:
            continue
        x1, y1, x2, y2 = (half_away(v * spatial_scale) for v in roi[1:])
        spans = []
        for low, high, count, limit in (
            (y1, y2, pooled_size[0], x.shape[2]),
            (x1, x2, pooled_size[1], x.shape[3]),
        ):
            size = max(high - low + 1, 1) / count
            cuts = [(int(np.floor(i * size)) + low, int(np.ceil((i + 1) * size)) + low) for i in range(count)]
            spans.append([range(min(max(a, 0), limit), min(max(b, 0), limit)) for a, b in cuts])
        for c, i, j in np.ndindex(x.shape[1], *pooled_size):
            at = [(int(roi[0]), c, h, w) for h in spans[0][i] for w in spans[1][j]]
            if at:
                yield (n, c, i, j), max(at, key=lambda k: x[k])


def pool_reference(x, rois, pooled_size, spatial_scale):
    y = np.zeros((len(rois), x.shape[1], *pooled_size))
    for to, at in largest(x, rois, pooled_size, spatial_scale):
        y[to] = x[at]
    return y


def pool_grad_reference(g, x, rois, pooled_size, spatial_scale):
    found = np.zeros(x.shape)
    for to, at in largest(x, rois, pooled_size, spatial_scale):
        found[at] += g[to]
    return found


def axis_weights(low, high, count, size, samples, aligned):
    """(count, size): what each part reads of the elements of an axis, samples added up."""
    length = high - low if aligned else max(high - low, 1)
    part = length / count
    samples = samples if samples > 0 else int(np.ceil(part))
    found = np.zeros((count, size))
    for i, k in np.ndindex(count, max(samples, 0)):
        at = low + i * part + (k + 0.5) * part / samples
        if size and -1 <= at <= size:
            at = min(max(at, 0), size - 1)
            first = int(at)
            found[i, first] += 1 - (at - first)
            found[i, min(first + 1, size - 1)] += at - first
    return found / max(samples, 1)


def region_weights(shape, rois, pooled_size, spatial_scale, sample_ratio=-1, aligned=False):
    for roi in rois:
        x1, y1, x2, y2 = roi[1:] * spatial_scale - (0.5 if aligned else 0)
        rows = axis_weights(y1, y2, pooled_size[0], shape[2], sample_ratio, aligned)
        yield rows, axis_weights(x1, x2, pooled_size[1], shape[3], sample_ratio, aligned)


def by_position_of(planes, pooled_size):
    """(channels / parts, parts rows, parts columns, ...) of planes (channels, ...)."""
    return planes.reshape(-1, *pooled_size, *planes.shape[1:])


def align_reference(x, rois, pooled_size, spatial_scale, position_sensitive=False, **attrs):
    made = []
    channels = x.shape[1] // (np.prod(pooled_size) if position_sensitive else 1)
    weights = region_weights(x.shape, rois, pooled_size, spatial_scale, **attrs)
    for roi, (rows, columns) in zip(rois, weights, strict=True):
        image = region_of(x, roi)
        if image is None:
            made.append(np.zeros((channels, *pooled_size)))
        elif position_sensitive:
            made.append(np.einsum("ih,jw,cijhw->cij", rows, columns, by_position_of(image, pooled_size)))
        else:
            made.append(np.einsum("ih,jw,chw->cij", rows, columns, image))
    return np.array(made)


def align_grad_reference(g, rois, like, pooled_size, spatial_scale, position_sensitive=False, **attrs):
    found = np.zeros(like.shape)
    weights = region_weights(like.shape, rois, pooled_size, spatial_scale, **attrs)
    for n, (roi, (rows, columns)) in enumerate(zip(rois, weights, strict=True)):
        image = region_of(found, roi)
        if image is not None and position_sensitive:
            part = np.einsum("ih,jw,cij->cijhw", rows, columns, g[n])
            image += part.reshape(image.shape)
        elif image is not None:
            image += np.einsum("ih,jw,cij->chw", rows, columns, g[n])
    return found


# --- operators -----------------------------------------------------------------------------------------
def region_shape(name, data, rois, pooled_size, channels):
    if len(data) != 4:
        expected = "4 dimensions (n, channels, height, width)"
        raise ShapeError(message(name, "data", expected, describe(data)))
    if len(rois) != 2 or rois[1] not in (5, None):
        raise ShapeError(message(name, "rois", "shape (regions, 5)", describe(rois)))
    return (rois[0], channels, *pooled_size)


def check_size(name, pooled_size):
    if len(pooled_size) != 2 or min(pooled_size) < 1:
        raise ArgumentError(message(name, "pooled_size", "(height, width) of at least 1", pooled_size))


ROIS = given(
    [[0, 0.3, 0.2, 4.4, 3.6], [1, 1, 1, 3, 2], [-1, 0, 0, 2, 2], [0, 3, 3, 1, 1], [1, -2, -3, 9, 9]],
    constant=True,
)
FEATURES = uniform(2, 4, 5, 6, distinct=True)


@layer(
    kinds="f",
    ref=pool_reference,
    first_order=FIRST_ORDER,
    cases=[
        case(FEATURES, ROIS, pooled_size=(2, 2), spatial_scale=1.0),
        case(FEATURES, ROIS, pooled_size=(3, 1), spatial_scale=0.5),
        raises(
            ShapeError,
            FEATURES,
            uniform(2, 4),
            pooled_size=(2, 2),
            spatial_scale=1.0,
            match="ROIPooling(rois): expected shape (regions, 5), got (2, 4)",
        ),
        raises(
            ArgumentError,
            FEATURES,
            ROIS,
            pooled_size=(2,),
            spatial_scale=1.0,
            match="ROIPooling(pooled_size): expected (height, width) of at least 1",
        ),
    ],
)
class ROIPooling:
    """The largest elements of the parts of regions: (regions, channels, *pooled_size).

    data: (n, channels, h, w).  rois: (regions, 5), the number of an image and the corners x1, y1, x2, y2,
    which are multiplied by `spatial_scale` and rounded; both belong to the region.  A part without elements
    and a region without an image are 0.  (Girshick, 2015.)
    """

    pooled_size: Shape
    spatial_scale: float

    def check(self):
        check_size("ROIPooling", self.pooled_size)

    def written(self):
        return 2

    def infer(self, out, data, rois):
        known = None not in (data, rois)
        shape = region_shape("ROIPooling", data, rois, self.pooled_size, data[1]) if known else None
        return (data, rois), (shape,)

    def forward(self, data, rois, *, out):
        return kernels.roi_pool(data, rois, self.pooled_size, self.spatial_scale, out=out)

    def backward(self, g, data, rois):
        return _roi_pooling_grad(g, data, rois, **self.__dict__), None


@op(
    grad=None,
    kinds="f",
    shape=lambda x: x,
    ref=pool_grad_reference,
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    cases=[case(uniform(5, 4, 2, 2), FEATURES, ROIS, pooled_size=(2, 2), spatial_scale=1.0)],
)
def _roi_pooling_grad(data, x, rois, *, pooled_size: Shape, spatial_scale: float, out):
    """The gradient of ROIPooling's data x from that of its output (`data`)."""
    return kernels.roi_pool_grad(data, x, rois, pooled_size, spatial_scale, out=out)


@layer(
    kinds="f",
    ref=align_reference,
    cases=[
        case(FEATURES, ROIS, pooled_size=(2, 2), spatial_scale=1.0),
        case(FEATURES, ROIS, pooled_size=(3, 1), spatial_scale=0.5, sample_ratio=2, aligned=True),
        case(FEATURES, ROIS, pooled_size=(2, 2), spatial_scale=1.0, position_sensitive=True),
        case(uniform(1, 2, 0, 3), ROIS, pooled_size=(1, 2), spatial_scale=1.0),
        raises(
            ShapeError,
            uniform(2, 3, 5, 6),
            ROIS,
            pooled_size=(2, 2),
            spatial_scale=1.0,
            position_sensitive=True,
            match=f"{ALIGN}(data): expected channels divisible by the 4 parts of pooled_size",
        ),
        raises(
            ShapeError,
            uniform(2, 3, 5),
            ROIS,
            pooled_size=(2, 2),
            spatial_scale=1.0,
            match=f"{ALIGN}(data): expected 4 dimensions",
        ),
    ],
)
class _contrib_ROIAlign:
    """Means of bilinear samples in the parts of regions: (regions, channels, *pooled_size).

    data: (n, channels, h, w).  rois: (regions, 5), the number of an image (0 comes out for one that is not
    there) and the corners x1, y1, x2, y2.  A part has `sample_ratio` samples along each axis, or if that is
    not positive as many as it has elements.  `position_sensitive`: every part reads channels of its own.
    `aligned`: the centres of elements, not their corners, have whole coordinates.  (He et al., 2017.)
    """

    pooled_size: Shape
    spatial_scale: float
    sample_ratio: int = -1
    position_sensitive: bool = False
    aligned: bool = False

    def check(self):
        check_size(ALIGN, self.pooled_size)

    def infer(self, out, data, rois):
        if data is None or rois is None:
            return (data, rois), (None,)
        shape = region_shape(ALIGN, data, rois, self.pooled_size, data[1])
        if self.position_sensitive and data[1] is not None:
            parts = self.pooled_size[0] * self.pooled_size[1]
            if data[1] % parts:
                expected = f"channels divisible by the {parts} parts of pooled_size"
                raise ShapeError(message(ALIGN, "data", expected, describe(data)))
            shape = (shape[0], data[1] // parts, *shape[2:])
        return (data, rois), (shape,)

    def options(self):
        return self.spatial_scale, self.sample_ratio, self.position_sensitive, self.aligned

    def forward(self, data, rois, *, out):
        return kernels.roi_align(data, rois, self.pooled_size, *self.options(), out=out)

    def backward(self, g, data, rois):
        return _roi_align_grad(g, rois, data, **self.__dict__), None


@op(
    grad=(
        lambda g, rois, pooled_size, spatial_scale, sample_ratio, position_sensitive, aligned: (
            _contrib_ROIAlign(  # type: ignore[call-arg]
                g,
                rois,
                pooled_size=pooled_size,
                spatial_scale=spatial_scale,
                sample_ratio=sample_ratio,
                position_sensitive=position_sensitive,
                aligned=aligned,
            )
        ),
        None,
        None,
    ),
    kinds="f",
    shape=lambda like: like,
    shape_only=("like",),
    ref=align_grad_reference,
    cases=[
        case(uniform(5, 4, 2, 2), ROIS, FEATURES, pooled_size=(2, 2), spatial_scale=1.0),
        case(
            uniform(5, 2, 1, 2),
            ROIS,
            FEATURES,
            pooled_size=(1, 2),
            spatial_scale=0.5,
            sample_ratio=2,
            position_sensitive=True,
            aligned=True,
        ),
    ],
)
def _roi_align_grad(
    data, rois, like, *,
    pooled_size: Shape, spatial_scale: float, sample_ratio: int = -1, position_sensitive: bool = False,
    aligned: bool = False, out,
):  # fmt: skip
    """The gradient of ROIAlign's data, of the shape of `like`, from that of its output (`data`)."""
    options = (spatial_scale, sample_ratio, position_sensitive, aligned)
    return kernels.roi_align_grad(data, rois, like.shape, *options, out=out)
