"""What a module is told of its inputs: checks of names, descriptions of shapes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ..errors import ArgumentError, message, problem
from ..io import DataDesc
from ..symbol import Symbol

__all__ = ["check_names", "descriptions"]

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
