"""What programs that derive from `Module` read of it besides its public names."""

from __future__ import annotations

from ..symbol import Symbol

__all__ = ["ModuleInside"]


class ModuleInside:
    """Attributes of MXNet's `Module` that the programs of its users know.

    Parameters live on the devices, and `_arg_params` and `_aux_params` are those of the first one, so that
    nothing is ever left to fetch.
    """

    binded: bool
    data_shapes: list
    label_shapes: list | None
    _symbol: Symbol
    _params_dirty = False

    @property
    def _data_shapes(self) -> list | None:
        """`data_shapes`, None before bind."""
        return self.data_shapes if self.binded else None

    @property
    def _label_shapes(self) -> list | None:
        """`label_shapes`, None before bind."""
        return self.label_shapes if self.binded else None

    @property
    def _output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._symbol.list_outputs()

    def _sync_params_from_devices(self) -> None:
        """Do nothing: there is nothing to fetch."""

