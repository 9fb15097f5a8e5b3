"""`mx.autograd`: what is recorded, and how gradients flow."""

import threading

import numpy as np
import pytest
from ops_rows import array

import mxcy as mx
from mxcy import autograd, nd, ops
from mxcy.errors import ArgumentError, ArgumentTypeError, MXNetError, ShapeError, StateError

EPSILON = 1e-6


def variable(*values, req="write", dtype="float64"):
    x = nd.array(list(values), dtype=dtype)
    x.attach_grad(req)
    return x


def equal(actual, *expected):
    np.testing.assert_allclose(np.atleast_1d(actual.asnumpy()), np.atleast_1d(expected), rtol=1e-6)


# --- recording ------------------------------------------------------------------------------------
def test_state_is_that_of_the_scope():
    seen = []

    def note():
        seen.append((autograd.is_recording(), autograd.is_training()))

    note()
    with autograd.record():
        note()
        with autograd.pause():
            note()
            with autograd.train_mode():
                note()
        with autograd.predict_mode():
            note()
    with autograd.record(train_mode=False):
        note()
    note()

    off = (False, False)
    assert seen == [off, (True, True), off, (False, True), (True, False), (True, False), off]


def test_set_recording_and_set_training_return_what_was():
    assert autograd.set_recording(True) is False
    assert autograd.set_training(True) is False
    assert autograd.set_training(False) is True
    assert autograd.set_recording(False) is True
    assert not autograd.is_recording()


def test_scope_ends_with_an_error():
    with pytest.raises(ZeroDivisionError), autograd.record():
        raise ZeroDivisionError
    assert not autograd.is_recording()


def test_threads_record_on_their_own():
    x = variable(1.0, 2.0)
    inside, checked = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait()
        seen.append(autograd.is_recording())
        seen.append((x * x)._tape)
        checked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with autograd.record():
        inside.set()
        checked.wait()
        y = x * x
    thread.join()
    y.backward()

    assert seen == [False, None]
    equal(x.grad, 2, 4)


def test_threads_differentiate_at_the_same_time():
    results = {}

    def work(number):
        x = variable(float(number))
        for _ in range(50):
            with autograd.record():
                y = x * x * x
            y.backward()
        results[number] = x.grad.asscalar()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {n: 3.0 * n * n for n in range(4)}


def test_dropout_follows_the_mode():
    x = nd.ones((1000,))
    with autograd.record():
        trained = nd.Dropout(x, p=0.5)
    with autograd.record(train_mode=False):
        predicted = nd.Dropout(x, p=0.5)
    with autograd.train_mode():
        also = nd.Dropout(x, p=0.5)

    assert (trained.asnumpy() == 0).any() and (also.asnumpy() == 0).any()
    assert (predicted.asnumpy() == 1).all()


def test_dropout_in_prediction_passes_all_gradients():
    x = nd.ones((5,))
    x.attach_grad()
    with autograd.record(train_mode=False):
        y = nd.Dropout(x * 2, p=0.5)
    y.backward(train_mode=False)

    equal(x.grad, 2, 2, 2, 2, 2)


def test_dropout_passes_gradients_where_it_passed_values():
    x = nd.ones((1000,))
    x.attach_grad()
    with autograd.record():
        y = nd.Dropout(x, p=0.5)
    y.backward()

    np.testing.assert_array_equal(x.grad.asnumpy(), y.asnumpy())


# --- backward -------------------------------------------------------------------------------------
def test_python_control_flow():
    x = variable(3.0)
    with autograd.record():
        y = x
        while y.asscalar() < 100:
            y = y * 2 if y.asscalar() < 10 else y * x
    y.backward()

    equal(y, 108)
    equal(x.grad, 108)  # 12 * x * x, and 12 = 4 * x


def test_requests():
    for req, expected in (("write", 2.0), ("add", 6.0), ("null", 0.0)):
        x = variable(1.0, req=req)
        for _ in range(3):
            with autograd.record():
                y = x * 2
            y.backward()
        equal(x.grad, expected)
    with pytest.raises(ArgumentError, match="attach_grad"):
        x.attach_grad("sometimes")
    with pytest.raises(ArgumentError, match="stype"):
        x.attach_grad(stype="csr")


