"""`mx.runtime`: what this installation can do, under the names of MXNet's features."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from typing import NamedTuple

from .context import num_gpus

__all__ = ["Feature", "Features", "feature_list"]

_PROCESSOR = {  # MXNet's name: NumPy's
    "CPU_SSE": "SSE", "CPU_SSE2": "SSE2", "CPU_SSE3": "SSE3", "CPU_SSE4_1": "SSE41", "CPU_SSE4_2": "SSE42",
    "CPU_SSE4A": "", "CPU_AVX": "AVX", "CPU_AVX2": "AVX2",
}  # fmt: skip


class Feature(NamedTuple):
    """Something that an installation can do or not."""

    name: str
    enabled: bool

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


def feature_list() -> list[Feature]:
    """Return all features that MXNet knows, and whether they are there."""
    from numpy._core._multiarray_umath import __cpu_features__ as processor

    gpu = num_gpus() > 0
    found = {"CUDA": gpu, "CUDNN": False, "NCCL": False, "CUDA_RTC": gpu, "TENSORRT": False}
    found |= {name: bool(processor.get(own, False)) for name, own in _PROCESSOR.items()}
    found |= {
        "OPENMP": False,  # threads are the engine's
        "SSE": bool(processor.get("SSE", False)),
        "F16C": bool(processor.get("F16C", False)),
        "JEMALLOC": False,
        "BLAS_OPEN": True,  # NumPy's
        "BLAS_ATLAS": False,
        "BLAS_MKL": False,
        "BLAS_APPLE": False,
        "LAPACK": True,
        "MKLDNN": False,
        "OPENCV": importlib.util.find_spec("cv2") is not None,
        "CAFFE": False,
        "PROFILER": False,
        "DIST_KVSTORE": importlib.util.find_spec("ray") is not None,
        "CXX14": True,
        "INT64_TENSOR_SIZE": True,
        "SIGNAL_HANDLER": False,
        "DEBUG": False,
        "TVM_OP": False,
    }
    return [Feature(name, enabled) for name, enabled in found.items()]


class Features(OrderedDict):
    """All features by name.

    >>> Features().is_enabled("lapack")
    True
    """

    def __init__(self) -> None:
        super().__init__((feature.name, feature) for feature in feature_list())

    def __repr__(self) -> str:
        return str(list(self.values()))

    def is_enabled(self, feature_name: str) -> bool:
        """Return whether a feature is there; raise RuntimeError for a name that is none."""
        feature = self.get(feature_name.upper())
        if feature is None:
            raise RuntimeError(f"feature {feature_name!r} is unknown, known features are: {', '.join(self)}")
        return feature.enabled
