"""Products of attention over interleaved projections: queries, keys and values of all heads in one array.

An array (length, batch, heads * parts * size) holds, for every head, `parts` vectors after each other.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import op
from ._operator import describe, find


def symbolic(name, *inputs, **attrs):
    """Apply an operator, for gradient rules."""
    return find(name)(*inputs, **attrs)


def eager(name, *inputs, **attrs):
    """Compute an operator's first output, for bodies."""
    found = find(name)
    if found.variadic:
        attrs["num_args"] = len(inputs)
    return found.compute(list(inputs), found.parse_attrs(attrs))[0]


def part_of(f, x, heads, parts, index):
    """One of the parts as (batch * heads, length, size)."""
    x = f("Reshape", f("Reshape", x, shape=(0, 0, -4, heads, -1)), shape=(0, 0, 0, -4, parts, -1))
    x = f("slice_axis", x, axis=3, begin=index, end=index + 1)
    x = f("Reshape", x, shape=(0, -3, -3))
    return f("transpose", x, axes=(1, 0, 2))


def interleaved(f, parts, heads):
    """Parts (batch * heads, length, size) in one array (length, batch, heads * parts * size)."""
    x = f("transpose", f("stack", *parts, axis=2), axes=(1, 0, 2, 3))
    return f("Reshape", f("Reshape", x, shape=(0, -4, -1, heads, -3)), shape=(0, 0, -3))


def products(f, q, k):
    """q kᵀ / sqrt(size)."""
    return f("batch_dot", f("_contrib_div_sqrt_dim", q), k, transpose_b=True)


def products_grad(f, g, q, k):
    """Gradients of q and k."""
    back = f("batch_dot", g, k), f("batch_dot", g, q, transpose_a=True)
    return [f("_contrib_div_sqrt_dim", part) for part in back]


def divided(name, shape, heads, parts):
    """(length, batch * heads, size of a vector) of an interleaved array."""
    if len(shape) != 3 or heads < 1 or shape[2] % (heads * parts):
        expected = f"(length, batch, channels) with channels divisible by {heads * parts}"
        raise ShapeError(message(name, "heads", expected, describe(shape)))
    return shape[0], shape[1] * heads, shape[2] // (heads * parts)


def selfatt_qk_shape(queries_keys_values, heads):
    length, count, _ = divided("interleaved_matmul_selfatt_qk", queries_keys_values, heads, 3)
    return (count, length, length)


