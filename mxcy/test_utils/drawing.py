"""Random arrays and shapes for tests, and what NumPy lacks to make references. Draws are NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray
from .sparse import rand_sparse_ndarray
from .surroundings import default_context, default_dtype

__all__ = [
    "assign_each", "assign_each2", "collapse_sum_like", "create_2d_tensor", "create_vector",
    "get_identity_mat", "get_identity_mat_batch", "new_matrix_with_real_eigvals_2d",
    "new_matrix_with_real_eigvals_nd", "new_orthonormal_matrix_2d", "new_sym_matrix_with_real_eigvals_2d",
    "new_sym_matrix_with_real_eigvals_nd", "np_reduce", "rand_coord_2d", "rand_ndarray", "rand_shape_2d",
    "rand_shape_3d", "rand_shape_nd", "random_arrays", "random_sample", "random_uniform_arrays",
]  # fmt: skip


def random_arrays(*shapes: Sequence[int]) -> Any:
    """Return arrays of normal random numbers; one shape gives an array, several give a list."""
    made = [np.asarray(np.random.randn(*shape), default_dtype()) for shape in shapes]
    return made[0] if len(made) == 1 else made


def random_uniform_arrays(*shapes: Sequence[int], low: float = 0.0, high: float = 1.0,
                          dtype: Any = None) -> list[np.ndarray]:  # fmt: skip
    """Return a list of arrays of uniform random numbers."""
    return [np.random.uniform(low, high, shape).astype(dtype or default_dtype()) for shape in shapes]


def random_sample(population: Sequence, k: int) -> Sequence:
    """Return k different elements of a list in random order."""
    if not 0 <= k <= len(population):
        raise AssertedArgumentError(message("random_sample", "k", f"0 to {len(population)}", k))
    copied = population[:]
    np.random.shuffle(copied)  # type: ignore[arg-type]
    return copied[:k]


def rand_shape_2d(dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False) -> tuple[int, int]:
    """Return two random extents up to those given."""
    low = 0 if allow_zero_size else 1
    return np.random.randint(low, dim0 + 1), np.random.randint(low, dim1 + 1)


def rand_shape_3d(dim0: int = 10, dim1: int = 10, dim2: int = 10,
                  allow_zero_size: bool = False) -> tuple[int, int, int]:  # fmt: skip
    """Return three random extents up to those given."""
    low = 0 if allow_zero_size else 1
    return tuple(np.random.randint(low, dim + 1) for dim in (dim0, dim1, dim2))  # type: ignore[return-value]


def rand_shape_nd(num_dim: int, dim: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """Return so many random extents up to `dim`."""
    return tuple(int(n) for n in np.random.randint(0 if allow_zero_size else 1, dim + 1, num_dim))


def rand_coord_2d(x_low: int, x_high: int, y_low: int, y_high: int) -> tuple[Any, Any]:
    """Return a random position in a matrix."""
    return (
        np.random.randint(x_low, x_high, dtype=np.int64),
        np.random.randint(y_low, y_high, dtype=np.int64),
    )


def rand_ndarray(shape: Sequence[int], stype: str = "default", density: float | None = None,
                 dtype: Any = None,
                 modifier_func: Callable | None = None, shuffle_csr_indices: bool = False,
                 distribution: str | None = None, ctx: Any = None) -> NDArray:  # fmt: skip
    """Return an array of normal random numbers, or a sparse one; see `rand_sparse_ndarray`."""
    if stype != "default":
        return rand_sparse_ndarray(
            shape, stype, density, dtype, distribution, modifier_func=modifier_func,
            shuffle_csr_indices=shuffle_csr_indices, ctx=ctx,
        )[0]  # fmt: skip
    return nd.array(random_arrays(shape), ctx=ctx or default_context(), dtype=dtype)


def create_2d_tensor(rows: int, columns: int, dtype: Any = np.int64) -> NDArray:
    """Return a matrix whose rows hold their number."""
    return nd.broadcast_to(nd.arange(0, rows, dtype=dtype).reshape(rows, 1), shape=(rows, columns))


def create_vector(size: int, dtype: Any = np.int64) -> NDArray:
    """Return the numbers from 0."""
    return nd.arange(0, size, dtype=dtype)


def get_identity_mat(size: int) -> NDArray:
    """Return the identity matrix."""
    return nd.eye(size)


def get_identity_mat_batch(size: int) -> NDArray:
    """Return two identity matrices."""
    return nd.stack(nd.eye(size), nd.eye(size))


def np_reduce(dat: np.ndarray, axis: Any, keepdims: bool, numpy_reduce_func: Callable) -> np.ndarray:
    """Reduce an array along axes, one after the other, with a function that takes one axis."""
    axes = range(dat.ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    result = dat
    for a in sorted(axes, reverse=True):  # axes from the end come last, and count in what is left
        result = numpy_reduce_func(result, axis=a)
    if not keepdims:
        return result
    shape = list(dat.shape)
    for a in axes:
        shape[a] = 1
    return np.reshape(result, shape)


def collapse_sum_like(a: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return the sum of an array along the axes along which `shape` was broadcast to its shape."""
    if len(a.shape) < len(shape):
        expected = f"at most {a.ndim} dimensions"
        raise AssertedArgumentError(message("collapse_sum_like", "shape", expected, shape))
    if a.size == 0 or 0 in shape:
        return np.zeros(tuple(shape), a.dtype)
    extra = a.ndim - len(shape)
    axes = [*range(extra), *[extra + i for i, n in enumerate(shape) if n != a.shape[extra + i]]]
    if any(shape[i - extra] != 1 for i in axes[extra:]):
        expected = f"a shape that broadcasts to {a.shape}"
        raise AssertedArgumentError(message("collapse_sum_like", "shape", expected, shape))
    return np.sum(a, axis=tuple(axes)).reshape(tuple(shape))


