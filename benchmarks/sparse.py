"""Are products with sparse matrices and updates of single rows as fast as the real MXNet and SciPy?

    python benchmarks/sparse.py [--json FILE]

csr matrices of 20,000 x 10,000 with 1 % of the elements (and one of 10^6 columns with 100 in a row), times
dense ones; the transposed products, as gradients of linear models take them; updates of an embedding of
500,000 x 64 by gradients of 4,096 rows; conversions. SciPy has one thread.
"""

from __future__ import annotations

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

ROWS, COLUMNS, WIDE, TABLE, TOUCHED = 20_000, 10_000, 1_000_000, 500_000, 4096


def matrices():
    """(data, indices, indptr), columns: two matrices with 100 elements in every row."""
    rng = np.random.default_rng(0)
    found = []
    for rows, columns in ((ROWS, COLUMNS), (2000, WIDE)):
        indices = np.sort(rng.integers(0, columns, (rows, 100)), 1)
        kept = np.ones(indices.shape, bool)
        kept[:, 1:] = indices[:, 1:] != indices[:, :-1]
        indptr = np.concatenate([[0], np.cumsum(kept.sum(1))])
        found.append(((rng.random(indptr[-1]).astype("f"), indices[kept], indptr), (rows, columns)))
    return found


def factors(rows: int, columns: int, n: int):
    """Dense factors of a product and of the transposed one."""
    rng = np.random.default_rng(1)
    return rng.random((columns, n), "f"), rng.random((rows, n), "f")


def calls(mx):
    """{row: (function, loops)} of an implementation."""
    nd, made = mx.nd, {}

    def done(function):
        def call():
            function().wait_to_read()

        return call

    for (parts, shape), label in zip(matrices(), ("", " wide"), strict=True):
        x = nd.sparse.csr_matrix(parts, shape=shape)
        for n in (1, 64) if not label else (16,):
            w, g = (nd.array(a) for a in factors(*shape, n))
            made[f"csr{label} . ({n})"] = (done(lambda x=x, w=w: nd.dot(x, w)), 1)
            made[f"csr{label}.T . ({n})"] = (done(lambda x=x, g=g: nd.dot(x, g, transpose_a=True)), 1)
        if not label:
            dense = x.tostype("default")
            made["csr to dense"] = (done(lambda x=x: x.tostype("default")), 1)
            made["dense to csr"] = (done(lambda dense=dense: dense.tostype("csr")), 1)
            made["csr + csr"] = (done(lambda x=x: nd.elemwise_add(x, x)), 1)
    rows = np.sort(np.random.default_rng(2).choice(TABLE, TOUCHED, replace=False))
    values = np.random.default_rng(3).random((TOUCHED, 64), "f")
    grad = nd.sparse.row_sparse_array((values, rows), shape=(TABLE, 64))
    weight, momentum, variance = (nd.zeros((TABLE, 64)) for _ in range(3))
    lazy = {"out": weight, "lr": 0.1}
    made["sgd of rows"] = (done(lambda: nd.sgd_update(weight, grad, **lazy)), 1)
    made["sgd of rows, momentum"] = (
        done(lambda: nd.sgd_mom_update(weight, grad, momentum, momentum=0.9, **lazy)), 1)  # fmt: skip
    made["adam of rows"] = (done(lambda: nd.adam_update(weight, grad, momentum, variance, **lazy)), 1)
    indices = nd.array(rows[::-1].copy())
    weight.attach_grad(stype="row_sparse")

    def embed():
        with mx.autograd.record():
            y = nd.Embedding(indices, weight, input_dim=TABLE, output_dim=64, sparse_grad=True)
        y.backward()
        return weight.grad

    made["embedding and its gradient"] = (done(embed), 1)
    return made


def scipy_calls():
    """The same by SciPy, as far as it has them."""
    from scipy.sparse import csr_matrix

    made = {}
    for (parts, shape), label in zip(matrices(), ("", " wide"), strict=True):
        x = csr_matrix(parts, shape=shape)
        for n in (1, 64) if not label else (16,):
            w, g = factors(*shape, n)
            made[f"csr{label} . ({n})"] = lambda x=x, w=w: x @ w
            made[f"csr{label}.T . ({n})"] = lambda x=x, g=g: x.T @ g
        if not label:
            dense = x.toarray()
            made["csr to dense"] = lambda x=x: x.toarray()
            made["dense to csr"] = lambda dense=dense: csr_matrix(dense)
            made["csr + csr"] = lambda x=x: x + x
    return made


def main() -> None:
    options = arguments(__doc__)
    if options.peer:
        import mxnet

        serve(calls(mxnet))
        return
    import mxcy

    peer = Peer("mxnet", __file__)
    table = Table(f"csr matrices of {ROWS} x {COLUMNS} and 2000 x {WIDE}; rows of {TABLE} x 64")
    others = scipy_calls()
    for name, (function, loops) in calls(mxcy).items():
        contenders = {"mxcy": function, "MXNet": peer.timer(name), "SciPy": others.get(name)}
        table.row(name, contenders, loops, rounds=7)
    peer.close()
    finish(options, table)


if __name__ == "__main__":
    main()
