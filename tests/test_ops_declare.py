"""The declaration forms: attributes, calls, traces, inference, binary functions."""

import math
import pickle

import numpy as np
import pytest
from ops_rows import array, numpy_of

import mxcy as mx
from mxcy import nd, ops
from mxcy.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    MXNetError,
    ShapeError,
    UnknownAttributeError,
)
from mxcy.ops import Attributes
from mxcy.ops._attributes import Attribute, Axes, Axis, Bounds, DType, Shape
from mxcy.ops._declare import ZERO, elementwise
from mxcy.ops._trace import ufunc


def parsed(annotation, value):
    return Attribute("a", annotation).parse("op", value)


# --- attributes -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "annotation, value, expected",
    [
        (int, "3", 3),
        (int, "3L", 3),
        (int, np.int64(4), 4),
        (float, "1e-3", 1e-3),
        (float, 2, 2),
        (float, np.float32(0.5), 0.5),
        (bool, "True", True),
        (bool, "0", False),
        (bool, 1, True),
        (Shape, "(2, 3)", (2, 3)),
        (Shape, "[2,]", (2,)),
        (Shape, "()", ()),
        (Shape, 5, (5,)),
        (Shape, [1, np.int32(2)], (1, 2)),
        (Axes, "None", None),
        (Axes, "1", 1),
        (Axes, "(0, -1)", (0, -1)),
        (Axis, None, None),
        (Bounds, "(None, 2)", (None, 2)),
        (int | None, "None", None),
        (int | None, "7", 7),
        (DType, "float16", np.dtype("float16")),
        (DType, np.int8, np.dtype("int8")),
        (DType, float, np.dtype("float64")),
    ],
)
def test_attribute_reads_values_and_text(annotation, value, expected):
    assert parsed(annotation, value) == expected


@pytest.mark.parametrize(
    "annotation, value",
    [
        (int, "3.5"),
        (int, 3.0),
        (int, "__import__('os')"),
        (float, "x"),
        (float, [1]),
        (bool, "maybe"),
        (bool, 2),
        (Shape, "(1, x)"),
        (Shape, None),
        (Shape, "9" * 5000),
        (DType, "float7"),
        (str, 1),
    ],
)
def test_attribute_refuses_what_it_does_not_take(annotation, value):
    with pytest.raises((ArgumentError, ArgumentTypeError, DTypeError), match="expected"):
        parsed(annotation, value)


def test_text_of_attributes_reads_back():
    attrs = ops.Reshape.parse_attrs({"shape": (2, -1), "reverse": True})

    assert ops.Reshape.format_attrs(attrs) == {"shape": "(2, -1)", "reverse": "True"}
    assert ops.Reshape.parse_attrs(ops.Reshape.format_attrs(attrs)) == attrs
    assert ops.cast.format_attrs(ops.cast.parse_attrs({"dtype": np.float16})) == {"dtype": "float16"}


def test_attributes_know_what_was_given():
    attrs = ops.sum.parse_attrs({"axis": 1})

    assert attrs.given == ("axis",)
    assert attrs == {"axis": 1, "keepdims": False, "exclude": False}
    copied = pickle.loads(pickle.dumps(attrs))
    assert (copied, copied.given) == (attrs, attrs.given)


def test_unknown_attribute_names_the_closest():
    with pytest.raises(UnknownAttributeError, match="num_hiden.*did you mean num_hidden"):
        ops.FullyConnected.parse_attrs({"num_hiden": 4})


def test_missing_attribute_is_named():
    with pytest.raises(
        ArgumentTypeError, match=r"FullyConnected\(num_hidden\): missing; pass num_hidden=an int"
    ):
        ops.FullyConnected.parse_attrs({})


