"""Write the inputs of every operator's rows for `make_oracle.py`.

    PYTHONPATH=.:tests python tests/oracle/write_rows.py FOLDER

Every row in the three dtypes of floating point; the first row of an operator in the other dtypes, too.
"""

import json
import sys
from pathlib import Path

import numpy as np
import ops_rows

from mxcy.ops._update import Updates

FLOATS = ("float32", "float64", "float16")
OTHERS = ("int32", "int64", "int8", "uint8")


def text(value):
    """An attribute as MXNet reads it."""
    return str(tuple(value)) if isinstance(value, list) else str(value)


def main(folder):
    cases, arrays = [], {}
    for op, row, dtype in uses():
        keys = []
        for values in ops_rows.draw(op, row, dtype):
            keys.append(f"a{len(arrays)}")
            arrays[keys[-1]] = values
        attributes = {name: text(value) for name, value in row.attributes.items()}
        if op.variadic and not any(name.startswith("num_") for name in attributes):
            attributes["num_args"] = str(len(row.inputs))
        case = {"key": ops_rows.key_of(op, row, dtype), "op": op.name, "args": keys, "attrs": attributes}
        cases.append(case | {"drawn": op.ref is None, "out": written(op, row)})
    np.savez(folder / "rows.npz", **arrays)
    (folder / "rows.json").write_text(json.dumps(cases))


def written(op, row):
    """Positions of the inputs that MXNet wants as outputs, too: the weights of several updates at once."""
    if not isinstance(op, Updates):
        return None
    return [i * op.group for i in range(ops_rows.use(op, row)[op.count])]


def uses():
    """(operator, row, dtype) of all that is tried: MXNet takes an extent of 0 for one that is not known."""
    for op in ops_rows.OPERATORS:
        good = [row for row in op.cases if row.error is None and all(0 not in x.shape for x in row.inputs)]
        for row in good:
            fixed = row.inputs and all(item.dtype for item in row.inputs)
            for dtype in FLOATS[:1] if fixed else FLOATS + (OTHERS if row is good[0] else ()):
                yield op, row, np.dtype(dtype)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
