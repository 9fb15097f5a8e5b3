"""Symbols: what follows of shapes and types, in both directions."""

import numpy as np
import pytest
from symbol_graphs import mlp

import mxcy as mx
from mxcy.errors import (
    ArgumentError,
    ArgumentTypeError,
    ShapeError,
)

sym = mx.sym


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


def test_infer_shape_fills_in_parameters():
    assert mlp().infer_shape(data=(4, 5)) == ([(4, 5), (8, 5), (8,), (3, 8), (3,), (4,)], [(4, 3)], [])
    assert mlp().infer_shape((4, 5)) == mlp().infer_shape(data=(4, 5))


def test_infer_shape_goes_backwards():
    x, y = sym.Variable("x"), sym.Variable("y")

    assert (x + y).infer_shape(x=(2, 3)) == ([(2, 3), (2, 3)], [(2, 3)], [])
    assert (x + y).infer_shape_partial(x=(2, 0), y=(0, 3)) == ([(2, 3), (2, 3)], [(2, 3)], [])
    both = sym.Group([sym.exp(x) + y, sym.tanh(x)])
    assert both.infer_shape(y=(5,)) == ([(5,), (5,)], [(5,), (5,)], [])


@pytest.mark.parametrize(
    ("net", "shapes", "expected"),
    [
        (lambda x, y: sym.dot(x, y), {"x": (0, 3, 4), "y": (4, 5)}, (0, 3, 5)),
        (lambda x, y: sym.batch_dot(x, y), {"x": (0, 3, 4), "y": (0, 4, 5)}, (0, 3, 5)),
        (lambda x, y: sym.transpose(x, axes=(0, 3, 1, 2)), {"x": (0, 5, 6, 3)}, (0, 3, 5, 6)),
        (lambda x, y: sym.expand_dims(x, axis=1), {"x": (0, 3)}, (0, 1, 3)),
        (lambda x, y: sym.slice_axis(x, axis=1, begin=0, end=2), {"x": (0, 3)}, (0, 2)),
        (lambda x, y: sym.slice_axis(x, axis=0, begin=0, end=2), {"x": (0, 3)}, (0, 3)),
        (lambda x, y: sym.concat(x, y, dim=1), {"x": (0, 3), "y": (0, 4)}, (0, 7)),
        (lambda x, y: sym.SoftmaxOutput(x, y), {"x": (0, 3), "y": (5,)}, (0, 3)),
    ],
)
def test_unknown_extents_leave_the_others_known(net, shapes, expected):
    _, outputs, _ = net(sym.Variable("x"), sym.Variable("y")).infer_shape_partial(**shapes)

    assert outputs == [expected]


def split_plus(other, **attrs):
    return lambda x, y: sym.SliceChannel(x, **attrs)[other] + y


@pytest.mark.parametrize(
    ("net", "shapes", "expected"),
    [
        (split_plus(1, num_outputs=10, axis=1, squeeze_axis=True), {"x": (0, 10), "y": (5,)}, (5, 10)),
        (split_plus(0, num_outputs=3), {"x": (0, 15, 0), "y": (3, 5, 2)}, (3, 15, 2)),
        (split_plus(2, num_outputs=3, axis=-1), {"y": (3, 2)}, (3, 6)),
        (split_plus(1, num_outputs=4, axis=0, squeeze_axis=True), {"y": (3, 2)}, (4, 3, 2)),
        (split_plus(1, num_outputs=4, axis=0, squeeze_axis=True), {"x": (4,), "y": (1,)}, (4,)),
    ],
)
def test_the_operand_of_a_split_follows_from_a_part(net, shapes, expected):
    arguments, _, _ = net(sym.Variable("x"), sym.Variable("y")).infer_shape(**shapes)

    assert arguments == [expected, shapes["y"]]


def test_parts_that_contradict_the_operand_are_refused():
    net = split_plus(0, num_outputs=3)(sym.Variable("x"), sym.Variable("y"))

    with pytest.raises(ShapeError):
        net.infer_shape(x=(2, 9), y=(2, 4))


