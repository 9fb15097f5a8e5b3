"""Optimizers against MXNet 1.9.1, their states in files, and schedules of learning rates."""

import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx
from mxcy import lr_scheduler as schedules
from mxcy import nd, optimizer

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "optimizers.json").read_text())
MEASURED = [case for case in CASES if case["optimizer"] in optimizer.Optimizer.opt_registry]


@pytest.mark.parametrize("case", MEASURED, ids=lambda case: f"{case['optimizer']}-{case['attrs']}")
def test_updates_are_mxnets(case):
    weight = nd.array(case["weight"])
    updater = optimizer.get_updater(
        optimizer.create(case["optimizer"], param_idx2name={0: case["name"]}, **case["attrs"])
    )
    for grad, after in zip(case["grads"], case["after"], strict=True):
        updater(0, nd.array(grad), weight)

        np.testing.assert_allclose(weight.asnumpy(), after, rtol=1e-6)


def test_golden_cases_of_sgd_are_there():
    assert sum(case["optimizer"] == "sgd" for case in MEASURED) == 6


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_follows_its_formula_in_every_dtype(dtype, momentum):
    generator = np.random.default_rng(1)
    weight, grad = generator.normal(size=(2, 5, 3))
    array, sgd = nd.array(weight, dtype=dtype), optimizer.SGD(momentum, learning_rate=0.1, wd=0.01)
    state = sgd.create_state(0, array)
    mom = np.zeros_like(weight)
    for _ in range(3):
        sgd.update(0, array, nd.array(grad, dtype=dtype), state)
        mom = momentum * mom - 0.1 * (grad + 0.01 * weight)
        weight = weight + mom

    tolerance = {"float16": 2e-3, "bfloat16": 2e-2}.get(dtype, 1e-6)

    assert array.dtype == nd.zeros(1, dtype=dtype).dtype
    np.testing.assert_allclose(array.astype("float64").asnumpy(), weight, rtol=tolerance, atol=tolerance)


def test_update_operators_write_the_state_in_place():
    weight, grad, mom = nd.ones(2), nd.ones(2), nd.ones(2)
    result = nd.sgd_mom_update(weight, grad, mom, lr=0.1, momentum=0.5)

    assert weight.asnumpy().tolist() == [1, 1]
    np.testing.assert_allclose(mom.asnumpy(), [0.4, 0.4], rtol=1e-6)
    np.testing.assert_allclose(result.asnumpy(), [1.4, 1.4], rtol=1e-6)
    assert nd.sgd_update(weight, grad, out=weight, lr=0.25) is weight
    assert weight.asnumpy().tolist() == [0.75, 0.75]
    with pytest.raises(TypeError, match="sgd_update.lr.: missing"):
        nd.sgd_update(weight, grad)


@pytest.mark.parametrize("size", [7, 300_000])
def test_means_that_only_decay_end_as_zero(size):
    weight, grad, momentum = nd.ones(size), nd.zeros(size), nd.full(size, 1e-36)

    for _ in range(100):
        nd.sgd_mom_update(weight, grad, momentum, lr=0.1, momentum=0.9, out=weight)

    assert not momentum.asnumpy().any()
    assert (nd.full(3, 1e-40) * 0.5).asnumpy().all()  # others keep subnormal numbers, as NumPy does


def test_updates_of_views_write_through():
    weights = nd.ones((3, 2))
    optimizer.get_updater(optimizer.SGD(momentum=0.9, learning_rate=1))(0, nd.ones(2), weights[1])

    assert weights.asnumpy().tolist() == [[1, 1], [0, 0], [1, 1]]


def test_lists_are_updated_as_if_one_by_one():
    def run(*indices):
        weights = [nd.full(2, 1), nd.full(3, 2)]
        updater = optimizer.get_updater(optimizer.SGD(momentum=0.9, learning_rate=0.1))
        for _ in range(2):
            for index in indices:
                if isinstance(index, list):
                    updater(index, [nd.ones(w.shape) for w in weights], weights)
                else:
                    updater(index, nd.ones(weights[index].shape), weights[index])
        return [w.asnumpy().tolist() for w in weights], updater.optimizer._index_update_count

    assert run([0, 1]) == run(0, 1)
    assert run([0, 1])[1] == {0: 2, 1: 2}


