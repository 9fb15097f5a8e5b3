"""`mx.kvstore.kvstore`: where MXNet keeps `KVStore` and `create`; programs import them from here."""

from .._paths import names_from

__getattr__ = names_from(__name__, "mxcy.kvstore")
