"""`mx.autograd`: gradients of every operator to the second order, and those of the real MXNet."""

import numpy as np
import ops_rows
import pytest
import test_ops_golden as golden
from ops_rows import OPERATORS, array, draw, name_of, numpy_of, rows, use

import mxcy as mx
from mxcy import autograd, ops
from mxcy.ndarray import _tape

EPSILON = 1e-6


def smooth(op, row):
    return op.differentiable and not op.grad_check and any(item.dtype is None for item in row.inputs)


def tracked(values, constant=()):
    found = [array(x) for x in values]
    for i, x in enumerate(found):
        if i not in constant:
            x.attach_grad()
    return found


def states(op, attrs):
    """Positions of the inputs that the operator writes: no gradient can be attached to them."""
    names = op.input_names(attrs)
    return range(len(names) - len(op.aux_names(attrs)), len(names))


def called(op, operands, attrs):
    made = operands[0]._apply(op, tuple(operands), attrs)
    return made if isinstance(made, list) else [made]


def floating(op, row, values, rng):
    written = states(op, use(op, row))
    return [
        rng.standard_normal(x.shape)
        if item.dtype is None and not item.constant and x.dtype.kind == "f" and i not in written
        else None
        for i, (item, x) in enumerate(zip(row.inputs, values, strict=True))
    ]


def dot(gradients, directions):
    pairs = zip(gradients, directions, strict=True)
    return sum(float(np.sum(numpy_of(g) * d)) for g, d in pairs if d is not None)


def slope(function, values, directions):
    def at(step):
        return function([x if d is None else x + step * d for x, d in zip(values, directions, strict=True)])

    return (at(EPSILON) - at(-EPSILON)) / (2 * EPSILON)


def projected(op, attrs, weights):
    def value(values):
        results = op.compute([array(x) for x in values], attrs)
        return sum(float(np.sum(numpy_of(r) * w)) for r, w in zip(results, weights, strict=False))

    return value


@pytest.mark.parametrize("op, row", rows(smooth), ids=name_of)
def test_first_gradient(op, row):
    rng = np.random.default_rng(1)
    values, attrs = draw(op, row, np.float64), use(op, row)
    variables = tracked(values, states(op, attrs))
    with autograd.record(train_mode=False):
        made = called(op, variables, attrs)
    weights = [rng.standard_normal(y.shape) for y in made]
    autograd.backward(made, [array(w) for w in weights], train_mode=False)
    directions = floating(op, row, values, rng)

    numeric = slope(projected(op, attrs, weights), values, directions)
    found = dot([x.grad for x in variables], directions)
    np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-7)


def first_order(op, attrs, values, heads, probes):
    """(sum of the products of the gradients with probes, what it depends on), recorded."""
    variables, weights = tracked(values, states(op, attrs)), tracked(heads)
    with autograd.record(train_mode=False):
        made = called(op, variables, attrs)
        wanted = [x for x, probe in zip(variables, probes, strict=True) if probe is not None]
        found = autograd.grad(made, wanted, weights, create_graph=True, train_mode=False)
        given = [probe for probe in probes if probe is not None]
        total = ops.add_n(*[ops.sum(g * array(p)) for g, p in zip(found, given, strict=True)])
    return total, variables + weights


def twice_smooth(op, row):
    return smooth(op, row) and not op.first_order


@pytest.mark.parametrize("op, row", rows(twice_smooth), ids=name_of)
def test_second_gradient(op, row):
    rng = np.random.default_rng(2)
    values, attrs = draw(op, row, np.float64), use(op, row)
    visible = op.num_visible(attrs)
    heads = [rng.standard_normal(y.shape) for y in op.compute([array(x) for x in values], attrs)[:visible]]
    probes = floating(op, row, values, rng)
    total, variables = first_order(op, attrs, values, heads, probes)
    directions = floating(op, row, values, rng) + [rng.standard_normal(h.shape) for h in heads]
    if total._tape is None:  # a gradient that depends on nothing
        second = [x.grad for x in variables]
    else:
        found = iter(autograd.grad(total, [x for x in variables if x.grad is not None], train_mode=False))
        second = [None if x.grad is None else next(found) for x in variables]

    def value(moved):
        return float(
            numpy_of(first_order(op, attrs, moved[: len(values)], moved[len(values) :], probes)[0])[0]
        )

    numeric = slope(value, values + heads, directions)
    np.testing.assert_allclose(dot(second, directions), numeric, rtol=1e-4, atol=1e-6)


def bindable(op, row):
    return smooth(op, row) and all(item.shape for item in row.inputs) and not getattr(op, "dynamic", False)


@pytest.mark.parametrize("op, row", rows(bindable)[:: 1 if ops_rows.ONE_ROW else 3], ids=name_of)
def test_gradient_is_that_of_the_graph(op, row):
    rng = np.random.default_rng(3)
    values, attrs = draw(op, row, np.float32), use(op, row)
    written = states(op, attrs)
    variables = tracked(values, written)
    mx.random.seed(4)
    with autograd.record():
        made = called(op, variables, attrs)
    heads = [array(rng.standard_normal(y.shape).astype(y.dtype)) for y in made]
    autograd.backward(made, heads)

    names = [f"x{i}" for i in range(len(values))]
    symbol = op(*[mx.sym.Variable(name) for name in names], **row.attributes)
    arrays = {n: array(x) for n, x in zip(names, values, strict=True)}
    aux = {names[i]: arrays.pop(names[i]) for i in written}
    grads = {
        n: array(np.zeros_like(values[int(n[1:])])) for n in arrays if values[int(n[1:])].dtype.kind == "f"
    }
    executor = symbol.bind(mx.cpu(), arrays, grads, aux_states=aux)
    mx.random.seed(4)
    executor.forward(is_train=True)
    executor.backward(heads)
    for name, x in zip(names, variables, strict=True):
        if name in grads:
            np.testing.assert_allclose(numpy_of(x.grad), numpy_of(grads[name]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", [op for op in OPERATORS if op.needs], ids=name_of)
def test_only_what_a_rule_needs_is_kept(op):
    """What is kept whole is among what the rule names."""
    row = next(row for row in op.cases if row.error is None)
    attrs = use(op, row)
    names = op.input_names(attrs)
    plan = _tape._plan(op, attrs, [(None, 0, None)] * len(names))
    if plan is not None and not op.variadic:
        assert {names[i] for i in plan[0] + plan[1]} <= op.needs


GOLDEN = [
    case
    for case in golden.WORKING
    if case.get("grads") and golden.name_of(case) not in golden.ERRORS_OF_MXNET
]


@pytest.mark.parametrize("case", GOLDEN, ids=golden.name_of)
def test_gradients_are_those_of_mxnet(case):
    stored = golden.ARRAYS[case["file"]]
    inputs = tracked([stored[key] for key in case["args"]])
    with np.errstate(all="ignore"):
        with autograd.record(train_mode=case.get("train", False)):
            made = golden.function_of(case["op"])(*inputs, **golden.attributes_of(case))
        heads = [array(stored[key]) for key in case["head"]]
        autograd.backward(made, heads, train_mode=case.get("train", False))
        for x, key in zip(inputs, case["grads"], strict=True):
            if key is not None:
                golden.close(numpy_of(x.grad), stored[key], case)
