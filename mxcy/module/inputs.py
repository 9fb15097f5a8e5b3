"""What a module is told of its inputs: checks of names, descriptions of shapes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, message, problem
from ..io import DataDesc
from ..symbol import Symbol

__all__ = ["_check_input_names", "_parse_data_desc", "check_names", "descriptions", "grad_requests"]

PARAMETERS = ("_weight", "_bias", "_gamma", "_beta")  # ends of names that no input has


def check_names(symbol: Symbol, names: Sequence[str], kind: str, strict: bool) -> None:
    """Raise ArgumentError (or warn) if a name given to a module is no argument of the symbol."""
    arguments = symbol.list_arguments()
    for name in names:
        if name in arguments:
            continue
        candidates = "\n\t".join(arg for arg in arguments if not arg.endswith(PARAMETERS))
        text = (
            f"You created Module with Module(..., {kind}_names={list(names)}) but input with name '{name}' "
            f"is not found in symbol.list_arguments(). Did you mean one of:\n\t{candidates}"
        )
        if strict:
            raise ArgumentError(text)
        warnings.warn(text, stacklevel=3)


def descriptions(kind: str, names: Sequence[str], shapes: Sequence, strict: bool) -> list[DataDesc]:
    """Return descriptions from descriptions or (name, shape) pairs, of inputs with these names.

    Raises ArgumentError (or warns) if other names are described. What is no input is then left out.
    """
    described = []
    for shape in shapes:
        try:
            described.append(shape if isinstance(shape, DataDesc) else DataDesc(*shape))
        except TypeError:
            expected = "DataDesc or (name, shape)"
            raise ArgumentError(message("bind", f"{kind}_shapes", expected, repr(shape))) from None
    if shapes and sorted(desc.name for desc in described) != sorted(names):
        text = f"Data provided by {kind}_shapes don't match names specified by {kind}_names"
        text += f" ({described} vs. {list(names)})"
        if strict:
            raise ArgumentError(problem("bind", f"{kind}_shapes", text))
        warnings.warn(text, stacklevel=3)
    if strict and not shapes:
        raise ArgumentError(message("bind", f"{kind}_shapes", f"shapes of {', '.join(names)}", "none"))
    return described


def grad_requests(grad_req: Any, arguments: Sequence[str], params: Sequence[str], data: Sequence[str],
                  fixed: Sequence[str], for_training: bool,
                  inputs_need_grad: bool) -> dict[str, str]:  # fmt: skip
    """What becomes of the gradient of each argument.

    `grad_req` is for parameters, and for data if their gradients are wanted; `fixed` parameters have none.
    """
    if not for_training:
        return dict.fromkeys(arguments, "null")
    if isinstance(grad_req, str):
        given = dict.fromkeys((*params, *data), grad_req)
    elif isinstance(grad_req, (list, tuple)):
        if len(grad_req) != len(arguments):
            expected = f"{len(arguments)}, one for each argument"
            raise ArgumentError(message("bind", "grad_req", expected, len(grad_req)))
        given = dict(zip(arguments, grad_req, strict=True))
    else:
        given = dict(grad_req)
    requests = {name: given.get(name, "write") for name in params}
    requests |= dict.fromkeys(fixed, "null")
    requests |= {n: given.get(n, "write") if inputs_need_grad else "null" for n in data}
    return requests


# What modules that programs write themselves import from `mx.module.base_module`.

_check_input_names = check_names


def _parse_data_desc(data_names: Sequence[str], label_names: Sequence[str], data_shapes: Sequence,
                     label_shapes: Sequence | None
                     ) -> tuple[list[DataDesc], list[DataDesc] | None]:  # fmt: skip
    """Return descriptions of data and labels; see `descriptions`."""
    data = descriptions("data", data_names, data_shapes, True)
    if label_shapes is None:
        return data, None
    return data, descriptions("label", label_names, label_shapes, False)
