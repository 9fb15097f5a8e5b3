"""Gradients of `mxcy.numpy`: every function with a rule, first and second order, by central differences."""

import numpy as onp
import pytest

import mxcy as mx
import mxcy.numpy as np
from mxcy.numpy import _conversions, _creation
from mxcy.numpy._compositions import Composition
from mxcy.numpy._recorded import CONSTANT, Rule


def positive(*shape):
    return onp.random.default_rng(1).uniform(0.5, 1.5, shape)


def signed(*shape):
    return onp.random.default_rng(2).uniform(-0.9, 0.9, shape)


def symmetric(n):
    x = signed(n, n)
    return x @ x.T + n * onp.eye(n)


M = signed(3, 4)
P = positive(3, 4)
SKEW = onp.array([[0, 1.0, 2], [0, 0, 1], [0, 0, 0]])
W3 = np.array([[1.0, 2, 0], [0.5, -1, 1], [2, 1, 3]])

W4 = np.array([[1.0, 2, 0, 3], [0.5, -1, 1, 1], [2, 1, 3, 0], [0, 1, 2, 1]])


def rest(x, n):
    """The projection on the columns of a matrix from n on, whatever basis they are."""
    return x[:, n:] @ x[:, n:].conj().T


def projections(left, values, right):
    """What full factors determine: values, and projections on the first vectors and on the others."""
    n = len(values)
    parts = [
        rest(left[:, :n] * values, 0),
        rest(left, n),
        rest(right[:n].conj().T, 1),
        rest(right.conj().T, n),
    ]
    return np.concatenate([np.ravel((x @ (W3 if len(x) == 3 else W4)).real) for x in parts])


def complex_factors(left, values, right):
    """What factors of complex matrices determine: only the phases of pairs of vectors are free."""
    found = (left * [1, 2, 3]) @ right, left @ (values[:, None] ** 3 * right)
    return np.concatenate([np.ravel(x.real + 2 * x.imag) for x in found])


UNARY_POSITIVE = ["log", "log2", "log10", "log1p", "sqrt", "cbrt", "reciprocal"]
UNARY_SIGNED = [
    "absolute", "fabs", "negative", "positive", "conjugate", "exp", "exp2", "expm1", "square", "sin", "cos",
    "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh", "degrees", "rad2deg",
    "radians", "deg2rad",
]  # fmt: skip
BINARY = [
    "add", "subtract", "multiply", "divide", "power", "float_power", "maximum", "minimum", "fmax", "fmin",
    "hypot", "arctan2", "logaddexp", "logaddexp2", "remainder", "fmod", "copysign",
]  # fmt: skip

