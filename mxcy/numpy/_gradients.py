"""The gradients of universal functions: each rule is written in functions of the namespace.

`g` is the gradient of the result, `y` the result; `x`, or `a` and `b`, are the operands, `like_a` stands for
one of which only shape and dtype are read.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as _np

from ..errors import ArgumentError, message
from . import _reductions, _shapes
from . import _ufuncs as u
from ._recorded import CONSTANT, WITHOUT_GRADIENT, Rule
from ._ufunc import elementwise

__all__ = ["fit", "give_rules", "register_ufunc"]

LN2 = 0.6931471805599453
LN10 = 2.302585092994046


def smooth(g: Any) -> Any:
    """A gradient, zero of integers: between them a function has steps alone."""
    return g * 0 if _np.dtype(g.dtype).kind in "iu" else g


def fit(g: Any, like: Any) -> Any:
    """Sum a gradient over the axes along which an operand was broadcast, in the operand's dtype."""
    if g.shape != like.shape:
        extra = g.ndim - like.ndim
        axes = [i for i in range(g.ndim) if i < extra or (like.shape[i - extra] == 1 and g.shape[i] != 1)]
        g = _shapes.reshape(_reductions.sum(g, axis=tuple(axes), keepdims=True), like.shape)
    if g.dtype != like.dtype:
        if g.dtype.kind == "c" and like.dtype.kind != "c":
            g = g.real
        g = g.astype(like.dtype)
    return g


def _conj(x: Any) -> Any:
    """The conjugate in a product: gradients of complex numbers are those of real and imaginary part."""
    return u.conjugate(x) if x.dtype.kind == "c" else x


# Gradients of functions of one operand.
UNARY: dict[str, Any] = {
    "absolute": lambda g, x, y: g * _direction(x, y),
    "fabs": lambda g, x: g * u.sign(x),
    "negative": lambda g: -g,
    "positive": lambda g: g,
    "conjugate": lambda g: _conj(g),
    "exp": lambda g, y: g * _conj(y),
    "exp2": lambda g, y: g * _conj(y) * LN2,
    "expm1": lambda g, y: g * (_conj(y) + 1),
    "log": lambda g, x: g / _conj(x),
    "log2": lambda g, x: g / (_conj(x) * LN2),
    "log10": lambda g, x: g / (_conj(x) * LN10),
    "log1p": lambda g, x: g / (_conj(x) + 1),
    "sqrt": lambda g, y: g * 0.5 / _conj(y),
    "square": lambda g, x: g * 2 * _conj(x),
    "cbrt": lambda g, y: g / (3 * y * y),
    "reciprocal": lambda g, y: -g * _conj(y) * _conj(y),
    "sin": lambda g, x: g * u.cos(_conj(x)),
    "cos": lambda g, x: -g * u.sin(_conj(x)),
    "tan": lambda g, y: g * (1 + _conj(y) * _conj(y)),
    "arcsin": lambda g, x: g / u.sqrt(1 - _conj(x) * _conj(x)),
    "arccos": lambda g, x: -g / u.sqrt(1 - _conj(x) * _conj(x)),
    "arctan": lambda g, x: g / (1 + _conj(x) * _conj(x)),
    "sinh": lambda g, x: g * u.cosh(_conj(x)),
    "cosh": lambda g, x: g * u.sinh(_conj(x)),
    "tanh": lambda g, y: g * (1 - _conj(y) * _conj(y)),
    "arcsinh": lambda g, x: g / u.sqrt(_conj(x) * _conj(x) + 1),
    "arccosh": lambda g, x: g / u.sqrt(_conj(x) * _conj(x) - 1),
    "arctanh": lambda g, x: g / (1 - _conj(x) * _conj(x)),
    "degrees": lambda g: g * (180 / _np.pi),
    "rad2deg": lambda g: g * (180 / _np.pi),
    "radians": lambda g: g * (_np.pi / 180),
    "deg2rad": lambda g: g * (_np.pi / 180),
}


def _direction(x: Any, y: Any) -> Any:
    """The sign of a number; a complex number over its absolute value."""
    return x / (y + (y == 0)) if x.dtype.kind == "c" else u.sign(x)


def _log_or_zero(x: Any) -> Any:
    """The logarithm of x; 0 where x is 0, whose power does not change with the exponent there."""
    safe = x + (x == 0)
    return u.log(safe)


def _power_a(g: Any, a: Any, b: Any, like_a: Any) -> Any:
    exponent = b - 1
    if getattr(b, "shape", ()) == () and not hasattr(b, "_tape"):
        return fit(g * b * a**exponent, like_a)
    # 0 ** -1 times 0 would be NaN where the exponent is 0.
    return fit(g * b * u.power(a, exponent + (b == 0)), like_a)


def _share(a: Any, b: Any, wins: Any) -> Any:
    """1 where a is the result, 1/2 where both are equal, else 0."""
    return wins(a, b) + 0.5 * u.equal(a, b)


def _of_winner(wins: Any) -> tuple:
    """Gradients of a function that returns one of its operands."""
    return (
        lambda g, a, b: fit(g * _share(a, b, wins), a),
        lambda g, a, b: fit(g * _share(b, a, wins), b),
    )


