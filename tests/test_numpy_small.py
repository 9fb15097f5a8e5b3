"""The short ways of small arrays give what NumPy gives: values, dtype, layout, views and errors."""

import numpy as onp
import pytest

import mxcy as mx
import mxcy.numpy as np

OPERANDS = {
    "vector": lambda np: np.array([3.0, -1.5, 0.0, 2.0]),
    "matrix": lambda np: np.array([[3.0, -1.5, 0.0], [2.0, 7.0, -0.0], [1.0, 0.0, 5.0]]),
    "turned": lambda np: np.array([[3.0, -1.5, 0.0], [2.0, 7.0, -0.0]]).T,
    "every second": lambda np: np.arange(8.0)[::2],
    "backwards": lambda np: np.arange(4, dtype="int32")[::-1],
    "integers": lambda np: np.array([[3, 0, 2], [1, 2, 0]]),
    "truth": lambda np: np.array([True, False, True]),
    "floats": lambda np: np.array([1.5, 0, -2, 4], dtype="float32"),
    "halves": lambda np: np.array([1.5, 0, -2, 4], dtype="float16"),
    "complex": lambda np: np.array([1 + 2j, 0, -1j, 3]),
    "nothing": lambda np: np.zeros((0, 3)),
    "three axes": lambda np: np.arange(12.0).reshape(2, 2, 3),
    "one": lambda np: np.array(2.5),
}
CALLS = [
    "x.flatten()", "x.flatten('A')", "x.flatten('F')", "x.copy('Z')",
    "x.tobytes()", "x.tobytes('F')", "x.byteswap()",
    "x.repeat(2)", "x.repeat(0)", "x.repeat(2, 0)", "x.repeat(2, -1)", "x.repeat(-1)", "x.repeat([1, 2])",
    "x.repeat(np.arange(4))", "x.repeat(np.array([1, -1, 0, 2]))", "x.nonzero()", "x.diagonal()",
    "x.diagonal(1)", "x.diagonal(-2)", "x.diagonal(9)", "x.diagonal(0, 1, 0)", "x.diagonal(0, 0, -1)",
    "x.diagonal(0, 1, 1)", "x.view('int64')", "x.view('uint8')", "x.view('float32')",
    "x.view('complex128')", "x.view(bool)", "x.view(np.float64)", "x.view('no')", "x.getfield('uint8')",
    "x.getfield('float32', 4)", "x.getfield('no')", "x.astype('float32', casting='same_kind')",
    "x.astype('int32', casting='safe')", "x.astype(float, 'C', 'same_kind')",
    "x.astype('int8', casting='no')", "x.astype(float, casting='nonsense')", "x.item(1)", "x.item(-1)",
    "x.item(99)", "x.item(0, 1)", "x.item((1, 0))", "x.item((0, 9))", "x.item(1.5)",
    "x.reshape(-1, copy=True)", "x.reshape(2, -1, copy=True)", "x.reshape(7, copy=True)",
    "x.transpose(None)", "x.sum(keepdims=True)", "x.sum(0, keepdims=True, initial=2)",
    "x.sum(0, 'float32')", "x.max(initial=5)", "x.max(0, None, True)",
    "x.min(axis=-1, where=x > 0, initial=9)", "x.all(keepdims=True)", "x.any(0)",
    "x.mean(0, keepdims=True)", "x.argmax(0, keepdims=True)", "x.argmin(keepdims=True)",
    "x.sum(nonsense=1)", "x.argsort()", "x.argsort(0)", "x.argsort(None)", "x.argsort(-1, 'stable')",
    "x.argsort(kind='nonsense')", "x.argsort(5)", "np.sort(x)", "np.sort(x, 0)", "np.sort(x, None)",
    "np.sort(x, kind='heapsort')", "np.sort(x, 7)", "np.argsort(x, stable=True)", "x.take(1, mode='clip')",
    "x.take(-1, mode='clip')", "x.take(-1)", "x.take(99)", "x[[0, 1]]", "x[[1, -1]]", "x[[]]",
    "x[[True, False, True]]", "x[[9]]", "x[[0.5]]", "x[[[0, 1], [1, 0]]]", "x[np.array([[0, 1], [1, 0]])]",
    "x[np.array([0, 1]), np.array([1, -1])]", "x[np.array([0, 1]), np.array([9, 0])]",
    "x[np.array([0]), np.array([1, 1])]", "x == None", "x != None", "x.flat[[0, 1]]",
    "x.flat[[True, False]]", "x.flat.copy()", "x.flat == 2", "x.flat < x.ravel()", "np.array(x.flat)",
    "np.array(x.flat, ndmin=2)", "np.copy(x, order='C')", "np.copy(x, order='F')", "np.array(x, ndmin=3)",
    "np.array(x, 'float32', order='C', ndmin=2)", "np.array([x, x])",
    "np.array([1, 2, 3], dtype='float32', order='A')", "np.array([1, 2], order='nonsense')",
    "np.ascontiguousarray(x)", "np.asfortranarray(x)", "np.require(x, None, ['C'])",
    "np.require(x, 'float32', 'W')", "np.zeros_like(x, None, 'C')", "np.zeros_like(x, shape=(2, 2))",
    "np.zeros_like(x, 'int8', shape=5)", "np.ones_like(x, order='F')", "np.full_like(x, 2)",
    "np.full_like(x, 2.5, 'float32')", "np.full_like(x, None)",
    "np.empty_like(x, dtype='int16', order='K').shape", "np.zeros_like(2)", "np.ones_like(1.5, int)",
    "np.full((4,), x)", "np.full((2, 4), x)", "np.clip(x, min=0, max=2)", "np.clip(x, a_min=0, a_max=None)",
    "np.concatenate((x, x), axis=0, dtype=None, casting='no')",
    "np.concatenate((x, x), casting='nonsense')", "np.concatenate((x, x), axis=None)",
    "np.stack((x, x), axis=-1)", "np.stack([x, x], 0)", "np.stack([])", "np.isfortran(x)", "np.iterable(x)",
    "np.isscalar(2)", "np.isscalar('a')", "np.result_type(x, 2)", "np.result_type(x, x, 'int8')",
    "np.result_type(x, np.float32)", "np.result_type(x, 'no')", "np.result_type()",
    "np.unravel_index([1, 2], (2, 2))", "x + x[..., ::-1]", "x[::-1] * 2", "np.sqrt(abs(x.T))",
    "list(reversed(x))", "list(reversed(x.T))", "list(x.T)", "list(x.flat)", "list(np.ndenumerate(x))",
    "list(np.ndenumerate(x.T))", "list(np.ndenumerate(x[..., ::-1]))", "np.common_type(x)",
    "np.common_type(x, np.ones(2, 'float32'))", "np.common_type()", "np.unstack(x)", "np.unstack(x, axis=1)",
    "np.unstack(x, axis=-1)", "np.unstack(x, axis=7)", "x.__array__().tolist()",
    "x.__array__('float32').tolist()", "x.__array__(x.dtype, copy=False).tolist()", "x.data.tolist()",
    "x.data.shape", "x.T.data.format",
    "np.repeat(x, 5).reshape(-1, 1).sum(0)", "(np.repeat(x, 9) * 0.3).reshape(-1, 1).mean(0)",
    "x.sum(initial=3)", "x.sum(0, initial=0.1)", "x.sum(1, initial=-0.0)", "x.prod(initial=2)",
    "x.prod(0, initial=2.5)", "x.max(initial=2)", "x.max(-1, initial=2)", "x.max(0, initial=0.5)",
    "x.min(initial=-3)", "x.min(1, initial=1, keepdims=True)", "x.min(initial=True)", "x.max(initial='a')",
    "x.max(initial=None)", "x.sum(0, initial=2, keepdims=True)", "x.sum(initial=np.float32(0.1))",
    "np.unravel_index(np.array([1, 2]), (2, 2))", "np.unravel_index(np.array([[1, 5], [0, 2]]), (2, 3, 1))",
    "np.unravel_index(np.array([1, 4]), (2, 2))", "np.unravel_index(np.array([1, 2]), (2, 2), 'F')",
    "np.unravel_index(np.array([1, -2]), (2, 2))", "np.unravel_index(np.array([1, 2]), shape=())",
    "np.ravel_multi_index((np.array([1, 0]), np.array([2, 1])), (2, 3))",
    "np.ravel_multi_index((np.array([1, 0]), np.array([3, 1])), (2, 3))",
    "np.ravel_multi_index((np.array([1, 5]), np.array([-3, 1])), (2, 3), mode='clip')",
    "np.ravel_multi_index((np.array([1, 5]), np.array([-3, 1])), (2, 3), 'wrap')",
    "np.ravel_multi_index((np.array([[1], [0]]),), (2,))", "np.ravel_multi_index((np.array([1.5]),), (2,))",
    "sorted(x.ravel())", "[k < s for k in x.ravel() for s in x.ravel()]",
    "[(k >= s, k != s, k == s) for k in x.ravel() for s in x.ravel()]",
    "x[np.array([1, -1, 0, 2])]", "x[np.array([5])]",
    "[(a + 0, b) for a, b in zip(np.nditer(x), np.nditer([x.T]))]", "x.flags.forc", "x.T.flags.fnc",
    "np.asarray(x, 'float32')", "np.asarray(x, int, 'F')", "np.asarray(x, x.dtype) is x",
    "np.asarray(x, 'no')",
    "x.T == x.T", "-x.T", "x + x.T", "divmod(x.T, 2)", "np.add(x[:1].T, x)",
]  # fmt: skip
COUNTS = [
    "np.arange(5)", "np.arange(2, 9, 3)", "np.arange(0, 1, 0.1)", "np.arange(1, 2.5)",
    "np.arange(3, 0, -0.5)", "np.arange(5, dtype='float32')", "np.arange(5, dtype=np.int8)",
    "np.arange(3, 1)", "np.arange(1.5, 1.0)", "np.arange(0, 1, 0)", "np.arange(0, float('nan'))",
    "np.arange(0, 1, 1e-300)", "np.arange(0.1, 100.3, 0.7)", "np.arange(-3, 3, dtype='int32')",
    "np.arange(2**25, 2**25 + 3, dtype='float32')", "np.arange(3, dtype='complex64')",
    "np.arange(0, 5, 2.0, dtype='float32')", "np.arange(True)", "np.diag_indices(3, 2)",
    "np.diag_indices(0)", "np.diag_indices(2.5)", "np.diag_indices(3, -1)", "np.diag_indices(3, ndim=3)",
    "np.frombuffer(b'abcdefgh', 'int16')", "np.frombuffer(b'abcdefgh', dtype='<i2', count=2, offset=2)",
    "np.frombuffer(b'abc', 'int16')", "np.frombuffer(bytearray(8))",
    "np.zeros(5, 'float32')", "np.full(3, 7, 'int32')", "np.full(3, 1, 'complex128')",
    "np.arange(1, 2, 1/3, dtype=int)",
]  # fmt: skip