# Name of the function (with a remark behind a space): what is computed, and of which operands.
ROWS = {name: (getattr(np, name), [P]) for name in UNARY_POSITIVE}
ROWS |= {name: (getattr(np, name), [M]) for name in UNARY_SIGNED}
ROWS |= {name: (getattr(np, name), [P, positive(4) + 1]) for name in BINARY}
ROWS |= {
    "arccosh": (np.arccosh, [P + 1]),
    "heaviside": (lambda x: np.heaviside(np.zeros(4), x), [P]),
    "ldexp": (lambda x: np.ldexp(x, 2), [M]),
    "power of a number": (lambda x: 2.0**x + x**3 + x**0.5, [P]),
    "reshape": (lambda x: np.reshape(x, (4, 3)), [M]),
    "ravel": (np.ravel, [M]),
    "flatten": (lambda x: x.flatten(), [M]),
    "transpose": (lambda x: np.transpose(x, (1, 0)), [M]),
    "T": (lambda x: x.T, [M]),
    "matrix_transpose": (np.matrix_transpose, [M]),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 1), [M]),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), [signed(2, 3, 2)]),
    "expand_dims": (lambda x: np.expand_dims(x, 1), [M]),
    "squeeze": (lambda x: np.squeeze(x, 1), [signed(3, 1)]),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3, 4)), [M]),
    "concatenate": (lambda x, y: np.concatenate([x, y, x]), [M, signed(2, 4)]),
    "concatenate flat": (lambda x, y: np.concatenate([x, y], axis=None), [M, signed(2, 3)]),
    "stack": (lambda x, y: np.stack([x, y], axis=1), [M, P]),
    "split": (lambda x: np.split(x, 3)[1], [M]),
    "array_split": (lambda x: np.array_split(x, 3, axis=1)[0], [M]),
    "repeat": (lambda x: np.repeat(x, 2, axis=1), [M]),
    "repeat flat": (lambda x: np.repeat(x, 2), [M]),
    "tile": (lambda x: np.tile(x, (2, 1, 2)), [M]),
    "pad": (lambda x: np.pad(x, ((1, 0), (2, 1))), [M]),
    "flip": (lambda x: np.flip(x, 1), [M]),
    "fliplr": (np.fliplr, [M]),
    "flipud": (np.flipud, [M]),
    "roll": (lambda x: np.roll(x, 2, 1), [M]),
    "rot90": (np.rot90, [M]),
    "diagonal": (lambda x: np.diagonal(x, 1), [M]),
    "trace": (lambda x: np.trace(x, 1), [M]),
    "diag": (np.diag, [signed(3)]),
    "diag of a matrix": (np.diag, [M]),
    "diagflat": (lambda x: np.diagflat(x, -2) ** 2, [M]),
    "tril": (np.tril, [M]),
    "triu": (lambda x: np.triu(x, 1), [M]),
    "atleast_1d": (np.atleast_1d, [signed()]),
    "atleast_2d": (np.atleast_2d, [signed(3)]),
    "atleast_3d": (np.atleast_3d, [M]),
    "copy": (np.copy, [M]),
    "astype": (lambda x: np.astype(x, np.float64), [M]),
    "real": (lambda x: np.real(x * (1 + 2j)), [M]),
    "imag": (lambda x: np.imag(np.exp(x * 1j)), [M]),
    "sum": (lambda x: np.sum(x * x, axis=0), [M]),
    "sum of several axes": (lambda x: x.sum((0, 2), keepdims=True) ** 2, [signed(2, 3, 2)]),
    "mean": (lambda x: np.mean(x, axis=1) ** 2, [M]),
    "prod": (lambda x: np.prod(x, axis=1), [P]),
    "max": (lambda x: np.max(x, axis=1) ** 2, [M]),
    "min": (lambda x: np.min(x) ** 2, [M]),
    "var": (lambda x: np.var(x, axis=1, ddof=1), [M]),
    "std": (lambda x: np.std(x, axis=0, keepdims=True), [M]),
    "cumsum": (lambda x: np.cumsum(x, axis=1) ** 2, [M]),
    "cumsum flat": (lambda x: np.cumsum(x), [M]),
    "cumprod": (lambda x: np.cumprod(x, axis=1), [P]),
    "sort": (lambda x: np.sort(x, axis=0) ** 2, [M]),
    "diff": (lambda x: np.diff(x, 2) ** 2, [M]),
    "take": (lambda x: np.take(x, [0, 2, 2], axis=1) ** 2, [M]),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.argsort(x, 1), 1) ** 2, [M]),
    "clip": (lambda x: np.clip(x, -0.3, 0.4) ** 2, [M]),
    "clip by method": (lambda x: x.clip(max=0.4) ** 2, [M]),
    "where": (lambda x, y: np.where(x > 0, x * y, y), [M, P]),
    "nan_to_num": (lambda x: np.nan_to_num(x) ** 2, [M]),
    "sinc": (np.sinc, [P]),
    "matmul": (np.matmul, [M, signed(4, 2)]),
    "matmul of stacks": (np.matmul, [signed(2, 3, 4), signed(4, 2)]),
    "matmul by a vector": (lambda x, y: x @ y, [M, signed(4)]),
    "matmul of a vector": (lambda x, y: x @ y, [signed(3), M]),
    "matmul of vectors": (lambda x, y: x @ y, [signed(3), positive(3)]),
    "dot": (np.dot, [M, signed(4, 2)]),
    "dot of stacks": (np.dot, [signed(2, 3), signed(2, 3, 4)]),
    "dot by a number": (np.dot, [M, signed()]),
    "vecdot": (np.vecdot, [M, P]),
    "inner": (np.inner, [M, signed(2, 4)]),
    "vdot": (np.vdot, [M, P]),
    "outer": (np.outer, [M, signed(3)]),
    "tensordot": (lambda x, y: np.tensordot(x, y, ([0, 2], [1, 0])), [signed(2, 3, 4), signed(4, 2, 3)]),
    "tensordot by a number": (lambda x, y: np.tensordot(x, y, 1), [M, signed(4, 2)]),
    "inv": (np.linalg.inv, [symmetric(3)]),
    "det": (np.linalg.det, [symmetric(3)]),
    "slogdet": (lambda x: np.linalg.slogdet(x)[1], [symmetric(3)]),
    "cholesky": (lambda x: np.linalg.cholesky((x + x.T) / 2), [symmetric(3)]),
    "solve": (np.linalg.solve, [symmetric(3), signed(3, 2)]),
    "solve for a vector": (np.linalg.solve, [symmetric(3), signed(3)]),
    "eigh": (lambda x: np.linalg.eigh((x + x.T) / 2)[0], [symmetric(3)]),
    "norm": (np.linalg.norm, [M]),
    "norm 1": (lambda x: np.linalg.norm(x, 1, axis=1) ** 2, [M]),
    "getitem": (lambda x: x[1:, [0, 0, 3]] ** 2 + x[0, 1] * x[2, 2:3], [M]),
    "getitem by a mask": (lambda x: x[x > 0] ** 2, [M]),
    "einsum": (lambda x, y: np.einsum("ij,kj->ik", x, y), [M, signed(2, 4)]),
    "einsum of a sum": (lambda x: np.einsum("ij->j", x) ** 2, [M]),
    "einsum of three": (lambda x, y: np.einsum("ij,kj,i", x, y, x[:, 0]), [M, signed(2, 4)]),
    "vstack": (lambda x, y: np.vstack([x, y]), [M, signed(4)]),
    "hstack": (lambda x, y: np.hstack([x, y]), [M, P]),
    "dstack": (lambda x, y: np.dstack([x, y]), [M, P]),
    "einsum of a trace": (lambda x: np.einsum("ii", x) ** 2, [signed(3, 3)]),
    "einsum of a diagonal": (lambda x, y: np.einsum("iij,j->ij", x, y), [signed(2, 2, 3), signed(3)]),
    "einsum with ellipses": (lambda x, y: np.einsum("...j,j", x, y), [signed(2, 3, 4), signed(4)]),
    "einsum over ellipses": (lambda x, y: np.einsum("ki,...k->i...", x, y), [signed(3, 2), signed(4, 3)]),
    "einsum that broadcasts": (lambda x, y: np.einsum("ij,ij->i", x, y), [signed(1, 4), signed(2, 4)]),
    "column_stack of three axes": (lambda x, y: np.column_stack([x, y]), [signed(2, 3, 2), signed(2, 1, 2)]),
    "column_stack": (lambda x, y: np.column_stack([x, y]), [M, signed(3)]),
    "append": (lambda x, y: np.append(x, y), [M, signed(3)]),
    "vsplit": (lambda x: np.vsplit(x, 3)[1] ** 2, [M]),
    "hsplit": (lambda x: np.hsplit(x, 2)[1] ** 2, [M]),
    "dsplit": (lambda x: np.dsplit(x, 2)[1] ** 2, [signed(2, 2, 4)]),
    "unstack": (lambda x: np.unstack(x)[1] ** 2, [M]),
    "delete": (lambda x: np.delete(x, 1, 1) ** 2, [M]),
    "rollaxis": (lambda x: np.rollaxis(x, 2), [signed(2, 3, 2)]),
    "broadcast_arrays": (lambda x, y: np.broadcast_arrays(x, y)[1], [M, signed(4)]),
    "meshgrid": (lambda x, y: np.meshgrid(x, y)[0] * np.meshgrid(x, y)[1], [signed(3), signed(2)]),
    "average": (lambda x, y: np.average(x, 1, weights=y), [M, positive(4)]),
    "ptp": (lambda x: np.ptp(x, 1) ** 2, [M]),
    "median": (lambda x: np.median(x, 1) ** 2, [M]),
    "nansum": (lambda x: np.nansum(x * x, 1), [M]),
    "nanmean": (lambda x: np.nanmean(x * x, 1), [M]),
    "nanmax": (lambda x: np.nanmax(x, 1) ** 2, [M]),
    "nanmin": (lambda x: np.nanmin(x, 1) ** 2, [M]),
    "cumulative_sum": (lambda x: np.cumulative_sum(x, axis=1, include_initial=True) ** 2, [M]),
    "cumulative_prod": (lambda x: np.cumulative_prod(x, axis=1), [P]),
    "trapezoid": (lambda x, y: np.trapezoid(x, y), [M, signed(4)]),
    "median over axes": (lambda x: np.median(x, (0, 2), keepdims=True) ** 2, [signed(2, 3, 3)]),
    "ediff1d with ends": (lambda x, y: np.ediff1d(x, y, to_begin=3) ** 2, [M, signed(2, 2)]),
    "ediff1d": (lambda x: np.ediff1d(x) ** 2, [M]),
    "cross": (np.cross, [signed(2, 3), positive(2, 3)]),
    "cross along other axes": (lambda x, y: np.cross(x, y, 0, 1, 0), [signed(3, 2), signed(2, 3)]),
    "tensorinv": (lambda x: np.linalg.tensorinv(x.reshape(4, 2, 2), ind=1), [symmetric(4)]),
    "tensorsolve": (
        lambda x, y: np.linalg.tensorsolve(x.reshape(2, 4, 2), y, (0, 2)),
        [symmetric(4), signed(4)],
    ),
    "norm of the largest": (lambda x: np.linalg.norm(x, "inf", 1) ** 2, [M]),
    "kron": (np.kron, [M, signed(2, 2)]),
    "multi_dot": (lambda x, y: np.linalg.multi_dot([x, y, x]), [M, signed(4, 3)]),
    "matrix_power": (lambda x: np.linalg.matrix_power(x, 3), [symmetric(3)]),
    "vector_norm": (lambda x: np.linalg.vector_norm(x, axis=1), [M]),
    "matrix_norm": (np.linalg.matrix_norm, [M]),
    "pinv": (np.linalg.pinv, [P]),
    "eigvalsh": (lambda x: np.linalg.eigvalsh((x + x.T) / 2), [symmetric(3)]),
    "fft": (lambda x: np.abs(np.fft.fft(x)) ** 2, [M]),
    "ifft": (lambda x: np.real(np.fft.ifft(x * (1 + 2j), norm="ortho")) ** 2, [M]),
    "rfft": (lambda x: np.real(np.fft.rfft(x, axis=0)) ** 2, [M]),
    "fftshift": (np.fft.fftshift, [M]),
    "ifftshift": (lambda x: np.fft.ifftshift(x, 1), [M]),
    "sort from the largest": (lambda x: np.sort(x, 0, descending=True) ** 2, [M]),
    "quantile": (lambda x: np.quantile(x, [0.2, 0.7], axis=(0, 1), keepdims=True) ** 2, [M]),
    "percentile": (lambda x: np.percentile(x, 35, axis=1, method="hazen") ** 2, [M]),
    "select": (lambda x: np.select([x > 1, x < 0], [x * x, x * 3], 1.0), [M]),
    "compress": (lambda x: np.compress([True, False, True], x, 0) ** 2, [M]),
    "extract": (lambda x: np.extract(x > 0, x) ** 2, [M]),
    "polyval": (lambda p, x: np.polyval(p, x) ** 2, [signed(4), M]),
    "polyval of one coefficient": (lambda p, x: np.polyval(p, x) ** 2, [signed(1), M]),
    "interp": (lambda x, y: np.interp(x, [-3.0, 0.1, 0.7, 1.5], y) ** 2, [M, signed(4)]),
    "interp with a period": (
        lambda x, y: np.interp(x, [-3.0, 0.1, 0.7, 1.5], y, period=5) ** 2,
        [M, signed(4)],
    ),
    "quantile with weights": (
        lambda x: np.quantile(x, [0.2, 0.7], axis=1, weights=[1, 2, 1, 3], method="inverted_cdf") ** 2,
        [M],
    ),
    "quantile of all with weights": (
        lambda x: np.quantile(x, 0.3, weights=P, method="inverted_cdf", keepdims=True) ** 2,
        [M],
    ),
    "interp of points": (lambda x, y: np.interp([-9.0, 0.3, 4.9, 99], np.cumsum(x), y), [P[0], signed(4)]),
    "gradient": (lambda x: np.gradient(x, 0.5, axis=1) ** 2, [M]),
    "gradient, exact at the ends": (lambda x: np.gradient(x, axis=0, edge_order=2) ** 2, [signed(4, 2)]),
    "gradient over places": (lambda x, y: np.gradient(x, np.cumsum(y)), [signed(4), positive(4)]),
    "convolve": (np.convolve, [signed(4), signed(3)]),
    "convolve, same": (lambda x, y: np.convolve(x, y, "same"), [signed(4), signed(2)]),
    "correlate": (lambda x, y: np.correlate(x, y, "full"), [signed(3), signed(4)]),
    "correlate, same": (lambda x, y: np.correlate(x, y, "same"), [signed(3), signed(4)]),
    "irfft": (lambda x: np.fft.irfft(x * (1 + 2j), 5) ** 2, [M]),
    "hfft": (lambda x: np.fft.hfft(x * (1 + 2j)) ** 2, [M]),
    "ihfft": (lambda x: np.abs(np.fft.ihfft(x, axis=0)) ** 2, [M]),
    "fftn": (lambda x: np.abs(np.fft.fftn(x, (2, 5), (0, 1))) ** 2, [M]),
    "ifftn": (lambda x: np.abs(np.fft.ifftn(x, norm="ortho")) ** 2, [M]),
    "fft2": (lambda x: np.abs(np.fft.fft2(x, norm="forward")) ** 2, [M]),
    "ifft2": (lambda x: np.real(np.fft.ifft2(x)) ** 2, [M]),
    "rfftn": (lambda x: np.abs(np.fft.rfftn(x)) ** 2, [M]),
    "irfftn": (lambda x: np.fft.irfftn(x * (2 - 1j)) ** 2, [M]),
    "rfft2": (lambda x: np.abs(np.fft.rfft2(x)) ** 2, [M]),
    "irfft2": (lambda x: np.fft.irfft2(x * (2 - 1j)) ** 2, [M]),
    "svd": (lambda x: np.linalg.svd(x, full_matrices=False)[0] @ W3 @ np.linalg.svd(x, False)[2], [M]),
    "svd of a high matrix": (lambda x: (np.linalg.svd(x, False)[0] * np.linalg.svd(x, False)[1]) @ W3, [M.T]),
    "svd of full factors": (lambda x: projections(*np.linalg.svd(x)), [M]),
    "svd of full factors of a high matrix": (lambda x: projections(*np.linalg.svd(x)), [M.T]),
    "svd of complex matrices": (lambda x, y: complex_factors(*np.linalg.svd(x + 1j * y, False)), [M, P]),
    "svd of full complex factors": (lambda x, y: projections(*np.linalg.svd(x + 1j * y)), [M.T, P.T]),
    "svdvals": (np.linalg.svdvals, [M]),
    "qr of a wide matrix": (lambda x: np.linalg.qr(x)[0] @ W3 @ np.linalg.qr(x)[1] ** 2, [M]),
    "qr of a wide matrix, r": (lambda x: np.linalg.qr(x, "r") ** 2, [M]),
    "qr of full factors": (lambda x: rest(np.linalg.qr(x, "complete")[0], 3) @ W4, [M.T]),
    "qr": (lambda x: np.linalg.qr(x)[0] @ W3 @ np.linalg.qr(x)[1], [M.T]),
    "eig": (lambda x: np.abs(np.linalg.eig(x)[1]) ** 2 * np.abs(np.linalg.eig(x)[0]), [symmetric(3) + SKEW]),
    "eigvals": (lambda x: np.abs(np.linalg.eigvals(x)) ** 2, [symmetric(3) + SKEW]),
    "norm, largest singular value": (lambda x: np.linalg.norm(x, 2), [M]),
    "norm, nuclear": (lambda x: np.linalg.norm(x, "nuc"), [M]),
    "norm, largest sum of a column": (lambda x: np.linalg.norm(x, 1, keepdims=True), [M]),
    "norm, largest sum of a row": (lambda x: np.linalg.norm(x, np.inf), [M]),
    "norm, smallest element": (lambda x: np.linalg.norm(x, -np.inf, axis=1), [M]),
    "norm, third power": (lambda x: np.linalg.norm(x, 3, axis=0), [M]),
    "vector_norm of several axes": (lambda x: np.linalg.vector_norm(x, axis=(0, 1), ord=3), [M]),
    "cond": (np.linalg.cond, [symmetric(3)]),
    "cond by sums": (lambda x: np.linalg.cond(x, 1), [symmetric(3)]),
    "lstsq": (lambda x, y: np.linalg.lstsq(x, y)[0], [M.T, signed(4)]),
    "interplay": (lambda x: np.exp(x - x.max(axis=1, keepdims=True)) / np.exp(x).sum(), [M]),
}


