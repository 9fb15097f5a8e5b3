"""Make layers.json and layers.npz with the real Apache MXNet 1.9.1: layers other than convolution.

    .peers/mxnet/bin/python tests/golden/make_layers.py [OUTPUT_FOLDER]

The format is that of ops.json (README.md), and a case may have `after`: the inputs after the backward pass,
where the operator writes some of them.
"""
import sys

import numpy as np
from _golden import Ops, dump, path
from mxnet import nd

F = np.float32


class Layers(Ops):
    backward_trains = False

    def add(self, op, ins, attrs=None, train=True, **rest):
        """Maximum pooling needs a forward pass in training mode for its gradient to be right."""
        return super(Layers, self).add(op, ins, attrs, train=train, **rest)

    def states(self, op, ins, attrs, train=True):
        """A case of an operator that writes the inputs from the fourth on."""
        arrays = [nd.array(i, dtype=i.dtype) for i in ins]
        case = self.add(op, arrays, attrs, train=train, wrt=(0, 1, 2))
        nd.waitall()
        case['args'] = [self.put(i, 'i') for i in ins]
        if 'error' not in case:
            case['after'] = [None] * 3 + [self.put(a.asnumpy(), 's') for a in arrays[3:]]


def distinct(rs, *shape):
    """No two values are equal, so that largest elements are unique."""
    size = int(np.prod(shape))
    return (rs.permutation(size) / float(size) * 4 - 2).reshape(shape)


def pooling(g, rs):
    x1, x2, x3 = distinct(rs, 2, 3, 9), distinct(rs, 2, 3, 7, 8), distinct(rs, 1, 2, 5, 4, 6)
    for kind in ('max', 'avg', 'sum'):
        for dtype in ('float32', 'float64'):
            g.add('Pooling', [x1.astype(dtype)], {'kernel': [3], 'stride': [2], 'pad': [1], 'pool_type': kind})
        for convention in ('valid', 'full'):
            for kernel, stride, pad in (((3, 3), (2, 2), (1, 1)), ((2, 3), (3, 2), (0, 0)), ((3, 2), (1, 1), (1, 0))):
                g.add('Pooling', [x2.astype(F)], {
                    'kernel': list(kernel), 'stride': list(stride), 'pad': list(pad), 'pool_type': kind,
                    'pooling_convention': convention})
            g.add('Pooling_v1', [x2.astype(F)], {
                'kernel': [3, 3], 'stride': [2, 2], 'pad': [1, 1], 'pool_type': kind,
                'pooling_convention': convention})
            g.add('Pooling_v1', [x2.astype(F)], {
                'kernel': [2, 2], 'stride': [3, 3], 'pool_type': kind, 'pooling_convention': convention})
        g.add('Pooling', [x3.astype(F)], {'kernel': [2, 2, 3], 'stride': [2, 1, 2], 'pad': [1, 0, 1],
                                          'pool_type': kind})
        g.add('Pooling', [x2.astype(F)], {'global_pool': True, 'pool_type': kind})
        g.add('Pooling_v1', [x2.astype(F)], {'global_pool': True, 'pool_type': kind})
        g.add('Pooling', [x2.astype('float64')], {'kernel': [2, 3], 'stride': [2, 1], 'pool_type': kind,
                                                  'layout': 'NHWC'})
        g.add('Pooling', [x2.astype('float16')], {'kernel': [2, 2], 'pool_type': kind})
    for power in (1, 2, 3):
        g.add('Pooling', [np.abs(x2).astype(F)], {'kernel': [2, 3], 'stride': [2, 2], 'pool_type': 'lp',
                                                  'p_value': power})
    for counted in (True, False):
        g.add('Pooling', [x2.astype(F)], {'kernel': [3, 3], 'pad': [1, 1], 'pool_type': 'avg',
                                          'count_include_pad': counted})
    for attrs in ({'kernel': [9, 9]}, {'kernel': [2, 2], 'stride': [0, 1]}, {'kernel': [2, 2], 'pool_type': 'lp'},
                  {}, {'kernel': [2, 2], 'layout': 'NCW'}, {'kernel': [2, 2], 'pool_type': 'min'}):
        g.add('Pooling', [x2.astype(F)], attrs)


