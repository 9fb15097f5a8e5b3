"""`Symbol`: outputs of a graph that is written down before any data is there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from .. import ops
from .._paths import also, names_from
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    ArrayIndexError,
    NotImplementedForSymbol,
    message,
    problem,
)
from ..graph import prune, substitute
from ..graph.arithmetic import Arithmetic
from ..graph.ir import Entry, Graph, Node
from . import compose, files, inference, text
from .binding import Binding
from .methods import Methods

__all__ = [
    "Group", "Symbol", "Variable", "load", "load_json", "var",
    *also("arange eye full histogram hypot linspace maximum minimum ones pow power split_v2 zeros"),
]  # fmt: skip
__getattr__ = names_from(__name__, "mxcy.symbol", "mxcy.context", "mxcy.base")


class Symbol(Arithmetic, Methods, Binding):
    """One or more outputs of a graph of operators and variables.

    Symbols are made by `Variable`, by operators called on symbols, by arithmetic, and by `Group`.

    >>> x = Variable("x")
    >>> y = 2 * x + 1
    >>> y.list_arguments()
    ['x']
    """

    __slots__ = ("__weakref__", "_graph")
    __array_ufunc__ = None  # NumPy leaves arithmetic to the symbol
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]
    _arithmetic = "elemwise"

    def __init__(self, graph: Graph):
        self._graph = graph

    @classmethod
    def _of(cls, *heads: Entry) -> Symbol:
        return cls(Graph(heads))

    def _apply(self, op, inputs, attrs, out=None, name=None, attr=None) -> Symbol:
        if out is not None:
            raise ArgumentTypeError(problem(op.name, "out", "symbols hold no values to write"))
        return type(self)(compose.add_node(op, inputs, attrs, name, attr))

    def _call(self, name: str, args: Sequence, kwargs: dict) -> Symbol:
        """The operator of this name on the symbol and other operands."""
        operator = getattr(ops, name, None) or ops.lookup(name)
        return type(self)(compose.call(operator, (self, *args), kwargs, name.lower()))

    # -- outputs --------------------------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """The name of the node, None if the outputs are of several nodes."""
        nodes = {head.node for head in self._graph.heads}
        return nodes.pop().name if len(nodes) == 1 else None

    def __repr__(self) -> str:
        if self.name is not None:
            return f"<{type(self).__name__} {self.name}>"
        return f"<{type(self).__name__} group [{', '.join(head.node.name for head in self._graph.heads)}]>"

    def __len__(self) -> int:
        return len(self._graph.heads)

    def __bool__(self) -> bool:
        raise NotImplementedForSymbol(self.__bool__, "bool")

    def _in_place(self, other: Any) -> Symbol:
        raise NotImplementedForSymbol(self._in_place, "an operation in place", other)

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __imod__ = _in_place  # a name for a value, not a value

    def __iter__(self) -> Iterator[Symbol]:
        return (self._of(head) for head in self._graph.heads)

    def __getitem__(self, index: int | str | slice) -> Symbol:
        """Return the output with this number or name, or the outputs of a slice as a group."""
        heads = self._graph.heads
        if isinstance(index, str):
            return self._of(heads[self._find(index)])
        if isinstance(index, slice):
            return self._of(*heads[index])
        try:
            return self._of(heads[index])
        except IndexError:
            raise ArrayIndexError(
                message("Symbol", "index", f"an output below {len(heads)}", index)
            ) from None
        except TypeError:
            expected = "an int, a slice or the name of an output"
            raise ArgumentTypeError(message("Symbol", "index", expected, repr(index))) from None

    def _find(self, name: str) -> int:
        names = self.list_outputs()
        count = names.count(name)
        if count == 1:
            return names.index(name)
        if count > 1:
            raise ArgumentError(problem("Symbol", "index", f"{count} outputs have the name {name!r}"))
        raise ArgumentError(text.unknown_name("Symbol", "index", "an output", name, names))

    def get_internals(self) -> Symbol:
        """Return a group of the outputs of every node, in order."""
        return type(self)(prune.internals(self._graph))

    def get_children(self) -> Symbol | None:
        """Return a group of the inputs of this node (of all nodes of a group), None for a variable."""
        nodes = dict.fromkeys(head.node for head in self._graph.heads)
        inputs = [source for node in nodes for source in node.inputs]
        return self._of(*inputs) if inputs else None

    # -- names ------------------------------------------------------------------------------------------

    def list_arguments(self) -> list[str]:
        """Return the names of the variables that are only read, in order."""
        return [node.name for node in self._graph.arguments]

    def list_auxiliary_states(self) -> list[str]:
        """Return the names of the variables that operators write."""
        return [node.name for node in self._graph.states]

    def list_inputs(self) -> list[str]:
        """Return the names of all variables."""
        return [node.name for node in self._graph.variables]

    def list_outputs(self) -> list[str]:
        """Return the names of the outputs."""
        return [head.name for head in self._graph.heads]

    # -- attributes -------------------------------------------------------------------------------------

    def attr(self, key: str) -> str | None:
        """Return one attribute of the node as text, None if it has none of this name."""
        return self.list_attr().get(key)

    def list_attr(self, recursive: bool = False) -> dict[str, str]:
        """Return the attributes of the node, empty for a group of several nodes.

        Raises DeprecationWarning for `recursive=True`, as MXNet does: `attr_dict` has those of all nodes.
        """
        if recursive:
            raise DeprecationWarning("list_attr: recursive=True is deprecated; use attr_dict")
        nodes = {head.node for head in self._graph.heads}
        return text.attributes(nodes.pop()) if len(nodes) == 1 else {}

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """Return the attributes of every node that has some, by name of the node."""
        found = {node.name: text.attributes(node) for node in self._graph.nodes}
        return {name: attributes for name, attributes in found.items() if attributes}

    def _set_attr(self, **attributes: str) -> None:
        """Annotate the node, also where other symbols use it; `name` is its name."""
        nodes = {head.node for head in self._graph.heads}
        for key, value in attributes.items():
            if not isinstance(value, str):
                raise ArgumentError(message("Symbol", key, "a string", repr(value)))
        new_name = attributes.pop("name", None)
        for node in nodes:
            node.name = new_name or node.name
            node.labels.update(compose.labels_of(node.op, attributes))

    def _gen_atomic_symbol(self) -> Symbol:
        """Return the last operator alone, without inputs."""
        node = self._graph.heads[0].node
        if node.op is None:
            raise ArgumentError(problem("Symbol", None, f"no operator makes the variable {node.name}"))
        return self._of(*Node(node.op, node.name, node.attrs, (), {}).entries())

    # -- back ends --------------------------------------------------------------------------------------

    def optimize_for(self, backend: str, args: Any = None, aux: Any = None, ctx: Any = None,
                     shape_dict: dict | None = None, type_dict: dict | None = None,
                     stype_dict: dict | None = None, skip_infer: bool = False,
                     **kwargs: Any) -> Symbol:  # fmt: skip
        """Return the graph itself: `bind` optimises every graph, and there is one back end."""
        return self

    def get_backend_symbol(self, backend: str) -> Symbol:
        """Return the graph itself; see `optimize_for`."""
        return self

    def as_nd_ndarray(self) -> Symbol:
        """Return the symbol itself: it is of MXNet's own class already."""
        return self

    def as_np_ndarray(self) -> Symbol:
        """Return the same graph as a symbol that behaves as an array of `mx.np`."""
        return importlib.import_module("mxcy.numpy._graph_symbols").NumpySymbol(self._graph)

    # -- composition ------------------------------------------------------------------------------------

    def __call__(self, *args: Symbol, name: str | None = None, **kwargs: Symbol) -> Symbol:
        """Return this graph with other symbols in place of some of its variables, given by name.

        >>> net = Variable("a") * 2
        >>> net(a=Variable("b") + 1).list_arguments()
        ['b']
        """
        if args:
            known = ", ".join(self.list_arguments())
            hint = f"give them by name: {known}"
            raise ArgumentTypeError(
                message("compose", None, "keywords", f"{len(args)} positional arguments", hint)
            )
        graph = substitute.substitute(self._graph, self._replacements(kwargs))
        return type(self)(substitute.rename(graph, name) if name else graph)

    def _replacements(self, given: dict[str, Symbol]) -> dict[Node, Entry]:
        variables = self._graph.variables
        replacements = {}
        for name, symbol in given.items():
            if not isinstance(symbol, Symbol):
                raise ArgumentTypeError(message("compose", name, "a Symbol", type(symbol).__name__))
            if len(symbol) != 1:
                raise ArgumentError(
                    message("compose", name, "a symbol with one output", f"{len(symbol)} outputs")
                )
            found = [node for node in variables if node.name == name]
            if not found:
                raise ArgumentError(
                    text.unknown_name("compose", None, "a variable", name, self.list_inputs())
                )
            replacements.update(dict.fromkeys(found, symbol._graph.heads[0]))
        return replacements

    def __copy__(self) -> Symbol:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict) -> Symbol:
        return type(self)(substitute.copy(self._graph))

    # -- inference --------------------------------------------------------------------------------------

    def infer_shape(self, *args: Sequence, **kwargs: Sequence):
        """Return the shapes of arguments, outputs and auxiliary states, from some arguments' shapes.

        Shapes are given by name, or for all arguments in order; 0, -1 and None stand for an unknown
        extent. Returns three times None, and warns, where they do not decide all shapes. Raises
        ShapeError, naming the node, where they contradict each other.
        """
        return inference.shapes(self._graph, args, kwargs, partial=False)

    def infer_shape_partial(self, *args: Sequence, **kwargs: Sequence):
        """Return what follows of the shapes; () is an unknown shape, 0 an unknown extent."""
        return inference.shapes(self._graph, args, kwargs, partial=True)

    def infer_type(self, *args: Any, **kwargs: Any):
        """Return the dtypes of arguments, outputs and auxiliary states, from some arguments' dtypes.

        Returns three times None, and warns, where they do not decide all. Raises DTypeError, naming the
        node, where they contradict each other.
        """
        return inference.dtypes(self._graph, args, kwargs, partial=False)

    def infer_type_partial(self, *args: Any, **kwargs: Any):
        """Return what follows of the dtypes; None where nothing does."""
        return inference.dtypes(self._graph, args, kwargs, partial=True)

    # -- text and files ---------------------------------------------------------------------------------

    def debug_str(self) -> str:
        """Return a listing of all nodes with their inputs and attributes."""
        return text.listing(self._graph)

    def tojson(self, remove_amp_cast: bool = True) -> str:
        """Return the graph as JSON, in the format of MXNet 1.9.1; by default without `amp_cast`."""
        return files.dumps(substitute.without_casts(self._graph) if remove_amp_cast else self._graph)

    def save(self, fname: str, remove_amp_cast: bool = True) -> None:
        """Write the graph to a file as JSON. An interrupted save leaves the old file whole.

        Casts of mixed precision are left out, unless `remove_amp_cast=False`.
        """
        files.save(substitute.without_casts(self._graph) if remove_amp_cast else self._graph, fname)

    def __reduce__(self):
        return files.from_text, (type(self), self.tojson(remove_amp_cast=False))