# --- calls ----------------------------------------------------------------------------------------
def test_operands_come_by_position_or_name():
    x, y = nd.array([[1.0, 2.0]]), nd.array([[3.0], [4.0]])

    assert nd.dot(lhs=x, rhs=y).asnumpy().tolist() == [[11.0]]
    assert nd.dot(x, rhs=y).asnumpy().tolist() == [[11.0]]
    assert nd.clip(x, 0, 1).asnumpy().tolist() == [[1.0, 1.0]]
    assert nd.concat(x, x, dim=0).shape == nd.concat(*[x, x], dim=0, num_args=2).shape == (2, 2)
    assert nd.add_n(x, x, x).asnumpy().tolist() == [[3.0, 6.0]]
    assert nd.add_n(x, arg1=x).asnumpy().tolist() == [[2.0, 4.0]]


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda x: ops.exp(x, x), r"exp: expected at most 1 arguments, got 2"),
        (lambda x: ops.dot(x, x, lhs=x), r"dot\(lhs\): given twice"),
        (lambda x: ops.clip(x, 0, 1, a_min=0), r"clip\(a_min\): given twice"),
        (lambda x: ops.exp(np.ones(2)), r"exp\(data\): expected an NDArray or a Symbol, got ndarray"),
        (lambda x: ops.dot(x), r"dot\(rhs\): expected an NDArray, got nothing"),
        (lambda x: ops.broadcast_add(x, 2), r"broadcast_add\(rhs\): expected an NDArray, got int"),
        (lambda x: ops.concat(x, x, num_args=1), r"Concat\(num_args\): expected 2"),
        (lambda x: ops.concat(x, x, num_args=3), r"Concat\(arg2\): expected an NDArray, got nothing"),
        (lambda x: ops.concat(x, arg0=x), r"Concat\(arg0\): given twice"),
        (lambda x: ops.concat(x, other=x), r"Concat\(other\): expected one of"),
        (
            lambda x: ops.FullyConnected(x, x, x, num_hidden=2, no_bias=True),
            r"FullyConnected\(bias\): takes only",
        ),
    ],
)
def test_bad_calls_say_what_is_wrong(call, text):
    with pytest.raises(MXNetError, match=text):
        call(nd.ones((2, 2)))


def test_a_call_like_an_earlier_one_means_what_it_says():
    x = nd.array([-1.0, 1.0, 3.0])

    for _ in range(2):  # the second time, typed attributes come from the first
        for low in (0.0, -0.0):
            clipped = nd.clip(nd.array([-1.0]), low, 2.0).asnumpy()
            assert math.copysign(1, clipped[0]) == math.copysign(1, low)
        assert nd.sum(x, axis=0).asnumpy().tolist() == [3.0]
        assert nd.sum(x, 0, True).asnumpy().tolist() == nd.sum(x, keepdims=1).asnumpy().tolist() == [3.0]
        with pytest.raises(MXNetError, match=r"sum\(axis\): expected None, an int or a tuple of ints"):
            nd.sum(x, axis=0.0)
        with pytest.raises(MXNetError, match=r"reshape\(shape\)|Reshape\(shape\)"):
            nd.reshape(x, shape=(3.0,))
        assert nd.reshape(x, shape=(3,)).shape == nd.reshape(x, shape=[3]).shape == (3,)
        with pytest.raises(MXNetError, match=r"takes only"):
            ops.FullyConnected(nd.ones((1, 1)), nd.ones((1, 1)), nd.ones((1,)), num_hidden=1, no_bias=True)
        assert ops.FullyConnected(nd.ones((1, 1)), nd.ones((1, 1)), num_hidden=1, no_bias=True).shape == (
            1,
            1,
        )


def test_attributes_that_change_are_read_at_every_call():
    x, begin = nd.array([0.0, 1.0, 2.0]), nd.array([0], dtype="int32")

    assert nd.slice_axis(x, axis=0, begin=begin, end=3).shape == (3,)
    begin[:] = 2
    assert nd.slice_axis(x, axis=0, begin=begin, end=3).shape == (1,)


def test_out_is_written_and_returned():
    x, out = nd.array([1.0, 4.0]), nd.zeros((2,))

    assert ops.sqrt(x, out=out) is out
    assert out.asnumpy().tolist() == [1.0, 2.0]


