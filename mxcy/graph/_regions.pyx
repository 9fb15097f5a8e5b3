"""Which nodes of a graph can run as one, and an order in which they can: see `fuse`."""

from libcpp.vector cimport vector

from ._nodes cimport Entry, Node

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

__all__ = ["in_regions", "regions"]

cdef Py_ssize_t FAR = PY_SSIZE_T_MAX


def regions(list nodes, dict kinds, set fixed):
    """Return the members of each region of two or more, in order.

    `kinds` holds the numbers of the nodes that can be part of a region. The `fixed` ones keep their order, so
    that regions between them cannot reverse it.
    """
    cdef Py_ssize_t count = len(nodes), position, other, number, latest = 0
    cdef bint keeps = bool(fixed)
    cdef Node node
    cdef dict place = {}
    cdef vector[Py_ssize_t] kind = vector[Py_ssize_t](count, -1)
    cdef vector[Py_ssize_t] depth = vector[Py_ssize_t](count, 0)  # edges that are inside of no region
    cdef vector[Py_ssize_t] limit = vector[Py_ssize_t](count, FAR)  # of the depth, by those that read it
    cdef vector[Py_ssize_t] closest = vector[Py_ssize_t](count, FAR)  # depth of the readers of its kind
    cdef vector[Py_ssize_t] leader = vector[Py_ssize_t](count, -1)
    cdef vector[Py_ssize_t] sources, begin = vector[Py_ssize_t](count + 1, 0)
    for position in range(count):
        node = <Node>nodes[position]
        place[node] = position
        kind[position] = kinds.get(node, -1)
        for source in node.inputs:
            other = place[(<Entry>source).node]
            sources.push_back(other)
            depth[position] = max(depth[position], depth[other] + outward(kind, position, other))
        begin[position + 1] = sources.size()
        if keeps and node in fixed:
            depth[position] = latest = max(depth[position], latest)
    # A node that only deeper ones read joins them, if one of them can be its neighbour.
    for position in range(count - 1, -1, -1):
        if kind[position] >= 0 and closest[position] == limit[position] < FAR:
            depth[position] = max(depth[position], limit[position])
        for number in range(begin[position], begin[position + 1]):
            other = sources[number]
            limit[other] = min(limit[other], depth[position] - outward(kind, position, other))
            if not outward(kind, position, other):
                closest[other] = min(closest[other], depth[position])
    for position in range(count):
        if kind[position] < 0:
            continue
        leader[position] = position
        for number in range(begin[position], begin[position + 1]):
            other = sources[number]
            if depth[other] == depth[position] and not outward(kind, position, other):
                leader[find(leader, other)] = find(leader, position)
    cdef dict gathered = {}
    for position in range(count):
        if kind[position] >= 0:
            number = find(leader, position)
            members = gathered.get(number)
            if members is None:
                members = gathered[number] = []
            (<list>members).append(nodes[position])
    return [members for members in gathered.values() if len(members) > 1]


cdef inline bint outward(vector[Py_ssize_t]& kind, Py_ssize_t position, Py_ssize_t other) noexcept:
    """Whether the edge to what a node reads cannot be inside a region."""
    return kind[position] < 0 or kind[other] != kind[position]


cdef inline Py_ssize_t find(vector[Py_ssize_t]& leader, Py_ssize_t position) noexcept:
    while leader[position] != position:
        leader[position] = leader[leader[position]]
        position = leader[position]
    return position


def in_regions(list nodes, dict regions):
    """Return all nodes so that those which a region needs come before its first member.

    `regions` holds the members of each, in order, by member.
    """
    cdef list order = [], stack, waiting, piece
    cdef set done = set()
    cdef Node head, node, member, below
    for head in nodes:
        if head in done:
            continue
        if head not in regions:
            order.append(head)
            done.add(head)
            continue
        stack = [head]
        while stack:
            node = <Node>stack[len(stack) - 1]
            if node in done:
                stack.pop()
                continue
            piece = <list>regions.get(node) or [node]
            waiting = []
            for member in piece:
                for source in member.inputs:
                    below = (<Entry>source).node
                    if below not in done and below not in piece:
                        waiting.append(below)
            if waiting:
                stack.extend(waiting)
            else:
                order.extend(piece)
                done.update(piece)
                stack.pop()
    return order
