"""The table that `Block.summary` prints."""

from __future__ import annotations

from typing import Any

from .._array import Array
from ..errors import AssertedArgumentError, problem
from .block import Block
from .hybrid import HybridBlock

__all__ = ["summarize"]

LINE = "{:>20}  {:>42} {:>15}"


def shapes_of(values: Any) -> str:
    """The shapes of nested lists of arrays, as text."""

    def shape(value: Any) -> Any:
        if isinstance(value, Array):
            return value.shape
        return [shape(item) for item in value] if isinstance(value, (list, tuple)) else value

    found = shape(list(values) if isinstance(values, tuple) else values)
    found = found[0] if isinstance(values, tuple) and len(found) == 1 else found
    return str(found)[1:-1] if isinstance(found, list) else str(found)


def summarize(block: Block, inputs: tuple) -> None:
    """Run a block and print a row for each block inside."""
    rows = [("Input", shapes_of(inputs), 0)]
    totals = {"all": 0, "trained": 0, "shared": 0}
    seen: set[int] = set()
    hooks = []

    def note(inner: Block, _: Any, outputs: Any) -> None:
        sizes = [(p, p.data().size) for p in inner.params.values()]
        count = sum(size for _, size in sizes)
        rows.append((f"{type(inner).__name__}-{len(rows)}", shapes_of(outputs), count))
        totals["all"] += count
        totals["trained"] += sum(size for p, size in sizes if p.grad_req != "null")
        totals["shared"] += sum(size for p, size in sizes if id(p) in seen)
        seen.update(id(p) for p, _ in sizes)

    def watch(inner: Block) -> None:
        if isinstance(inner, HybridBlock) and inner._active:
            text = f'"{inner.name}" must not be hybridized to print summary'
            raise AssertedArgumentError(problem("summary", None, text))
        if type(inner).__name__ not in ("Sequential", "HybridSequential"):
            hooks.append(inner.register_forward_hook(note))

    try:
        block.apply(watch)
        block(*inputs)
    finally:
        for hook in hooks:
            hook.detach()
    print("-" * 80)
    print(LINE.format("Layer (type)", "Output Shape", "Param #"))
    print("=" * 80)
    for row in rows:
        print(LINE.format(*row))
    print("=" * 80)
    print("Parameters in forward computation graph, duplicate included")
    print(f"   Total params: {totals['all']}")
    print(f"   Trainable params: {totals['trained']}")
    print(f"   Non-trainable params: {totals['all'] - totals['trained']}")
    print(f"Shared params in forward computation graph: {totals['shared']}")
    print(f"Unique parameters in model: {totals['all'] - totals['shared']}")
    print("-" * 80)
