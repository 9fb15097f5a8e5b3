"""`mxcy.numpy.testing`: NumPy's assertions over arrays of ours, and what tests need around them."""

from typing import Any

import numpy as _np
from numpy.testing import (
    HAS_REFCOUNT,
    IS_64BIT,
    IS_PYPY,
    IS_WASM,
    assert_,
    assert_no_gc_cycles,
    assert_no_warnings,
    assert_raises,
    assert_raises_regex,
    assert_string_equal,
    assert_warns,
    break_cycles,
    clear_and_catch_warnings,
    measure,
    suppress_warnings,
    tempdir,
    temppath,
)

from ._functions import Through

__all__ = [
    "HAS_REFCOUNT", "IS_64BIT", "IS_PYPY", "IS_WASM", "assert_", "assert_allclose", "assert_almost_equal",
    "assert_approx_equal", "assert_array_almost_equal", "assert_array_almost_equal_nulp",
    "assert_array_equal", "assert_array_less", "assert_array_max_ulp", "assert_equal",
    "assert_no_gc_cycles", "assert_no_warnings", "assert_raises", "assert_raises_regex",
    "assert_string_equal", "assert_warns", "break_cycles", "clear_and_catch_warnings", "measure",
    "suppress_warnings", "tempdir", "temppath",
]  # fmt: skip

_testing: Any = _np.testing


class _Assertion(Through):
    """An assertion of NumPy's; mappings of arrays are taken, too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*[_values(x) for x in args], **kwargs)


def _values(x: Any) -> Any:
    """The values of a mapping as NumPy's arrays; other things as they are."""
    if isinstance(x, dict):
        return {name: _values(value) for name, value in x.items()}
    return x.view_numpy() if hasattr(x, "view_numpy") and not isinstance(x, type) else x


assert_allclose = _Assertion(_testing.assert_allclose)
assert_almost_equal = _Assertion(_testing.assert_almost_equal)
assert_approx_equal = _Assertion(_testing.assert_approx_equal)
assert_array_almost_equal = _Assertion(_testing.assert_array_almost_equal)
assert_array_almost_equal_nulp = _Assertion(_testing.assert_array_almost_equal_nulp)
assert_array_equal = _Assertion(_testing.assert_array_equal)
assert_array_less = _Assertion(_testing.assert_array_less)
assert_array_max_ulp = _Assertion(_testing.assert_array_max_ulp)
assert_equal = _Assertion(_testing.assert_equal)