def test_many_uses_of_one_array():
    x = variable(2.0)
    with autograd.record():
        y = ops.add_n(*[x * k for k in range(20)]) + x * x
    y.backward()

    equal(x.grad, sum(range(20)) + 4)


def test_heads_and_their_gradients():
    x = variable(1.0, 2.0)
    with autograd.record():
        y, z = x * x, x * 3
    autograd.backward([y, z], [nd.array([1, 10], dtype="float64"), None])

    equal(x.grad, 2 + 3, 40 + 3)
    with autograd.record():
        y = x * x
    with pytest.raises(ShapeError, match="head_grads"):
        y.backward(nd.ones((3,)))
    with pytest.raises(ArgumentError, match="head_grads"):
        autograd.backward([y], [None, None])
    with pytest.raises(ArgumentTypeError, match="heads"):
        autograd.backward([1.0])


def test_graph_is_freed_unless_retained():
    x = variable(3.0)
    with autograd.record():
        y = x * x
    y.backward(retain_graph=True)
    y.backward()
    equal(x.grad, 6)

    with pytest.raises(MXNetError, match=r"(?s)cannot differentiate.*retain_graph=True"):
        y.backward()


def test_what_was_not_recorded_has_no_gradient():
    x = variable(3.0)
    y = x * x
    for head in (y, nd.ones((2,))):
        with pytest.raises(MXNetError, match=r"cannot differentiate.*autograd\.record"):
            head.backward()
    with autograd.record():
        z = x * 2
    with pytest.raises(StateError, match="attach_grad"):
        autograd.grad(z, nd.ones((1,)))


def test_head_may_be_a_leaf():
    x = variable(3.0)
    x.backward()

    equal(x.grad, 1)


def test_results_that_do_not_vary_give_zeros():
    x = variable(3.0, -2.0)
    x.grad[:] = 7
    with autograd.record():
        y = nd.sign(x) + nd.argmax(x, axis=0)
    y.backward()

    equal(x.grad, 0, 0)


def test_unused_arrays_keep_their_gradient():
    x, other = variable(3.0), variable(1.0)
    other.grad[:] = 7
    with autograd.record():
        y = x * 2
    y.backward()

    equal(other.grad, 7)


def test_detach_stops_gradients():
    x = variable(3.0)
    with autograd.record():
        y = x * x.detach() + nd.BlockGrad(x * x)
    y.backward()

    equal(x.grad, 3)


def test_attach_grad_makes_a_result_independent():
    x = variable(3.0)
    with autograd.record():
        y = x * x
        y.attach_grad()
        z = y * 2
    z.backward()

    equal(y.grad, 2)
    equal(x.grad, 0)


def test_pause_records_nothing():
    x = variable(3.0)
    with autograd.record():
        y = x * x
        with autograd.pause():
            z = x * 5
        w = y * z
    w.backward()

    equal(x.grad, 6 * 15)


def test_outputs_of_an_operator_may_be_used_in_part():
    x = nd.array(np.arange(6.0).reshape(2, 3))
    x.attach_grad()
    with autograd.record():
        parts = nd.split(x, num_outputs=3, axis=1)
        y = (parts[0] * 2 + parts[2] * parts[2]).sum()
    y.backward()

    np.testing.assert_allclose(x.grad.asnumpy(), [[2, 0, 4], [2, 0, 10]])


def test_mark_variables():
    x, g = nd.array([1.0, 2.0]), nd.zeros((2,))
    autograd.mark_variables([x], [g], "add")
    for _ in range(2):
        with autograd.record():
            y = x * x
        y.backward()

    equal(g, 4, 8)
    with pytest.raises(ShapeError, match="mark_variables"):
        autograd.mark_variables(x, nd.zeros((3,)))
    with pytest.raises(ArgumentError, match="as many"):
        autograd.mark_variables([x, x], [g])


