"""Graphs and the passes over them: plain functions from graph to graph, one file each."""

from . import gradient, infer, ir, prune, substitute

__all__ = ["gradient", "infer", "ir", "prune", "substitute"]
