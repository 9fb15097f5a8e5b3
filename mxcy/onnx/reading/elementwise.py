"""Functions of one element, or of one element of each of several arrays."""

import numpy as np

from ... import symbol as sym
from ...dtypes import DTYPES
from ...symbol import _internal
from ..package import package
from ..reader import imports

UNARY = {
    "Abs": "abs", "Acos": "arccos", "Acosh": "arccosh", "Asin": "arcsin", "Asinh": "arcsinh",
    "Atan": "arctan", "Atanh": "arctanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf",
    "Exp": "exp", "Floor": "floor", "Identity": "identity", "Log": "log", "Neg": "negative",
    "Not": "logical_not", "Reciprocal": "reciprocal", "Relu": "relu",
    "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Softsign": "softsign",
    "Sqrt": "sqrt", "Tan": "tan", "Tanh": "tanh",
}  # fmt: skip

# Operator of ONNX -> (that of two arrays, of an array and a number, of a number and an array).
BINARY = {
    "Add": ("broadcast_add", "_plus_scalar", "_plus_scalar"),
    "Sub": ("broadcast_sub", "_minus_scalar", "_rminus_scalar"),
    "Mul": ("broadcast_mul", "_mul_scalar", "_mul_scalar"),
    "Div": ("broadcast_div", "_div_scalar", "_rdiv_scalar"),
    "Pow": ("broadcast_power", "_power_scalar", "_rpower_scalar"),
    "And": ("broadcast_logical_and", "_logical_and_scalar", "_logical_and_scalar"),
    "Or": ("broadcast_logical_or", "_logical_or_scalar", "_logical_or_scalar"),
    "Xor": ("broadcast_logical_xor", "_logical_xor_scalar", "_logical_xor_scalar"),
    "Equal": ("broadcast_equal", "_equal_scalar", "_equal_scalar"),
    "Greater": ("broadcast_greater", "_greater_scalar", "_lesser_scalar"),
    "GreaterOrEqual": ("broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar"),
    "Less": ("broadcast_lesser", "_lesser_scalar", "_greater_scalar"),
    "LessOrEqual": ("broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar"),
    "Max": ("broadcast_maximum", "_maximum_scalar", "_maximum_scalar"),
    "Min": ("broadcast_minimum", "_minimum_scalar", "_minimum_scalar"),
}  # fmt: skip


def unary(n, kind):
    return getattr(sym, kind)(n[0], name=n.name)


def scalar(n, index):
    """The number that an input is, else None: a number adds no axis."""
    values = n.constant(index)
    if values is None or values.size != 1 or values.ndim > 1:
        return None
    return values.item()


def pair(n, both, right, left):
    """An operator of two inputs, of which one may be a number."""
    a, b = scalar(n, 0), scalar(n, 1)
    if b is not None:
        return getattr(_internal, right)(n[0], scalar=b, name=n.name)
    if a is not None:
        return getattr(_internal, left)(n[1], scalar=a, name=n.name)
    return getattr(sym, both)(n[0], n[1], name=n.name)


for _kind, _name in UNARY.items():
    imports(_kind)(lambda n, name=_name: unary(n, name))
for _kind, _names in BINARY.items():
    if _kind not in ("Max", "Min"):
        imports(_kind)(lambda n, names=_names: pair(n, *names))


@imports("Max", "Min")
def extremum(n):
    if len(n) == 1:
        return n[0]
    if len(n) == 2:
        return pair(n, *BINARY[n.kind])
    found, *others = n.symbols()
    for other in others:
        found = getattr(sym, BINARY[n.kind][0])(found, other)
    return found


@imports("Sum", "Mean")
def total(n):
    found, *others = n.symbols()
    shapes = {n.shape(i) for i in range(len(n))}
    if len(shapes) == 1 and None not in shapes and n.kind == "Sum" and others:
        return sym.add_n(found, *others, name=n.name)
    for other in others:
        found = sym.broadcast_add(found, other)
    return found / len(n) if n.kind == "Mean" else found


@imports("Mod")
def mod(n):
    if n.get("fmod", 0):
        a, b = n[0], n[1]
        return sym.broadcast_sub(a, sym.broadcast_mul(sym.trunc(sym.broadcast_div(a, b)), b), name=n.name)
    return pair(n, "broadcast_mod", "_mod_scalar", "_rmod_scalar")


