"""What memory the results of a schedule need from node to node: the walk that `plan_memory` begins with."""

cimport cython
from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from ._nodes cimport Entry, Node, entry_of

from math import prod

import numpy as np

__all__ = ["Roots", "Slot", "Walk", "colours"]


@cython.final
cdef class Roots:
    """Calls return the entry whose buffer another one has: itself, unless its operator only names it anew.

    `rigid` entries cannot be reshaped without a copy. What is found is kept, so that shapes must not change.
    """

    cdef object shapes, rigid
    cdef dict found

    def __init__(self, shapes, rigid=()):
        self.shapes = shapes
        self.rigid = rigid
        self.found = {}

    def __call__(self, Entry entry):
        return self.of(entry)

    cdef Entry of(self, Entry entry):
        if not names_anew(entry):
            return entry
        found = self.found.get(entry)
        if found is None:
            found = self.found[entry] = self.search(entry)
        return <Entry>found

    cdef Entry search(self, Entry entry):
        cdef Entry operand
        while names_anew(entry):
            op = entry.node.op
            operand = <Entry>entry.node.inputs[0]
            shape = self.shapes.get(entry)
            same = shape is not None and shape == self.shapes.get(operand)
            if not (op.identity and same) and not (op.view and root(operand) not in self.rigid):
                break
            entry = operand
        return entry


cdef bint names_anew(Entry entry):
    """Whether the operator of an entry may give the memory of its operand another name."""
    op = entry.node.op
    return op is not None and entry.index == 0 and bool(op.identity or op.view)


cdef Entry root(Entry entry):
    while entry.node.op is not None and (entry.node.op.identity or entry.node.op.view):
        entry = <Entry>entry.node.inputs[0]
    return entry


@cython.final
cdef class Slot:
    """Memory that one result, or several in place of each other, need from node to node."""

    cdef readonly int64_t nbytes
    cdef readonly Py_ssize_t first  # position of the node that makes it
    cdef readonly Py_ssize_t making  # and its colour
    cdef readonly Py_ssize_t last  # position of the node that is the last to read it; -1: it stays
    cdef readonly Py_ssize_t ending  # and its colour
    cdef public Py_ssize_t buffer
    cdef public int64_t offset

    def __init__(self, int64_t nbytes, Py_ssize_t first, Py_ssize_t making):
        self.nbytes = nbytes
        self.first = first
        self.making = making
        self.last = self.buffer = -1


@cython.final
cdef class Result:
    """What the walk knows of one result: by how many nodes it is still to be read, and where it lies."""

    cdef Py_ssize_t position  # of the node that makes it
    cdef Py_ssize_t reads
    cdef Py_ssize_t last  # position of the last node that reads it
    cdef Slot slot  # None: it is none of the plan's
    cdef Py_ssize_t here  # reads by the node that is visited now
    cdef bint taken  # by a result of the node that is visited now


