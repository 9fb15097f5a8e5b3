"""What most networks for pictures are: features, then an output layer."""

from __future__ import annotations

from ...hybrid import HybridBlock

__all__ = ["Classifier"]


class Classifier(HybridBlock):
    """A network with the blocks `features` and `output`."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return self.output(self.features(x))