def test_decay_is_for_weights_and_gammas_only():
    names = {0: "a_weight", 1: "b_bias", 2: "c_gamma", 3: "d"}
    sgd = optimizer.SGD(param_idx2name=names, wd=0.1)

    assert sgd._get_wds([0, 1, 2, 3, 4]) == [0.1, 0.0, 0.1, 0.0, 0.1]
    assert sgd.wd_mult == {"b_bias": 0.0, "d": 0.0}

    sgd.set_wd_mult({"b_bias": 2.0})
    sgd.set_lr_mult({"a_weight": 3, 1: 5})

    assert sgd._get_wds([1, 3]) == [0.2, 0.0]
    assert sgd._get_lrs([0, 1, 2]) == [pytest.approx(0.03), pytest.approx(0.05), 0.01]


def test_factors_of_variables_count():
    weight = mx.sym.Variable("q_weight", lr_mult=2, wd_mult=3)
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), weight=weight, num_hidden=2, name="fc")
    sgd = optimizer.SGD(sym=net, param_idx2name={0: "q_weight", 1: "fc_bias"}, wd=0.1)

    assert sgd._get_lrs([0, 1]) == [0.02, 0.01]
    assert sgd._get_wds([0, 1]) == [pytest.approx(0.3), 0.0]


def test_half_weights_may_have_a_copy_of_full_precision():
    weight = nd.ones(2, dtype="float16")
    sgd = optimizer.SGD(momentum=0.9, learning_rate=0.01, multi_precision=True)
    updater = optimizer.get_updater(sgd)
    for _ in range(2):
        updater(0, nd.full(2, 0.001, dtype="float16"), weight)
    mom, copy = updater.states[0]

    assert mom.dtype == copy.dtype == np.float32
    np.testing.assert_allclose(copy.asnumpy(), 1 - 0.01 * 0.001 * 2.9, rtol=1e-6)
    assert weight.dtype == np.float16
    assert (weight.asnumpy() == copy.asnumpy().astype(np.float16)).all()
    with pytest.warns(UserWarning, match="multi_precision=True option of the SGD"):
        optimizer.get_updater(optimizer.SGD())(0, weight, weight)


def test_create_and_register():
    assert type(optimizer.create("SGD", momentum=0.5)) is optimizer.SGD
    with pytest.raises(ValueError, match="cannot find optimizer 'sdg'; did you mean sgd"):
        optimizer.create("sdg")
    with pytest.raises(TypeError, match="foo"):
        optimizer.create("sgd", foo=1)
    with pytest.raises(AssertionError, match="a dict of names by index, got int"):
        optimizer.SGD(param_idx2name=3)

    @optimizer.register
    class OwnOptimizer(optimizer.Optimizer):
        pass

    own = optimizer.create("ownoptimizer")

    assert own.create_state(0, nd.ones(1)) is None
    with pytest.raises(NotImplementedError):
        own.update(0, nd.ones(1), nd.ones(1), None)
    with pytest.warns(UserWarning, match="overriding existing optimizer"):
        optimizer.register(OwnOptimizer)
    del optimizer.Optimizer.opt_registry["ownoptimizer"]


def trained(updater, steps=2):
    weights = {0: nd.ones((2, 3)), "x": nd.ones(4)}
    for _ in range(steps):
        for key, weight in weights.items():
            updater(key, nd.ones(weight.shape), weight)
    return updater, weights


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_states_survive_a_round_trip(momentum):
    updater, weights = trained(optimizer.get_updater(optimizer.SGD(momentum, learning_rate=0.1)))
    other = optimizer.get_updater(optimizer.SGD(momentum, learning_rate=0.1))
    other.set_states(updater.get_states())
    copies = {key: weight.copy() for key, weight in weights.items()}
    for key, weight in weights.items():
        updater(key, weight, weight)
        other(key, copies[key], copies[key])

        assert (weight.asnumpy() == copies[key].asnumpy()).all()


def test_states_carry_the_optimizer_if_wanted():
    schedule = schedules.MultiFactorScheduler([3, 5], 0.1, base_lr=0.5)
    sgd = optimizer.SGD(0.9, lr_scheduler=schedule, wd=0.1, param_idx2name={0: "a_weight", "x": "x_bias"})
    updater, _ = trained(optimizer.get_updater(sgd), 4)
    other = optimizer.get_updater(optimizer.SGD())
    other.set_states(updater.get_states(dump_optimizer=True))
    loaded = other.optimizer

    assert loaded is not sgd
    assert (loaded.momentum, loaded.wd, loaded.num_update) == (0.9, 0.1, 4)
    assert loaded._index_update_count == {0: 4, "x": 4}
    assert loaded.wd_mult == {"x_bias": 0.0}
    assert loaded.learning_rate == sgd.learning_rate == 0.05
    assert vars(loaded.lr_scheduler) == vars(schedule)