def gradient(function, arrays, weights):
    """The gradients of a weighted sum of the results, not yet computed from."""
    return mx.autograd.grad((function(*arrays) * weights).sum(), arrays, create_graph=True)


def slope(function, values, directions, step=1e-5):
    """The derivative along a direction of a function of NumPy arrays, by central differences."""
    ahead = function(*[x + step * d for x, d in zip(values, directions, strict=True)])
    behind = function(*[x - step * d for x, d in zip(values, directions, strict=True)])
    return (ahead - behind) / (2 * step)


@pytest.mark.parametrize("name", ROWS)
def test_gradients_of_both_orders(name):
    function, values = ROWS[name]
    rng = onp.random.default_rng(0)
    arrays = [np.array(x) for x in values]
    weights = np.array(rng.normal(size=function(*arrays).shape))
    seconds = [rng.normal(size=x.shape) for x in values]
    directions = [rng.normal(size=x.shape) for x in values]

    def total(*values):
        return float((function(*map(np.array, values)) * weights).sum())

    def first(*values):
        given = [np.array(x) for x in values]
        for x in given:
            x.attach_grad()
        with mx.autograd.record():
            found = gradient(function, given, weights)
        return sum(float((g * np.array(s)).sum()) for g, s in zip(found, seconds, strict=True))

    for x in arrays:
        x.attach_grad()
    with mx.autograd.record():
        found = gradient(function, arrays, weights)
        head = sum((g * np.array(s)).sum() for g, s in zip(found, seconds, strict=True))
    along = sum((g.asnumpy() * d).sum() for g, d in zip(found, directions, strict=True))
    onp.testing.assert_allclose(along, slope(total, values, directions), 1e-6, 1e-7)
    if head._tape is not None:
        head.backward()
        along = sum((x.grad.asnumpy() * d).sum() for x, d in zip(arrays, directions, strict=True))
        onp.testing.assert_allclose(along, slope(first, values, directions), 1e-5, 1e-5)