def selfatt_valatt_shape(queries_keys_values, attention, heads):
    name = "interleaved_matmul_selfatt_valatt"
    length, count, size = divided(name, queries_keys_values, heads, 3)
    if attention != (count, length, length):
        raise ShapeError(message(name, "attention", f"shape {(count, length, length)}", describe(attention)))
    return (length, count // heads, heads * size)


def encdec_qk_shape(queries, keys_values, heads):
    name = "interleaved_matmul_encdec_qk"
    length, count, size = divided(name, queries, heads, 1)
    keys, others, other_size = divided(name, keys_values, heads, 2)
    if (others, other_size) != (count, size):
        expected = f"the batch and twice the channels of queries {describe(queries)}"
        raise ShapeError(message(name, "keys_values", expected, describe(keys_values)))
    return (count, length, keys)


def encdec_valatt_shape(keys_values, attention, heads):
    name = "interleaved_matmul_encdec_valatt"
    keys, count, size = divided(name, keys_values, heads, 2)
    if len(attention) != 3 or (attention[0], attention[2]) != (count, keys):
        raise ShapeError(message(name, "attention", f"shape ({count}, ?, {keys})", describe(attention)))
    return (attention[1], count // heads, heads * size)


def parts_reference(x, heads, parts):
    """The parts of an interleaved array, each (batch * heads, length, size)."""
    length, batch, channels = x.shape
    x = x.reshape(length, batch * heads, parts, channels // heads // parts)
    return list(x.transpose(2, 1, 0, 3))


def heads_joined(x, heads):
    """(batch * heads, length, size) as (length, batch, heads * size)."""
    count, length, size = x.shape
    return x.transpose(1, 0, 2).reshape(length, count // heads, heads * size)


def attention_reference(q, k):
    return q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])


def zeros_of(f, x):
    return f("zeros_like", x)


# --- self-attention ------------------------------------------------------------------------------------
def selfatt_qk_gradient(g, queries_keys_values, heads):
    f = symbolic
    q, k = (part_of(f, queries_keys_values, heads, 3, i) for i in (0, 1))
    g_q, g_k = products_grad(f, g, q, k)
    return interleaved(f, [g_q, g_k, zeros_of(f, g_k)], heads)


@op(
    grad=selfatt_qk_gradient,
    shape=selfatt_qk_shape,
    kinds="f",
    ref=lambda x, heads: attention_reference(*parts_reference(x, heads, 3)[:2]),
    cases=[
        case(uniform(3, 2, 12), heads=2),
        case(uniform(3, 0, 12), heads=2),
        raises(
            ShapeError, uniform(3, 2, 10), heads=2, match="(heads): expected (length, batch, channels) with"
        ),
    ],
)
def _contrib_interleaved_matmul_selfatt_qk(queries_keys_values, *, heads: int, out):
    """Queries times keys / sqrt(size): (batch * heads, length, length).
    """
    q, k = (part_of(eager, queries_keys_values, heads, 3, i) for i in (0, 1))
    return kernels.copy(products(eager, q, k), out=out)


def selfatt_valatt_gradient(g, queries_keys_values, attention, heads):
    f = symbolic
    v = part_of(f, queries_keys_values, heads, 3, 2)
    g = part_of(f, g, heads, 1, 0)
    g_v = f("batch_dot", attention, g, transpose_a=True)
    none = zeros_of(f, g_v)
    return interleaved(f, [none, none, g_v], heads), f("batch_dot", g, v, transpose_b=True)


@op(
    grad=selfatt_valatt_gradient,
    shape=selfatt_valatt_shape,
    kinds="f",
    ref=lambda x, attention, heads: heads_joined(attention @ parts_reference(x, heads, 3)[2], heads),
    cases=[
        case(uniform(3, 2, 12), uniform(4, 3, 3), heads=2),
        raises(ShapeError, uniform(3, 2, 12), uniform(4, 3, 2), heads=2, match="(attention): expected shape"),
    ],
)
def _contrib_interleaved_matmul_selfatt_valatt(queries_keys_values, attention, *, heads: int, out):
    """Attention times values: (length, batch, heads * size)."""
    v = part_of(eager, queries_keys_values, heads, 3, 2)
    return kernels.copy(interleaved(eager, [eager("batch_dot", attention, v)], heads), out=out)


# --- attention of a decoder to an encoder --------------------------------------------------------------
def encdec_qk_gradient(g, queries, keys_values, heads):
    f = symbolic
    q, k = part_of(f, queries, heads, 1, 0), part_of(f, keys_values, heads, 2, 0)
    g_q, g_k = products_grad(f, g, q, k)
    return interleaved(f, [g_q], heads), interleaved(f, [g_k, zeros_of(f, g_k)], heads)


@op(
    grad=encdec_qk_gradient,
    shape=encdec_qk_shape,
    kinds="f",
    ref=lambda q, kv, heads: attention_reference(
        parts_reference(q, heads, 1)[0], parts_reference(kv, heads, 2)[0]
    ),
    cases=[
        case(uniform(3, 2, 4), uniform(5, 2, 8), heads=2),
        raises(
            ShapeError, uniform(3, 2, 4), uniform(5, 2, 4), heads=2, match="(keys_values): expected the batch"
        ),
    ],
)
def _contrib_interleaved_matmul_encdec_qk(queries, keys_values, *, heads: int, out):
    """Queries times keys / sqrt(size): (batch * heads, length of queries, length of keys)."""
    q, k = part_of(eager, queries, heads, 1, 0), part_of(eager, keys_values, heads, 2, 0)
    return kernels.copy(products(eager, q, k), out=out)


def encdec_valatt_gradient(g, keys_values, attention, heads):
    f = symbolic
    v, g = part_of(f, keys_values, heads, 2, 1), part_of(f, g, heads, 1, 0)
    g_v = f("batch_dot", attention, g, transpose_a=True)
    return interleaved(f, [zeros_of(f, g_v), g_v], heads), f("batch_dot", g, v, transpose_b=True)


@op(
    grad=encdec_valatt_gradient,
    shape=encdec_valatt_shape,
    kinds="f",
    ref=lambda kv, attention, heads: heads_joined(attention @ parts_reference(kv, heads, 2)[1], heads),
    cases=[
        case(uniform(5, 2, 8), uniform(4, 3, 5), heads=2),
        raises(ShapeError, uniform(5, 2, 8), uniform(4, 3, 4), heads=2, match="(attention): expected shape"),
    ],
)
def _contrib_interleaved_matmul_encdec_valatt(keys_values, attention, *, heads: int, out):
    """Attention times values: (length of queries, batch, heads * size)."""
    v = part_of(eager, keys_values, heads, 2, 1)
    return kernels.copy(interleaved(eager, [eager("batch_dot", attention, v)], heads), out=out)


@op(
    grad=lambda g: _contrib_div_sqrt_dim(g),
    kinds="f",
    ref=lambda x: x / np.sqrt(x.shape[-1]),
    cases=[uniform(2, 3, 5), uniform(0, 2)],
)
def _contrib_div_sqrt_dim(data, *, out):
    """data divided by the square root of its last extent."""
    outs = None if out is None else [out]
    scalar = {"scalar": max(data.shape[-1], 1) ** 0.5, "is_int": False}
    return find("_div_scalar").compute([data], scalar, outs)[0]