def assign_each(the_input: Any, function: Callable | None) -> np.ndarray:
    """Return an array of a function's results for every element; a copy without a function."""
    values = np.asarray(the_input)
    if function is None:
        return values.copy()
    return np.array([function(x) for x in values.ravel()], np.float64).reshape(values.shape)


def assign_each2(input1: Any, input2: Any, function: Callable | None) -> np.ndarray:
    """Return an array of a function's results for every pair of elements; a copy without a function."""
    first, second = np.asarray(input1), np.asarray(input2)
    if function is None:
        return first.copy()
    if first.shape != second.shape:
        raise AssertedArgumentError(message("assign_each2", "input2", f"shape {first.shape}", second.shape))
    pairs = zip(first.ravel(), second.ravel(), strict=True)
    return np.array([function(x, y) for x, y in pairs], np.float64).reshape(first.shape)


# --- matrices with real eigenvalues ---------------------------------------------------------------------
def new_orthonormal_matrix_2d(n: int) -> np.ndarray:
    """Return a random orthonormal matrix."""
    return np.linalg.qr(np.random.randn(n, n))[0]


def new_matrix_with_real_eigvals_2d(n: int) -> np.ndarray:
    """Return a random matrix whose eigenvalues are real and lie apart."""
    basis = new_orthonormal_matrix_2d(n)
    upper = np.triu(np.random.randn(n, n), 1) * 0.1
    return basis @ (np.diag(_apart(n)) + upper) @ basis.T


def new_sym_matrix_with_real_eigvals_2d(n: int) -> np.ndarray:
    """Return a random symmetric matrix whose eigenvalues lie apart."""
    basis = new_orthonormal_matrix_2d(n)
    made = basis @ np.diag(_apart(n)) @ basis.T
    return (made + made.T) / 2


def _apart(n: int) -> np.ndarray:
    """Random numbers with a distance of at least a half, in random order."""
    return np.random.permutation(np.arange(n) + np.random.uniform(-0.25, 0.25, n)) - n / 2


def _batch(make: Callable[[int], np.ndarray], shape: Sequence[int]) -> np.ndarray:
    matrices = [make(shape[-1]) for _ in range(int(np.prod(shape[:-2])))]
    return np.reshape(matrices, tuple(shape))


def new_matrix_with_real_eigvals_nd(shape: Sequence[int]) -> np.ndarray:
    """Return matrices of `new_matrix_with_real_eigvals_2d` in an array (..., n, n)."""
    return _batch(new_matrix_with_real_eigvals_2d, shape)


def new_sym_matrix_with_real_eigvals_nd(shape: Sequence[int]) -> np.ndarray:
    """Return matrices of `new_sym_matrix_with_real_eigvals_2d` in an array (..., n, n)."""
    return _batch(new_sym_matrix_with_real_eigvals_2d, shape)
