"""Functions of one element, or of one element of each of two arrays."""

import math

from ..writer import Value, Writer, exports

UNARY = {
    "abs": "Abs", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh",
    "arctan": "Atan", "arctanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf",
    "exp": "Exp", "floor": "Floor", "log": "Log", "negative": "Neg", "reciprocal": "Reciprocal",
    "relu": "Relu", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "softsign": "Softsign", "sqrt": "Sqrt", "tan": "Tan", "tanh": "Tanh", "_softrelu": "Softplus",
}  # fmt: skip

IDENTITIES = (
    "BlockGrad", "IdentityAttachKLSparseReg", "LinearRegressionOutput", "MAERegressionOutput", "MakeLoss",
    "SVMOutput", "_CrossDeviceCopy", "_contrib_gradientmultiplier", "_copy", "_identity_with_attr_like_rhs",
    "make_loss",
)  # fmt: skip

# Name of the operator of two arrays, without what tells its kinds apart -> the operator of ONNX.
BINARY = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "power": "Pow", "maximum": "Max",
          "minimum": "Min"}  # fmt: skip
COMPARISONS = {"equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "lesser": "Less",
               "lesser_equal": "LessOrEqual"}  # fmt: skip
LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}


def kinds(name):
    """The names under which an operator of two arrays is there."""
    return f"_{name}", f"broadcast_{name}", f"elemwise_{name}"


def scalar(g: Writer, value, x: Value) -> str:
    """Return a number as a constant of the dtype of x."""
    return g.constant(value, x.dtype)


def is_zero(g: Writer, x: Value) -> str:
    """Return whether elements are 0."""
    return g("Equal", x, scalar(g, 0, x))


def truth(g: Writer, x: Value) -> str:
    """Return whether elements are not 0."""
    return g.cast(x, bool)


def _register(names, function):
    exports(*names)(function)


for _name, _kind in UNARY.items():
    _register([_name], lambda g, attrs, x, kind=_kind: g(kind, x))
_register(IDENTITIES, lambda g, attrs, x, *_: g("Identity", x))
_register(["LogisticRegressionOutput"], lambda g, attrs, x, *_: g("Sigmoid", x))
for _name, _kind in BINARY.items():
    _register(kinds(_name), lambda g, attrs, a, b, kind=_kind: g(kind, a, b))
_register(["_grad_add"], lambda g, attrs, a, b: g("Add", a, b))
for _name, _kind in COMPARISONS.items():
    _register(kinds(_name), lambda g, attrs, a, b, kind=_kind: g.cast(g(kind, a, b), g.results[0].dtype))
for _name, _kind in LOGICAL.items():
    _register(
        kinds(_name),
        lambda g, attrs, a, b, kind=_kind: g.cast(g(kind, truth(g, a), truth(g, b)), g.results[0].dtype),
    )


@exports(*kinds("not_equal"))
def not_equal(g, attrs, a, b):
    return g.cast(g("Not", g("Equal", a, b)), g.results[0].dtype)


@exports("logical_not")
def logical_not(g, attrs, x):
    return g.cast(is_zero(g, x), g.results[0].dtype)


def floored(g: Writer, a: str, b: str) -> str:
    """Return the remainder that has the sign of the divisor."""
    return g("Sub", a, g("Mul", g("Floor", g("Div", a, b)), b))


@exports(*kinds("mod"))
def mod(g, attrs, a, b):
    return floored(g, a, b) if a.dtype.kind == "f" else g("Mod", a, b)


@exports(*kinds("hypot"))
def hypot(g, attrs, a, b):
    return g("Sqrt", g("Add", g("Mul", a, a), g("Mul", b, b)))


# Name of the operator of an array and a number -> (that of two arrays, whether the number comes first).
SCALARS = {
    "_plus_scalar": ("_add", False), "_minus_scalar": ("_sub", False), "_rminus_scalar": ("_sub", True),
    "_mul_scalar": ("_mul", False), "_div_scalar": ("_div", False), "_rdiv_scalar": ("_div", True),
    "_power_scalar": ("_power", False), "_rpower_scalar": ("_power", True), "_mod_scalar": ("_mod", False),
    "_rmod_scalar": ("_mod", True), "_maximum_scalar": ("_maximum", False),
    "_hypot_scalar": ("_hypot", False),
    "_minimum_scalar": ("_minimum", False), "_equal_scalar": ("_equal", False),
    "_not_equal_scalar": ("_not_equal", False), "_greater_scalar": ("_greater", False),
    "_greater_equal_scalar": ("_greater_equal", False), "_lesser_scalar": ("_lesser", False),
    "_lesser_equal_scalar": ("_lesser_equal", False), "_logical_and_scalar": ("_logical_and", False),
    "_logical_or_scalar": ("_logical_or", False), "_logical_xor_scalar": ("_logical_xor", False),
}  # fmt: skip


