"""Products of queries, keys and values that lie interleaved in one array.

Its extents are (steps, batch, heads * parts * size).
"""

import math

from ..writer import exports


def part(g, x, heads, parts, index):
    """Return (batch * heads, steps, size) of one of the interleaved arrays."""
    split = g.reshape(x, 0, 0, heads, parts, -1)
    own = g("Transpose", g("Gather", split, g.constant(index, "int64"), axis=3), perm=(1, 2, 0, 3))
    size = x.extents[2] // (heads * parts)
    return g.reshape(own, -1, g.extent(x, 0), size), size


def scores(g, queries, keys, size):
    """Products of queries, over the root of their size, with keys."""
    scaled = g("Div", queries, g.constant(math.sqrt(size), g.results[0].dtype))
    return g("MatMul", scaled, g("Transpose", keys, perm=(0, 2, 1)))


def values_of(g, x, attention, values, size, heads, steps):
    """Return the mean values in the order (steps, batch, heads * size)."""
    mixed = g("MatMul", attention, values)
    split = g.reshape(mixed, -1, heads, steps, size)
    return g.reshape(g("Transpose", split, perm=(2, 0, 1, 3)), 0, 0, -1)


@exports("_contrib_interleaved_matmul_selfatt_qk")
def selfatt_qk(g, attrs, x):
    heads = attrs["heads"]
    queries, size = part(g, x, heads, 3, 0)
    return scores(g, queries, part(g, x, heads, 3, 1)[0], size)


@exports("_contrib_interleaved_matmul_selfatt_valatt")
def selfatt_valatt(g, attrs, x, attention):
    heads = attrs["heads"]
    values, size = part(g, x, heads, 3, 2)
    return values_of(g, x, attention, values, size, heads, g.extent(attention, 1))


@exports("_contrib_interleaved_matmul_encdec_qk")
def encdec_qk(g, attrs, queries, pairs):
    heads = attrs["heads"]
    own, size = part(g, queries, heads, 1, 0)
    return scores(g, own, part(g, pairs, heads, 2, 0)[0], size)


@exports("_contrib_interleaved_matmul_encdec_valatt")
def encdec_valatt(g, attrs, pairs, attention):
    heads = attrs["heads"]
    values, size = part(g, pairs, heads, 2, 1)
    return values_of(g, pairs, attention, values, size, heads, g.extent(attention, 1))
