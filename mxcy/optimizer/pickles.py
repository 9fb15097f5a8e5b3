"""Reader of the optimizer states that MXNet wrote, which are pickles.

Nothing in them runs (see `mxcy.ndarray._pickles`). Optimizers and schedulers inside become `Fields`, plain
collections of what they held, with the names of their classes but without the classes.
"""

from __future__ import annotations

import pickle
from typing import Any

from .. import ndarray as nd
from ..errors import FormatError, problem
from ..ndarray._pickles import Reader, StandIn, plain

__all__ = ["Fields", "read_pickle"]


class Fields(StandIn):
    """The fields of an optimizer or a scheduler, and the name of its class."""

    name: str
    held: dict[str, Any]

    def __new__(cls, *arguments: Any) -> Any:
        """Return one without fields; raise UnpicklingError for arguments, which calls of functions have."""
        if arguments:
            raise pickle.UnpicklingError(f"it calls {cls.name}")
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("fields that are no dict")
        self.held = state


class StatesReader(Reader):
    """An unpickler that takes names that it does not know for those of optimizers and schedulers."""

    def unknown(self, module: str, name: str) -> Any:
        """Return fields without their class."""
        return type(name, (Fields,), {"name": name})


def read_pickle(states: bytes) -> tuple[dict[Any, Any], Fields | None]:
    """Return (states by index, fields of the optimizer or None). Raises FormatError for other pickles."""
    try:
        read, optimizer = StatesReader(bytes(states)).load(), None
        if isinstance(read, tuple) and len(read) == 2:
            read, optimizer = read
        if isinstance(read, dict) and (optimizer is None or isinstance(optimizer, Fields)):
            found = plain(read, lambda content: nd.load_frombuffer(content)[0])  # type: ignore[index]
            return found, optimizer
        raise TypeError(f"{type(read).__name__} is no dict of states")
    except FormatError:
        raise
    except Exception as error:
        # A damaged pickle raises nearly anything.
        text = f"no states of an optimizer: {error}"
        raise FormatError(problem("set_states", "states", text)) from None
