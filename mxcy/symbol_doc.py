"""Where MXNet keeps more documentation of the functions of `mx.sym`; here they have it themselves."""

from __future__ import annotations

from .symbol import Symbol

__all__ = ["SymbolDoc"]


class SymbolDoc:
    """Base class of more documentation, and a function that examples in it use."""

    @staticmethod
    def get_output_shape(sym: Symbol, **input_shapes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the outputs by name, for these shapes of the inputs.

        >>> import mxcy as mx
        >>> SymbolDoc.get_output_shape(mx.sym.Flatten(mx.sym.Variable("x"), name="f"), x=(2, 3, 4))
        {'f_output': (2, 12)}
        """
        _, shapes, _ = sym.infer_shape(**input_shapes)
        return dict(zip(sym.list_outputs(), shapes, strict=True))