cdef class Walk:
    """The walk over the schedule that finds what is in use when, and what is written in place.

    Attributes
    ----------
    slots : all, in the order of the nodes that make them.
    unplanned, largest_live : see `Plan`.
    """

    cdef list nodes
    cdef object shapes, dtypes
    cdef Roots roots
    cdef bint in_place
    cdef readonly list slots
    cdef readonly int64_t unplanned, largest_live
    cdef int64_t live
    cdef set kept, external
    cdef dict results, sizes

    def __init__(self, list nodes, shapes, dtypes, Roots roots, bint in_place, keep, external):
        self.nodes = nodes
        self.shapes, self.dtypes = shapes, dtypes
        self.roots = roots
        self.in_place = in_place
        self.slots = []
        self.results = {}
        self.sizes = {}
        self.kept = {roots.of(entry) for entry in keep}
        self.external = {roots.of(entry) for entry in external}

    def run(self, dict colours):
        """Walk all nodes; those without a colour have the first one."""
        cdef Py_ssize_t position, number, colour
        cdef Node node
        cdef Result result
        for position in range(len(self.nodes)):
            node = <Node>self.nodes[position]
            for number in range(node.outputs()):
                result = Result()
                result.position = position
                self.results[entry_of(node, number)] = result
        for position in range(len(self.nodes)):
            for source in (<Node>self.nodes[position]).inputs:
                self.count(self.roots.of(source), position)
        for entry in self.kept:  # read once more, after all
            self.count(entry, len(self.nodes))
        for position in range(len(self.nodes)):
            node = <Node>self.nodes[position]
            colour = colours.get(node, 0) if colours else 0
            self.visit(position, node, colour)
        self.roots = self.shapes = self.dtypes = None  # plans outlive what the walk alone asks

    cdef int count(self, Entry entry, Py_ssize_t position) except -1:
        cdef Result result
        found = self.results.get(entry)
        if found is not None:
            result = <Result>found
            result.reads += 1
            result.last = position
        return 0

    cdef int visit(self, Py_ssize_t position, Node node, Py_ssize_t colour) except -1:
        """Give the results of a node slots, then release what it was the last to read."""
        cdef list read = [], made = []
        cdef Result result, operand
        cdef Entry entry
        cdef Py_ssize_t number
        cdef int64_t size
        for source in node.inputs:
            found = self.results.get(self.roots.of(source))
            if found is not None and (<Result>found).slot is not None:
                operand = <Result>found
                if not operand.here:
                    operand.taken = False
                    read.append(operand)
                operand.here += 1
        for number in range(node.outputs()):
            entry = entry_of(node, number)
            if self.external and entry in self.external:
                continue
            result = <Result>self.results[entry]
            made.append(result)
            size = self.nbytes(entry)
            self.unplanned += size
            operand = self.ending(node, entry, size) if self.in_place else None
            if operand is not None:
                operand.taken = True
                result.slot = operand.slot
            else:
                self.live += size
                result.slot = Slot(size, position, colour)
                self.slots.append(result.slot)
        self.largest_live = max(self.largest_live, self.live)
        for operand in read:
            operand.reads -= operand.here
            operand.here = 0
            if not operand.reads and not operand.taken:
                self.release(operand, position, colour)
        for result in made:
            if not result.reads:
                self.release(result, position, colour)
        return 0

    cdef int64_t nbytes(self, Entry entry) except -1:
        kind = self.shapes[entry], self.dtypes[entry]
        found = self.sizes.get(kind)
        if found is None:
            found = self.sizes[kind] = prod(kind[0]) * np.dtype(kind[1]).itemsize
        return found

    cdef Result ending(self, Node node, Entry entry, int64_t size):
        """An operand that this result may be written over; None if there is none."""
        cdef Result operand
        cdef Entry source
        if entry in self.kept:
            return None
        for position in node.op.in_place_inputs(node.attrs, entry.index):
            source = <Entry>node.inputs[position]
            found = self.results.get(self.roots.of(source))
            if found is None:
                continue
            operand = <Result>found
            if (
                operand.slot is not None
                and not operand.taken
                and operand.reads == operand.here
                and operand.slot.nbytes == size
                and self.dtypes[source] == self.dtypes[entry]
                and self.shapes[source] == self.shapes[entry]
            ):
                return operand
        return None

    cdef int release(self, Result result, Py_ssize_t position, Py_ssize_t colour) except -1:
        self.live -= result.slot.nbytes
        result.slot.last, result.slot.ending = position, colour
        return 0

    def at(self, Entry entry):
        """(slot of a result, position of the node that makes it); None for one that is none of the plan's."""
        found = self.results.get(entry)
        if found is None or (<Result>found).slot is None:
            return None
        return (<Result>found).slot, (<Result>found).position

    def made(self, Py_ssize_t position):
        """The slots of what a node makes, each once."""
        cdef Node node = <Node>self.nodes[position]
        cdef Py_ssize_t number
        cdef list found = []
        for number in range(node.outputs()):
            slot = (<Result>self.results[entry_of(node, number)]).slot
            if slot is not None and slot not in found:
                found.append(slot)
        return found

    def rows(self):
        """Yield (result, slot, position of the node that makes it, the last position that reads it)."""
        cdef Py_ssize_t position, number
        cdef Node node
        cdef Entry entry
        cdef Result result
        for position in range(len(self.nodes)):
            node = <Node>self.nodes[position]
            for number in range(node.outputs()):
                entry = entry_of(node, number)
                result = <Result>self.results[entry]
                if result.slot is not None:
                    yield entry, result.slot, position, result.last if result.last >= 0 else position

    def consumed(self, set early):
        """Whether buffers of what the `early` nodes, which come first, make for others are written again."""
        cdef Py_ssize_t latest = -1  # position of the last early node that has a slot
        cdef Result result
        cdef Py_ssize_t position, number
        cdef Node node
        cdef set saved = set()
        cdef list results = []
        for position in range(len(self.nodes)):
            node = <Node>self.nodes[position]
            for number in range(node.outputs()):
                result = <Result>self.results[entry_of(node, number)]
                if result.slot is None:
                    continue
                results.append(result)
                if node in early:
                    latest = position
        for result in results:
            if result.position <= latest:
                if max(result.last, result.position) >= latest:
                    saved.add(result.slot.buffer)
            elif result.slot.buffer in saved:
                return True
        return False


def colours(list nodes, Py_ssize_t paths):
    """Cut the nodes into paths, longest first, and number them; the last number stands for all others.

    `nodes` come each after its inputs.
    """
    if paths <= 1:
        return dict.fromkeys(nodes, 0)
    cdef Py_ssize_t position, other, number = 0, best, count = len(nodes)
    cdef dict place = {node: position for position, node in enumerate(nodes)}
    cdef vector[Py_ssize_t] height = vector[Py_ssize_t](count, 1)
    cdef vector[Py_ssize_t] colour = vector[Py_ssize_t](count, -1)
    cdef vector[vector[Py_ssize_t]] users = vector[vector[Py_ssize_t]](count)
    for position in range(count - 1, -1, -1):
        for source in (<Node>nodes[position]).inputs:
            found = place.get((<Entry>source).node)
            if found is not None:
                other = found
                height[other] = max(height[other], height[position] + 1)
                users[other].push_back(position)
    cdef list starts = sorted(range(count), key=lambda position: -height[position])
    for start in starts:
        position = start
        if colour[position] >= 0:
            continue
        while position >= 0:
            colour[position] = min(number, paths - 1)
            best = -1
            for other in users[position]:
                if colour[other] < 0 and (best < 0 or height[other] > height[best]):
                    best = other
            position = best
        number += 1
    return {node: colour[position] for position, node in enumerate(nodes)}
