"""Whether hybrid blocks compute the same hybridized as they do block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mxcy as mx

from .comparing import assert_almost_equal

__all__ = ["check_gluon_hybridize_consistency"]


def check_gluon_hybridize_consistency(
    net_builder: Callable[..., Any],
    data_l: Sequence,
    numpy_func: Callable | None = None,
    test_grad: bool = True,
    rtol: float = 1e-4,
    atol: float = 1e-4,
) -> None:
    """Raise AssertionError unless a network gives the same result, and the same gradients of its inputs
    (`test_grad`), hybridized or not, and the result of a NumPy function if there is one.

    `net_builder(prefix=...)` makes the network, which must not draw random numbers; all networks that it
    makes get the parameters of the first.
    """
    first, inputs = _built(net_builder, None), list(data_l)
    expected, gradients = _run(first, inputs, False)[0], None
    values = {name: param.data() for name, param in first.collect_params().items()}
    for hybridize in (False, True):
        for recorded in (False, True) if test_grad else (False,):
            net = _built(net_builder, values)
            if hybridize:
                net.hybridize()
            result, grads = _run(net, inputs, recorded)
            assert_almost_equal(result, expected, rtol=rtol, atol=atol)
            gradients = gradients or grads
            for grad, wanted in zip(grads, gradients if recorded else [], strict=True):
                assert_almost_equal(grad, wanted, rtol=rtol, atol=atol)
    if numpy_func is not None:
        wanted = numpy_func(*[x.asnumpy() for x in inputs])
        assert_almost_equal(expected, wanted, rtol=rtol, atol=atol)


def _built(net_builder: Callable[..., Any], values: dict | None) -> Any:
    net = net_builder(prefix="net_")
    net.initialize(None if values is None else mx.init.Load(values))
    return net


def _run(net: Any, inputs: list, recorded: bool) -> tuple[Any, list]:
    """(result, gradients of the inputs, none unless the run is recorded) as NumPy's arrays."""
    data = [x.copy() for x in inputs]
    if not recorded:
        return net(*data).asnumpy(), []
    for x in data:
        x.attach_grad()
    with mx.autograd.record():
        out = net(*data)
    out.backward(out)
    return out.asnumpy(), [x.grad.asnumpy() for x in data]