def var(name: str, attr: dict[str, str] | None = None, shape: Sequence | None = None,
        lr_mult: float | None = None, wd_mult: float | None = None, dtype: Any = None, init: Any = None,
        stype: str | None = None, **kwargs: Any) -> Symbol:  # fmt: skip
    """Return a variable.

    Parameters
    ----------
    attr : labels, strings by name; names outside MXNet's begin and end with two underscores.
    shape, dtype : what inference starts from where nothing else is said of this variable.
    lr_mult, wd_mult : factors of the learning rate and the weight decay of this argument.
    init : the initializer of this argument, an object with `dumps()` or the text that it returns.
    stype : storage type of the array that it stands for: "default" (dense), "csr" or "row_sparse".
    **kwargs : further labels with names such as `__mine__`.
    """
    return Symbol(compose.make_variable(name, attr, shape, lr_mult, wd_mult, dtype, init, stype, kwargs))


Variable = var


def Group(symbols: Sequence[Symbol], create_fn: type[Symbol] = Symbol) -> Symbol:
    """Return a symbol with all outputs of several symbols.

    >>> Group([Variable("a"), Variable("b")]).list_outputs()
    ['a', 'b']
    """
    symbols = list(symbols)
    wrong = next((s for s in symbols if not isinstance(s, Symbol)), None)
    if not symbols or wrong is not None:
        got = "an empty list" if not symbols else f"one with a {type(wrong).__name__}"
        raise ArgumentTypeError(message("Group", "symbols", "a list of symbols", got))
    return create_fn(Graph(head for symbol in symbols for head in symbol._graph.heads))


def load(fname: str) -> Symbol:
    """Return the symbol in a JSON file, written by `Symbol.save` or by MXNet.

    Raises FormatError, naming the place, for files that are no graph of operators that mxcy has.
    """
    return Symbol(files.read(fname))


def load_json(json_str: str) -> Symbol:
    """Return the symbol in a JSON text; see `load`."""
    return Symbol(files.loads(json_str))
