"""`Entry`: one output of a node. Every pass makes and looks up several for each node of a graph, which is
why this is compiled.
"""

cimport cython

__all__ = ["Entry"]


# Graphs have no cycles, so that the collector has nothing to find here.
@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class Entry:
    """One output of a node: equal to every other one with the same node and index; also a pair of these."""

    cdef readonly object node
    cdef readonly Py_ssize_t index

    def __cinit__(self, object node, Py_ssize_t index):
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
