"""Where MXNet keeps more documentation of the functions of `mx.nd`; here they have it themselves."""

__all__ = ["NDArrayDoc"]


class NDArrayDoc:
    """Base class of more documentation."""
