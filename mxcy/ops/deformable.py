"""Convolutions whose kernels read at displaced places."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from . import linalg, reduction
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe, find
from ._window import check_counts, check_data, convolved, window_of
from .corners import Corners, at_corners, over_corners, second
from .detection import copied
from .shape import Reshape, reshape_like
from .slicing import slice_axis

PLAIN, MASKED = "_contrib_DeformableConvolution", "_contrib_ModulatedDeformableConvolution"


# --- columns -------------------------------------------------------------------------------------------
def axis_reference(place, extent, zeros):
    """(..., extent): what a place reads of the elements of an axis."""
    found = np.zeros((*place.shape, extent))
    inside = (place < extent) & ((place > -1) if zeros else (place >= 0))
    low = np.floor(np.where(inside, place, 0)).astype(int)
    part = np.where(inside, place, 0) - low
    for at, weight in ((low, 1 - part), (low + 1, part)):
        keep = inside & (at >= 0) & ((at < extent) | (not zeros))
        at = np.clip(at, 0, extent - 1)
        np.add.at(found, (*np.indices(place.shape), at), np.where(keep, weight, 0))
    return found


def columns_reference(x, offset, mask, kernel, stride=(), dilate=(), pad=(), groups=1):
    window = window_of(PLAIN, kernel, stride, dilate, pad, None)
    n, size = len(x), offset.shape[2:]
    moved = offset.reshape(n, groups, *kernel, 2, *size)
    weights = []
    for d in range(2):
        plain = np.arange(size[d]) * window.stride[d] - window.pad[d]
        taps = np.arange(kernel[d]) * window.dilate[d]
        tap_shape = [1] * 6
        tap_shape[2 + d] = kernel[d]
        plain_shape = [1] * 6
        plain_shape[4 + d] = size[d]
        place = moved[:, :, :, :, d] + taps.reshape(tap_shape) + plain.reshape(plain_shape)
        weights.append(axis_reference(place, x.shape[2 + d], mask is not None))
    planes = x.reshape(n, groups, -1, *x.shape[2:])
    found = np.einsum("ngabijy,ngabijx,ngcyx->ngcabij", *weights, planes)
    if mask is not None:
        found = found * mask.reshape(n, groups, 1, *kernel, *size)
    return found.reshape(n, x.shape[1] * kernel[0] * kernel[1], size[0] * size[1])


def columns_shape(data, offset, kernel):
    return (data[0], data[1] * kernel[0] * kernel[1], offset[2] * offset[3])


def given_inputs(masked, *more):
    return (*more, "data", "offset", "mask") if masked else (*more, "data", "offset")


@layer(
    kinds="f",
    ref=lambda x, offset, mask=None, masked=False, **attrs: columns_reference(x, offset, mask, **attrs),
    cases=[
        case(uniform(2, 2, 4, 5), uniform(2, 8, 3, 4), kernel=(2, 2)),
        case(uniform(1, 4, 4, 5), uniform(1, 8, 4, 2), kernel=(1, 2), stride=(1, 2), dilate=(1, 2), groups=2),
        case(
            uniform(1, 4, 4, 5),
            uniform(1, 16, 4, 5),
            uniform(1, 8, 4, 5),
            kernel=(2, 2),
            pad=(1, 1),
            dilate=(2, 1),
            groups=2,
            masked=True,
        ),
    ],
)
class _displaced_columns:
    """What a kernel that moves over data reads: (n, channels * kernel, places).

    Where an element of the kernel lies, `offset` (n, groups * kernel * 2, *places) is added; between
    elements it reads by bilinear interpolation.  With a mask (n, groups * kernel, *places), which
    multiplies, elements outside count as 0; without one, places outside do.
    """

    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()
    groups: int = 1
    masked: bool = False

    def check(self):
        self.window = window_of(PLAIN, self.kernel, self.stride, self.dilate, self.pad, None)

    def inputs(self):
        return given_inputs(self.masked)

    def infer(self, out, *shapes):
        known = None not in shapes[:2] and not any(None in shape for shape in shapes[:2])
        return shapes, (columns_shape(*shapes[:2], self.kernel) if known else None,)

    def forward(self, data, offset, mask=None, *, out):
        made = kernels.displaced_columns(data, offset, mask, self.window[:4], self.groups)
        return made if out is None else kernels.copy(made, out=out)

    def backward(self, g, data, offset, mask):
        given = (data, offset) if mask is None else (data, offset, mask)
        names = ("kernel", "stride", "dilate", "pad", "groups", "masked")
        made = _displaced_columns_grad(g, *given, **{name: getattr(self, name) for name in names})
        return tuple(made)


def columns_grad_reference(g, x, offset, mask=None, masked=False, **attrs):
    """By the transposed linear map; between whole places, what is read is linear in each of them."""

    def read_at(part):
        moved = np.floor(offset) + part
        return lambda v: columns_reference(x, np.where(v > 0, moved, offset), mask, **attrs)

    found = [transposed_columns(g, x, lambda v: columns_reference(v, offset, mask, **attrs))]
    ahead, behind = (transposed_columns(g, offset, read_at(part)) for part in (0.75, 0.25))
    found.append((ahead - behind) * 2)
    if masked:
        found.append(transposed_columns(g, mask, lambda v: columns_reference(x, offset, v, **attrs)))
    return found


def transposed_columns(g, like, function):
    """The products of g with what a function makes of every unit array."""
    found = np.zeros(like.shape)
    for at in np.ndindex(*like.shape):
        unit = np.zeros(like.shape)
        unit[at] = 1
        found[at] = np.sum(g * function(unit))
    return found


@layer(
    kinds="f",
    ref=columns_grad_reference,
    cases=[
        case(uniform(1, 8, 6), uniform(1, 2, 3, 4), uniform(1, 8, 2, 3), kernel=(2, 2)),
        case(
            uniform(1, 8, 6),
            uniform(1, 4, 3, 3),
            uniform(1, 8, 3, 2),
            uniform(1, 4, 3, 2),
            kernel=(1, 2),
            groups=2,
            masked=True,
        ),
    ],
)
class _displaced_columns_grad:
    """The gradients of data, offset and mask of `_displaced_columns` from that of its output, head."""

    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()
    groups: int = 1
    masked: bool = False

    def check(self):
        self.window = window_of(PLAIN, self.kernel, self.stride, self.dilate, self.pad, None)

    def inputs(self):
        return given_inputs(self.masked, "head")

    def outputs(self):
        return given_inputs(self.masked)

    def infer(self, out, head, *shapes):
        return (head, *shapes), shapes

    def forward(self, head, data, offset, mask=None, *, out):
        return copied(
            kernels.displaced_columns_grad(head, data, offset, mask, self.window[:4], self.groups), out
        )

    def backward(self, g_outputs, head, data, offset, mask):
        names = ("kernel", "stride", "dilate", "pad", "groups", "masked")
        attrs = {name: getattr(self, name) for name in names}
        corners = Corners(*_displaced_corners(offset, data, **attrs))
        groups, taps = self.groups, self.kernel[0] * self.kernel[1]
        lines = Reshape(g_outputs[1], shape=(0, -4, groups, 2 * taps, -3))  # -1 says nothing of empty arrays
        by_axis = Reshape(lines, shape=(0, 0, -4, taps, 2, 0))
        sides = [slice_axis(by_axis, axis=3, begin=d, end=d + 1) for d in range(2)]
        moves = [at_corners(Reshape(side, shape=(0, 0, 0, -3))) for side in sides]
        given = [] if mask is None else [mask, g_outputs[2]]
        masks = [at_corners(Reshape(x, shape=(0, -4, groups, taps, -3))) for x in given]
        heads = Reshape(head, shape=(0, -4, -1, taps, 0))
        by_head, by_data, *by_places, by_mask = second(corners, heads, data, g_outputs[0], moves, *masks)
        by_offset = reshape_like(find("stack")(*by_places, axis=3), offset)
        found = reshape_like(by_head, head), by_data, by_offset
        return found if mask is None else (*found, reshape_like(by_mask, mask))


def corners_reference(offset, like, kernel, groups, masked, stride=(), dilate=(), pad=()):
    """Along each axis for all places at once."""
    window = window_of(PLAIN, kernel, stride, dilate, pad, None)
    n, size, taps = len(offset), offset.shape[2:], kernel[0] * kernel[1]
    moved = offset.reshape(n, groups, *kernel, 2, *size)
    found, inside = [], True
    for d in range(2):
        plain = np.arange(size[d]) * window.stride[d] - window.pad[d]
        steps = np.arange(kernel[d]) * window.dilate[d]
        shapes = [[1] * 6 for _ in range(2)]
        shapes[0][2 + d], shapes[1][4 + d] = kernel[d], size[d]
        place = moved[:, :, :, :, d] + steps.reshape(shapes[0]) + plain.reshape(shapes[1])
        place = place.reshape(n, groups, 1, taps, -1)
        extent = like.shape[2 + d]
        inside = inside & (place < extent) & ((place > -1) if masked else (place >= 0))
        low = np.floor(place)
        ends = np.concatenate([low, low + 1], 2)
        weights = np.concatenate([low + 1 - place, place - low], 2)
        slopes = np.broadcast_to(np.array([-1, 1]).reshape(1, 1, 2, 1, 1), weights.shape)
        known = (ends >= 0) & (ends < extent)
        if not masked:  # the last element goes on to the border
            weights = np.where(known[:, :, 1:], weights, [[[[1]], [[0]]]])
            known = known & known[:, :, 1:]
        found.append((np.clip(ends, 0, extent - 1), weights * (known | (not masked)), slopes * known))
    rows, columns = ([x[:, :, None, :, None] for x in found[0]], [x[:, :, None, None] for x in found[1]])
    inside = inside[:, :, None, None]
    positions = np.where(inside, rows[0] * like.shape[3] + columns[0], -1).astype(np.int64)
    return [positions, *(x * inside for x in (rows[1], columns[1], rows[2], columns[2]))]


def corners_shape(offset, kernel, groups):
    places = (kernel[0] * kernel[1], offset[2] * offset[3])
    both = ((2, 2), (2, 1), (1, 2), (2, 1), (1, 2))
    return [(offset[0], groups, 1, *corners, *places) for corners in both]


@op(
    grad=(
        lambda g_rows, g_columns, row_slopes, column_slopes, offset: reshape_like(
            find("stack")(over_corners(g_rows * row_slopes), over_corners(g_columns * column_slopes), axis=3),
            offset,
        ),
        None,
    ),
    kinds="f",
    shape=corners_shape,
    dtype=lambda offset: [np.int64, offset, offset, offset, offset],
    outputs=Corners._fields,
    shape_only=("like",),
    ref=corners_reference,
    cases=[
        case(uniform(1, 8, 2, 3), uniform(1, 2, 3, 4), kernel=(2, 2), groups=1, masked=False),
        case(uniform(2, 8, 3, 2), uniform(2, 4, 3, 3), kernel=(1, 2), pad=(1, 0), groups=2, masked=True),
    ],
)
def _displaced_corners(
    offset, like, *,
    kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = (), groups: int, masked: bool, out,
):  # fmt: skip
    """What `_displaced_columns` reads of images of the shape of `like`: see `Corners`."""
    window = window_of(PLAIN, kernel, stride, dilate, pad, None)
    return copied(kernels.displaced_corners(offset, like.shape, window[:4], groups, masked), out)


# --- layers --------------------------------------------------------------------------------------------
class Deformable:
    """What both layers share."""

    def check(self):
        self.window = window_of(self.label, self.kernel, self.stride, self.dilate, self.pad, None)
        if len(self.kernel) != 2:
            raise ArgumentError(message(self.label, "kernel", "two extents", self.kernel))
        check_counts(self.label, self.num_filter, self.num_group)
        if self.num_deformable_group < 1:
            expected = "at least 1"
            raise ArgumentError(
                message(self.label, "num_deformable_group", expected, self.num_deformable_group)
            )

    def inputs(self):
        return (*given_inputs(self.masked), "weight", *(() if self.no_bias else ("bias",)))

    def infer(self, out, data, *others):
        count = self.kernel[0] * self.kernel[1] * self.num_deformable_group
        if data is None or None in data:
            return (data, *others), (None,)
        check_data(self.label, self.window, self.num_group, data)
        if data[1] % self.num_deformable_group:
            expected = f"channels divisible by num_deformable_group, {self.num_deformable_group}"
            raise ShapeError(message(self.label, "data", expected, describe(data)))
        size = convolved(self.label, self.window, data[2:])
        maps = [(data[0], 2 * count, *size), (data[0], count, *size)][: 1 + self.masked]
        weight = (self.num_filter, data[1] // self.num_group, *self.kernel)
        bias = () if self.no_bias else ((self.num_filter,),)
        return (data, *maps, weight, *bias), ((data[0], self.num_filter, *size),)

    def columns(self):
        """The attributes of `_displaced_columns`."""
        names = ("kernel", "stride", "dilate", "pad")
        own = dict(zip(names, self.window[:4], strict=True))
        return {**own, "groups": self.num_deformable_group, "masked": self.masked}

    def product(self):
        """The attributes of the convolution of columns."""
        return {"kernel": (1,), "num_group": self.num_group}

    def apply(self, data, maps, weight, bias, out):
        attrs = _displaced_columns.parse_attrs(self.columns())
        columns = _displaced_columns.compute([data, *maps], attrs)[0]
        size = maps[0].shape[2:]
        rows = linalg.fold(weight, (weight.shape[0], columns.shape[1] // self.num_group, 1))
        windows = ((1,), (1,), (0,), self.num_group, False)
        made = kernels.convolution(columns, rows, bias, *windows)
        made = made._reshape_view((data.shape[0], self.num_filter, *size))
        return made if out is None else kernels.copy(made, out=out)

    def backwards(self, g, data, maps, weight):
        columns = _displaced_columns(data, *maps, **self.columns())
        head = find("Reshape")(g, shape=(0, 0, -1))
        rows = find("Reshape")(weight, shape=(0, -1, 1))
        g_columns = find("_convolution_data_grad")(head, rows, columns, **self.product())
        g_rows = find("_convolution_weight_grad")(head, columns, rows, **self.product())
        back = _displaced_columns_grad(g_columns, data, *maps, **self.columns())
        g_bias = () if self.no_bias else (reduction.sum(g, axis=1, exclude=True),)
        return (*back, find("reshape_like")(g_rows, weight), *g_bias)


def deformable_reference(
    x, offset, weight, bias=None, mask=None, num_group=1, num_deformable_group=1, **attrs
):
    names = ("kernel", "stride", "dilate", "pad")
    geometry = {name: attrs[name] for name in names if name in attrs}
    columns = columns_reference(x, offset, mask, groups=num_deformable_group, **geometry)
    columns = columns.reshape(len(x), num_group, -1, columns.shape[-1])
    rows = weight.reshape(num_group, len(weight) // num_group, -1)
    made = np.einsum("gmk,ngkp->ngmp", rows, columns).reshape(len(x), len(weight), *offset.shape[2:])
    return made if bias is None else made + bias.reshape(-1, 1, 1)


@layer(
    name=PLAIN,
    kinds="f",
    ref=lambda x, offset, weight, bias=None, **attrs: deformable_reference(x, offset, weight, bias, **attrs),
    cases=[
        case(
            uniform(2, 2, 4, 5),
            uniform(2, 8, 3, 4),
            uniform(3, 2, 2, 2),
            uniform(3),
            kernel=(2, 2),
            num_filter=3,
        ),
        case(
            uniform(1, 4, 5, 4),
            uniform(1, 16, 2, 5),
            uniform(2, 2, 2, 2),
            kernel=(2, 2),
            num_filter=2,
            no_bias=True,
            num_group=2,
            num_deformable_group=2,
            stride=(2, 1),
            dilate=(3, 1),
            pad=(1, 1),
        ),
        raises(
            ShapeError,
            uniform(2, 3, 4, 5),
            uniform(2, 6, 3, 4),
            uniform(3, 3, 2, 2),
            uniform(3),
            kernel=(2, 2),
            num_filter=3,
            match=f"{PLAIN}(offset): expected shape (2, 8, 3, 4) from data",
        ),
        raises(
            ShapeError,
            uniform(2, 3, 4, 5),
            uniform(2, 8, 3, 4),
            uniform(3, 3, 2, 2),
            uniform(3),
            kernel=(2, 2),
            num_filter=3,
            num_deformable_group=2,
            match="(data): expected channels divisible by num_deformable",
        ),
        raises(
            ArgumentError,
            uniform(2, 3, 4),
            uniform(2, 8, 3),
            uniform(3, 3, 2),
            uniform(3),
            kernel=(2,),
            num_filter=3,
            match=f"{PLAIN}(kernel): expected two extents, got (2,)",
        ),
    ],
)
class _contrib_DeformableConvolution(Deformable):
    """A convolution of data (n, c, h, w) whose kernel reads where `offset` displaces it.

    offset: (n, 2 * kernel * num_deformable_group, *output), for every group of channels and element of the
    kernel what is added to its row and its column.  Places between elements are interpolated, those outside
    count as 0.  weight: (num_filter, c / num_group, *kernel); bias: (num_filter,), unless `no_bias`.
    `workspace` and `layout` are accepted.  (Dai et al., 2017.)
    """

    label = PLAIN
    masked = False
    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()
    num_filter: int
    num_group: int = 1
    num_deformable_group: int = 1
    workspace: int = 1024
    no_bias: bool = False
    layout: Literal[None, "NCW", "NCHW", "NCDHW"] = None

    def forward(self, data, offset, weight, bias=None, *, out):
        return self.apply(data, [offset], weight, bias, out)

    def backward(self, g, data, offset, weight):
        return self.backwards(g, data, [offset], weight)


@layer(
    name=MASKED,
    kinds="f",
    ref=lambda x, offset, mask, weight, bias=None, **attrs: deformable_reference(
        x, offset, weight, bias, mask, **attrs
    ),
    cases=[
        case(
            uniform(2, 2, 4, 5),
            uniform(2, 8, 3, 4),
            uniform(2, 4, 3, 4),
            uniform(3, 2, 2, 2),
            uniform(3),
            kernel=(2, 2),
            num_filter=3,
        ),
        case(
            uniform(1, 4, 5, 4),
            uniform(1, 16, 2, 5),
            uniform(1, 8, 2, 5),
            uniform(2, 2, 2, 2),
            kernel=(2, 2),
            num_filter=2,
            no_bias=True,
            num_group=2,
            num_deformable_group=2,
            stride=(2, 1),
            dilate=(3, 1),
            pad=(1, 1),
        ),
        raises(
            ShapeError,
            uniform(2, 3, 4, 5),
            uniform(2, 8, 3, 4),
            uniform(2, 3, 3, 4),
            uniform(3, 3, 2, 2),
            uniform(3),
            kernel=(2, 2),
            num_filter=3,
            match=f"{MASKED}(mask): expected shape (2, 4, 3, 4) from data",
        ),
    ],
)
class _contrib_ModulatedDeformableConvolution(Deformable):
    """`DeformableConvolution` whose elements are also multiplied by `mask` (n, kernel * groups, *output).

    What lies outside of data counts as 0, also half of a place at its border.  `im2col_step`, `workspace`
    and `layout` are accepted.  (Zhu et al., 2018.)
    """

    label = MASKED
    masked = True
    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()
    num_filter: int
    num_group: int = 1
    num_deformable_group: int = 1
    workspace: int = 1024
    no_bias: bool = False
    im2col_step: int = 64
    layout: Literal[None, "NCW", "NCHW", "NCDHW"] = None

    def forward(self, data, offset, mask, weight, bias=None, *, out):
        return self.apply(data, [offset, mask], weight, bias, out)

    def backward(self, g, data, offset, mask, weight):
        return self.backwards(g, data, [offset, mask], weight)
