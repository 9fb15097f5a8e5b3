"""Graphs of all operators: whatever they go through, their results are those of plain evaluation."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import operator_graphs
import ops_rows
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.executor import options
from mxcy.executor.options import PLAIN, Options
from mxcy.graph import plan_memory as planner
from mxcy.graph.effects import draws
from mxcy.graph.ir import Node
from mxcy.graph.plan_memory import STRATEGIES

COMBINATIONS = [
    Options(strategy, simplifies, fuses, paths, mirror, budget)
    for strategy in STRATEGIES
    for simplifies, fuses in ((False, False), (True, False), (False, True), (True, True))
    for paths, mirror, budget in ((1, False, None), (2, False, None), (2, True, None), (1, False, 1))
]


def compared(symbol, arrays, option, req, repeat):
    """(plain results, planned results, planned executor)."""
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(planner, "LARGE", 64)  # so that some results are laid at offsets
        patch.setattr(options, "DEFAULT", PLAIN)
        expected, _ = operator_graphs.results(symbol, arrays, req, repeat)
        patch.setattr(options, "DEFAULT", option)
        return expected, *operator_graphs.results(symbol, arrays, req, repeat)


@given(st.data(), st.integers(1, 9), st.sampled_from(COMBINATIONS), st.sampled_from(["write", "add"]))
def test_every_combination_equals_plain_evaluation(data, count, option, req):
    def pick(choices):
        return choices[data.draw(st.integers(0, len(choices) - 1))]

    symbol, arrays = operator_graphs.build(pick, count)
    expected, found, executor = compared(symbol, arrays, option, req, 2)

    assert found == expected
    plan = executor._program.plan
    assert plan.largest_live <= plan.total <= plan.unplanned


def test_all_operators_keep_their_results_in_planned_graphs():
    """Every row once, eight in a graph, each graph with another combination."""
    rng = np.random.default_rng(2)
    rows = [operator_graphs.ROWS[i] for i in rng.permutation(len(operator_graphs.ROWS))]
    for number, begin in enumerate(range(0, len(rows), 8)):
        symbol, arrays = operator_graphs.join(rows[begin : begin + 8], rng)
        expected, found, _ = compared(symbol, arrays, COMBINATIONS[number % len(COMBINATIONS)], "write", 1)

        assert found == expected, [op.name for op, _ in rows[begin : begin + 8]]


def test_operators_that_draw_are_known():
    """What moves the stream of random numbers must keep its place and not run again."""

    def following():
        return mx.nd.random.uniform(shape=(1,)).asscalar()

    mx.random.seed(0)
    first, drawing = following(), set()
    rows = [(op, row) for op in ops_rows.OPERATORS for row in op.cases if row.error is None]
    for op, row in rows:
        attrs = ops_rows.use(op, row)
        node = Node(op, "drawing", attrs, ())
        inputs = tuple(ops_rows.array(value) for value in ops_rows.draw(op, row, "float32"))
        for is_train in (False, True):
            mx.random.seed(0)
            with np.errstate(all="ignore"):
                op.compute(inputs, attrs, is_train=is_train, face=ops_rows.FACE)
            if following() != first:
                drawing.add(op.name)
                assert draws(node), op.name

    assert {"Dropout", "LeakyReLU", "_image_random_hue", "_shuffle", "_random_normal_like"} <= drawing


def test_both_engines_give_the_same_results():
    """The same graphs in other processes: one thread, several, and the engine that runs at once."""
    script = str(Path(operator_graphs.__file__))
    found = set()
    for change in ({"MXCY_ENGINE": "serial"}, {"MXCY_NUM_THREADS": "1"}, {"MXCY_NUM_THREADS": "3"}):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **change}
        done = subprocess.run(
            [sys.executable, script, "12"], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)

    assert len(found) == 1
