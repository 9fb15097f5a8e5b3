"""What a kernel over elements computes, where it is not a pointwise program."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Custom"]


class Custom:
    """The part of `_compile.Layout` that kernel sources are made from, with lines of its own.

    `body` gets the suffix of a lane and returns the lines that compute y{k}{lane} from x{k}{lane} (inputs as
    they are in memory, but for bool), c{k} (scalars) and index{lane} (the number of the element; only for
    results in C order).
    """

    def __init__(
        self, in_types: list[int], out_codes: list[int], scalars: list[int], body: Callable[[str], list[str]]
    ):
        self.in_types = tuple(in_types)
        self.out_codes = tuple(out_codes)
        self.scalars = [(-1, code, code) for code in scalars]
        self.body = body
