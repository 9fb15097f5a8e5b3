"""`nd.Custom`: a program's own operator called on arrays, or on none."""

from __future__ import annotations

from typing import Any

from ..ops.custom import Custom as operator
from ._tape import returned
from .ndarray import FACE

__all__ = ["Custom"]


def Custom(*data: Any, out: Any = None, name: str | None = None, **keywords: Any) -> Any:
    """Use the operator registered as `op_type`; keywords that are not arrays go to its properties.

    An operator without inputs makes new arrays in the current context.
    """
    if data or any(hasattr(value, "_apply") for value in keywords.values()):
        return operator(*data, out=out, name=name, **keywords)
    inputs, attrs = operator.bind_arguments((), keywords)
    if inputs:
        return operator(**keywords)  # which names what is missing
    results = operator.compute((), attrs, None if out is None else [out], face=FACE)
    return returned(operator, attrs, results, out)
