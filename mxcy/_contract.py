"""Makes one loop of a product, or two, and the sum or difference that reads it.

    moved = mom * momentum - grad * rate      three passes over a block, or one

Products are rounded before they are added (native/product_sums.cpp), so nothing changes but the time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ._loops import ResolvedLoop, resolve
from .dtypes import code_of

__all__ = ["contracted"]

Register = tuple[str, int]
Steps = list[tuple[ResolvedLoop, list[Register]]]

_STORED = (code_of(np.float32), code_of(np.float64))
_NAMES = {  # function of the last step, products to its left, to its right
    (np.add, True, True): "sum_of_products",
    (np.subtract, True, True): "difference_of_products",
    (np.add, True, False): "product_plus",
    (np.add, False, True): "product_plus",
    (np.subtract, True, False): "product_minus",
    (np.subtract, False, True): "minus_product",
}


def contracted(steps: Steps) -> Steps:
    """The steps of a program with fewer loops."""
    reads = Counter(register for loop, registers in steps for register in registers[: loop.n_inputs])
    products: dict[Register, int] = {}  # register that is read once -> the step that multiplies
    found: list[Any] = list(steps)
    written = -1  # the last step that wrote a result: it may be an input too, so no read moves past it
    for number, (loop, registers) in enumerate(steps):
        result = registers[-1]
        if loop.function is np.multiply and result[0] == "temporary" and reads[result] == 1:
            if loop.stored[0] in _STORED:
                products[result] = number
        elif loop.function is np.add or loop.function is np.subtract:
            factors = [products.get(register, -1) for register in registers[:2]]
            taken = [place > written for place in factors]
            if any(taken):
                found[number] = _joined(
                    loop, registers, [steps[i] if t else None for i, t in zip(factors, taken, strict=True)]
                )
                for place, is_taken in zip(factors, taken, strict=True):
                    if is_taken:
                        found[place] = None
        if any(kind == "output" for kind, _ in registers[loop.n_inputs :]):
            written = number
    return [step for step in found if step is not None]


def _joined(loop: ResolvedLoop, registers: list[Register], products: list[Any]) -> Any:
    """One step for a sum or difference and the products among its operands."""
    left, right = products
    operands: list[Register] = []
    for product in products:
        if product is not None:
            operands += product[1][:2]
    if left is None or right is None:
        operands.append(registers[0] if left is None else registers[1])
    name = _NAMES[loop.function, left is not None, right is not None]
    return resolve(name, (loop.stored[0],) * len(operands)), [*operands, registers[2]]