def functions():
    """Every function of the namespace with its name."""
    for prefix, namespace in (("", np), ("linalg.", np.linalg), ("fft.", np.fft), ("method.", _conversions)):
        for name in namespace.__all__:
            yield prefix + name, getattr(namespace, name)


def test_every_rule_has_a_row():
    tested = {name.split()[0].strip(",") for name in ROWS} | {"permute_dims", "amax", "amin"}
    kinds = (Rule, Composition)
    with_rules = {f.__name__: f for _, f in functions() if isinstance(getattr(f, "rule", None), kinds)}

    assert sorted(set(with_rules) - tested) == []


@pytest.mark.parametrize("name", sorted({n for n, f in functions() if getattr(f, "rule", 0) is None}))
def test_functions_that_write_without_rule_raise_by_name(name):
    found = dict(functions())[name]
    x = np.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record(), pytest.raises(mx.MXNetError, match="the function has no gradient"):
        found(x)


# Calls of functions without a gradient, of an array of three numbers.
WITHOUT = {
    "insert": lambda x: np.insert(x, 1, 5.0),
    "resize": lambda x: np.resize(x, (2, 2)),
    "frexp": lambda x: np.frexp(x)[0],
    "modf": lambda x: np.modf(x)[0],
    "partition": lambda x: np.partition(x, 1),
    "polymul": lambda x: np.polymul(x, x),
    "cov": lambda x: np.cov(np.stack([x, x * x])),
}


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_functions_without_rule_compute_and_raise_when_backward_comes_to_them(name):
    x = np.array([1.0, 2.5, 4.0])
    expected = WITHOUT[name](x)
    x.attach_grad()
    with mx.autograd.record():
        y = WITHOUT[name](x)
        total = (x * x).sum()
        both = y.sum() + total
    assert y.tolist() == expected.tolist()
    total.backward(retain_graph=True)
    assert x.grad.tolist() == [2, 5, 8]
    with pytest.raises(mx.MXNetError, match=f"{name}: the function has no gradient"):
        both.backward()


