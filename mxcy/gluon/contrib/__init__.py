"""`mx.gluon.contrib`: what MXNet keeps apart."""

__all__: list[str] = []