def outcome(call, np, x):
    """What a call gives, as plain things that can be compared."""
    try:
        found = eval(call, {"np": np, "x": x})
    except Exception as error:
        return {c.__name__ for c in type(error).__mro__}
    return described(found, np, x)


def agree(ours, theirs):
    """Whether both gave the same; an error of ours is one of the class that NumPy raises, too."""
    if isinstance(ours, set) and isinstance(theirs, set):
        return len(ours & theirs - {"Exception", "BaseException", "object"}) > 0
    return ours == theirs


def described(found, np, x):
    if isinstance(found, (tuple, list)):
        return [described(item, np, x) for item in found]
    if isinstance(found, np.ndarray) and found.ndim:
        steps = zip(found.shape, found.strides, strict=True)
        strides = [step for n, step in steps if n > 1] if found.size else None
        values = onp.array(found.asnumpy() if np is not onp else found)
        shared = x is not None and np.shares_memory(found, x)
        return repr(values), found.dtype, strides, shared, found.flags.writeable, found is x
    return repr(found)


@pytest.mark.parametrize("name", OPERANDS)
@pytest.mark.filterwarnings("ignore")
def test_calls_give_what_numpy_gives(name):
    for call in CALLS:
        ours, theirs = OPERANDS[name](np), OPERANDS[name](onp)
        assert agree(outcome(call, np, ours), outcome(call, onp, theirs)), call


