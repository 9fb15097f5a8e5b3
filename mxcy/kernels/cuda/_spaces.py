"""The common iteration space of several operands, and the source that walks it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Walk", "normalise"]


def normalise(
    shape: Sequence[int], strides: Sequence[Sequence[int]], leading: int = 0, keep_order: bool = False
) -> tuple[list[int], list[list[int]]]:
    """Return extents and steps without unit axes, the innermost with the smallest step of operand `leading`,
    merged where every operand allows it.

    `strides[k][d]` is the step of operand k along axis d. With `keep_order` the order of elements stays.
    """
    axes = [d for d, extent in enumerate(shape) if extent != 1]
    if not keep_order and strides:
        axes.sort(key=lambda d: -abs(strides[leading][d]))
    extents: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for d in axes:
        mine = [s[d] for s in strides]
        if extents and all(steps[k][-1] == mine[k] * shape[d] for k in range(len(strides))):
            extents[-1] *= shape[d]
            for k, step in enumerate(mine):
                steps[k][-1] = step
        else:
            extents.append(shape[d])
            for k, step in enumerate(mine):
                steps[k].append(step)
    return extents, steps


class Walk:
    """Source that finds the offsets of operands at a position of a space.

    The extents of all axes but the first and the steps of all operands are parameters of the kernel, named
    with a prefix: `arguments` has their values, `parameters` the names, all int64.
    """

    def __init__(self, prefix: str, extents: list[int], steps: list[list[int]]):
        self.prefix, self.ndim, self.count = prefix, len(extents), len(steps)
        self.size = 1
        for extent in extents:
            self.size *= extent
        self.wide = self.size >= 1 << 31
        self.parameters = [f"{prefix}e{d}" for d in range(1, self.ndim)]
        self.arguments = list(extents[1:])
        for k, own in enumerate(steps):
            self.parameters += [f"{prefix}s{k}_{d}" for d in range(self.ndim)]
            self.arguments += own

    @property
    def key(self) -> tuple:
        """What the source depends on."""
        return self.prefix, self.ndim, self.count, self.wide

    def lines(self, position: str, offsets: Sequence[str], suffix: str = "") -> list[str]:
        """Return lines that set the variables `offsets`, in elements, for an int64 position."""
        p, made, rest = self.prefix, [], position
        for d in range(self.ndim - 1, 0, -1):
            extent = f"{p}e{d}"
            quotient = f"{rest} // {extent}" if self.wide else f"i64(div32(u32({rest}), u32({extent})))"
            made += [f"{p}q{d}{suffix} = {quotient}"]
            made += [f"{p}k{d}{suffix} = {rest} - {p}q{d}{suffix} * {extent}"]
            rest = f"{p}q{d}{suffix}"
        if self.ndim:
            made.append(f"{p}k0{suffix} = {rest}")
        for k, name in enumerate(offsets):
            terms = [f"{p}k{d}{suffix} * {p}s{k}_{d}" for d in range(self.ndim)]
            made.append(f"{name} = {' + '.join(terms) or 'i64(0)'}")
        return made
