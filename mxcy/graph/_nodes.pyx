"""What graphs are made of, and the walks that every pass takes: compiled, as passes make and look up several
entries for each of up to millions of nodes.
"""

cimport cython
from cpython.ref cimport PyObject

import os

__all__ = [
    "Entry", "Node", "carried", "enter", "line_of_site", "rebuilt", "states_of", "this_site",
    "topological_order", "users_of",
]

cdef extern from "site.hpp" namespace "mxcy":
    PyObject* outer_frame(const char* package, size_t length, int* lasti)
    int line_of(PyObject* code, int lasti)

cdef extern from "Python.h":
    void Py_DecRef(PyObject* o)

cdef bytes PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))).encode() + os.sep.encode()


def this_site():
    """The line outside this package that runs now, for `line_of_site`; None if there is none."""
    cdef int lasti = 0
    cdef PyObject* code = outer_frame(PACKAGE, len(PACKAGE), &lasti)
    if code == NULL:
        return None
    found = <object>code, lasti
    Py_DecRef(code)
    return found


def line_of_site(site):
    """(file, line, function) of a site."""
    code, lasti = site
    return code.co_filename, line_of(<PyObject*>code, lasti), code.co_qualname


@cython.final
@cython.freelist(256)
cdef class Node:
    """An operation with its attributes and inputs, or a variable (`op` is None).

    `attrs` holds the operator's attributes as typed values; `inputs` ends with the states that the
    operator writes (`op.aux_names`). `labels` are the user's annotations, strings such as
    `__lr_mult__`; they and `site` alone may change after the node is made.
    """

    def __init__(self, op, str name, attrs=None, inputs=(), dict labels=None):
        self.op = op
        self.name = name
        self.attrs = {} if attrs is None else attrs
        self.inputs = inputs if type(inputs) is tuple else tuple(inputs)
        self.labels = {} if labels is None else labels
        self.count = 0 if op is not None else 1

    def __repr__(self):
        return f"<Node {self.name}: {self.op.name if self.op else 'variable'}>"

    def __reduce__(self):
        return Node, (self.op, self.name, self.attrs, self.inputs, self.labels)

    cdef Py_ssize_t outputs(self) except -1:
        if not self.count:
            self.count = self.op.num_outputs(self.attrs)
        return self.count

    @property
    def num_outputs(self):
        """How many outputs it has, hidden ones included."""
        return self.outputs()

    @property
    def num_visible(self):
        """How many outputs a user sees; hidden ones, kept for the gradient, come after them."""
        return 1 if self.op is None or self.count == 1 else self.op.num_visible(self.attrs)

    @property
    def states(self):
        """The inputs that it writes."""
        names = self.op.aux_names(self.attrs) if self.op else ()
        if not names:
            return ()
        wanted = self.op.input_names(self.attrs)
        if wanted[len(wanted) - len(names):] == names:
            return self.inputs[len(self.inputs) - len(names):]
        return tuple([entry for entry, name in zip(self.inputs, wanted) if name in names])

    def entries(self):
        """Its visible outputs."""
        cdef Py_ssize_t index
        return tuple([entry_of(self, index) for index in range(self.num_visible)])

    def all_entries(self):
        """All its outputs, hidden ones last."""
        cdef Py_ssize_t index
        return [entry_of(self, index) for index in range(self.outputs())]

    def output_names(self):
        """The names of its visible outputs: `fc1_output`, `split0_output1`; a variable's own name."""
        if self.op is None:
            return [self.name]
        names = self.op.output_names(self.attrs)
        return [f"{self.name}_{output}" for output in names[: self.num_visible]]


# Graphs have no cycles, so that the collector has nothing to find here.
@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Entry:
    """One output of a node: equal to every other one with the same node and index; also a pair of these."""

    def __cinit__(self, Node node, Py_ssize_t index):
        self.node = node
        self.index = index

    def __eq__(self, other):
        if type(other) is not Entry:
            return NotImplemented
        return self.node is (<Entry>other).node and self.index == (<Entry>other).index

    def __hash__(self):
        return <Py_hash_t>((<size_t><void*>self.node >> 4) + 1000003 * <size_t>self.index) & 0x7FFFFFFFFFFFFFFF

    def __iter__(self):
        yield self.node
        yield self.index

    def __repr__(self):
        return f"Entry({self.node!r}, {self.index})"

    def __reduce__(self):
        return Entry, (self.node, self.index)

    @property
    def name(self):
        """The name of this output; hidden outputs have one as well."""
        names = self.node.output_names()
        return names[self.index] if self.index < len(names) else f"{self.node.name}_hidden{self.index}"


cdef inline Entry entry_of(Node node, Py_ssize_t index):
    return Entry.__new__(Entry, node, index)


def topological_order(heads):
    """Return all nodes that the heads depend on, each after its inputs.

    Depth first and in the order of the inputs, which is what gives `list_arguments` its order. The walk
    has its own stack: graphs of 10^5 nodes in a chain are ordinary, and Python's recursion ends at 1,000.
    """
    cdef list order = [], stack = [], places = []
    cdef set seen = set()
    cdef Node node, below
    cdef Entry head
    cdef Py_ssize_t place
    for head in heads:
        if head.node in seen:
            continue
        seen.add(head.node)
        stack.append(head.node)
        places.append(0)
        while stack:
            node = <Node>stack[len(stack) - 1]
            place = places.pop()
            while place < len(node.inputs):
                below = (<Entry>node.inputs[place]).node
                place += 1
                if below not in seen:
                    seen.add(below)
                    stack.append(below)
                    places.append(place)
                    places.append(0)
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def users_of(list nodes):
    """Return the nodes that read each entry, in order, one for each use."""
    cdef dict users = {}
    cdef Node node
    for node in nodes:
        for source in node.inputs:
            found = users.get(source)
            if found is None:
                users[source] = [node]
            else:
                (<list>found).append(node)
    return users


def states_of(list nodes):
    """Return the variables that some of these nodes write."""
    cdef set found = set()
    cdef set stateless = set()  # uses of operators that have no states
    cdef Node node
    for node in nodes:
        if node.op is None:
            continue
        use = node.op, id(node.attrs)
        if use in stateless:
            continue
        states = node.states
        if not states:
            stateless.add(use)
        for entry in states:
            found.add((<Entry>entry).node)
    return found


def rebuilt(Node node, dict moved):
    """Return the node that reads `moved[entry]` wherever this one reads an entry: itself if that is the same."""
    cdef bint same = True
    cdef Entry source, new
    cdef list inputs = []
    for source in node.inputs:
        new = <Entry>moved[source]
        same = same and new.node is source.node and new.index == source.index
        inputs.append(new)
    return node if same else Node(node.op, node.name, node.attrs, tuple(inputs), node.labels)


def enter(dict moved, Node node, Node new):
    """Note that the outputs of `new` stand for those of `node`."""
    cdef Py_ssize_t index
    for index in range(node.outputs()):
        moved[entry_of(node, index)] = entry_of(new, index)


def carried(dict moved, values):
    """Return the values of the entries that others have become; the first counts where several became one."""
    cdef dict found = {}
    for old, new in moved.items():
        if new not in found:
            found[new] = values.get(old)
    return found
