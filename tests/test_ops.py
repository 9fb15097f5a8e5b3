"""Every operator row: value, shape, dtype, gradients, layouts, errors, and eager against bound."""

import numpy as np
import ops_rows
import pytest
from ops_rows import (
    OPERATORS,
    Node,
    array,
    backward,
    computed,
    draw,
    legacy,
    name_of,
    nodes,
    numpy_of,
    rows,
    use,
)

import mxcy as mx
from mxcy import ops
from mxcy.errors import ArgumentError, MXNetError
from mxcy.ops import REGISTRY
from mxcy.ops._declare import ZERO, elementwise

EPSILON = 1e-6
FLOATS = ops_rows.KINDS["f"]


def in_dtype(op, row, dtype):
    return draw(op, row, dtype), use(op, row)


def has_inputs(op, row):
    return bool(row.inputs)


# --- the table itself -----------------------------------------------------------------------------
@pytest.mark.parametrize("op", OPERATORS, ids=name_of)
def test_operator_is_declared_in_full(op):
    assert op.__doc__ and op.__doc__.strip()
    assert any(row.error is None for row in op.cases)
    assert op.ref is not None or "random" in op.__module__
    assert op.rules or op.grad_check or not op.differentiable


def test_operators_whose_gradient_is_not_the_derivative_say_why(capsys):
    with capsys.disabled():
        print()
        for op in OPERATORS:
            if op.grad_check:
                print(f"  {op.name}: {op.grad_check}")

    assert {"SoftmaxOutput", "BlockGrad", "Dropout"} <= {op.name for op in OPERATORS if op.grad_check}


FIRST_ORDER = {
    *("CTCLoss", "Correlation", "RNN", "ROIPooling", "_contrib_box_nms"),
    *("_box_nms_grad", "_correlation_grad", "_ctc_loss_grad", "_rnn_scan_grad", "_rnn_weights"),
    *("_hawkesll_grad", "_hawkesll_second", "_roi_pooling_grad"),  # hawkesll has two derivatives
}


def test_operators_of_first_order_are_listed_and_refuse_a_second(capsys):
    listed = [op for op in OPERATORS if op.first_order]
    assert {op.name for op in listed} == FIRST_ORDER
    with capsys.disabled():
        print()
        for op in listed:
            print(f"  {op.name}: {op.first_order}")
    for op in listed:
        if not op.differentiable:
            row = next(row for row in op.cases if row.error is None)
            with pytest.raises(MXNetError, match=op.first_order):
                op.gradient([None], [None] * len(row.inputs), [None] * 8, use(op, row))


def test_name_is_declared_once():
    with pytest.raises(ArgumentError, match="declared already"):

        @elementwise(grad=ZERO)
        def tanh(data):
            """Again."""
            return data


def test_aliases_name_operators_and_nothing_twice():
    assert set(ops.ALIASES.values()) <= set(REGISTRY)
    assert not set(ops.ALIASES) & set(REGISTRY)
    assert ops.lookup("_Plus") is ops.elemwise_add
    assert ops.lookup("nosuch") is None


# --- values ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("op, row", rows(lambda op, row: op.ref is not None), ids=name_of)
def test_value_shape_and_dtype(op, row):
    for dtype in ops_rows.dtypes_of(op, row):
        inputs, attrs = in_dtype(op, row, dtype)
        results = computed(op, inputs, attrs)[: op.num_visible(attrs)]
        references = ops_rows.expected(op, row, inputs)

        _, shapes, _ = op.infer_shape([x.shape for x in inputs], attrs)
        _, dtypes, _ = op.infer_dtype([x.dtype for x in inputs], attrs)
        assert [r.shape for r in results] == [legacy(r.shape) for r in references]
        for result, shape in zip(results, shapes, strict=False):  # where values decide an extent, it is None
            assert len(shape) == result.ndim
            assert all(n == m or (n is None and op.dynamic) for n, m in zip(shape, result.shape, strict=True))
        assert [r.dtype for r in results] == list(dtypes[: len(results)])
        for result, reference in zip(results, references, strict=True):
            compare(result, reference, dtype)