def test_states_of_tuples_and_none_keep_their_form():
    updater = optimizer.Updater(optimizer.SGD(multi_precision=True))
    updater(3, nd.ones(2, dtype="float16"), nd.ones(2, dtype="float16"))
    other = optimizer.Updater(optimizer.SGD())
    other.set_states(updater.get_states())
    state, copy = other.states[3]

    assert state is None
    assert copy.dtype == np.float32


def hostile(**changes):
    """Bytes of states whose index was changed."""
    updater, _ = trained(optimizer.get_updater(optimizer.SGD(0.9)))
    arrays = nd.load_frombuffer(updater.get_states(dump_optimizer=True))
    index = json.loads(arrays["index"].asnumpy().tobytes()) | changes
    arrays["index"] = nd.array(np.frombuffer(json.dumps(index).encode(), np.uint8), dtype=np.uint8)
    stream = io.BytesIO()
    nd.save(stream, arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95\x07\x00\x00\x00\x00\x00\x00\x00}\x94K\x00N",  # a pickle that stops
        b"\x80\x04cos\nsystem\n(S'true'\ntR.",  # a pickle that runs a program
        b"\x80\x04cmxnet.optimizer.optimizer\nSGD\n)\x81.",  # one that holds something else
        hostile(format="other"),
        hostile(version=2),
        hostile(states=[[0, "99"]]),
        hostile(states=[[[], "0"]]),
        hostile(states=3),
        hostile(optimizer={"name": "os", "fields": {}, "scheduler": None}),
        hostile(optimizer={"name": "sgd", "fields": {"update": 3}, "scheduler": None}),
        hostile(optimizer={"name": "sgd", "fields": {}, "scheduler": {"name": "logging", "fields": {}}}),
        hostile(optimizer={"name": "sgd"}),
    ],
)
def test_states_from_elsewhere_are_refused_whole(content):
    updater, _ = trained(optimizer.get_updater(optimizer.SGD(0.9)))
    states, sgd = dict(updater.states), updater.optimizer
    with pytest.raises(mx.MXNetError) as caught:
        updater.set_states(content)

    assert isinstance(caught.value, ValueError)
    assert updater.states == states
    assert updater.optimizer is sgd


def test_states_that_mxnet_pickled_are_read():
    adam = optimizer.get_updater(optimizer.Adam())
    adam.set_states((GOLDEN / "updater-adam.states").read_bytes())

    assert list(adam.states) == [0, "b"]
    mean, var = adam.states[0]
    g = np.array([0.1, 0.2])
    np.testing.assert_allclose(mean.asnumpy(), g * (1 - 0.9**4), rtol=1e-6)
    np.testing.assert_allclose(var.asnumpy(), g * g * (1 - 0.999**4), rtol=1e-4)

    sgd = optimizer.get_updater(optimizer.SGD())
    sgd.set_states((GOLDEN / "updater-sgd.states").read_bytes())
    found = sgd.optimizer

    assert (found.momentum, found.num_update, found.aggregate_num) == (0.9, 4, 4)
    assert found.learning_rate == 0.05
    assert sgd.states["b"].shape == (1, 1)
    sgd(0, nd.ones(2), nd.ones(2))


# -- schedules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (schedules.FactorScheduler(3, 0.5, base_lr=1.0),
         [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.0625]),
        (schedules.FactorScheduler(2, 0.1, 1e-3, 1.0, warmup_steps=2, warmup_begin_lr=0.1),
         [0.1, 0.55, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001]),
        (schedules.MultiFactorScheduler([3, 6], 0.1, base_lr=1.0), [1] * 4 + [0.1] * 3 + [0.01] * 7),
        (schedules.PolyScheduler(10, base_lr=1.0, pwr=2, final_lr=0.1, warmup_steps=3),
         [0, 0.333333, 0.666667, 1, 0.761224, 0.559184, 0.393878, 0.265306, 0.173469, 0.118367] + [0.1] * 4),
        (schedules.CosineScheduler(10, 1.0, 0.1, 3, 0.2, "constant"),
         [0.2, 0.2, 0.2, 1, 0.955436, 0.83057, 0.650134, 0.449866, 0.26943, 0.144564] + [0.1] * 4),
        (schedules.PolyScheduler(10, pwr=1), [(10 - i) / 1000 for i in range(10)] + [0] * 4),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, schedules.LRScheduler) else "",
)  # fmt: skip
def test_schedules_are_mxnets(schedule, rates):
    assert [schedule(i) for i in range(14)] == pytest.approx(rates, abs=1e-6)