# Gradients of functions of two operands.
BINARY: dict[str, Any] = {
    "add": (lambda g, like_a: fit(g, like_a), lambda g, like_b: fit(g, like_b)),
    "subtract": (lambda g, like_a: fit(g, like_a), lambda g, like_b: fit(-g, like_b)),
    "multiply": (
        lambda g, b, like_a: fit(g * _other(b), like_a),
        lambda g, a, like_b: fit(g * _other(a), like_b),
    ),
    "divide": (
        lambda g, b, like_a: fit(g / _other(b), like_a),
        lambda g, b, y: fit(-g * _other(y) / _other(b), b),
    ),
    "power": (
        lambda g, a, b, like_a: _power_a(g, _other(a), _other(b), like_a),
        lambda g, a, y, like_b: fit(g * _other(y) * _log_or_zero(_other(a)), like_b),
    ),
    "float_power": (
        lambda g, a, b, like_a: _power_a(g, _other(a), _other(b), like_a),
        lambda g, a, y, like_b: fit(g * _other(y) * _log_or_zero(_other(a)), like_b),
    ),
    "maximum": _of_winner(u.greater),
    "minimum": _of_winner(u.less),
    "fmax": _of_winner(u.greater),
    "fmin": _of_winner(u.less),
    "hypot": (lambda g, a, y: fit(g * a / y, a), lambda g, b, y: fit(g * b / y, b)),
    "arctan2": (
        lambda g, a, b, like_a: fit(g * b / (a * a + b * b), like_a),
        lambda g, a, b, like_b: fit(-g * a / (a * a + b * b), like_b),
    ),
    "logaddexp": (
        lambda g, a, y: fit(g * u.exp(a - y), a),
        lambda g, b, y: fit(g * u.exp(b - y), b),
    ),
    "logaddexp2": (
        lambda g, a, y: fit(g * u.exp2(a - y), a),
        lambda g, b, y: fit(g * u.exp2(b - y), b),
    ),
    "remainder": (lambda g, like_a: fit(smooth(g), like_a),
                  lambda g, a, b: fit(-smooth(g) * u.floor_divide(a, b), b)),
    "fmod": (lambda g, like_a: fit(smooth(g), like_a),
             lambda g, a, b: fit(-smooth(g) * u.trunc(a / b), b)),
    "copysign": (
        lambda g, a, b: fit(g * u.copysign(1.0, b) * u.copysign(1.0, a), a),
        lambda g, like_b: None,
    ),
    "heaviside": (lambda g, like_a: None, lambda g, a, b: fit(g * (a == 0), b)),
    "ldexp": (lambda g, b, like_a: fit(u.ldexp(g, b), like_a),),
}  # fmt: skip


def _other(x: Any) -> Any:
    return x if isinstance(x, (int, float)) else _conj_any(x)


def _conj_any(x: Any) -> Any:
    if isinstance(x, complex):
        return x.conjugate()
    if not hasattr(x, "dtype"):
        x = _np.asarray(x)
    return x.conj() if x.dtype.kind == "c" else x


# Functions that are constant almost everywhere, or whose results are not numbers to differentiate.
FLAT = [
    "bitwise_and", "bitwise_count", "bitwise_or", "bitwise_xor", "ceil", "equal", "floor", "floor_divide",
    "gcd", "greater", "greater_equal", "invert", "isfinite", "isinf", "isnan", "lcm", "left_shift", "less",
    "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal", "right_shift",
    "rint", "sign", "signbit", "spacing", "trunc",
]  # fmt: skip


# Functions that write into an argument: while one is on the tape, they raise at the call.
_WRITERS = frozenset(["copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"])


def _name_rules() -> None:
    for name, rule in UNARY.items():
        getattr(u, name).rule = Rule({"x": rule}, ("x",))
    for name, rules in BINARY.items():
        gradients = dict(zip(("a", "b"), rules, strict=False))
        getattr(u, name).rule = Rule(gradients, ("a", "b"))
    for name in FLAT:
        getattr(u, name).rule = CONSTANT


def give_rules() -> None:
    """Give the functions of the namespace their rules."""
    from . import _compositions, _gradients_of_arrays, _gradients_of_draws, _products, _through, linalg

    _name_rules()
    _gradients_of_arrays.give_rules()
    _compositions.give_rules()
    _gradients_of_draws.give_rules()
    for module in (u, _products, _shapes, _through, linalg):
        for name in module.__all__:
            function = getattr(module, name)
            if getattr(function, "rule", 0) is None and name not in _WRITERS:
                function.rule = WITHOUT_GRADIENT


def register_ufunc(function: Any, *gradients: Any) -> Any:
    """Give a universal function gradients; return it as a function of arrays of `mx.np`.

    `function` is NumPy's, SciPy's, or one made by `numba.vectorize`. There is a gradient for each operand:
    `gradient(g, y, *operands)` returns what flows to the operand, where `g` is the gradient of the result and
    `y` the result, and is written in functions of `mx.np`, so that it can be differentiated again. None is
    for an operand without gradient.

        erf = mx.register_ufunc(scipy.special.erf, lambda g, y, x: g * 2 / np.pi**0.5 * np.exp(-x * x))

    Raises ArgumentError if there are not as many gradients as operands.
    """
    if len(gradients) != function.nin:
        expected = f"{function.nin} gradients"
        raise ArgumentError(message("register_ufunc", "gradients", expected, len(gradients)))
    own = elementwise(function)
    names = ["x"] if function.nin == 1 else [f"x{i + 1}" for i in range(function.nin)]
    rules = {}
    for name, gradient in zip(names, gradients, strict=True):
        if gradient is not None:
            rules[name] = _fitted(gradient, name, names)
    own.rule = Rule(rules, names)
    return own


def _fitted(gradient: Any, name: str, names: list[str]) -> Any:
    """A rule whose gradient is summed over the axes along which its operand was broadcast."""
    place = names.index(name)

    def rule(g: Any, y: Any, *operands: Any) -> Any:
        return fit(gradient(g, y, *operands), operands[place])

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(n, kind) for n in ("g", "y", *names)]
    rule.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return rule
