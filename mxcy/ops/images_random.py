"""Images changed at random: mirrored, in other light, in other colours."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any

import numpy as np

from .._launch import array_beside
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import op
from .attention import eager
from .images import FLOAT32, IMAGE, check_image, image_shape, lit, narrowed, widened

GRAY = np.array([0.299, 0.587, 0.114])
# Tests compare shape, dtype and repetition instead of values.
CHANGED: dict[str, Any] = {
    "grad": lambda g: g,
    "grad_check": "as in MXNet the gradient passes straight through what was drawn",
    "kinds": "iuf",
    "ref": None,
}


def drawn(low, high, count=1):
    """Numbers drawn evenly between two."""
    return np.array(kernels.random_uniform(min(low, high), max(low, high), (count,), FLOAT32).view_numpy())


def changed(op_name, channels=(1, 3)):
    return {**CHANGED, "shape": image_shape(op_name, channels)}


def between(op_name, **more):
    """What operators share whose factor lies between two numbers."""

    def shape(data, min_factor, max_factor):
        check_image(op_name, data, (1, 3))
        for name, value in (("min_factor", min_factor), ("max_factor", max_factor)):
            if value < 0:
                raise ArgumentError(message(op_name, name, "a number of at least 0", value))
        return data

    rows = [
        case(IMAGE, min_factor=0.5, max_factor=1.5),
        case(uniform(4, 5, 3), min_factor=0.1, max_factor=0.9),
        raises(
            ArgumentError,
            IMAGE,
            min_factor=-1.0,
            max_factor=1.0,
            match=f"{op_name}(min_factor): expected a number of at least 0, got -1.0",
        ),
        raises(
            ShapeError,
            uniform(4, 5),
            min_factor=0.1,
            max_factor=1.0,
            match=f"{op_name}(data): expected shape",
        ),
        raises(ShapeError, uniform(4, 5, 2), min_factor=0.1, max_factor=1.0, match="with 1 or 3 channels"),
    ]
    return {**CHANGED, "shape": shape, "cases": rows}


# --- the changes, in a dtype for computations ----------------------------------------------------------
def brighter(x, factor):
    return eager("_mul_scalar", x, scalar=factor)


def gray_of(x):
    """(h, w, 1): how bright the elements are."""
    if x.shape[-1] == 1:
        return x
    weighed = eager("broadcast_mul", x, array_beside(x, GRAY.astype(x.dtype)))
    return eager("sum", weighed, axis=2, keepdims=True)


def mixed(x, gray, factor):
    """x times a factor, the rest gray."""
    rest = eager("_mul_scalar", gray, scalar=1.0 - factor)
    return eager("broadcast_add", brighter(x, factor), rest)


def contrasted(x, factor):
    return mixed(x, eager("mean", gray_of(x), axis=(0, 1, 2), keepdims=True), factor)


def saturated(x, factor):
    return x if x.shape[-1] == 1 else mixed(x, gray_of(x), factor)


def turned(x, factor):
    return x if x.shape[-1] == 1 else kernels.image_hue(x, factor)


def applied(change, data, low, high, out):
    """An image changed by a factor that is drawn."""
    return narrowed(change(widened(data), float(drawn(low, high)[0])), data.dtype, out)


# --- operators -----------------------------------------------------------------------------------------
@op(**between("_image_random_brightness"))
def _image_random_brightness(data, *, min_factor: float, max_factor: float, out):
    """An image (h, w, channels) times a factor between two numbers."""
    return applied(brighter, data, min_factor, max_factor, out)


@op(**between("_image_random_contrast"))
def _image_random_contrast(data, *, min_factor: float, max_factor: float, out):
    """An image mixed with its mean brightness; the factor between two numbers is its share."""
    return applied(contrasted, data, min_factor, max_factor, out)


@op(**between("_image_random_saturation"))
def _image_random_saturation(data, *, min_factor: float, max_factor: float, out):
    """An image mixed with itself in gray; the factor between two numbers is its share."""
    return applied(saturated, data, min_factor, max_factor, out)


@op(**between("_image_random_hue"))
def _image_random_hue(data, *, min_factor: float, max_factor: float, out):
    """An image with between two numbers of circles added to the hue of its elements."""
    return applied(turned, data, min_factor, max_factor, out)


JITTER = "_image_random_color_jitter"


def jitter_shape(data, **parts):
    check_image(JITTER, data, (1, 3))
    for name, value in parts.items():
        if value < 0:
            raise ArgumentError(message(JITTER, name, "a number of at least 0", value))
    return data


@op(
    **CHANGED,
    shape=lambda data, brightness, contrast, saturation, hue: jitter_shape(
        data, brightness=brightness, contrast=contrast, saturation=saturation, hue=hue
    ),
    cases=[
        case(IMAGE, brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2),
        raises(
            ArgumentError,
            IMAGE,
            brightness=0.5,
            contrast=-0.5,
            saturation=0.5,
            hue=0.2,
            match=f"{JITTER}(contrast): expected a number of at least 0, got -0.5",
        ),
    ],
)
def _image_random_color_jitter(
    data, *, brightness: float, contrast: float, saturation: float, hue: float, out
):
    """An image in other light and colours, one after the other in random order: see the single operators.

    Factors differ from 1 by at most `brightness`, `contrast` and `saturation`, hues by at most `hue` circles.
    """
    parts = [(brighter, 1.0, brightness), (contrasted, 1.0, contrast), (saturated, 1.0, saturation)]
    parts.append((turned, 0.0, hue))
    numbers = drawn(-1.0, 1.0, 8)
    found = widened(data)
    for i in np.argsort(numbers[4:], kind="stable"):
        change, middle, reach = parts[i]
        if reach > 0:
            found = change(found, middle + reach * float(numbers[i]))
    return narrowed(found, data.dtype, out)


@op(**changed("_image_random_lighting"), cases=[case(IMAGE), case(IMAGE, alpha_std=2.0)])
def _image_random_lighting(data, *, alpha_std: float = 0.05, out):
    """An image (h, w, 3) with normally distributed multiples of the principal components of colours added."""
    alpha = np.array(kernels.random_normal(0.0, alpha_std, (3,), FLOAT32).view_numpy(), np.float64)
    return lit(data, alpha, out)


def flipped_perhaps(data, axis, out):
    return kernels.flip(data, (axis,), out=out) if drawn(0.0, 1.0)[0] < 0.5 else kernels.copy(data, out=out)


@op(**changed("_image_random_flip_left_right", None), cases=[case(IMAGE)])
def _image_random_flip_left_right(data, *, out):
    """An image (h, w, channels) as it is or seen in a mirror, equally likely."""
    return flipped_perhaps(data, 1, out)


@op(**changed("_image_random_flip_top_bottom", None), cases=[case(IMAGE)])
def _image_random_flip_top_bottom(data, *, out):
    """An image (h, w, channels) as it is or upside down, equally likely."""
    return flipped_perhaps(data, 0, out)