@pytest.mark.parametrize("name", ["sign", "floor", "round", "argmax", "zeros_like", "logical_not", "argsort"])
def test_gradients_of_results_with_steps_alone_are_zeros(name):
    x = np.array([1.5, -2.5])
    x.attach_grad()
    x.grad[:] = 7
    with mx.autograd.record():
        y = getattr(np, name)(x)
        behind = y * 2.0
    y.backward()
    assert x.grad.tolist() == [0, 0]
    with pytest.raises(mx.MXNetError, match="not in a recorded graph"):
        behind.backward()


def test_gradients_that_are_not_wanted_are_none_after_backward():
    for array in (np.array, mx.nd.array):
        x, y = array([1.0, 2.0]), array([3.0, 4.0])
        x.attach_grad("null")
        y.attach_grad()
        with mx.autograd.record():
            z = x * y
        assert x.grad.asnumpy().tolist() == [0, 0]
        z.backward()
        assert x.grad is None and y.grad.asnumpy().tolist() == [1, 2]


def test_averages_return_weights_while_they_are_recorded():
    x, w = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([1.0, 3.0])
    w.attach_grad()
    for weights in (w, None):
        expected = np.average(x, 1, weights, returned=True)
        x.attach_grad()
        with mx.autograd.record():
            found, scale = np.average(x, 1, weights, returned=True)
        found.backward()
        assert found.tolist() == expected[0].tolist() and scale.tolist() == expected[1].tolist()
        assert x.grad.tolist() == [[0.25, 0.75]] * 2 if weights is not None else [[0.5, 0.5]] * 2
    assert w.grad.tolist() == [-0.5625, 0.1875]


