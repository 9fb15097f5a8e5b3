"""Draws a memory plan: time to the right, bytes upwards, a rectangle for every result."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .plan_memory import Plan

__all__ = ["draw"]

MIB = float(1 << 20)
NAMED = 0.012  # results that are at least this part of the picture high have their names written on them


def draw(plan: Plan, file: Any) -> None:
    """Write the picture; raises ImportError that says what to install where matplotlib is missing."""
    try:
        from matplotlib.collections import PatchCollection
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as error:
        error.add_note("pictures of plans need matplotlib: pip install mxcy[viz]")
        raise
    base = _bases(plan)
    end = max((row.last for row in plan.rows), default=0)
    figure = Figure(figsize=(12, 7))
    axes = figure.subplots()
    spans = [(row.first, (base[row.buffer] + row.offset) / MIB, row.nbytes / MIB) for row in plan.rows]
    rectangles = [
        Rectangle((first, bottom), row.last - first + 1, height)
        for (first, bottom, height), row in zip(spans, plan.rows, strict=True)
    ]
    shades = [(number * 0.618) % 1 for number in range(len(plan.rows))]  # neighbours differ
    patches = PatchCollection(rectangles, cmap="tab20", alpha=0.8, edgecolor="white", linewidth=0.3)
    patches.set_array(shades)
    axes.add_collection(patches)
    for (first, bottom, height), row in zip(spans, plan.rows, strict=True):
        if row.nbytes >= NAMED * plan.total:
            axes.text(first, bottom + height / 2, row.entry.name, fontsize=5, va="center", clip_on=True)
    axes.axhline(plan.largest_live / MIB, color="black", linestyle="--", linewidth=0.8)
    axes.set_xlim(0, end + 1)
    axes.set_ylim(0, max(plan.total, plan.largest_live, 1) / MIB * 1.02)
    axes.set_xlabel("node")
    axes.set_ylabel("MiB")
    total, live = plan.total / MIB, plan.largest_live / MIB
    axes.set_title(f"{len(plan.sizes)} buffers, {total:,.1f} MiB; largest live set (dashed) {live:,.1f} MiB")
    figure.savefig(file)


def _bases(plan: Plan) -> list[int]:
    """Where each buffer begins when they are stacked, the largest at the bottom."""
    order = sorted(range(len(plan.sizes)), key=plan.sizes.__getitem__, reverse=True)
    below = [0, *accumulate(plan.sizes[number] for number in order)]
    found = [0] * len(order)
    for number, begin in zip(order, below, strict=False):
        found[number] = begin
    return found