def compare(result, reference, dtype):
    reference = reference.reshape(result.shape)
    if reference.dtype.kind == "c" and result.dtype.kind != "c":
        reference = reference.real
    if result.dtype.kind in "biu":
        np.testing.assert_array_equal(result, ops_rows.convert(reference, result.dtype))
        return
    rtol, atol = max(ops_rows.TOLERANCE.get(d, (0, 0)) for d in (result.dtype, np.dtype(dtype)))
    wide = np.complex128 if result.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(result.astype(wide), reference.astype(wide), rtol=rtol, atol=atol)


@pytest.mark.parametrize("op, row", rows(lambda op, row: op.ref is None), ids=name_of)
def test_random_numbers_repeat_with_the_seed(op, row):
    inputs, attrs = in_dtype(op, row, np.float32)
    drawn = []
    for _ in range(2):
        mx.random.seed(7)
        drawn.append([computed(op, inputs, attrs, face=ops_rows.FACE)[0] for _ in range(2)])

    np.testing.assert_array_equal(drawn[0], drawn[1])
    first, second = drawn[0]
    _, shapes, _ = op.infer_shape([x.shape for x in inputs], attrs)
    _, dtypes, _ = op.infer_dtype([x.dtype for x in inputs], attrs)
    assert (first.shape, first.dtype) == (shapes[0], dtypes[0])
    assert first.size == 0 or not np.array_equal(first, second)


# --- gradients ------------------------------------------------------------------------------------
def smooth(op, row):
    return op.differentiable and not op.grad_check and any(draw.dtype is None for draw in row.inputs)


def projected(op, attrs, values, weights):
    """The sum over outputs of their products with weights."""
    results = computed(op, values, attrs)
    return sum(float(np.sum(r * w)) for r, w in zip(results, weights, strict=False))


def moved(values, directions, step):
    return [x + step * d if d is not None else x for x, d in zip(values, directions, strict=True)]


def slope(function, values, directions):
    """The derivative of a function of arrays along a direction, by central differences."""
    ahead = function(moved(values, directions, EPSILON))
    behind = function(moved(values, directions, -EPSILON))
    return (ahead - behind) / (2 * EPSILON)


def directions_for(op, row, values, rng):
    return [
        rng.standard_normal(x.shape)
        if item.dtype is None and not item.constant and x.dtype.kind == "f" and name not in op.aux
        else None
        for name, item, x in zip(op.input_names(use(op, row)), row.inputs, values, strict=True)
    ]


def dot(gradients, directions):
    pairs = zip(gradients, directions, strict=True)
    return sum(float(np.sum(numpy_of(g.value) * d)) for g, d in pairs if g is not None and d is not None)


@pytest.mark.parametrize("op, row", rows(smooth), ids=name_of)
def test_gradient(op, row):
    rng = np.random.default_rng(1)
    values, attrs = in_dtype(op, row, np.float64)
    weights = [rng.standard_normal(r.shape) for r in computed(op, values, attrs)[: op.num_visible(attrs)]]
    directions = directions_for(op, row, values, rng)
    variables = nodes(values)
    made = variables[0]._apply(op, tuple(variables), attrs)
    made = made if isinstance(made, list) else [made]
    gradients = backward(made, nodes(weights), variables)

    for g, x in zip(gradients, values, strict=True):
        assert g is None or (g.value.shape == legacy(x.shape) and g.value.dtype == np.float64)
    numeric = slope(lambda moved: projected(op, attrs, moved, weights), values, directions)
    np.testing.assert_allclose(dot(gradients, directions), numeric, rtol=1e-5, atol=1e-7)


def first_order(op, attrs, values, heads, probes):
    """(the sum of products of the gradients with probes, its variables)."""
    variables, weights = nodes(values), nodes(heads)
    made = variables[0]._apply(op, tuple(variables), attrs)
    gradients = backward(made if isinstance(made, list) else [made], weights, variables)
    total = None
    for g, probe in zip(gradients, probes, strict=True):
        if g is not None and probe is not None:
            term = ops.sum(g * Node(array(probe)))
            total = term if total is None else total + term
    return total, variables, weights


