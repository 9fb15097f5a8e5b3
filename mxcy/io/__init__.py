"""Data iterators: `for batch in NDArrayIter(data, label, batch_size)`."""

from .batch import DataBatch, DataDesc, DataIter
from .ndarray_iter import NDArrayIter

__all__ = ["DataBatch", "DataDesc", "DataIter", "NDArrayIter"]