@pytest.mark.parametrize("triangle", [np.tril, np.triu])
def test_triangles_of_one_axis_repeat_it(triangle):
    x = np.array([1.0, 2.0, 3.0])
    x.attach_grad()
    with mx.autograd.record():
        y = triangle(x)
    y.backward()
    assert x.grad.tolist() == triangle(np.ones(3)).sum(axis=0).tolist()


def test_remainders_of_integers_have_gradients_of_zero():
    for function in (np.mod, np.fmod):
        x, y = np.array([7, 8], dtype="int32"), np.array([2, 3], dtype="int32")
        x.attach_grad()
        y.attach_grad()
        with mx.autograd.record():
            z = function(x, y)
        z.backward()
        assert x.grad.tolist() == y.grad.tolist() == [0, 0]


def test_means_in_narrow_dtypes_are_added_up_in_wide_ones():
    x = onp.random.default_rng(3).uniform(-1, 1, (40, 9)).astype("float32")
    found = np.array(x)
    for name, dtype in ((n, d) for n in ("mean", "var", "std") for d in ("float16", "float32", "float64")):
        expected = getattr(onp, name)(x, axis=0, dtype="float64").astype(dtype)
        for given in (found, found.astype("float64")):
            got = getattr(np, name)(given, axis=0, dtype=dtype)
            assert got.dtype == dtype and getattr(given, name)(axis=0, dtype=dtype).dtype == dtype
            onp.testing.assert_allclose(got.asnumpy(), expected, rtol=1e-3 if dtype == "float16" else 1e-5)
    with pytest.warns(RuntimeWarning):
        assert np.isnan(np.var(found, axis=(), dtype="float16", ddof=1)).all()
    found.attach_grad()
    with mx.autograd.record():
        y = np.mean(found, axis=1, dtype="float16")
    y.backward()
    assert (found.grad.asnumpy() == onp.ones(1, "float32") / 9).all()


