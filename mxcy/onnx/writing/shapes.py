"""Shapes: reshape, transpose, join, split, repeat, pad."""

from ...ops.shape import product
from ..writer import Value, exports


# --- reshape ----------------------------------------------------------------------------------------------
def parts_of(codes, rank):
    """Translate the codes of Reshape: ("keep", axis), ("join", (axes)), ("rest",) or ("size", number).

    `rank` is that of the operand; -4 splits an axis into the two numbers behind it.
    """
    found: list[tuple] = []
    axis, codes = 0, list(codes)
    while codes:
        code = codes.pop(0)
        if code == 0:
            found.append(("keep", axis))
            axis += 1
        elif code == -1:
            found.append(("rest",))
            axis += 1
        elif code == -2:
            found += [("keep", n) for n in range(axis, rank)]
            axis = rank
        elif code == -3:
            found.append(("join", (axis, axis + 1)))
            axis += 2
        elif code == -4:
            pair = codes[:2]
            del codes[:2]
            for own, other in (pair, pair[::-1]):
                found.append(("split", axis, other) if own == -1 else ("size", own))
            axis += 1
        else:
            found.append(("size", code))
            axis += 1
    return found


def wanted(g, x, part):
    """What stands in the shape for a part: a number, or the name of a vector."""
    kind, *rest = part
    if kind == "size":
        return rest[0]
    if kind == "rest":
        return -1
    if kind == "keep":
        return g.extent(x, rest[0])
    if kind == "join":
        return multiplied(g, [g.extent(x, axis) for axis in rest[0]])
    extent = g.extent(x, rest[0])
    return extent // rest[1] if isinstance(extent, int) else g("Div", extent, g.ints(rest[1]))


def multiplied(g, extents):
    """The product of extents."""
    if all(isinstance(extent, int) for extent in extents):
        return product(extents)
    first, *others = [g.ints(extent) if isinstance(extent, int) else extent for extent in extents]
    for other in others:
        first = g("Mul", first, other)
    return first


@exports("Reshape")
def reshape(g, attrs, x):
    result = g.results[0]
    if result.fixed:
        return g.reshape(x, *result.extents)
    codes = attrs["shape"] or attrs["target_shape"]
    if not attrs["reverse"]:
        parts = parts_of(codes, x.rank)
    else:
        parts = [mirrored(part, x.rank) for part in reversed(parts_of(codes[::-1], x.rank))]
    if all(part[0] != "rest" for part in parts):
        unknown = [i for i, extent in enumerate(result.extents) if extent is None]
        if len(unknown) == 1:  # the runtime can find out
            shape = list(result.extents)
            shape[unknown[0]] = -1
            return g.reshape(x, *shape)
    if all(part == ("keep", i) or part[0] in ("rest", "size") for i, part in enumerate(parts)):
        return g.reshape(x, *(0 if part[0] == "keep" else wanted(g, x, part) for part in parts))
    return g.reshape(x, *(wanted(g, x, part) for part in parts))


def mirrored(part, rank):
    """A part of the shape that was read from the end."""
    kind, *rest = part
    if kind == "keep":
        return ("keep", rank - 1 - rest[0])
    if kind == "join":
        return ("join", tuple(rank - 1 - axis for axis in reversed(rest[0])))
    if kind == "split":
        return ("split", rank - 1 - rest[0], rest[1])
    return part


@exports("reshape_like")
def reshape_like(g, attrs, x, like):
    if attrs.get("lhs_begin") is None and attrs.get("rhs_begin") is None:
        return g.reshape(x, *g.extents(like)) if like.fixed else g("Reshape", x, g("Shape", like))
    begin, end = place(attrs["lhs_begin"], x.rank, 0), place(attrs["lhs_end"], x.rank, x.rank)
    first, last = place(attrs["rhs_begin"], like.rank, 0), place(attrs["rhs_end"], like.rank, like.rank)
    own, other = g.extents(x), g.extents(like)
    return g.reshape(x, *own[:begin], *other[first:last], *own[end:])


def place(value, rank, default):
    """A place among axes."""
    return default if value is None else value + rank if value < 0 else value


@exports("Flatten")
def flatten(g, attrs, x):
    return g("Flatten", x, axis=1)


@exports("expand_dims")
def expand_dims(g, attrs, x):
    return g("Unsqueeze", x, g.ints(attrs["axis"]))


@exports("squeeze")
def squeeze(g, attrs, x):
    axis = attrs["axis"]
    if axis is None:
        axes = [i for i, extent in enumerate(g.fixed(x)) if extent == 1]
    else:
        axes = [axis] if isinstance(axis, int) else list(axis)
    if len(axes) == x.rank:
        return g.reshape(x, *[1] * g.results[0].rank)
    return g("Squeeze", x, g.ints(*(n % x.rank for n in axes))) if axes else g("Identity", x)


@exports("transpose")
def transpose(g, attrs, x):
    return g("Transpose", x, perm=attrs["axes"] or tuple(range(x.rank))[::-1])