def twice_smooth(op, row):
    return smooth(op, row) and not op.first_order


@pytest.mark.parametrize("op, row", rows(twice_smooth), ids=name_of)
def test_gradient_of_gradient(op, row):
    rng = np.random.default_rng(2)
    values, attrs = in_dtype(op, row, np.float64)
    heads = [rng.standard_normal(r.shape) for r in computed(op, values, attrs)[: op.num_visible(attrs)]]
    probes = directions_for(op, row, values, rng)
    total, variables, weights = first_order(op, attrs, values, heads, probes)
    if total is None:  # the outputs are positions
        return
    second = backward([total], [Node(array(np.ones((1,))))], variables + weights)
    directions = directions_for(op, row, values, rng) + [rng.standard_normal(h.shape) for h in heads]

    def value(moved):
        result, _, _ = first_order(op, attrs, moved[: len(values)], moved[len(values) :], probes)
        return float(numpy_of(result.value).sum())

    numeric = slope(value, values + heads, directions)
    np.testing.assert_allclose(dot(second, directions), numeric, rtol=1e-4, atol=1e-6)


def flat(op, row):
    return op.rules == () and row.inputs and op.kinds.count("f") and not op.grad_check and op.ref is not None


@pytest.mark.parametrize("op, row", rows(flat), ids=name_of)
def test_operator_without_gradient_gives_none(op, row):
    values, attrs = in_dtype(op, row, np.float64)

    assert op.gradient([None], values, [None] * op.num_outputs(attrs), attrs) == [None] * len(values)


# --- layouts --------------------------------------------------------------------------------------
def same(a, b):
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        if x.dtype.kind in "fc":
            np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(x, y)


def deterministic(op, row):
    return has_inputs(op, row) and op.ref is not None


def bindable(op, row):
    # Symbols have no 0-d arrays, and executors know all shapes before they run.
    return deterministic(op, row) and not op.dynamic and all(draw.shape for draw in row.inputs)


@pytest.mark.parametrize("step", [2, -2])
@pytest.mark.parametrize("op, row", rows(deterministic), ids=name_of)
def test_strided_inputs_and_outputs(op, row, step):
    inputs, attrs = in_dtype(op, row, np.float32)
    plain = computed(op, inputs, attrs)[: op.num_visible(attrs)]

    def spread():
        return [ops_rows.strided(x, step) for x in inputs]

    same([numpy_of(x) for x in op.compute(spread(), attrs)][: len(plain)], plain)

    outs = [ops_rows.strided(np.zeros_like(r), step) for r in plain]
    hidden = [None] * (op.num_outputs(attrs) - len(outs))
    written = op.compute(spread(), attrs, [*outs, *hidden])
    assert all(a is b for a, b in zip(written, outs, strict=False))
    same([numpy_of(x) for x in outs], plain)


def fits_in_place(op, row):
    if not deterministic(op, row):
        return False
    inputs, attrs = in_dtype(op, row, np.float32)
    _, shapes, _ = op.infer_shape([x.shape for x in inputs], attrs)
    _, dtypes, _ = op.infer_dtype([x.dtype for x in inputs], attrs)
    return op.num_visible(attrs) == 1 and (shapes[0], dtypes[0]) == (inputs[0].shape, inputs[0].dtype)


@pytest.mark.parametrize("op, row", rows(fits_in_place), ids=name_of)
def test_output_may_overlap_inputs(op, row):
    inputs, attrs = in_dtype(op, row, np.float32)
    plain = computed(op, inputs, attrs)[0]
    size = inputs[0].size
    for shift in (0, 1):
        buffer = array(np.concatenate([inputs[0].ravel(), np.zeros(1, inputs[0].dtype)]))
        first = buffer[0:size]._reshape_view(inputs[0].shape)
        out = buffer[shift : size + shift]._reshape_view(inputs[0].shape)
        outs = [out] + [None] * (op.num_outputs(attrs) - 1)
        op.compute([first, *[array(x) for x in inputs[1:]]], attrs, outs)
        same([numpy_of(out)], [plain])


