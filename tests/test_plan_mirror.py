"""Recomputation: backward computes again what forward does not keep, with the same results."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import ArgumentError
from mxcy.executor import options
from mxcy.executor.options import Options
from mxcy.graph import rejoin
from mxcy.graph.mirror import marked, may_repeat, mirror

sym, nd = mx.sym, mx.nd


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


def deep(depth, width=64, dropout=False, **attributes):
    """A perceptron of many layers of one width, which ends in a loss."""
    net = sym.Variable("data")
    with mx.AttrScope(**attributes):
        for number in range(depth):
            net = sym.FullyConnected(net, num_hidden=width, name=f"fc{number}")
            net = sym.Activation(net, act_type="tanh", name=f"tanh{number}")
            net = sym.Dropout(net, p=0.4, name=f"drop{number}") if dropout else net
    return sym.SoftmaxOutput(net, name="softmax")


def trained(net, batch=8, width=64):
    """Everything that a step of training computes or changes, and the next random numbers."""
    executor = net.simple_bind(mx.cpu(), data=(batch, width))
    rng = np.random.default_rng(1)
    for name, array in sorted(executor.arg_dict.items()):
        array[:] = rng.integers(0, 9, array.shape) if "label" in name else rng.normal(0, 0.3, array.shape)
    mx.random.seed(3)
    executor.forward(is_train=True)
    executor.backward()
    after = mx.nd.random.uniform(shape=(4,))
    arrays = [*executor.outputs, *executor.grad_arrays, *executor.aux_arrays, after]
    return executor, [array.asnumpy().tobytes() for array in arrays]


def nodes_of(executor):
    return [node.name for node in executor._program.whole.nodes]


def test_marked_nodes_run_again_in_backward():
    plain, expected = trained(deep(3))
    marked_, found = trained(deep(3, force_mirroring="True"))

    assert found == expected
    assert [name for name in nodes_of(marked_) if name.endswith("_mirror")] == [
        "fc0_mirror", "tanh0_mirror", "fc1_mirror", "tanh1_mirror", "fc2_mirror", "tanh2_mirror",
    ]  # fmt: skip
    assert not any("_mirror" in name for name in nodes_of(plain))
    assert "tanh1_mirror" in marked_.debug_str()


def test_the_variable_of_mxnet_mirrors_what_is_quick(monkeypatch):
    _, expected = trained(deep(3))
    monkeypatch.setenv("MXNET_BACKWARD_DO_MIRROR", "1")
    executor, found = trained(deep(3))

    assert found == expected
    copies = {name for name in nodes_of(executor) if "_mirror" in name}
    assert copies == {"tanh0_mirror", "tanh1_mirror", "tanh2_mirror"}
    excepted = deep(3, force_mirroring="False")
    assert not any("_mirror" in name for name in nodes_of(trained(excepted)[0]))


def test_masks_are_drawn_once(monkeypatch):
    """Dropout computes its result again from its mask, and the stream of random numbers goes on as ever."""
    _, expected = trained(deep(4, dropout=True))
    executor, found = trained(deep(4, dropout=True, force_mirroring="True"))

    assert found == expected
    copies = [node for node in executor._program.whole.nodes if node.name == "drop2_mirror"]
    assert [node.op.name for node in copies] == ["broadcast_mul"]
    assert {source.node.name for source in copies[0].inputs} == {"tanh2_mirror", "drop2"}


def test_changes_of_images_are_drawn_once():
    x = mx.nd.array(np.random.default_rng(0).uniform(size=(4, 5, 3)))
    found = []
    for labels in ({}, {"__force_mirroring__": "True"}):
        with mx.AttrScope(**labels):
            changed = sym.image.random_saturation(sym.Variable("x"), min_factor=0.1, max_factor=0.9)
            executor = sym.exp(changed).simple_bind(mx.cpu(), x=x.shape)
        mx.random.seed(3)
        executor.forward(is_train=True, x=x)
        executor.backward(mx.nd.ones(x.shape))
        found.append((executor.outputs[0].asnumpy(), executor.grad_arrays[0].asnumpy()))

    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("attributes", [{}, {"use_global_stats": True}, {"fix_gamma": False}])
@pytest.mark.parametrize("limit", [{"MXNET_BACKWARD_DO_MIRROR": "1"}, {"MXCY_MEMORY_BUDGET": "1K"}])
def test_moving_averages_are_written_once(attributes, limit, monkeypatch):
    """BatchNorm computes its result again from what it has saved, to the last bit."""

    def network():
        net = sym.Variable("data")
        for number in range(4):
            net = sym.FullyConnected(net, num_hidden=32, name=f"fc{number}")
            net = sym.BatchNorm(net, name=f"norm{number}", **attributes)
            net = sym.Activation(net, act_type="relu", name=f"relu{number}")
        return sym.SoftmaxOutput(net, name="softmax")

    _, expected = trained(network())
    for name, value in limit.items():
        monkeypatch.setenv(name, value)
    executor, found = trained(network())

    assert found == expected
    copies = [node for node in executor._program.whole.nodes if node.name.startswith("norm1_mirror")]
    assert [node.op.name for node in copies] == ["_batch_norm_again"]
    assert not {source.node.name for source in copies[0].inputs} & {"norm1_moving_mean", "norm1_moving_var"}


def test_what_may_not_run_twice_is_left_alone():
    net = sym.random.uniform(shape=(2, 3)) * sym.Variable("x")
    graph = net._graph

    assert {node.op.name for node in may_repeat(graph)} == {"elemwise_mul"}
    assert mirror(graph, [], may_repeat(graph)) == []
    with pytest.raises(ArgumentError, match="attr\\(force_mirroring\\): expected True or False, got 'yes'"):
        marked(sym.tanh(sym.Variable("x"), attr={"force_mirroring": "yes"})._graph)


def branches(parts=3):
    """Rectified branches, joined and read by layers whose gradients need the whole; then joined once more."""
    net = sym.Variable("data")
    for block in range(2):
        rest = [sym.Activation(sym.FullyConnected(net, num_hidden=8, name=f"fc{block}{i}"), act_type="relu",
                               name=f"relu{block}{i}") for i in range(parts)]  # fmt: skip
        joined = sym.concat(*rest, dim=1, name=f"join{block}")
        net = sym.concat(joined, net, dim=1, name=f"outer{block}")
    net = sym.FullyConnected(net, num_hidden=3, name="last")
    return sym.SoftmaxOutput(net, name="softmax")


def test_backward_joins_again_what_it_keeps_in_parts(monkeypatch):
    kept, expected = trained(branches())
    monkeypatch.setattr(rejoin, "LEAST", 1)
    again, found = trained(branches())

    assert found == expected
    # Of the inner joins backward needs the shape alone.
    assert {name for name in nodes_of(again) if name.endswith("_mirror")} == {
        "outer0_mirror",
        "outer1_mirror",
    }
    assert not any(name.endswith("_mirror") for name in nodes_of(kept))


@pytest.mark.parametrize("small", [False, True])
def test_joins_that_are_outputs_or_small_are_kept(small, monkeypatch):
    monkeypatch.setattr(rejoin, "LEAST", 100 if small else 1)
    x = sym.Variable("x")
    joined = sym.concat(sym.tanh(x, name="a"), sym.sigmoid(x, name="b"), dim=1, name="join")
    net = sym.square(joined)
    executor = (net if small else sym.Group([net, joined])).simple_bind(mx.cpu(), x=(2, 3))

    assert "join_mirror" not in nodes_of(executor)


def test_a_budget_makes_memory_grow_with_the_root_of_the_depth():
    def total(depth, **limits):
        plan = deep(depth, 256).memory({"data": (1024, 256)}, train=True, fusion=False, **limits)
        return plan.total / (1024 * 256 * 4)

    assert total(64) == pytest.approx(64, abs=4)
    assert total(64, budget=1) < 22
    assert total(16, budget=1) < 11
    for part in (2, 3):
        budget = 64 * 1024 * 256 * 4 // part
        assert 0.6 * 64 / part < total(64, budget=budget) <= 64 / part
    assert total(64, budget=1 << 40) == total(64)


@pytest.mark.parametrize("dropout", [False, True])
def test_results_within_a_budget_are_the_same(dropout, monkeypatch):
    plain, expected = trained(deep(12, dropout=dropout))
    monkeypatch.setenv("MXCY_MEMORY_BUDGET", "16K")
    executor, found = trained(deep(12, dropout=dropout))

    assert found == expected
    assert executor._program.nbytes < plain._program.nbytes
    assert sum("_mirror" in name for name in nodes_of(executor)) > 5


def test_estimates_within_a_budget_agree_with_executors(monkeypatch):
    net = deep(12)
    monkeypatch.setattr(options, "DEFAULT", Options(paths=1))
    monkeypatch.setenv("MXCY_MEMORY_BUDGET", "20k")
    executor = net.simple_bind(mx.cpu(), data=(8, 64))

    assert executor._program.nbytes == net.memory({"data": (8, 64)}, train=True, budget=20 << 10).total


@pytest.mark.parametrize("text", ["much", "-1", "1T", "1.5.2G"])
def test_budgets_that_are_no_bytes_are_refused(text, monkeypatch):
    monkeypatch.setenv("MXCY_MEMORY_BUDGET", text)

    with pytest.raises(ArgumentError, match="MXCY_MEMORY_BUDGET: expected bytes such as 800M or 2.5G, got"):
        deep(1).simple_bind(mx.cpu(), data=(8, 64))
    monkeypatch.setenv("MXCY_MEMORY_BUDGET", "1.5g")
    assert options.current().budget == 3 << 29