@pytest.mark.parametrize(
    ("net", "shapes", "expected"),  # as MXNet 1.9.1 answers
    [
        (lambda x, y: x + y, {"x": (0, -1)}, ([(0, -1), (0, -1)], [(0, -1)])),
        (lambda x, y: sym.sin(x), {}, ([None], [None])),
        (lambda x, y: x, {"x": ()}, ([()], [()])),
        (lambda x, y: sym.dot(x, y), {"x": (-1, 3, 4), "y": (4, 5)}, ([(-1, 3, 4), (4, 5)], [(-1, 3, 5)])),
        (lambda x, y: sym.Variable("z", shape=(0, -1)), {}, ([(0, -1)], [(0, -1)])),
    ],
)
def test_with_the_shapes_of_numpy_what_is_unknown_is_negative_or_none(net, shapes, expected):
    with mx.util.np_shape(True):
        made = net(sym.Variable("x"), sym.Variable("y"))
        assert made.infer_shape_partial(**shapes)[:2] == expected


def test_an_identity_may_take_its_shape_from_another_symbol():
    weight, shift = sym.Variable("w"), sym.Variable("shift", shape=(1,))
    alike = sym._internal._identity_with_attr_like_rhs(sym.broadcast_add(weight, shift), weight)
    net = sym.FullyConnected(sym.Variable("x"), alike, num_hidden=11, no_bias=True)

    assert net.infer_shape(x=(7, 100))[0] == [(7, 100), (11, 100), (1,)]


def test_infer_shape_says_what_is_unknown():
    with pytest.warns(UserWarning, match="decide the shape of data, fc1_weight"):
        assert mlp().infer_shape() == (None, None, None)
    arguments, outputs, _ = mlp().infer_shape_partial()
    assert (arguments, outputs) == ([()] * len(arguments), [()])
    assert sym.Variable("x").infer_shape_partial(x=(0, 3)) == ([(0, 3)], [(0, 3)], [])


@pytest.mark.parametrize(
    ("known", "error", "match"),
    [
        ({"data": (4, 5), "fc1_weight": (8, 6)}, ShapeError, "FullyConnected(weight): expected shape (8, 5)"),
        ({"data": (4, 5), "fc1_weight": (8, 6)}, ShapeError, "in node 'fc1'"),
        ({"foo": (1, 2)}, ArgumentError, "infer_shape: expected the name of an argument, got 'foo'"),
        ({"dat": (1, 2)}, ArgumentError, "did you mean data"),
        ({"data": 3}, ArgumentTypeError, "infer_shape(data): expected a tuple of integers, got 3"),
    ],
)
def test_infer_shape_names_what_is_wrong(known, error, match):
    with pytest.raises(error) as raised:
        mlp().infer_shape(**known)

    assert match in str(raised.value)


def test_infer_type_goes_both_ways():
    f = sym.FullyConnected(sym.Variable("x"), num_hidden=2, name="f")

    assert f.infer_type(f_weight="float64") == ([np.float64] * 3, [np.float64], [])
    cast = sym.Cast(sym.Variable("x"), dtype="int32")
    assert cast.infer_type_partial() == ([None], [np.int32], [])
    assert cast.infer_type(x="float32") == ([np.float32], [np.int32], [])
    with pytest.warns(UserWarning, match="decide the type of x, f_weight, f_bias"):
        assert f.infer_type() == (None, None, None)
    with pytest.raises(TypeError, match="in node 'f'"):
        f.infer_type(x="float32", f_weight="float64")
    with pytest.raises(TypeError, match="foo"):
        f.infer_type(x="foo")


B = sym.Variable("b")


@pytest.mark.parametrize(
    ("net", "known", "arguments", "outputs"),
    [
        (lambda a, c: sym.Concat(a, sym.Variable("b")) + c, {"a": (2, 3), "c": (2, 7)}, (2, 4), (2, 7)),
        (lambda a, c: a + c + sym.transpose(B), {"c": (2, 7)}, (7, 2), (2, 7)),
        (lambda a, c: a + c + sym.transpose(B, axes=(0, 2, 1)), {"c": (2, 7, 3)}, (2, 3, 7), (2, 7, 3)),
        (lambda a, c: a + c + sym.expand_dims(B, axis=1), {"c": (2, 1, 7)}, (2, 7), (2, 1, 7)),
        (lambda a, c: sym.pick(a, sym.Variable("b")) + c, {"a": (2, 7)}, (2,), (2,)),
        (lambda a, c: sym.zeros((0, 3)) * sym.Variable("b") + a + c, {"c": (2, 3)}, (2, 3), (2, 3)),
    ],
)  # fmt: skip
def test_shapes_follow_backwards(net, known, arguments, outputs):
    made = net(sym.Variable("a"), sym.Variable("c"))
    found, results, _ = made.infer_shape(**known)
    assert dict(zip(made.list_arguments(), found, strict=True))["b"] == arguments
    assert results == [outputs]


