"""Writes linalg.{json,npz}: results and gradients of mx.nd.linalg of the real MXNet 1.9.1.

Run under MXNet 1.9.1 from this folder: python make_linalg.py
"""

import json

import numpy as np
from _golden import Ops, path


def main():
    g = Ops()
    rs = np.random.RandomState(5)
    for dtype in (np.float32, np.float64):
        A, B, C = (rs.uniform(-1, 1, s).astype(dtype) for s in ((2, 3), (3, 4), (2, 4)))
        S = rs.uniform(-1, 1, (2, 3, 3)).astype(dtype)
        P = (S @ S.transpose(0, 2, 1) + 3 * np.eye(3)).astype(dtype)
        T = (np.tril(S) + 2 * np.eye(3)).astype(dtype)
        R, W = (rs.uniform(-1, 1, s).astype(dtype) for s in ((2, 3, 2), (2, 2, 3)))
        g.add('linalg.gemm', [A, B, C], {'alpha': 2.0, 'beta': 0.5})
        g.add('linalg.gemm', [S, P, T], {'transpose_a': True, 'axis': -2})
        g.add('linalg.gemm2', [S, P], {'transpose_b': True, 'alpha': 0.5})
        for M in (P[0], P):
            for op in ('potrf', 'sumlogdiag', 'inverse', 'det', 'slogdet', 'syevd'):
                g.add('linalg.' + op, [M], grad=op != 'det' or M.ndim == 2)
        g.add('linalg.potrf', [P], {'lower': False}, grad=False)
        g.add('linalg.potri', [T])
        for attrs in ({}, {'transpose': True, 'alpha': 2.0}, {'lower': False}):
            for op in ('trmm', 'trsm'):
                M = T if attrs.get('lower', True) else T.transpose(0, 2, 1).copy()
                g.add('linalg.' + op, [M, R], attrs)
                g.add('linalg.' + op, [M, W], dict(attrs, rightside=True))
        for attrs in ({}, {'offset': 1}, {'offset': -1}):
            g.add('linalg.extractdiag', [S], attrs)
            g.add('linalg.makediag', [A], attrs)
            g.add('linalg.extracttrian', [S], attrs)
            g.add('linalg.maketrian', [A], attrs)
        g.add('linalg.extracttrian', [S], {'lower': False})
        g.add('linalg.maketrian', [A], {'lower': False})
        g.add('linalg.syrk', [R], {'alpha': 2.0})
        g.add('linalg.syrk', [R], {'transpose': True})
        g.add('linalg.gelqf', [W])
        g.add('linalg.potrf', [A], note='not square')
        g.add('linalg.trsm', [T, W], note='rows')
        g.add('linalg.gelqf', [R], note='tall')
    np.savez_compressed(path('linalg.npz'), **g.arrays)
    with open(path('linalg.json'), 'w') as stream:
        json.dump(g.cases, stream, indent=0, sort_keys=True)


if __name__ == '__main__':
    main()