def batch_norm(g, rs):
    def parameters(n, dtype):
        return [rs.uniform(.5, 1.5, n).astype(dtype) for _ in range(4)]

    for dtype, own in (('float32', F), ('float64', 'float64'), ('float16', F)):
        x = rs.randn(4, 3, 2, 5).astype(dtype)
        for fix in (False, True):
            for attrs in ({}, {'use_global_stats': True}, {'momentum': .5, 'eps': .1}):
                for train in (True, False):
                    g.states('BatchNorm', [x] + parameters(3, own), dict(attrs, fix_gamma=fix), train)
    x = rs.randn(6, 3).astype(F)
    g.states('BatchNorm', [x] + parameters(3, F), {'fix_gamma': False})
    g.states('BatchNorm', [x.reshape(2, 3, 3)] + parameters(3, F), {'fix_gamma': False, 'axis': -1})
    g.states('BatchNorm', [rs.randn(3, 4, 2).astype(F)] + parameters(3, F), {'fix_gamma': False, 'axis': 0})
    g.states('BatchNorm', [x] + parameters(3, F), {'axis': 4})


def row_norms(g, rs):
    for dtype in ('float32', 'float64'):
        x = rs.randn(2, 4, 3).astype(dtype)
        v = [rs.uniform(.5, 1.5, n).astype(dtype) for n in (3, 3, 4, 4, 2, 2)]
        g.add('LayerNorm', [x] + v[:2], {'eps': .01})
        g.add('LayerNorm', [x] + v[2:4], {'axis': 1})
        g.add('GroupNorm', [x] + v[4:], {'num_groups': 2})
    x = rs.randn(2, 4, 3, 2).astype(F)
    g.add('LayerNorm', [x] + [p.astype(F) for p in v[2:4]], {'axis': -3, 'eps': .1})
    g.add('InstanceNorm', [x] + [p.astype(F) for p in v[2:4]], {'eps': .1})
    g.add('InstanceNorm', [x[..., 0]] + [p.astype(F) for p in v[2:4]])
    for mode in ('instance', 'channel', 'spatial'):
        g.add('L2Normalization', [x], {'mode': mode})
        g.add('L2Normalization', [x], {'mode': mode, 'eps': .5})
    g.add('L2Normalization', [x[:, 0, 0]], {'mode': 'spatial'})
    for attrs in ({'nsize': 3}, {'nsize': 5, 'alpha': .5, 'beta': .6, 'knorm': 1.}, {'nsize': 1, 'alpha': .3}):
        g.add('LRN', [rs.randn(2, 6, 3, 2).astype(F)], attrs)
    for attrs in ({'axes': [0, 2]}, {'axes': [1], 'keepdims': True}, {}):
        g.add('moments', [x[..., 0]], attrs)


def sequences(g, rs):
    x = rs.randn(4, 3, 2).astype(F)
    lengths = np.array([1, 4, 2], F)
    for op in ('SequenceMask', 'SequenceReverse', 'SequenceLast'):
        g.add(op, [x], grad=op == 'SequenceMask')
        # the real one's gradients of the last two crash now and then
        g.add(op, [x, lengths], {'use_sequence_length': True}, wrt=(0,), grad=op == 'SequenceMask')
    g.add('SequenceMask', [x, lengths[:2] + 1], {'use_sequence_length': True, 'axis': 1, 'value': 7.}, wrt=(0,))
    g.add('SequenceLast', [x.astype('float64')], {'axis': 1}, grad=False)
    for mode, gates in (('rnn_relu', 1), ('rnn_tanh', 1), ('lstm', 4), ('gru', 3)):
        for layers, directions in ((1, 1), (2, 1), (2, 2)):
            for outputs in (False, True):
                rows, size = gates * 3, 3
                count = directions * sum(rows * ((2 if k == 0 else directions * size) + size + 2)
                                         for k in range(layers))
                state = [rs.randn(layers * directions, 3, size).astype(F) for _ in range(2 if gates == 4 else 1)]
                g.add('RNN', [x, (rs.randn(count) * .5).astype(F)] + state, {
                    'mode': mode, 'state_size': size, 'num_layers': layers, 'bidirectional': directions == 2,
                    'state_outputs': outputs})
    x = x.astype('float64')
    g.add('RNN', [x, rs.randn(84) * .5, rs.randn(1, 3, 3), rs.randn(1, 3, 3)],
          {'mode': 'lstm', 'state_size': 3, 'num_layers': 1, 'state_outputs': True})


