"""Sums, extrema, orders."""

from ... import symbol as sym
from ..reader import imports

PLAIN = {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min",
         "ReduceProd": "prod"}  # fmt: skip


def reduced(n, kind, x, **attrs):
    """Reduce the axes that the node names; None if it names none and wants none."""
    axes = n.numbers(1, "axes")
    attrs |= {"keepdims": bool(n.get("keepdims", 1)), "name": n.name}
    return getattr(sym, kind)(x, axis=tuple(axes) if axes else None, **attrs)


def idle(n):
    """Whether the node reduces nothing."""
    return bool(n.get("noop_with_empty_axes", 0)) and not n.numbers(1, "axes")


for _kind, _name in PLAIN.items():
    imports(_kind)(
        lambda n, name=_name: sym.identity(n[0], name=n.name) if idle(n) else reduced(n, name, n[0])
    )


@imports("ReduceL1", "ReduceL2")
def norm(n):
    axes = n.numbers(1, "axes")
    if axes and len(axes) <= 2:
        return reduced(n, "norm", n[0], ord=1 if n.kind == "ReduceL1" else 2)
    if n.kind == "ReduceL1":
        return reduced(n, "sum", sym.abs(n[0]))
    return sym.sqrt(reduced(n, "sum", sym.square(n[0])))


@imports("ReduceSumSquare")
def sum_square(n):
    return reduced(n, "sum", sym.square(n[0]))


@imports("ReduceLogSum")
def log_sum(n):
    return sym.log(reduced(n, "sum", n[0]))


@imports("ReduceLogSumExp")
def log_sum_exp(n):
    axes = n.numbers(1, "axes")
    largest = sym.max(n[0], axis=tuple(axes) if axes else None, keepdims=True)
    total = sym.log(reduced(n, "sum", sym.exp(sym.broadcast_sub(n[0], largest))))
    if n.get("keepdims", 1):
        return sym.broadcast_add(total, largest)
    return total + sym.max(n[0], axis=tuple(axes) if axes else None)


@imports("ArgMax", "ArgMin")
def arg_extremum(n):
    n.need(not n.get("select_last_index", 0), "select_last_index", "0", 1)
    kind = sym.argmax if n.kind == "ArgMax" else sym.argmin
    found = kind(n[0], axis=n.get("axis", 0), keepdims=bool(n.get("keepdims", 1)))
    return sym.Cast(found, dtype="int64", name=n.name)


@imports("TopK")
def topk(n):
    count = n.get("k") if n.opset < 10 else int(n.values(1).item())
    return sym.topk(n[0], k=count, axis=n.get("axis", -1), ret_typ="both", dtype="int64", name=n.name,
                    is_ascend=not n.get("largest", 1))  # fmt: skip


@imports("CumSum")
def cumsum(n):
    axis = int(n.values(1).item())
    axis += n.rank() if axis < 0 else 0
    back = bool(n.get("reverse", 0))
    x = sym.reverse(n[0], axis=axis) if back else n[0]
    y = sym.cumsum(x, axis=axis)
    y = y - x if n.get("exclusive", 0) else y
    return sym.reverse(y, axis=axis, name=n.name) if back else y
