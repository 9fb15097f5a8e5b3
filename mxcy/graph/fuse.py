"""Makes one node of every connected region of pointwise nodes, which runs as one pointwise program.

The values of such a program pass from step to step in blocks that stay in the first-level cache, where
separate nodes write whole arrays to memory and read them again. Results are the same to the last bit:
every step runs the loop that it would run alone, and results of half types are rounded after each step.

Which nodes go together: every node gets a depth, at least that of its operands, and at least one more
along an edge that cannot be inside a region (another shape, another phase, no pointwise operator).
Regions are the connected nodes of one depth. A path that leaves a region gets deeper and cannot return,
so regions are convex and never wait for each other in a circle; and all of it takes one walk forward
and one back. (Growing regions by looking for such paths would take quadratic time.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._compile import Layout
from .._pointwise import Const, Program, compile_program, invoke
from ..dtypes import code_of
from ..ops._elementwise import Elementwise, kind_of
from ..ops._operator import Cache
from ..ops._trace import Trace, resolve
from ._nodes import enter, rebuilt
from ._regions import in_regions, regions
from .effects import sequence
from .infer import complete
from .ir import Entry, Graph, Node

__all__ = ["Fused", "fuse", "pointwise"]

STEPS = 64  # of one program
OPERANDS = 16  # arrays that one program reads and writes; more streams than this defeat prefetching


class Fused:
    """The operator of a region: its program, and the nodes that it stands for."""

    identity = view = False
    shape_only = ()

    def __init__(self, program: Program, members: Sequence[Node], outputs: Sequence[Entry]):
        self.program = program
        self.members = tuple(members)
        self.outputs = tuple(outputs)
        self.name = "+".join(dict.fromkeys(node.op.name for node in members))

    def __repr__(self) -> str:
        return f"<fused {self.name}>"

    def num_outputs(self, attrs: Any) -> int:
        """How many results it writes."""
        return len(self.outputs)

    num_visible = num_outputs

    def output_names(self, attrs: Any) -> tuple[str, ...]:
        """Names of its results."""
        count = len(self.outputs)
        return ("output",) if count == 1 else tuple(f"output{index}" for index in range(count))

    def input_names(self, attrs: Any) -> tuple[str, ...]:
        """Operands have no names."""
        return ()

    def aux_names(self, attrs: Any) -> tuple[str, ...]:
        """States: none."""
        return ()

    def written_inputs(self, attrs: Any) -> tuple[int, ...]:
        """Operands that it writes: none."""
        return ()

    def stored(self, stypes: Any, attrs: Any) -> None:
        """Sparse operands (head gradients, which binding does not know) are computed with as dense ones."""

    def format_attrs(self, attrs: Any) -> dict[str, str]:
        """The nodes that run in it."""
        return {"nodes": ", ".join(node.name for node in self.members)}

    def in_place_inputs(self, attrs: Any, output: int) -> Sequence[int]:
        """Any input, if there is one output: it is written by the last step."""
        return range(len(self.program.in_types)) if len(self.outputs) == 1 else ()

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """Push the program."""
        return invoke(self.program, inputs, outs)


def fuse(
    graph: Graph,
    shapes: Mapping[Entry, Any],
    dtypes: Mapping[Entry, Any],
    phase: Callable[[Node], Any] = lambda node: 0,
) -> tuple[Graph, dict[Entry, Entry]]:
    """Return the graph with regions fused, and what became of the entries that still exist.

    `shapes` and `dtypes` are those of every entry. Nodes of different `phase` are never fused: they run
    at different times.
    """
    # Edges between two nodes of one kind (shape and phase) can be inside a region.
    uses: dict[Node, Use] = {}
    known: dict[Any, Use | None] = {}
    for node in graph.nodes:
        use = _use_of(node, shapes, dtypes, known)
        if use is not None:
            uses[node] = use
    fixed = set(sequence(graph))
    numbers: dict[Any, int] = {}
    kinds = {
        node: numbers.setdefault((shapes[Entry(node, 0)], phase(node)), len(numbers))
        for node in uses
        if node not in fixed
    }
    pieces: dict[Node, list[Node]] = {}
    for members in regions(graph.nodes, kinds, fixed):
        for piece in _pieces(members, graph):
            if len(piece) > 1:
                pieces.update(dict.fromkeys(piece, piece))
    return _rebuilt(graph, pieces, uses, dtypes)


def pointwise(node: Node, shapes: Mapping, dtypes: Mapping, known: dict) -> Fused | None:
    """The operator of a region of this node alone; None if it is not pointwise. `known`: see `_use_of`."""
    use = _use_of(node, shapes, dtypes, known)
    if use is None:
        return None
    inputs = {source: index for index, source in enumerate(dict.fromkeys(node.inputs))}
    outputs = [Entry(node, 0)]
    return Fused(_program_of([node], inputs, outputs, {node: use}, dtypes), [node], outputs)


class Use(NamedTuple):
    """What a pointwise node computes: all that its part of a program depends on."""

    op: Elementwise
    dtypes: tuple
    static: tuple
    numbers: list
    text: tuple  # the numbers to the last bit: 0.0 is not -0.0

    def trace(self) -> tuple[Trace, int, bool]:
        """The steps of the node, the dtype of what they compute, whether they run anywhere."""
        return _traced(self.op, self.dtypes, self.static, tuple(map(type, self.numbers)))

    def key(self) -> tuple:
        """Equal for equal steps."""
        return self.op, self.dtypes, self.static, self.text


def _use_of(node: Node, shapes: Mapping, dtypes: Mapping, known: dict) -> Use | None:
    """How a node can be part of a program, or None; `known` keeps what was found for this graph."""
    if not isinstance(node.op, Elementwise):
        return None
    entry = Entry(node, 0)
    types: tuple[Any, ...] = tuple([dtypes.get(source) for source in node.inputs])
    if dtypes.get(entry) is None or not complete(shapes.get(entry)) or any(t is None for t in types):
        return None
    place = (node.op, id(node.attrs), types)
    if place in known:
        return known[place]
    types = tuple(map(np.dtype, types))
    attrs: Any = node.attrs
    numbers = node.op.constants(types[0], attrs)
    use = Use(node.op, types, node.op.static(attrs), numbers, tuple(map(repr, numbers)))
    found = known[place] = use if use.trace()[2] else None
    return found


def _pieces(members: list[Node], graph: Graph) -> list[list[Node]]:
    """Cut a region into runs of its order, each within the limits."""
    if len(members) < STEPS and sum([len(node.inputs) + 1 for node in members]) <= OPERANDS:
        return [members]
    pieces: list[list[Node]] = []
    piece: list[Node] = []
    steps = 0
    operands: set[Entry] = set()
    inside = set(members)
    for node in members:
        # Reads from outside, and results that are read elsewhere, are arrays; so is every edge cut here.
        outside = {source for source in node.inputs if source.node not in inside}
        cut = {s for s in node.inputs if s.node in inside and s.node not in piece}
        users = graph.users.get(Entry(node, 0), ())
        if not users or any(user not in inside for user in users):
            outside.add(Entry(node, 0))
        if piece and (steps >= STEPS or len(operands | outside | cut) > OPERANDS):
            pieces.append(piece)
            piece, steps, operands = [], 0, set()
        piece.append(node)
        steps += 1
        operands |= outside | cut
    return [*pieces, piece]


def _rebuilt(graph: Graph, pieces: dict, uses: dict, dtypes: Mapping) -> tuple[Graph, dict]:
    """The graph with a node for each piece of a region, made where its first member comes."""
    moved: dict[Entry, Entry] = {}
    heads = set(graph.heads)
    made: set[Node] = set()
    for node in in_regions(graph.nodes, pieces):
        piece = pieces.get(node)
        if piece is not None:
            if node in made:
                continue
            made.update(piece)
            _fuse_piece(graph, piece, heads, moved, uses, dtypes)
            continue
        enter(moved, node, rebuilt(node, moved))
    return Graph(moved[head] for head in graph.heads), moved


def _fuse_piece(
    graph: Graph, piece: list[Node], heads: set, moved: dict, uses: dict, dtypes: Mapping
) -> None:
    inside = set(piece)
    inputs: dict[Entry, int] = {}
    for node in piece:
        for source in node.inputs:
            if source.node not in inside:
                inputs.setdefault(source, len(inputs))
    outputs = []
    for node in piece:
        entry = Entry(node, 0)
        if entry in heads or any(user not in inside for user in graph.users.get(entry, ())):
            outputs.append(entry)
    program = _program_of(piece, inputs, outputs, uses, dtypes)
    name = piece[-1].name
    new = Node(Fused(program, piece, outputs), name, {}, [moved[source] for source in inputs])
    moved.update((entry, Entry(new, index)) for index, entry in enumerate(outputs))


@lru_cache(2000)
def _traced(op: Elementwise, dtypes: tuple, static: tuple, scalars: tuple) -> tuple[Trace, int, bool]:
    """The steps of a node for these dtypes, the dtype of what they compute, whether they run anywhere.

    `scalars` holds the types of the numbers that it takes after its arrays.
    """
    trace = op.trace(dtypes, dict(static))
    steps = [(resolve(step.function, "nd"), list(step.operands)) for step in trace.steps]
    layout = Layout(trace.inputs, steps, list(trace.outputs), [*map(code_of, dtypes), *scalars])
    return trace, layout.out_codes[0], not any(loop.may_fail or loop.python for loop, _ in layout.steps)


def _program_of(
    piece: list[Node], inputs: dict[Entry, int], outputs: list[Entry], uses: dict, dtypes: Mapping
) -> Program:
    """The program of these nodes; regions that are alike have one."""
    place = dict(inputs)
    parts: list[Any] = []
    for number, node in enumerate(piece, len(inputs)):
        entry = Entry(node, 0)
        parts.append((uses[node].key(), np.dtype(dtypes[entry]), *[place[source] for source in node.inputs]))
        place[entry] = number
    types = tuple([np.dtype(dtypes[entry]) for entry in (*inputs, *outputs)])
    key = (len(inputs), types, tuple([place[entry] for entry in outputs]), tuple(parts))
    program = _programs.get(key)
    if program is None:
        program = _programs.add(key, _compile(piece, inputs, outputs, uses, dtypes))
    return program


_programs = Cache()


def _compile(
    piece: list[Node], inputs: dict[Entry, int], outputs: list[Entry], uses: dict, dtypes: Mapping
) -> Program:
    """One program for all members."""
    number = dict(inputs)
    steps: list[tuple] = []
    total = len(inputs)
    for node in piece:
        trace, natural, _ = uses[node].trace()
        operands: list[Any] = [*[number[source] for source in node.inputs], *map(Const, uses[node].numbers)]
        for step in trace.steps:
            function = resolve(step.function, "nd")
            steps.append((function, [operands[o] if isinstance(o, int) else o for o in step.operands]))
            operands.append(total)
            total += 1
        entry = Entry(node, 0)
        result, declared = operands[trace.outputs[0]], np.dtype(dtypes[entry])
        if code_of(declared) != natural or (declared.itemsize == 2 and kind_of(declared) == "f"):
            steps.append((("cast", code_of(declared)), [result]))
            result, total = total, total + 1
        number[entry] = result
    codes = [code_of(dtypes[source]) for source in inputs]
    name = "+".join(dict.fromkeys(node.op.name for node in piece))
    results = [number[entry] for entry in outputs]
    return compile_program(
        len(inputs), steps, results, codes, [code_of(dtypes[e]) for e in outputs], name[:60]
    )