def test_operators_pickle_by_name():
    assert pickle.loads(pickle.dumps(ops.exp)) is ops.exp
    assert repr(ops.exp) == "<operator exp>"


# --- functions of two operands --------------------------------------------------------------------
@pytest.mark.parametrize("function", [f for f in ops.PUBLIC.values() if isinstance(f, ops.BinaryFunction)])
def test_binary_function_takes_arrays_and_numbers(function):
    values, number = np.array([1.0, 2.0, 4.0], np.float32), 2
    x = nd.array(values)
    both = function(x, nd.array([2.0, 2.0, 2.0])).asnumpy()

    np.testing.assert_allclose(function(x, number).asnumpy(), both)
    np.testing.assert_allclose(
        function(number, x).asnumpy(), function(nd.array([2.0, 2.0, 2.0]), x).asnumpy(), rtol=1e-6
    )
    two_numbers = function(nd.array([4.0]), nd.array([2.0])).asscalar()
    np.testing.assert_allclose(function(4, 2), two_numbers, rtol=1e-6)
    assert function.__doc__


@pytest.mark.parametrize("other", [None, "a", [1], np.ones(2)], ids=repr)
def test_binary_function_refuses_other_types(other):
    with pytest.raises(ArgumentTypeError, match=r"add\(rhs\): expected an NDArray, a Symbol or a number"):
        ops.add(nd.ones((2,)), other)


def test_numbers_convert_as_c_does():
    assert ops.wrap_scalar(300, np.dtype("uint8")) == 44
    assert ops.wrap_scalar(-1.7, np.dtype("int32")) == -1
    assert ops.wrap_scalar(2**31, np.dtype("int32")) == -(2**31)
    assert ops.wrap_scalar(float("nan"), np.dtype("int64")) == 0
    assert (nd.array([5], dtype="int32") * 1.5).asnumpy().tolist() == [5]


# --- traces ---------------------------------------------------------------------------------------
def test_body_is_traced_into_steps():
    steps = ops.tanh.trace([np.dtype("float32")], {}).steps

    assert [(s.function, s.operands) for s in steps] == [("tanh", (0,))]


def test_numbers_are_run_time_operands_of_a_trace():
    plain = ops.clip.trace([np.dtype("float32")], {"a_min": 1.0, "a_max": 2.0})
    other = ops.clip.trace([np.dtype("float32")], {"a_min": 3.0, "a_max": 4.0})

    assert plain == other
    assert plain.inputs == 3


def test_body_cannot_branch_on_values():
    @elementwise(grad=ZERO, name="_branching_in_test")
    def branching(data):
        return data if data > 0 else -data

    try:
        with pytest.raises(TypeError, match="cannot branch on values"):
            branching(nd.ones((2,)))
    finally:
        del ops.REGISTRY["_branching_in_test"]


def test_new_operator_needs_one_block():
    @elementwise(grad=lambda g, data: g * data * 3.0 * data, name="_cube_in_test")
    def cube(data):
        """x³."""
        return ufunc.multiply(data * data, data)

    try:
        assert cube(nd.array([2.0])).asscalar() == 8
        assert cube(mx.sym.Variable("x")).list_arguments() == ["x"]
    finally:
        del ops.REGISTRY["_cube_in_test"]


# --- inference ------------------------------------------------------------------------------------
def test_elementwise_operands_get_their_shapes_from_each_other():
    assert ops.elemwise_add.infer_shape([(2, 3), None], {})[:2] == ([(2, 3), (2, 3)], [(2, 3)])
    assert ops.elemwise_add.infer_shape([None, None], {}, [(4,)])[0] == [(4,), (4,)]
    assert ops.elemwise_add.infer_shape([(None, 3), (5, None)], {})[0] == [(5, 3), (5, 3)]
    assert ops.broadcast_add.infer_shape([(2, 3), None], {})[:2] == ([(2, 3), None], [None])
    assert ops.exp.infer_shape([None], {}, [(2,)])[0] == [(2,)]
    with pytest.raises(ShapeError, match=r"elemwise_add\(rhs\): shapes \(2,\) and \(3,\) do not broadcast"):
        ops.elemwise_add.infer_shape([(2,), (3,)], {})