@exports("SwapAxis")
def swap_axis(g, attrs, x):
    a, b = attrs["dim1"] % x.rank, attrs["dim2"] % x.rank
    order = list(range(x.rank))
    order[a], order[b] = b, a
    return g("Transpose", x, perm=order)


# --- join and split ---------------------------------------------------------------------------------------
@exports("Concat", "_rnn_param_concat")
def concat(g, attrs, *xs):
    return g("Concat", *xs, axis=attrs["dim"] % xs[0].rank)


@exports("stack")
def stack(g, attrs, *xs):
    axis = attrs["axis"] % (xs[0].rank + 1)
    return g("Concat", *(g("Unsqueeze", x, g.ints(axis)) for x in xs), axis=axis)


def squeezed(g, parts, axis, wanted):
    """Parts without the axis that was split."""
    return [g("Squeeze", part, g.ints(axis)) for part in parts] if wanted else parts


@exports("SliceChannel")
def slice_channel(g, attrs, x):
    count, axis = attrs["num_outputs"], attrs["axis"] % x.rank
    if count == 1:
        return squeezed(g, [x], axis, attrs["squeeze_axis"])
    parts = g("Split", x, axis=axis, outputs=count)
    return squeezed(g, parts, axis, attrs["squeeze_axis"])


@exports("_split_v2")
def split_v2(g, attrs, x):
    axis = attrs["axis"] % x.rank
    if attrs["sections"]:
        count = attrs["sections"]
        parts = g("Split", x, axis=axis, outputs=count) if count > 1 else [x]
        return squeezed(g, parts, axis, attrs["squeeze_axis"])
    begins = [n for n in attrs["indices"] if n > 0]
    ends = [*begins, None]
    parts = [cut(g, x, axis, begin, end) for begin, end in zip([0, *begins], ends, strict=True)]
    return squeezed(g, parts, axis, attrs["squeeze_axis"])


def cut(g, x, axis, begin, end):
    """Return part of an axis."""
    last = 2**31 - 1 if end is None else end
    return g("Slice", x, g.ints(begin), g.ints(last), g.ints(axis))


# --- repeat -----------------------------------------------------------------------------------------------
@exports("tile")
def tile(g, attrs, x):
    reps = list(attrs["reps"])
    missing = len(reps) - x.rank
    data = g("Unsqueeze", x, g.ints(*range(missing))) if missing > 0 else x
    return g("Tile", data, g.ints(*[1] * -missing, *reps))


@exports("repeat")
def repeat(g, attrs, x):
    data, axis = x, attrs["axis"]
    if axis is None:
        size = product(x.extents) if x.fixed else None
        data, axis = Value(g.reshape(x, -1), (size,), x.dtype), 0
    axis %= data.rank
    copies = g("Tile", g("Unsqueeze", data, g.ints(axis + 1)),
               g.ints(*(attrs["repeats"] if n == axis + 1 else 1 for n in range(data.rank + 1))))  # fmt: skip
    extents = [-1 if n == axis else 0 for n in range(axis + 1)]
    return g.reshape(copies, *extents, *(g.extent(data, n) for n in range(axis + 1, data.rank)))


@exports("broadcast_to")
def broadcast_to(g, attrs, x):
    return g("Expand", x, g.ints(*(extent or 1 for extent in attrs["shape"])))


@exports("broadcast_axis")
def broadcast_axis(g, attrs, x):
    axes, sizes = ((n,) if isinstance(n, int) else n for n in (attrs["axis"], attrs["size"]))
    shape = [1] * x.rank
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    return g("Expand", x, g.ints(*shape))


@exports("broadcast_like")
def broadcast_like(g, attrs, x, like):
    if attrs["lhs_axes"] is None:
        return g("Expand", x, g.ints(*like.extents) if like.fixed else g("Shape", like))
    shape: list = [1] * x.rank
    for axis, other in zip(attrs["lhs_axes"], attrs["rhs_axes"], strict=True):
        shape[axis] = g.extent(like, other)
    return g("Expand", x, g.dims(*shape))


@exports("reverse")
def reverse(g, attrs, x):
    axis = attrs["axis"]
    axes = [axis] if isinstance(axis, int) else list(axis)
    return flipped(g, x, *(n % x.rank for n in axes))


def flipped(g, x, *axes):
    """x from its end to its beginning along axes."""
    return g("Slice", x, g.ints(*[-1] * len(axes)), g.ints(*[-(2**31)] * len(axes)), g.ints(*axes),
             g.ints(*[-1] * len(axes)))  # fmt: skip


@exports("Pad")
def pad(g, attrs, x):
    widths = attrs["pad_width"]
    value = [g.constant(attrs["constant_value"], x.dtype)] if attrs["mode"] == "constant" else []
    return g("Pad", x, g.ints(*widths[::2], *widths[1::2]), *value, mode=attrs["mode"])


@exports("shape_array")
def shape_array(g, attrs, x):
    return g("Shape", x)


@exports("size_array")
def size_array(g, attrs, x):
    return g.reshape(g("Size", x), 1)
