"""The first sweep of inference: most nodes of most graphs learn nothing but their outputs in it, and many are
alike, so that what a rule says of the same attributes and operands is kept.
"""

from ._nodes cimport Entry, Node, entry_of

__all__ = ["sweep"]


def sweep(list nodes, dict values, within, apply, learned):
    """Run the rule of every node once, in order, and enter what it says into `values`.

    `apply(node)` runs a rule and returns (changed entries, whether to run it again). Unless only outputs were
    learned, `learned(place of the node, changed, again)` is called. Nodes of which `within` has everything
    are done.
    """
    cdef dict said = {}
    cdef set silent = set()  # uses of which a rule says nothing
    cdef Node node
    cdef Py_ssize_t place, number, count
    cdef list key
    cdef tuple known
    cdef Entry result
    for place in range(len(nodes)):
        node = <Node>nodes[place]
        if node.op is None:
            continue
        count = node.outputs()
        result = entry_of(node, 0)
        if within is not None and result in within:
            continue
        key = [node.op, id(node.attrs)]
        for source in node.inputs:
            key.append(values.get(source))
        for number in range(count):
            key.append(values.get(entry_of(node, number)))
        use = tuple(key)
        found = said.get(use)
        if found is not None:
            known = <tuple>found
            for number in range(count):
                values[entry_of(node, number)] = known[number]
            continue
        if use in silent:
            continue
        changed, again = apply(node)
        if not changed and not again:
            silent.add(use)
            continue
        if again or not only_outputs(node, <list>changed):
            learned(place, changed, again)
            continue
        known = tuple([values.get(entry_of(node, number)) for number in range(count)])
        if all([value is not None for value in known]):  # dtypes say that they equal None
            said[use] = known


cdef bint only_outputs(Node node, list changed):
    cdef Entry entry
    for entry in changed:
        if entry.node is not node:
            return False
    return True