# --- errors ---------------------------------------------------------------------------------------
ERRORS = [(op, row) for op in OPERATORS for row in op.cases if row.error is not None]


@pytest.mark.parametrize("op, row", ERRORS[:: 5 if ops_rows.ONE_ROW else 1], ids=name_of)
def test_error_row(op, row):
    inputs = [array(x) for x in draw(op, row, np.float32)]
    with pytest.raises(row.error) as caught:
        if inputs:
            op(*inputs, **row.attributes).wait_to_read()
        elif op.inputs:
            op(**row.attributes)
        else:
            op.compute((), op.parse_attrs(row.attributes))

    assert isinstance(caught.value, MXNetError)
    assert row.match in str(caught.value)


@pytest.mark.parametrize("op, row", rows(fits_in_place), ids=name_of)
def test_output_of_another_shape_or_dtype_is_refused(op, row):
    inputs, attrs = in_dtype(op, row, np.float32)
    operands = [array(x) for x in inputs]
    blank = [None] * (op.num_outputs(attrs) - 1)
    with pytest.raises(mx.errors.ShapeError, match=r"\(out\): expected shape"):
        op.compute(operands, attrs, [array(np.zeros((*inputs[0].shape, 2), inputs[0].dtype)), *blank])
    with pytest.raises(mx.errors.DTypeError, match=r"\(out\): expected dtype"):
        op.compute(operands, attrs, [array(np.zeros(inputs[0].shape, np.int16)), *blank])


# --- eager and bound ------------------------------------------------------------------------------
def bound(op, row, inputs, is_train=False):
    names = [f"x{i}" for i in range(len(inputs))]
    symbol = op(*[mx.sym.Variable(name) for name in names], **row.attributes)
    arrays = dict(zip(names, [array(x) for x in inputs], strict=True))
    states = {name: arrays.pop(name) for name in symbol.list_auxiliary_states()}
    grads = {n: mx.nd.zeros_like(x) for n, x in arrays.items() if x.dtype in FLOATS}
    if op.first_order and not op.differentiable:
        grads = None
    executor = symbol.bind(mx.current_context(), arrays, grads, aux_states=states)
    return executor.forward(is_train), executor, grads


@pytest.mark.parametrize("op, row", rows(bindable), ids=name_of)
def test_bound_symbol_gives_the_same(op, row):
    inputs, attrs = in_dtype(op, row, np.float32)
    plain = computed(op, inputs, attrs)[: op.num_visible(attrs)]
    outputs, executor, grads = bound(op, row, inputs, is_train=False)

    same([numpy_of(x) for x in outputs], plain)
    if op.differentiable and all(r.dtype.kind == "f" for r in plain):
        rng = np.random.default_rng(3)
        heads = [rng.standard_normal(r.shape).astype(r.dtype) for r in plain]
        is_train = op.name != "Dropout" and row.attributes.get("act_type") != "rrelu"  # these draw numbers
        outputs, executor, grads = bound(op, row, inputs, is_train)
        executor.backward([array(h) for h in heads])
        operands = [array(x) for x in inputs]
        made = op.compute(operands, attrs, is_train=is_train)
        eager = op.gradient([array(h) for h in heads], operands, made, attrs)
        for i, g in enumerate(eager):
            if g is not None and f"x{i}" in grads:
                np.testing.assert_allclose(numpy_of(grads[f"x{i}"]), numpy_of(g), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("op", "row"), rows(lambda op, row: row.inputs), ids=name_of)
def test_what_is_known_of_partial_shapes_is_true(op, row):
    attrs = use(op, row)
    whole = [item.shape for item in row.inputs]
    expected = op.infer_shape(whole, attrs)[1]
    for position, shape in enumerate(whole):
        for axis in range(len(shape)):
            partial = list(whole)
            partial[position] = (*shape[:axis], None, *shape[axis + 1 :])
            for found, shape_of_output in zip(op.infer_shape(partial, attrs)[1], expected, strict=True):
                assert found is None or len(found) == len(shape_of_output)
                assert all(n in (None, m) for n, m in zip(found or (), shape_of_output, strict=False))
