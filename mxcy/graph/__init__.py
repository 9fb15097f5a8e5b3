"""Graphs and the passes over them: plain functions from graph to graph, one file each."""

from . import (
    branches,
    effects,
    fuse,
    gradient,
    infer,
    ir,
    loops,
    optimise,
    plan_memory,
    prune,
    simplify,
    substitute,
)

__all__ = [
    "branches",
    "effects",
    "fuse",
    "gradient",
    "infer",
    "ir",
    "loops",
    "optimise",
    "plan_memory",
    "prune",
    "simplify",
    "substitute",
]
