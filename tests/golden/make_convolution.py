"""Make convolution.json and convolution.npz with the real Apache MXNet 1.9.1; see README.md.

    .peers/mxnet/bin/python tests/golden/make_convolution.py [OUTPUT_FOLDER]
"""
import os

os.environ['MXNET_MKLDNN_ENABLED'] = '0'   # oneDNN's deconvolutions fail with target_shape
os.environ['MXNET_STORAGE_FALLBACK_LOG_VERBOSE'] = '0'
import numpy as np
from _golden import Ops, dump, path

SIZES = {1: (9,), 2: (7, 6), 3: (5, 4, 3)}


def layers():
    """(operator, shape, filters, attributes) of every case."""
    for count in (1, 2, 3):
        kernel = (3, 2, 2)[:count]
        for op in ('Convolution', 'Deconvolution'):
            for extra in ({}, {'no_bias': op == 'Convolution'}, {'stride': (2,) * count},
                          {'pad': (1,) * count, 'stride': (1, 2, 1)[:count]},
                          {'dilate': (2, 2, 1)[:count]}, {'num_group': 2}):
                if count == 3 and op == 'Deconvolution':   # needs oneDNN
                    continue
                yield op, (2, 2, *SIZES[count]), 4, {'kernel': kernel, **extra}
    yield 'Convolution', (2, 3, 8, 8), 4, {'kernel': (3, 3), 'pad': (1, 1)}
    yield 'Convolution', (1, 3, 13, 13), 4, {'kernel': (5, 5), 'pad': (2, 2)}
    yield 'Convolution', (1, 3, 20, 20), 4, {'kernel': (11, 11), 'stride': (4, 4)}
    yield 'Convolution', (1, 4, 6, 6), 4, {'kernel': (3, 3), 'num_group': 4, 'pad': (1, 1)}
    yield 'Convolution', (2, 6, 5, 5), 4, {'kernel': (1, 1), 'stride': (2, 2)}
    yield 'Convolution', (2, 3, 7, 6), 4, {'kernel': (3, 3), 'workspace': 10, 'cudnn_off': True,
                                           'cudnn_tune': 'off', 'layout': 'NCHW'}
    yield 'Deconvolution', (2, 3, 5, 4), 4, {'kernel': (3, 3), 'stride': (2, 2), 'pad': (1, 1), 'adj': (1, 1)}
    yield 'Deconvolution', (2, 3, 5, 4), 4, {'kernel': (4, 4), 'stride': (2, 2), 'pad': (1, 1)}
    for target in ((9, 7), (8, 6), (11, 9), (0, 0)):
        yield 'Deconvolution', (1, 3, 5, 4), 4, {'kernel': (3, 3), 'stride': (2, 2), 'target_shape': target}


def operands(rs, op, shape, filters, attrs, dtype):
    groups = attrs.get('num_group', 1)
    first, second = (filters, shape[1]) if op == 'Convolution' else (shape[1], filters)
    shapes = [shape, (first, second // groups, *attrs['kernel'])]
    if not attrs.get('no_bias', op == 'Deconvolution'):
        shapes.append((filters,))
    return [(rs.randint(-8, 9, s) / 4).astype(dtype) for s in shapes]   # few bits: small files


def main():
    g = Ops()
    rs = np.random.RandomState(11)
    for op, shape, filters, attrs in layers():
        g.add(op, operands(rs, op, shape, filters, attrs, np.float32), {**attrs, 'num_filter': filters})
    for op in ('Convolution', 'Deconvolution'):
        attrs = {'kernel': (3, 2), 'stride': (2, 1), 'pad': (1, 1)}
        g.add(op, operands(rs, op, (2, 4, 7, 6), 6, attrs, np.float64), {**attrs, 'num_filter': 6})
    x, w, b = operands(rs, 'Convolution', (2, 3, 5, 5), 4, {'kernel': (3, 3)}, np.float32)
    refused = (
        {'kernel': (6, 6)}, {'kernel': (3, 3), 'stride': (0, 1)}, {'kernel': (3, 3), 'stride': (1,)},
        {'kernel': (3, 3), 'pad': (1,)}, {'kernel': (3, 3), 'num_group': 2}, {'kernel': (3,)}, {'kernel': ()},
        {'kernel': (3, 3), 'num_filter': 0}, {'kernel': (3, 3), 'layout': 'NCW'}, {'kernel': (2, 3)},
        {'kernel': (3, 3), 'cudnn_tune': 'on'}, {},
    )
    for attrs in refused:
        g.add('Convolution', [x, w, b], {'num_filter': 4, **attrs}, note='refused')
    g.add('Convolution', [x, w], {'num_filter': 4, 'kernel': (3, 3)}, note='refused')
    for attrs in ({'kernel': (3, 3), 'adj': (1, 1)}, {'kernel': (3, 3), 'target_shape': (9, 9)}):
        g.add('Deconvolution', [x, w.transpose(1, 0, 2, 3)], {'num_filter': 4, **attrs}, note='refused')
    np.savez_compressed(path('convolution.npz'), **g.arrays)
    dump('convolution.json', g.cases)
    for case in g.cases:
        if ('error' in case) != ('note' in case) or 'no_grad' in case:
            print('unexpected:', case)


if __name__ == '__main__':
    main()
