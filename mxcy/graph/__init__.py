"""Graphs and the passes over them: plain functions from graph to graph, one file each."""

from . import effects, fuse, gradient, infer, ir, optimise, plan_memory, prune, simplify, substitute

__all__ = [
    "effects",
    "fuse",
    "gradient",
    "infer",
    "ir",
    "optimise",
    "plan_memory",
    "prune",
    "simplify",
    "substitute",
]
