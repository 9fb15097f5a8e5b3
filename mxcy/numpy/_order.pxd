# The order in which NumPy lays out axes: see `_order.pyx`.

# The order of axes of a result, from the slowest; None for that of C.
cdef object layout(list operands, bint by_iterator=*)
# An operand with its axes in another order, and the order that undoes it.
cdef object ordered(x, list order)
cdef list inverse(list order)