def test_loss_layers_ignore_the_head_gradient():
    x = nd.array([[1.0, 2.0], [0.5, 0.5]])
    x.attach_grad()
    with autograd.record():
        y = nd.SoftmaxOutput(x, nd.array([0, 1]))
    y.backward()

    expected = y.asnumpy() - np.eye(2)
    np.testing.assert_allclose(x.grad.asnumpy(), expected, rtol=1e-6)


# --- grad -----------------------------------------------------------------------------------------
def test_orders_up_to_the_fourth():
    x = variable(1.5, -2.0)
    orders = []
    with autograd.record():
        y = x**5 + nd.sin(x)
        for _ in range(4):
            y = autograd.grad(y, x, create_graph=True)[0]
            orders.append(y)

    v = x.asnumpy()
    equal(orders[0], *(5 * v**4 + np.cos(v)))
    equal(orders[1], *(20 * v**3 - np.sin(v)))
    equal(orders[2], *(60 * v**2 - np.cos(v)))
    equal(orders[3], *(120 * v + np.sin(v)))
    equal(x.grad, 0, 0)


def test_gradient_penalty():
    """The norm of a gradient, differentiated with respect to the weights."""
    w = variable(0.5, -1.0)
    x = variable(2.0, 3.0)
    with autograd.record():
        y = nd.tanh((w * x).sum())
        g = autograd.grad(y, x, create_graph=True)[0]
        penalty = (g * g).sum()
    penalty.backward()

    def value(w):
        g = w * (1 - np.tanh(w @ [2.0, 3.0]) ** 2)
        return g @ g

    for i, d in enumerate(np.eye(2) * EPSILON):
        base = np.array([0.5, -1.0])
        np.testing.assert_allclose(w.grad.asnumpy()[i], (value(base + d) - value(base - d)) / 2e-6, rtol=1e-6)


def test_grad_of_intermediate_results_and_several_variables():
    x, z = variable(3.0), variable(4.0)
    with autograd.record():
        y = x * x
        w = y * y * z
    gy, gz, gx = autograd.grad(w, [y, z, x])

    equal(gy, 2 * 9 * 4)
    equal(gz, 81)
    equal(gx, 2 * 9 * 4 * 6)
    equal(x.grad, 0)
    with pytest.raises(ArgumentError, match="given twice"):
        autograd.grad(w, [x, x])
    with pytest.raises(ArgumentError, match="at least one"):
        autograd.grad(w, [])


def test_grad_returns_arrays_of_its_own():
    x, z = variable(3.0), variable(4.0)
    head = nd.ones((1,), dtype="float64")
    with autograd.record():
        y = x + z
    gx, gz = autograd.grad(y, [x, z], head)
    gx += 1

    equal(gz, 1)
    equal(head, 1)


# --- views, indices, copies -----------------------------------------------------------------------
VIEWS = {
    "integer": lambda x: x[1],
    "slice": lambda x: x[1:],
    "steps": lambda x: x[::-2, 1::2],
    "none": lambda x: x[None, :, 0],
    "list": lambda x: x[[0, 2, 0]],
    "arrays": lambda x: x[nd.array([0, 2, 2]), nd.array([1, 1, 1])],
    "mixed": lambda x: x[1:, [0, 0, 3]],
    "iteration": lambda x: nd.stack(*list(x)),
    "reshape": lambda x: x.reshape((4, -1)),
    "reshape of a strided view": lambda x: x[:, ::2].reshape((-1,)),
    "reshape_like": lambda x: x.reshape_like(nd.zeros((2, 6))),
    "flatten": lambda x: x.flatten(inplace=True),
    "expand_dims": lambda x: x.expand_dims(1, inplace=True),
    "squeeze": lambda x: x[0:1].squeeze(inplace=True),
    "transpose": lambda x: x.T,
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "broadcast_to": lambda x: x.broadcast_to((2, 3, 4)),
    "broadcast_like": lambda x: x[0].broadcast_like(nd.zeros((2, 4))),
    "copy": lambda x: x.copy(),
    "copyto": lambda x: x.copyto(nd.zeros((3, 4))),
    "other device": lambda x: x.as_in_context(mx.cpu(1)).as_in_context(mx.cpu(0)),
    "astype": lambda x: x.astype("float32").astype("float64"),
    "diag": lambda x: nd.diag(x),
}


