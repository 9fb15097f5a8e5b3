"""Trigonometric and hyperbolic functions and their inverses."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ._cases import uniform
from ._declare import elementwise
from ._storage import KEEPS
from ._trace import ufunc
from .exponential import sqrt

ANY = [uniform(3, 4), uniform(), uniform(0, 2), uniform(2, 1, 3)]
UNIT = [uniform(3, 4, low=-0.9, high=0.9), uniform(0, 2)]
SMALL = [uniform(3, 4, low=-1.2, high=1.2), uniform(0, 2)]
ABOVE_ONE = [uniform(3, 4, low=1.1, high=3), uniform(0, 2, low=2)]


@elementwise(grad=lambda g, data: g * cos(data), ref=np.sin, storage=KEEPS, cases=ANY)
def sin(data):
    """Sine of every element, in radians."""
    return ufunc.sin(data)


@elementwise(grad=lambda g, data: -(g * sin(data)), ref=np.cos, cases=ANY)
def cos(data):
    """Cosine of every element, in radians."""
    return ufunc.cos(data)


@elementwise(grad=lambda g, y: g * (y * y + 1), ref=np.tan, storage=KEEPS, cases=SMALL)
def tan(data):
    """Tangent of every element, in radians."""
    return ufunc.tan(data)


@elementwise(grad=lambda g, data: g / sqrt(1 - data * data), ref=np.arcsin, storage=KEEPS, cases=UNIT)
def arcsin(data):
    """Inverse sine, in [-π/2, π/2]."""
    return ufunc.arcsin(data)


@elementwise(grad=lambda g, data: -(g / sqrt(1 - data * data)), ref=np.arccos, cases=UNIT)
def arccos(data):
    """Inverse cosine, in [0, π]."""
    return ufunc.arccos(data)


@elementwise(grad=lambda g, data: g / (data * data + 1), ref=np.arctan, storage=KEEPS, cases=ANY)
def arctan(data):
    """Inverse tangent, in [-π/2, π/2]."""
    return ufunc.arctan(data)


@elementwise(grad=lambda g, data: g * cosh(data), ref=np.sinh, storage=KEEPS, cases=ANY)
def sinh(data):
    """Hyperbolic sine of every element."""
    return ufunc.sinh(data)


@elementwise(grad=lambda g, data: g * sinh(data), ref=np.cosh, cases=ANY)
def cosh(data):
    """Hyperbolic cosine of every element."""
    return ufunc.cosh(data)


@elementwise(grad=lambda g, y: g * (1 - y * y), ref=np.tanh, storage=KEEPS, cases=ANY)
def tanh(data):
    """Hyperbolic tangent of every element."""
    return ufunc.tanh(data)


@elementwise(grad=lambda g, data: g / sqrt(data * data + 1), ref=np.arcsinh, storage=KEEPS, cases=ANY)
def arcsinh(data):
    """Inverse hyperbolic sine."""
    return ufunc.arcsinh(data)


@elementwise(grad=lambda g, data: g / sqrt(data * data - 1), ref=np.arccosh, cases=ABOVE_ONE)
def arccosh(data):
    """Inverse hyperbolic cosine, of elements from 1 up."""
    return ufunc.arccosh(data)


@elementwise(grad=lambda g, data: g / (1 - data * data), ref=np.arctanh, storage=KEEPS, cases=UNIT)
def arctanh(data):
    """Inverse hyperbolic tangent, of elements between -1 and 1."""
    return ufunc.arctanh(data)


@elementwise(grad=lambda g: g * float(180 / np.pi), ref=np.degrees, storage=KEEPS, cases=ANY)
def degrees(data):
    """Radians as degrees."""
    return ufunc.degrees(data)


@elementwise(grad=lambda g: g * float(np.pi / 180), ref=np.radians, storage=KEEPS, cases=ANY)
def radians(data):
    """Degrees as radians."""
    return ufunc.radians(data)
