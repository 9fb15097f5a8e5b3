"""Tests of random number generators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ArgumentError, message

__all__ = ["chi_square_check", "gen_buckets_probs_with_ppf", "mean_check", "var_check", "verify_generator"]

SIGMAS = 3  # how many standard errors a mean or a variance may be off


def gen_buckets_probs_with_ppf(ppf: Callable, nbuckets: int) -> tuple[list, list[float]]:
    """Return intervals of equal probability and these probabilities, from a quantile function."""
    if nbuckets < 1:
        raise ArgumentError(message("gen_buckets_probs_with_ppf", "nbuckets", "at least 1", nbuckets))
    bounds = [ppf(i / nbuckets) for i in range(nbuckets + 1)]
    return list(pairwise(bounds)), [1 / nbuckets] * nbuckets


def mean_check(generator: Callable, mu: float, sigma: float, nsamples: int = 1000000) -> bool:
    """Return whether the mean of samples is within three standard errors of `mu`."""
    found = np.array(generator(nsamples)).mean()
    return bool(abs(found - mu) < SIGMAS * sigma / np.sqrt(nsamples))


def var_check(generator: Callable, sigma: float, nsamples: int = 1000000) -> bool:
    """Return whether the variance of normal samples is within three standard errors of sigma squared."""
    found = np.array(generator(nsamples)).var(ddof=1)
    return bool(abs(found - sigma**2) < SIGMAS * np.sqrt(2 * sigma**4 / (nsamples - 1)))


def chi_square_check(generator: Callable, buckets: Sequence, probs: Sequence[float],
                     nsamples: int = 1000000) -> tuple[float, np.ndarray, np.ndarray]:  # fmt: skip
    """Compare frequencies of samples with probabilities by Pearson's chi-square test.

    `buckets` are values, or intervals (low, high) in rising order that do not overlap. Returns (the
    probability of frequencies at least so far off, frequencies, expected frequencies).
    """
    from scipy import stats

    samples = np.asarray(generator(nsamples)).ravel()
    if len(buckets) != len(probs):
        raise ArgumentError(message("chi_square_check", "probs", f"{len(buckets)} numbers", len(probs)))
    if isinstance(buckets[0], (list, tuple)):
        counts = [np.count_nonzero((samples >= low) & (samples < high)) for low, high in buckets]
    else:
        counts = [np.count_nonzero(samples == value) for value in buckets]
    observed = np.array(counts)
    expected = nsamples * np.asarray(probs, np.float64)
    # Samples outside all buckets, and rounded probabilities, would make the totals differ.
    p = stats.chisquare(observed, expected * (observed.sum() / expected.sum()))[1]
    return float(p), observed, expected.astype(np.int32)


def verify_generator(generator: Callable, buckets: Sequence, probs: Sequence[float], nsamples: int = 1000000,
                     nrepeat: int = 5, success_rate: float = 0.2, alpha: float = 0.05,
                     ) -> list[float]:  # fmt: skip
    """Raise AssertionError unless a share of `success_rate` of chi-square tests gives more than `alpha`.

    Returns what each test gives; see `chi_square_check`.
    """
    found: list[Any] = [chi_square_check(generator, buckets, probs, nsamples) for _ in range(nrepeat)]
    values = [p for p, _, _ in found]
    if sum(p > alpha for p in values) < nrepeat * success_rate:
        _, observed, expected = found[-1]
        raise AssertionError(f"chi-square tests gave {values}: frequencies {observed}, expected {expected}")
    return values