def _scalar_translation(name, first):
    from ..writer import EXPORTS

    def translation(g, attrs, x):
        number = Value(g.constant(attrs["scalar"], x.dtype), (), x.dtype)
        pair = (number, x) if first else (x, number)
        return EXPORTS[name](g, attrs, *pair)

    return translation


for _name, (_pair, _first) in SCALARS.items():
    _register([_name], _scalar_translation(_pair, _first))


# --- functions made of several ----------------------------------------------------------------------------
@exports("square")
def square(g, attrs, x):
    return g("Mul", x, x)


@exports("rsqrt")
def rsqrt(g, attrs, x):
    return g("Reciprocal", g("Sqrt", x))


def _root(g, x):
    return g("Mul", g("Sign", x), g("Pow", g("Abs", x), scalar(g, 1 / 3, x)))


@exports("cbrt")
def cbrt(g, attrs, x):
    return _root(g, x)


@exports("rcbrt")
def rcbrt(g, attrs, x):
    return g("Reciprocal", _root(g, x))


def _scaled(factor, before=None):
    def translation(g, attrs, x):
        return g("Mul", g(before, x) if before else x, scalar(g, factor, x))

    return translation


_register(["log2"], _scaled(1 / math.log(2), "Log"))
_register(["log10"], _scaled(1 / math.log(10), "Log"))
_register(["degrees"], _scaled(180 / math.pi))
_register(["radians"], _scaled(math.pi / 180))


@exports("log1p")
def log1p(g, attrs, x):
    return g("Log", g("Add", x, scalar(g, 1, x)))


@exports("expm1")
def expm1(g, attrs, x):
    return g("Sub", g("Exp", x), scalar(g, 1, x))


@exports("fix", "trunc")
def trunc(g, attrs, x):
    return g("Mul", g("Sign", x), g("Floor", g("Abs", x)))


@exports("rint")
def rint(g, attrs, x):
    """MXNet's rint goes down from the middle between two numbers."""
    return g("Ceil", g("Sub", x, scalar(g, 0.5, x)))


@exports("round")
def round_away(g, attrs, x):
    return g("Mul", g("Sign", x), g("Floor", g("Add", g("Abs", x), scalar(g, 0.5, x))))


@exports("clip")
def clip(g, attrs, x):
    return g("Clip", x, scalar(g, attrs["a_min"], x), scalar(g, attrs["a_max"], x))


@exports("hard_sigmoid")
def hard_sigmoid(g, attrs, x):
    return g("HardSigmoid", x, alpha=float(attrs["alpha"]), beta=float(attrs["beta"]))


@exports("smooth_l1")
def smooth_l1(g, attrs, x):
    squared = attrs["scalar"] ** 2
    size = g("Abs", x)
    near = g("Mul", g("Mul", x, x), scalar(g, 0.5 * squared, x))
    far = g("Sub", size, scalar(g, 0.5 / squared, x))
    return g("Where", g("Less", size, scalar(g, 1 / squared, x)), near, far)


@exports("_contrib_div_sqrt_dim")
def div_sqrt_dim(g, attrs, x):
    last = g.extent(x, -1)
    if isinstance(last, int):
        return g("Div", x, scalar(g, math.sqrt(last), x))
    return g("Div", x, g("Sqrt", g.cast(last, x.dtype)))


@exports("add_n")
def add_n(g, attrs, *xs):
    return g("Sum", *xs)


@exports("Cast", "amp_cast")
def cast(g, attrs, x):
    return g.cast(x, g.results[0].dtype)


@exports("amp_multicast")
def amp_multicast(g, attrs, *xs):
    return [g.cast(x, result.dtype) for x, result in zip(xs, g.results, strict=True)]


@exports("_cast_like")
def cast_like(g, attrs, x, like):
    return g.cast(x, like.dtype)


@exports("where")
def where(g, attrs, condition, a, b):
    chosen = truth(g, condition)
    if condition.rank == 1 and a.rank > 1:  # one row or the other
        chosen = g.reshape(chosen, -1, *[1] * (a.rank - 1))
    return g("Where", chosen, a, b)


@exports("_contrib_isnan")
def isnan(g, attrs, x):
    return g.cast(g("IsNaN", x), g.results[0].dtype)


@exports("_contrib_isinf")
def isinf(g, attrs, x):
    return g.cast(g("IsInf", x), g.results[0].dtype)


@exports("_contrib_isfinite")
def isfinite(g, attrs, x):
    return g.cast(g("Not", g("Or", g("IsNaN", x), g("IsInf", x))), g.results[0].dtype)