def small_ones(g, rs):
    x = rs.randn(3, 2, 12).astype(F)
    g.add('contrib.interleaved_matmul_selfatt_qk', [x], {'heads': 2})
    g.add('contrib.interleaved_matmul_selfatt_valatt', [x, rs.rand(4, 3, 3).astype(F)], {'heads': 2})
    g.add('contrib.interleaved_matmul_encdec_qk', [x[..., :4], rs.randn(5, 2, 8).astype(F)], {'heads': 2})
    g.add('contrib.interleaved_matmul_encdec_valatt', [x[..., :8], rs.rand(4, 5, 3).astype(F)], {'heads': 2})
    g.add('contrib.div_sqrt_dim', [x])
    g.add('contrib.quadratic', [x[0]], {'a': .5, 'b': -1., 'c': 2.})
    g.add('contrib.gradientmultiplier', [x[0]], {'scalar': -.5})
    g.add('contrib.round_ste', [x[0] * 2])
    g.add('contrib.sign_ste', [x[0]])
    g.add('contrib.index_array', [x[0]], grad=False)
    g.add('contrib.index_array', [x], {'axes': [0, 2]}, grad=False)
    g.add('contrib.index_copy', [x[:, 0], np.array([2, 0]), x[:2, 1]])


def images(g, rs):
    x = rs.randn(1, 2, 2, 3).astype(F)
    g.add('UpSampling', [x], {'scale': 3, 'sample_type': 'nearest'})
    two = [x, rs.randn(1, 2, 4, 6).astype(F)]
    g.add('UpSampling', two, {'scale': 4, 'sample_type': 'nearest', 'num_args': 2})
    g.add('UpSampling', two, {'scale': 4, 'sample_type': 'nearest', 'num_args': 2, 'multi_input_mode': 'sum'})
    for scale, k in ((2, 4), (3, 5)):
        g.add('UpSampling', [x, rs.rand(2, 1, k, k).astype(F)], {
            'scale': scale, 'sample_type': 'bilinear', 'num_filter': 2, 'num_args': 2})
    x = rs.randn(1, 2, 4, 5).astype(F)
    g.add('Crop', [x], {'h_w': [2, 3], 'offset': [1, 2], 'num_args': 1})
    g.add('Crop', [x], {'h_w': [2, 2], 'center_crop': True, 'num_args': 1})
    g.add('Crop', [x, rs.randn(1, 1, 3, 2).astype(F)], {'offset': [1, 0], 'num_args': 2}, wrt=(0,))


def samplers(g, rs):
    x = rs.randn(2, 3, 4, 5).astype(F)
    g.add('BilinearSampler', [x, rs.uniform(-1.3, 1.3, (2, 2, 3, 2)).astype(F)])
    loc = rs.uniform(-.8, .8, (2, 6)).astype(F)
    g.add('GridGenerator', [loc], {'transform_type': 'affine', 'target_shape': [2, 3]})
    g.add('GridGenerator', [rs.randn(2, 2, 3, 4).astype(F)], {'transform_type': 'warp'})
    g.add('SpatialTransformer', [x, loc], {'target_shape': [3, 2], 'transform_type': 'affine',
                                           'sampler_type': 'bilinear'})


def losses(g, rs):
    x, label = rs.randn(5, 2, 4).astype(F), np.array([[1, 2, 0], [3, 1, 1]], F)
    g.add('CTCLoss', [x, label], wrt=(0,))
    g.add('ctc_loss', [x, np.array([[1, 2, -1], [0, 1, 1]], F)], {'blank_label': 'last'}, wrt=(0,))
    lengths = [np.array([4, 5], F), np.array([1, 2], F)]
    g.add('CTCLoss', [x, label] + lengths, {'use_data_lengths': True, 'use_label_lengths': True}, wrt=(0,))
    g.add('CTCLoss', [x[:3], np.array([[1, 1, 1], [1, 2, 3]], F)], grad=False)
    for attrs in ({}, {'margin': .5, 'regularization_coefficient': 2.}, {'use_linear': True}):
        g.add('SVMOutput', [rs.randn(3, 4).astype(F), np.array([0, 3, 1], F)], attrs, wrt=(0,))


def main():
    g = Layers()
    pooling(g, g.rs)
    batch_norm(g, g.rs)
    row_norms(g, g.rs)
    sequences(g, g.rs)
    small_ones(g, g.rs)
    images(g, g.rs)
    losses(g, g.rs)
    samplers(g, g.rs)
    dump('layers.json', g.cases)
    np.savez_compressed(path('layers.npz'), **g.arrays)
    print('%d cases, %d errors' % (len(g.cases), sum('error' in c for c in g.cases)))


if __name__ == '__main__':
    sys.exit(main())