def test_schedules_log_their_steps(caplog):
    caplog.set_level(logging.INFO)
    schedule = schedules.FactorScheduler(2, 0.1, stop_factor_lr=5e-2, base_lr=1.0)
    for i in range(6):
        schedule(i)
    multi = schedules.MultiFactorScheduler([1], 0.5, base_lr=1.0)
    multi(2)

    assert caplog.messages == [
        "Update[3]: Change learning rate to 1.00000e-01",
        "Update[5]: now learning rate arrived at 5.00000e-02, will not change in the future",
        "Update[2]: Change learning rate to 5.00000e-01",
    ]


def test_an_optimizer_follows_its_schedule(caplog):
    sgd = optimizer.SGD(lr_scheduler=schedules.FactorScheduler(2, 0.5, base_lr=0.3))

    assert (sgd.lr, sgd.learning_rate) == (None, 0.3)
    with pytest.raises(UserWarning, match="has already been defined"):
        sgd.set_learning_rate(1)

    schedule = schedules.FactorScheduler(2, 0.5, base_lr=0.3)

    assert optimizer.SGD(lr_scheduler=schedule, learning_rate=0.7).learning_rate == 0.7
    assert "overwritten" in caplog.text
    plain = optimizer.SGD()
    plain.set_learning_rate(0.2)
    assert plain.learning_rate == 0.2
    assert optimizer.SGD(lr_scheduler=lambda n: 0.4 / (n + 1)).learning_rate == 0.4


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ValueError, lambda: schedules.FactorScheduler(0)),
        (ValueError, lambda: schedules.FactorScheduler(1, 2)),
        (AssertionError, lambda: schedules.MultiFactorScheduler([])),
        (AssertionError, lambda: schedules.MultiFactorScheduler(3)),
        (ValueError, lambda: schedules.MultiFactorScheduler([3, 2])),
        (ValueError, lambda: schedules.MultiFactorScheduler([0])),
        (ValueError, lambda: schedules.MultiFactorScheduler([1], 2)),
        (ValueError, lambda: schedules.PolyScheduler(0)),
        (AssertionError, lambda: schedules.PolyScheduler(2.5)),
        (ValueError, lambda: schedules.CosineScheduler(0)),
        (ValueError, lambda: schedules.LRScheduler(warmup_begin_lr=1)),
        (ValueError, lambda: schedules.LRScheduler(warmup_steps=-1)),
        (AssertionError, lambda: schedules.LRScheduler(warmup_steps=0.5)),
        (ValueError, lambda: schedules.LRScheduler(warmup_mode="q")),
    ],
)
def test_bad_schedules_are_errors(error, make):
    with pytest.raises(error, match="expected .*, got") as caught:
        make()
    assert isinstance(caught.value, mx.MXNetError)


def test_the_base_of_schedules_has_no_rates():
    with pytest.raises(NotImplementedError):
        schedules.LRScheduler()(1)


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("sgd", {"momentum": 0.9}, ["row_sparse"]),
        ("sgd", {"momentum": 0.9, "lazy_update": False}, ["default"]),
        ("nag", {"momentum": 0.9}, ["default"]),
        ("adam", {}, ["row_sparse"] * 2),
        ("ftml", {}, ["default"] * 3),
        ("adadelta", {}, ["default"] * 2),
        ("adamax", {}, ["default"] * 2),
        ("nadam", {}, ["default"] * 2),
        ("dcasgd", {"momentum": 0.9}, ["default", "row_sparse"]),
    ],
)
def test_states_of_row_sparse_weights_are_dense_where_all_rows_change(name, options, expected):
    state = mx.optimizer.create(name, **options).create_state(0, mx.nd.ones((3, 2)).tostype("row_sparse"))

    assert [x.stype for x in (state if isinstance(state, tuple) else (state,))] == expected


def test_lbsgd_keeps_the_copy_of_a_half_precision_weight_first():
    optimizer = mx.optimizer.create("lbsgd", momentum=0.9, multi_precision=True)
    copy, momentum = optimizer.create_state_multi_precision(0, mx.nd.ones((2,), dtype="float16") * 3)

    assert (copy.dtype, copy.asnumpy().tolist()) == (np.float32, [3, 3])
    assert (momentum.dtype, momentum.asnumpy().tolist()) == (np.float32, [0, 0])
