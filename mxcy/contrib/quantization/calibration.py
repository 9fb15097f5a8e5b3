"""Bounds of the arrays of a network, found by running it on examples."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

import numpy as np

from ... import ndarray as nd
from ...errors import ArgumentError, ArgumentTypeError, message
from ...io import DataIter

__all__ = ["HistogramCollector", "MinMaxCollector", "collect", "thresholds_of"]

BINS = 8001


class MinMaxCollector:
    """Keeps the lowest and the highest number of each array: a callback of monitors."""

    def __init__(self, include_layer: Collection[str]):
        self.include_layer = set(include_layer)
        self.min_max_dict: dict[str, tuple[float, float]] = {}

    def collect(self, name: str, arr: Any) -> None:
        """Note an array."""
        if name not in self.include_layer:
            return
        values = arr.asnumpy()
        low, high = float(values.min()), float(values.max())
        before = self.min_max_dict.get(name, (low, high))
        self.min_max_dict[name] = min(before[0], low), max(before[1], high)


class HistogramCollector:
    """Keeps a histogram of each array: a callback of monitors.

    The histogram is symmetric about 0 and grows by whole bins when an array goes beyond it.
    """

    def __init__(self, include_layer: Collection[str], num_bins: int = BINS):
        self.include_layer = set(include_layer)
        self.num_bins = num_bins
        self.hist_dict: dict[str, tuple] = {}

    def collect(self, name: str, arr: Any) -> None:
        """Note an array."""
        if name not in self.include_layer:
            return
        values = arr.asnumpy()
        low, high = float(values.min()), float(values.max())
        reach = max(abs(low), abs(high))
        if name not in self.hist_dict:
            counts, edges = np.histogram(values, bins=self.num_bins, range=(-reach, reach))
            self.hist_dict[name] = counts, edges, low, high, reach
            return
        old, edges, old_low, old_high, old_reach = self.hist_dict[name]
        more = 0
        if reach > old_reach:
            step = 2 * old_reach / len(old)
            more = int((reach - old_reach) // step + 1) if step else 0
            reach = more * step + old_reach if step else reach
        else:
            reach = old_reach
        counts, edges = np.histogram(values, bins=len(old) + 2 * more, range=(-reach, reach))
        counts[more : more + len(old)] += old
        self.hist_dict[name] = counts, edges, min(old_low, low), max(old_high, high), reach


def thresholds_of(collector: Any, calib_mode: str, quantized_dtype: str) -> dict[str, tuple[float, float]]:
    """Return the bounds of each array that a collector has seen.

    With `entropy` they are those between which bytes keep most of the information of the histogram
    (Kullback and Leibler's divergence).
    """
    if calib_mode != "entropy":
        return dict(collector.min_max_dict)
    found = {}
    for name, (counts, edges, low, _, reach) in collector.hist_dict.items():
        positive = low >= 0 and quantized_dtype in ("auto", "uint8")
        if reach == 0:
            found[name] = (0.0, 0.0)
            continue
        histogram = [nd.array(part, dtype="float32") for part in (counts, edges)]
        best, _ = nd.contrib.calibrate_entropy(*histogram, num_quantized_bins=511 if positive else 255)
        end = float(best.asnumpy()[0])
        found[name] = (0.0 if positive else -end, end)
    return found


def collect(module: Any, data: Any, collector: Any, num_examples: int | None = None,
            logger: logging.Logger | None = None) -> int:  # fmt: skip
    """Run a bound module on examples for a collector; return how many there were."""
    if not isinstance(data, DataIter):
        raise ArgumentTypeError(message("calibration", "calib_data", "a DataIter", type(data).__name__))
    if num_examples is not None and num_examples < 1:
        raise ArgumentError(message("calibration", "num_calib_examples", "at least 1", num_examples))
    module._exec_group.execs[0].set_monitor_callback(collector.collect, monitor_all=True)
    seen = 0
    for batch in data:
        module.forward(batch, is_train=False)
        module.get_outputs()[0].wait_to_read()
        seen += data.batch_size
        if num_examples is not None and seen >= num_examples:
            break
    if logger is not None:
        logger.info("Collected statistics from %d examples", seen)
    return seen
