"""`mx.rnn.rnn_cell`: where MXNet's programs look for the names of `mx.rnn`."""

from .._paths import names_from

__getattr__ = names_from(__name__, "mxcy.rnn")