@pytest.mark.parametrize(
    ("net", "known"),
    [
        (lambda a, c: sym.where(c, a, sym.Variable("b")), {"b": (4, 5), "c": (4,)}),
        (lambda a, c: sym.where(sym.ones((4, 5)), a, c), {}),
        (lambda a, c: sym.where(a, c, c), {"c": (4, 5)}),
        (lambda a, c: sym.where(c, a, a) + sym.ones((4, 5)), {"c": (4,)}),
        (lambda a, c: sym.reverse(a, axis=1) + c, {"c": (4, 5)}),
        (lambda a, c: sym.cumsum(a, axis=1) + c, {"c": (4, 5)}),
        (lambda a, c: sym.stack(a, c, axis=1), {"c": (4, 5)}),
        (lambda a, c: sym.stack(a, a, axis=1) + c, {"c": (4, 2, 5)}),
    ],
)
def test_the_batch_of_an_operand_follows(net, known):
    made = net(sym.Variable("a", shape=(0, 5)), sym.Variable("c"))
    found, _, _ = made.infer_shape(**known)
    assert dict(zip(made.list_arguments(), found, strict=True))["a"] == (4, 5)


def test_shapes_of_a_choice_that_contradict_each_other_are_refused():
    a, b, c = (sym.Variable(name) for name in "abc")
    with pytest.raises(ShapeError, match="condition"):
        sym.where(c, a, b).infer_shape(a=(4, 5), c=(3,))
    with pytest.raises(ShapeError):
        sym.where(c, a, b).infer_shape(a=(4, 5), b=(3, 5))


def test_what_is_known_of_a_join_follows():
    a, b = sym.Variable("a"), sym.Variable("b")
    assert sym.Concat(a, b).infer_shape_partial(a=(2, 3)) == ([(2, 3), (2, 0)], [(2, 0)], [])
    net = sym.Embedding(a, input_dim=5, output_dim=3, name="e")
    assert net.infer_type(a="int32") == ([np.int32, np.float32], [np.float32], [])
    assert net.infer_type(e_weight="float64", a="int32")[1] == [np.float64]
    assert (a + b * 3).infer_type(a="float16")[0] == [np.float16] * 2


def test_first_states_take_the_batch_of_the_data():
    """An extent of 0 is unknown in a symbol, and found by what uses the array."""
    x = sym.Variable("x")
    begin = [sym.zeros((0, 3)), sym.full((0, 3), 2.0), sym.random.uniform(shape=(0, 3))]
    executor = sym.Group([x + state for state in begin]).simple_bind(mx.cpu(), x=(4, 3))
    zeros, twos, random = (out.asnumpy() for out in executor.forward())
    assert (zeros == 0).all() and (twos == 2).all() and random.shape == (4, 3) and len(set(random.flat)) > 6
    assert sym.zeros((0, 3)).infer_shape_partial()[1] == [(0, 3)]
    with pytest.raises(mx.MXNetError, match="a shape of z_output"):
        sym.zeros((0, 3), name="z").eval()


@pytest.mark.parametrize(("parts", "widths"), [(3, [2, 2, 2]), ((1, 4), [1, 3, 2]), ((), [6])])
def test_split_v2(parts, widths):
    x = mx.nd.array(np.arange(12).reshape(2, 6))
    for net in (sym.split_v2(sym.Variable("x"), parts, axis=1), sym.Variable("x").split_v2(parts, axis=1)):
        found = net.eval(x=x)
        assert [out.shape for out in found] == [(2, width) for width in widths]
        np.testing.assert_array_equal(np.concatenate([out.asnumpy() for out in found], 1), x.asnumpy())
    with mx.name.NameManager():
        assert sym.split_v2(sym.Variable("x"), 2).list_outputs() == [
            "_split_v20_output0",
            "_split_v20_output1",
        ]
    with pytest.raises(ValueError, match="an int or a tuple of ints, got list"):
        sym.split_v2(sym.Variable("x"), [1])
    assert sym.random.randn(2, 3).eval()[0].shape == (2, 3)
