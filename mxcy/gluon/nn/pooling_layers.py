"""Pooling as layers, in one, two and three dimensions, and padding."""

from __future__ import annotations

from typing import Any

from ...errors import AssertedArgumentError, message
from ..hybrid import HybridBlock
from .conv_layers import extents

__all__ = [
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "ReflectionPad2D",
]


class Pooling(HybridBlock):
    """What all poolings share: one number for each window of the data."""

    dimensions = 2
    layouts: tuple[str, ...] = ()
    pool_type = "max"

    def _build(self, pool_size: Any, strides: Any, padding: Any, ceil_mode: bool, layout: str,
               global_pool: bool = False, count_include_pad: bool | None = None) -> None:  # fmt: skip
        name = type(self).__name__
        if layout not in self.layouts:
            raise AssertedArgumentError(message(name, "layout", " or ".join(self.layouts), repr(layout)))
        size = extents(name, "pool_size", pool_size, self.dimensions)
        self._kwargs = {
            "kernel": size,
            "stride": size if strides is None else extents(name, "strides", strides, self.dimensions),
            "pad": extents(name, "padding", padding, self.dimensions),
            "global_pool": global_pool,
            "pool_type": self.pool_type,
            "layout": layout,
            "pooling_convention": "full" if ceil_mode else "valid",
        }
        if count_include_pad is not None:
            self._kwargs["count_include_pad"] = count_include_pad

    def _alias(self) -> str:
        return "pool"

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.Pooling(x, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        k = self._kwargs
        text = f"{type(self).__name__}(size={k['kernel']}, stride={k['stride']}, padding={k['pad']}"
        text += f", ceil_mode={k['pooling_convention'] == 'full'}, global_pool={k['global_pool']}"
        return text + f", pool_type={k['pool_type']}, layout={k['layout']})"


class MaxPool1D(Pooling):
    """The largest element of each window over one dimension.

    `ceil_mode` counts windows that reach beyond the end; `strides` are by default the size of the window.
    """

    dimensions, layouts = 1, ("NCW", "NWC")

    def __init__(self, pool_size: Any = 2, strides: Any = None, padding: Any = 0,
                 layout: str = "NCW", ceil_mode: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(pool_size, strides, padding, ceil_mode, layout)


class MaxPool2D(Pooling):
    """The largest element of each window over two dimensions.

    `ceil_mode` counts windows that reach beyond the end; `strides` are by default the size of the window.
    """

    dimensions, layouts = 2, ("NCHW", "NHWC")

    def __init__(self, pool_size: Any = (2, 2), strides: Any = None, padding: Any = 0,
                 layout: str = "NCHW", ceil_mode: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(pool_size, strides, padding, ceil_mode, layout)


class MaxPool3D(Pooling):
    """The largest element of each window over three dimensions.

    `ceil_mode` counts windows that reach beyond the end; `strides` are by default the size of the window.
    """

    dimensions, layouts = 3, ("NCDHW", "NDHWC")

    def __init__(self, pool_size: Any = (2, 2, 2), strides: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, layout: str = "NCDHW", **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(pool_size, strides, padding, ceil_mode, layout)


class AvgPool1D(Pooling):
    """The mean of each window over one dimension; see `MaxPool1D`.

    `count_include_pad`: whether padding counts as zeros.
    """

    dimensions, layouts, pool_type = 1, ("NCW", "NWC"), "avg"

    def __init__(self, pool_size: Any = 2, strides: Any = None, padding: Any = 0,
                 layout: str = "NCW", ceil_mode: bool = False, count_include_pad: bool = True,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(pool_size, strides, padding, ceil_mode, layout, count_include_pad=count_include_pad)


class AvgPool2D(Pooling):
    """The mean of each window over two dimensions; see `MaxPool2D`.

    `count_include_pad`: whether padding counts as zeros.
    """

    dimensions, layouts, pool_type = 2, ("NCHW", "NHWC"), "avg"

    def __init__(self, pool_size: Any = (2, 2), strides: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, layout: str = "NCHW", count_include_pad: bool = True,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(pool_size, strides, padding, ceil_mode, layout, count_include_pad=count_include_pad)


class AvgPool3D(Pooling):
    """The mean of each window over three dimensions; see `MaxPool3D`.

    `count_include_pad`: whether padding counts as zeros.
    """

    dimensions, layouts, pool_type = 3, ("NCDHW", "NDHWC"), "avg"

    def __init__(self, pool_size: Any = (2, 2, 2), strides: Any = None, padding: Any = 0,
                 ceil_mode: bool = False, layout: str = "NCDHW", count_include_pad: bool = True,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(pool_size, strides, padding, ceil_mode, layout, count_include_pad=count_include_pad)


class GlobalMaxPool1D(Pooling):
    """The largest element of each channel over one dimension."""

    dimensions, layouts, pool_type = 1, ("NCW", "NWC"), "max"

    def __init__(self, layout: str = "NCW", **kwargs: Any):
        super().__init__(**kwargs)
        self._build(1, None, 0, True, layout, global_pool=True)


class GlobalMaxPool2D(Pooling):
    """The largest element of each channel over two dimensions."""

    dimensions, layouts, pool_type = 2, ("NCHW", "NHWC"), "max"

    def __init__(self, layout: str = "NCHW", **kwargs: Any):
        super().__init__(**kwargs)
        self._build(1, None, 0, True, layout, global_pool=True)


class GlobalMaxPool3D(Pooling):
    """The largest element of each channel over three dimensions."""

    dimensions, layouts, pool_type = 3, ("NCDHW", "NDHWC"), "max"

    def __init__(self, layout: str = "NCDHW", **kwargs: Any):
        super().__init__(**kwargs)
        self._build(1, None, 0, True, layout, global_pool=True)


class GlobalAvgPool1D(Pooling):
    """The mean of each channel over one dimension."""

    dimensions, layouts, pool_type = 1, ("NCW", "NWC"), "avg"

    def __init__(self, layout: str = "NCW", **kwargs: Any):
        super().__init__(**kwargs)
        self._build(1, None, 0, True, layout, global_pool=True)


class GlobalAvgPool2D(Pooling):
    """The mean of each channel over two dimensions."""

    dimensions, layouts, pool_type = 2, ("NCHW", "NHWC"), "avg"

    def __init__(self, layout: str = "NCHW", **kwargs: Any):
        super().__init__(**kwargs)
        self._build(1, None, 0, True, layout, global_pool=True)


class GlobalAvgPool3D(Pooling):
    """The mean of each channel over three dimensions."""

    dimensions, layouts, pool_type = 3, ("NCDHW", "NDHWC"), "avg"

    def __init__(self, layout: str = "NCDHW", **kwargs: Any):
        super().__init__(**kwargs)
        self._build(1, None, 0, True, layout, global_pool=True)


class ReflectionPad2D(HybridBlock):
    """Pads height and width with what lies inside, as in a mirror.

    `padding` is a number for all sides, or eight of them, two for each axis.
    """

    def __init__(self, padding: Any = 0, **kwargs: Any):
        super().__init__(**kwargs)
        padding = (0, 0, 0, 0, *[padding] * 4) if isinstance(padding, int) else tuple(padding)
        if len(padding) != 8:
            expected = "a number or eight of them"
            raise AssertedArgumentError(message("ReflectionPad2D", "padding", expected, padding))
        self._padding = padding

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.pad(x, mode="reflect", pad_width=self._padding)
