"""Data iterators: `for batch in NDArrayIter(data, label, batch_size)`."""

from .batch import DataBatch, DataDesc, DataIter
from .files import CSVIter, MNISTIter
from .ndarray_iter import NDArrayIter
from .rounds import MXDataIter
from .wrapping import PrefetchingIter, ResizeIter

__all__ = [
    "CSVIter",
    "DataBatch",
    "DataDesc",
    "DataIter",
    "MNISTIter",
    "MXDataIter",
    "NDArrayIter",
    "PrefetchingIter",
    "ResizeIter",
]
