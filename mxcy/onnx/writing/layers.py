"""Layers with weights, and activations."""

import math

from ..writer import Value, Writer, exports


def channels_first(g: Writer, x: Value, layout) -> Value:
    """Return x with its channels behind the first axis; `layout` says where they are."""
    if layout is None or layout[-1] != "C":
        return x
    order = (0, x.rank - 1, *range(1, x.rank - 1))
    return Value(g("Transpose", x, perm=order), [x.extents[axis] for axis in order], x.dtype)


def channels_back(g: Writer, y: str, rank: int, layout) -> str:
    """Undo `channels_first`."""
    if layout is None or layout[-1] != "C":
        return y
    return g("Transpose", y, perm=(0, *range(2, rank), 1))


def per_axis(values, count, default):
    """A hyper-parameter with a number for every axis."""
    return tuple(values) or (default,) * count


@exports("Convolution")
def convolution(g, attrs, x, weight, *bias):
    kernel, layout = attrs["kernel"], attrs["layout"]
    count = len(kernel)
    y = g("Conv", channels_first(g, x, layout), channels_first(g, weight, layout), *bias, kernel_shape=kernel,
          strides=per_axis(attrs["stride"], count, 1), dilations=per_axis(attrs["dilate"], count, 1),
          pads=per_axis(attrs["pad"], count, 0) * 2, group=attrs["num_group"])  # fmt: skip
    return channels_back(g, y, x.rank, layout)


@exports("Deconvolution")
def deconvolution(g, attrs, x, weight, *bias):
    kernel, layout = attrs["kernel"], attrs["layout"]
    count = len(kernel)
    stride, dilate = per_axis(attrs["stride"], count, 1), per_axis(attrs["dilate"], count, 1)
    pad, adj = per_axis(attrs["pad"], count, 0), per_axis(attrs["adj"], count, 0)
    data = channels_first(g, x, layout)
    if attrs["target_shape"]:
        g.need(None not in data.extents[2:], "dynamic", "fixed extents for target_shape", data.extents)
        total = [
            s * (n - 1) + d * (k - 1) + 1 - target
            for s, n, d, k, target in zip(
                stride, data.extents[2:], dilate, kernel, attrs["target_shape"], strict=True
            )
        ]
        pad, adj = tuple((n + 1) // 2 for n in total), tuple(n % 2 for n in total)
    own = channels_first(g, weight, layout)
    y = g("ConvTranspose", data, own, *bias, kernel_shape=kernel, strides=stride, dilations=dilate,
          pads=pad * 2, output_padding=adj, group=attrs["num_group"])  # fmt: skip
    return channels_back(g, y, x.rank, layout)


@exports("FullyConnected")
def fully_connected(g, attrs, x, weight, *bias):
    if not attrs["flatten"] and x.rank > 2:
        y = g("MatMul", x, g("Transpose", weight, perm=(1, 0)))
        return g("Add", y, *bias) if bias else y
    rows = x if x.rank == 2 else g("Flatten", x, axis=1)
    return g("Gemm", rows, weight, *bias, transB=1)


@exports("Embedding", "_contrib_SparseEmbedding")
def embedding(g, attrs, places, weight):
    return g("Gather", weight, g.cast(places, "int64"), axis=0)


@exports("Dropout")
def dropout(g, attrs, x):
    g.need(attrs["mode"] != "always", "mode", "training", "'always'")
    return g("Dropout", x, g.constant(attrs["p"], "float32"))


ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus",
               "softsign": "Softsign"}  # fmt: skip


@exports("Activation")
def activation(g, attrs, x):
    return g(ACTIVATIONS[attrs["act_type"]], x)


def gelu(g, x):
    """x times the normal distribution of x."""
    distribution = g(
        "Add", g("Erf", g("Mul", x, g.constant(math.sqrt(0.5), x.dtype))), g.constant(1, x.dtype)
    )
    return g("Mul", g("Mul", x, g.constant(0.5, x.dtype)), distribution)


@exports("LeakyReLU")
def leaky_relu(g, attrs, x, *gamma):
    kind, slope = attrs["act_type"], float(attrs["slope"])
    if kind == "prelu":
        (own,) = gamma
        if own.rank == 1 and x.rank > 2:
            return g("PRelu", x, g.reshape(own, -1, *[1] * (x.rank - 2)))
        return g("PRelu", x, own)
    if kind == "elu":
        return g("Elu", x, alpha=slope)
    if kind == "selu":
        return g("Selu", x)
    if kind == "gelu":
        return gelu(g, x)
    if kind == "rrelu":
        slope = (attrs["lower_bound"] + attrs["upper_bound"]) / 2
    return g("LeakyRelu", x, alpha=slope)


@exports("UpSampling")
def upsampling(g, attrs, x, *rest):
    scale = attrs["scale"]
    if attrs["sample_type"] == "bilinear":
        size = 2 * scale - scale % 2
        pad = math.ceil((scale - 1) / 2)
        return g("ConvTranspose", x, rest[0], kernel_shape=(size, size), strides=(scale, scale),
                 pads=(pad,) * 4, group=attrs["num_filter"])  # fmt: skip
    g.need(not rest, "num_args", "1", 1 + len(rest))
    scales = g.constant([1, 1, scale, scale], "float32")
    return g("Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor")  # fmt: skip


@exports("_contrib_BilinearResize2D")
def bilinear_resize(g, attrs, x, *like):
    mode = attrs["mode"]
    if mode == "like":
        size = [g.extent(like[0], 2), g.extent(like[0], 3)]
    elif mode == "size" and attrs["scale_height"] is None:
        size = [attrs["height"], attrs["width"]]
    else:
        size = list(g.fixed(g.results[0])[2:])
    sizes = g.dims(g.extent(x, 0), g.extent(x, 1), *size)
    corners = "align_corners" if attrs["align_corners"] else "half_pixel"
    return g("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode=corners)


@exports("depth_to_space")
def depth_to_space(g, attrs, x):
    return g("DepthToSpace", x, blocksize=attrs["block_size"])


@exports("space_to_depth")
def space_to_depth(g, attrs, x):
    return g("SpaceToDepth", x, blocksize=attrs["block_size"])