def test_counting_is_that_of_numpy():
    for call in COUNTS:
        assert agree(outcome(call, np, None), outcome(call, onp, None)), call


def test_what_is_pending_is_waited_for():
    calls = ["flatten()", "tobytes()", "diagonal()", "view('int64')", "item(7, 7)", "repeat(2)", "byteswap()"]
    for call in calls:
        x = np.zeros((1500, 1500))
        x += 2
        found, expected = eval(f"x.{call}"), eval(f"onp.full((1500, 1500), 2.0).{call}")
        assert found == expected if isinstance(expected, (bytes, float)) else (found == expected).all()


def test_views_alias_and_what_cannot_be_written_stays_so():
    x = np.arange(9.0).reshape(3, 3)
    x.getfield("float64")[0] = 5
    x.view("int64")[1, 1] = 0
    line = x.diagonal()

    assert x[0].tolist() == [5, 5, 5]
    assert x[1, 1] == 0
    with pytest.raises(ValueError, match="read-only"):
        line[0] = 1
    x.flags.writeable = False
    assert not x.view("int64").flags.writeable
    assert not x.getfield("int32").flags.writeable


def test_methods_with_a_short_way_are_recorded():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    x.attach_grad()
    with mx.autograd.record():
        y = (x.flatten() * x.repeat(1)).sum() + x.diagonal().sum() + np.copy(x).sum()
        y = y + np.sort(x, 0).sum(axis=0, keepdims=True).sum() + (x + x.T).sum()
        y = y + x.astype("float64", casting="safe").max(axis=1).sum() + np.concatenate((x, x), axis=0).mean()
    y.backward()

    assert x.grad.tolist() == [[7.25, 9.25], [10.25, 14.25]]