def test_minus_two_in_broadcast_to_keeps_an_extent():
    x = np.ones((3, 1, 4))
    assert np.broadcast_to(x, (2, -2, 5, -2)).shape == (2, 3, 5, 4)
    with pytest.raises(ValueError):
        np.broadcast_to(x, (-2, 3, 1, 4))


def test_constant_functions_are_constants():
    x = np.array([1.5, -2.5])
    x.attach_grad()
    with mx.autograd.record():
        y = (x * np.floor(x) * (x > 0) + np.argmax(x)).sum()
    y.backward()

    assert np.floor.rule is CONSTANT
    assert x.grad.tolist() == [1, 0]


def test_writing_under_record():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([4.0])
    x.attach_grad()
    y.attach_grad()
    with mx.autograd.record():
        z = x * 2
        z[1:2] = y * y
        z[0] += x[2]
        total = (z * z).sum()
    total.backward()

    # z = [2a + c, y², 2c]
    assert x.grad.tolist() == [20, 0, 34]
    assert y.grad.tolist() == [256]


def test_results_written_into_out():
    x, out = np.array([1.0, 2.0]), np.zeros(2)
    x.attach_grad()
    with mx.autograd.record():
        total = (np.exp(x, out=out) * x).sum()
    total.backward()

    onp.testing.assert_allclose(x.grad.asnumpy(), onp.exp([1, 2]) * [2, 3])


def test_broadcasting_sums_gradients():
    x, y = np.ones((2, 1)), np.ones(3)
    x.attach_grad()
    y.attach_grad()
    with mx.autograd.record():
        total = (x * y).sum()
    total.backward()

    assert x.grad.tolist() == [[3], [3]]
    assert y.grad.tolist() == [2, 2, 2]


def test_arguments_without_rule_are_refused():
    x = np.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record(), pytest.raises(mx.MXNetError, match="no gradient with respect to a_max"):
        np.clip(np.ones(2), None, x)


def test_other_faces_are_on_the_tape():
    x = np.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record():
        y = (x.as_nd_ndarray() * 3).as_np_ndarray().sum()
    y.backward()

    assert x.grad.tolist() == [3, 3]
    assert isinstance(x.grad, np.ndarray)


def test_creation_from_recorded_arrays_is_a_copy():
    assert _creation.copy.rule is not None