def test_layer_fills_parameter_shapes():
    attrs = ops.FullyConnected.parse_attrs({"num_hidden": 4})
    filled, out, aux = ops.FullyConnected.infer_shape([(8, 2, 3), None, None], attrs)

    assert (filled, out, aux) == ([(8, 2, 3), (4, 6), (4,)], [(8, 4)], [])
    unknown = ops.FullyConnected.infer_shape([(None, 6), None, None], attrs, [(8, 4)])
    assert unknown[:2] == ([(8, 6), (4, 6), (4,)], [(8, 4)])
    assert ops.FullyConnected.input_names(
        ops.FullyConnected.parse_attrs({"num_hidden": 1, "no_bias": True})
    ) == (
        "data",
        "weight",
    )


def test_labels_follow_from_the_data():
    attrs = ops.SoftmaxOutput.parse_attrs({})

    assert ops.SoftmaxOutput.infer_shape([(8, 3), None], attrs)[0] == [(8, 3), (8,)]
    assert ops.SoftmaxOutput.infer_dtype([np.float64, None], attrs)[0] == [np.float64, np.float64]


def test_dtypes_follow_and_clash():
    assert ops.elemwise_add.infer_dtype([None, np.float16], {})[:2] == ([np.float16] * 2, [np.float16])
    with pytest.raises(
        DTypeError, match=r"elemwise_add\(rhs\): expected dtype float32, got float64; convert it"
    ):
        ops.elemwise_add.infer_dtype([np.float32, np.float64], {})


def test_needs_names_what_gradients_read():
    assert ops.tanh.needs == {"y"}
    assert ops.broadcast_mul.needs == {"lhs", "rhs"}
    assert ops.Dropout.needs == {"mask"}
    assert ops.BlockGrad.needs == frozenset()
    assert "like" in ops.lookup("_sum_like").shape_only


# --- reshape codes --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "shape, target, reverse, expected",
    [
        ((2, 3, 4), (4, 0, 2), False, (4, 3, 2)),
        ((2, 3, 4), (2, 0, 0), False, (2, 3, 4)),
        ((2, 3, 4), (6, 1, -1), False, (6, 1, 4)),
        ((2, 3, 4), (3, -1, 8), False, (3, 1, 8)),
        ((2, 3, 4), (-2,), False, (2, 3, 4)),
        ((2, 3, 4), (2, -2), False, (2, 3, 4)),
        ((2, 3, 4), (-2, 1, 1), False, (2, 3, 4, 1, 1)),
        ((2, 3, 4, 5), (-3, -3), False, (6, 20)),
        ((2, 3, 4), (0, -3), False, (2, 12)),
        ((2, 3, 4), (-4, 1, 2, -2), False, (1, 2, 3, 4)),
        ((2, 3, 4), (2, -4, -1, 3, -2), False, (2, 1, 3, 4)),
        ((10, 5, 4), (-1, 0), True, (50, 4)),
        ((10, 5, 4), (-1, 0), False, (40, 5)),
    ],
)
def test_reshape_codes(shape, target, reverse, expected):
    assert ops.resolve_reshape(shape, target, reverse) == expected


@pytest.mark.parametrize("target", [(5, 5), (-1, -1), (-5,), (0, 0, 0, 0), (-4, 4, 4, -2), (-3, -3, -3)])
def test_bad_reshape_codes_are_refused(target):
    with pytest.raises(ShapeError, match="shape"):
        ops.resolve_reshape((2, 3, 4), target)


def test_attributes_of_a_number_are_light():
    attrs = Attributes({"scalar": 2.0}, ("scalar",))
    result = ops.lookup("_plus_scalar").compute([array(np.ones(2))], attrs)[0]

    assert numpy_of(result).tolist() == [3.0, 3.0]