@pytest.mark.parametrize("name", VIEWS)
def test_gradients_flow_through(name):
    rng = np.random.default_rng(5)
    values = rng.standard_normal((3, 4))
    x = array(values)
    x.attach_grad()
    weights = None

    def energy(values):
        return float((VIEWS[name](array(values)) ** 2 * weights).sum().asscalar())

    with autograd.record():
        view = VIEWS[name](x)
        weights = array(rng.standard_normal(view.shape)).astype(view.dtype)
        y = (view * view * weights).sum()
        first = autograd.grad(y, x, create_graph=True)[0]
        probe = rng.standard_normal((3, 4))
        total = (first * array(probe)).sum()
    direction = rng.standard_normal((3, 4))
    single = name in ("astype", "copyto")
    step = 1e-3 if single else EPSILON
    numeric = (energy(values + step * direction) - energy(values - step * direction)) / (2 * step)
    np.testing.assert_allclose(
        np.sum(first.asnumpy() * direction), numeric, rtol=1e-2 if single else 1e-5, atol=1e-7
    )
    second = autograd.grad(total, x)[0].asnumpy()
    hessian = VIEWS[name](array(probe)) * VIEWS[name](array(direction)) * 2 * weights
    np.testing.assert_allclose(np.sum(second * direction), hessian.sum().asscalar(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("face", [nd, mx.np])
def test_arrays_of_integers_refuse_values_with_gradients(face):
    y = face.ones((4,))
    y.attach_grad()
    for key in (0, slice(1, 3), slice(None, None, -1), [0, 2]):
        x = face.zeros((4, 4), dtype="int32")
        with autograd.record(), pytest.raises(mx.MXNetError, match="are not supported when recording with"):
            x[key] = y
        x[key] = y  # outside
        with autograd.record():
            x[key] = face.ones((4,))  # without a gradient
            x[:] = y  # all of it is the value, cast
        assert x.asnumpy().sum() == 16


def test_assignment():
    x, z = variable(1.0, 2.0, 3.0), variable(5.0)
    with autograd.record():
        y = nd.zeros((4,), dtype="float64")
        y[0] = z
        y[1:] = x * x
        y[3] = 7
        y[[0, 1]] = y[[1, 0]]
        w = (y * nd.array([1, 10, 100, 1000], dtype="float64")).sum()
    w.backward()

    equal(y, 1, 5, 4, 7)
    equal(x.grad, 2, 400, 0)
    equal(z.grad, 10)


def test_assigned_values_are_broadcast_and_converted():
    x = variable(1.0, 2.0, dtype="float32")
    with autograd.record():
        y = nd.zeros((3, 2), dtype="float64")
        y[:] = x.reshape((1, 1, 2))
        first = autograd.grad((y * y).sum(), x, create_graph=True)[0]
    first.backward()

    equal(first, 6, 12)
    equal(x.grad, 6, 6)
    assert first.dtype is np.float32


def test_augmented_assignment_to_an_item():
    x = variable(2.0, 3.0)
    with autograd.record():
        y = x * 1
        y[0] *= x[1]
        y[1] += x[0]
        w = (y * y).sum()
    w.backward()

    equal(y, 6, 5)
    equal(x.grad, 2 * 6 * 3 + 2 * 5, 2 * 6 * 2 + 2 * 5)


def test_operations_in_place_on_fresh_results():
    x, b = variable(2.0, 3.0), variable(10.0, 20.0)
    with autograd.record():
        y = x * 3
        y += b
        y *= 2
        y -= x
        nd.relu(y, out=y)
        w = (y * b.detach()).sum()
    w.backward()

    equal(x.grad, 50, 100)
    equal(b.grad, 20, 40)
