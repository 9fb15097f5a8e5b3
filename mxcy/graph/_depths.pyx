"""How deep every node of a graph lies, counted in edges that cannot be inside a region: see `fuse`."""

from ._nodes cimport Entry, Node, entry_of

__all__ = ["depths"]


def depths(list nodes, dict users, dict kinds, set fixed):
    """Return the depth of every node. `kinds` holds the numbers of those that can be part of a region.

    The `fixed` ones keep their order, so that regions between them cannot reverse it.
    """
    cdef dict depth = {}, limit = {}
    cdef Node node, other
    cdef Py_ssize_t deepest, least, latest = 0, own, bound, most, kind
    cdef bint keeps = bool(fixed)
    for node in nodes:
        deepest = 0
        kind = kinds.get(node, -1)
        for source in node.inputs:
            other = (<Entry>source).node
            least = <Py_ssize_t>depth[other] + (kind < 0 or <Py_ssize_t>kinds.get(other, -1) != kind)
            deepest = max(deepest, least)
        if keeps and node in fixed:
            deepest = latest = max(deepest, latest)
        depth[node] = deepest
    # A node that only deeper ones read joins them, if one of them can be its neighbour.
    for node in reversed(nodes):
        own = depth[node]
        kind = kinds.get(node, -1)
        if kind >= 0:
            most = limit.get(node, -1)
            if most > own and neighbour_at(users.get(entry_of(node, 0)), most, kind, depth, kinds):
                depth[node] = own = most
        for source in node.inputs:
            other = (<Entry>source).node
            bound = own - (kind < 0 or <Py_ssize_t>kinds.get(other, -1) != kind)
            if <Py_ssize_t>limit.get(other, bound) >= bound:
                limit[other] = bound
    return depth


cdef bint neighbour_at(list users, Py_ssize_t wanted, Py_ssize_t kind, dict depth, dict kinds):
    if users is None:
        return False
    for user in users:
        if <Py_ssize_t>depth[user] == wanted and <Py_ssize_t>kinds.get(user, -1) == kind:
            return True
    return False