@imports("Cast")
def cast(n):
    dtype = np.dtype(package().helper.tensor_dtype_to_np_dtype(n.get("to")))
    if dtype.kind == "b":
        return n[0] != 0
    n.need(dtype in DTYPES, "to", "a dtype of MXNet", dtype)
    return sym.Cast(n[0], dtype=dtype, name=n.name)


@imports("Round")
def half_to_even(n):
    up = sym.floor(n[0] + 0.5)
    return sym.elemwise_sub(up, (up == n[0] + 0.5) * (up % 2), name=n.name)


@imports("Clip")
def clip(n):
    low, high, dtype = n.number(1, "min"), n.number(2, "max"), n.dtype(0)
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo("float32")
    low, high = limits.min if low is None else low, limits.max if high is None else high
    return sym.clip(n[0], a_min=low, a_max=high, name=n.name)


@imports("Where")
def where(n):
    condition, a, b = n.symbols()
    shapes = {n.shape(i) for i in range(3)}
    if len(shapes) == 1 and None not in shapes:
        return sym.where(condition, a, b, name=n.name)
    like = sym.zeros_like(sym.broadcast_add(sym.broadcast_add(condition * 0, a * 0), b * 0))
    return sym.where(*(sym.broadcast_add(part, like) for part in (condition, a, b)), name=n.name)


@imports("IsNaN")
def isnan(n):
    return sym.contrib.isnan(n[0], name=n.name)


@imports("IsInf")
def isinf(n):
    n.need(
        n.get("detect_negative", 1) == n.get("detect_positive", 1) == 1,
        "detect_negative",
        "both signs",
        "one",
    )
    return sym.contrib.isinf(n[0], name=n.name)


# --- activations ------------------------------------------------------------------------------------------
@imports("LeakyRelu", "ThresholdedRelu")
def leaky_relu(n):
    if n.kind == "ThresholdedRelu":
        return n[0] * (n[0] > n.get("alpha", 1.0))
    return sym.LeakyReLU(n[0], act_type="leaky", slope=n.get("alpha", 0.01), name=n.name)


@imports("PRelu")
def prelu(n):
    slope, shape = n[1], n.shape(1)
    if shape is not None and (
        len(shape) == 0 or (len(shape) > 1 and all(extent == 1 for extent in shape[1:]))
    ):
        slope = sym.Reshape(slope, shape=(-1,))
    elif shape is not None and len(shape) > 1:
        return sym.broadcast_add(
            sym.maximum(n[0], 0), sym.broadcast_mul(sym.minimum(n[0], 0), slope), name=n.name
        )
    return sym.LeakyReLU(n[0], slope, act_type="prelu", name=n.name)


@imports("Elu")
def elu(n):
    return sym.LeakyReLU(n[0], act_type="elu", slope=n.get("alpha", 1.0), name=n.name)


@imports("Selu")
def selu(n):
    alpha, scale = n.get("alpha", 1.6732632423543772), n.get("gamma", 1.0507009873554805)
    if abs(alpha - 1.6732632423543772) < 1e-6 and abs(scale - 1.0507009873554805) < 1e-6:
        return sym.LeakyReLU(n[0], act_type="selu", name=n.name)
    return sym.LeakyReLU(n[0], act_type="elu", slope=alpha) * scale


@imports("Celu")
def celu(n):
    alpha = n.get("alpha", 1.0)
    return sym.LeakyReLU(n[0] / alpha, act_type="elu", slope=1.0) * alpha


@imports("Gelu")
def gelu(n):
    if n.get("approximate", "none") == "tanh":
        x = n[0]
        return x * 0.5 * (1 + sym.tanh((x + x * x * x * 0.044715) * float(np.sqrt(2 / np.pi))))
    return sym.LeakyReLU(n[0], act_type="gelu", name=n.name)


@imports("Softplus")
def softplus(n):
    return sym.Activation(n[0], act_type="softrelu", name=n.name)


@imports("Mish")
def mish(n):
    return n[0] * sym.tanh(sym.Activation(n[0], act_type="softrelu"))


@imports("HardSigmoid")
def hard_sigmoid(n):
    return sym.hard_sigmoid(n[0], alpha=n.get("alpha", 0.2), beta=n.get("beta", 0.5), name=n.name)


@imports("HardSwish")
def hard_swish(n):
    return n[0] * sym.hard_sigmoid(n[0], alpha=1 / 6, beta=0.5)


@imports("Swish")
def swish(n):
    return n[0] * sym.sigmoid(n[0] * n.get("alpha", 1.0))
