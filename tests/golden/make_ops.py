"""Calls of operators with their results and gradients."""
from _golden import dump, Ops, path  # first: it sets what MXNet reads when it is imported
import numpy as np

def ops_files():
    g = Ops()
    rs = g.rs
    f32 = np.float32
    A = rs.randn(2, 3).astype(f32)
    B = rs.randn(2, 3).astype(f32)
    R3 = rs.randn(3).astype(f32)
    C21 = rs.randn(2, 1).astype(f32)
    T = rs.randn(2, 3, 4).astype(f32)
    P = (np.abs(rs.randn(2, 3)) + .25).astype(f32)      # positive
    U = rs.uniform(-.9, .9, (2, 3)).astype(f32)         # (-1, 1)
    Z = np.array([-2.5, -1.5, -.5, -0., 0., .5, 1.5, 2.5, 3.], f32)
    S = np.array([np.nan, np.inf, -np.inf, 0., 1.], f32)
    I = np.array([[-7, 7, 3], [2, 0, 5]], np.int32)
    J = np.array([[2, -2, 5], [3, 4, 1]], np.int32)
    L = np.array([[2**40 + 1, -5], [7, 3]], np.int64)
    K = np.array([[250, 3], [7, 100]], np.uint8)
    D = rs.randn(2, 3)                                   # float64
    H = rs.randn(2, 3).astype(np.float16)
    dt = lambda a, t: np.asarray(a).astype(t)

    # binary, with and without broadcasting
    for op in ('broadcast_add', 'broadcast_sub', 'broadcast_mul', 'broadcast_div',
               'broadcast_mod', 'broadcast_maximum', 'broadcast_minimum',
               'broadcast_hypot', 'broadcast_equal', 'broadcast_not_equal',
               'broadcast_greater', 'broadcast_greater_equal', 'broadcast_lesser',
               'broadcast_lesser_equal', 'broadcast_logical_and',
               'broadcast_logical_or', 'broadcast_logical_xor'):
        g.add(op, [A, B])
        g.add(op, [A, R3])
        g.add(op, [C21, R3.reshape(1, 3)])
    g.add('broadcast_add', [T, R3.reshape(1, 3, 1)])
    g.add('broadcast_mul', [T, T[:1]])
    g.add('broadcast_power', [P, B])
    g.add('broadcast_power', [P, R3])
    g.add('broadcast_plus', [A, R3])
    g.add('broadcast_minus', [A, R3])
    for op in ('elemwise_add', 'elemwise_sub', 'elemwise_mul', 'elemwise_div'):
        g.add(op, [A, B])
        g.add(op, [I, J])
    for op in ('add', 'subtract', 'multiply', 'divide', 'modulo', 'maximum', 'minimum',
               'equal', 'not_equal', 'greater', 'greater_equal', 'lesser',
               'lesser_equal', 'logical_and', 'logical_or', 'logical_xor'):
        g.add(op, [A, R3])
        if op not in ('divide',):
            g.add(op, [I, J])
    g.add('divide', [I, np.where(J == 0, 1, J).astype(np.int32)])
    g.add('power', [P, R3])
    g.add('maximum', [A, A], note='ties')
    g.add('minimum', [A, A], note='ties')
    g.add('maximum', [S, S[::-1].copy()], grad=False)
    g.add('broadcast_add', [L, L])
    g.add('broadcast_mul', [K, K], note='uint8 wraps')
    g.add('broadcast_add', [D, D])
    g.add('broadcast_mul', [H, H])
    g.add('broadcast_add', [A, rs.randn(2).astype(f32)], note='not broadcastable')
    g.add('broadcast_add', [A, I], note='mixed dtypes')
    g.add('elemwise_add', [A, R3.reshape(1, 3)], note='elemwise does not broadcast')
    g.add('add_n', [A, B, A])
    g.add('ElementWiseSum', [A, B])

    # unary
    for op in ('exp', 'expm1', 'sin', 'cos', 'tan', 'arctan', 'sinh', 'cosh', 'tanh',
               'arcsinh', 'sigmoid', 'relu', 'softsign', 'erf', 'square', 'abs', 'sign',
               'negative', 'cbrt', 'degrees', 'radians', 'hard_sigmoid', 'identity',
               'BlockGrad', 'stop_gradient', 'logical_not', 'zeros_like', 'ones_like',
               'make_loss'):
        g.add(op, [A])
        g.add(op, [Z])
    for op in ('exp', 'log', 'sqrt', 'abs', 'sign', 'tanh', 'sigmoid', 'relu'):
        g.add(op, [S], grad=False, note='nan inf -inf 0 1')
        g.add(op, [D if op not in ('log', 'sqrt') else np.abs(D)])
        g.add(op, [H if op not in ('log', 'sqrt') else np.abs(H)])
    for op in ('log', 'log2', 'log10', 'log1p', 'sqrt', 'rsqrt', 'rcbrt', 'reciprocal',
               'gamma', 'gammaln'):
        g.add(op, [P])
    for op in ('arcsin', 'arccos', 'arctanh', 'erfinv'):
        g.add(op, [U])
    g.add('arccosh', [P + 1])
    for op in ('round', 'rint', 'ceil', 'floor', 'fix', 'trunc'):
        g.add(op, [Z])
        g.add(op, [A * 3])
        g.add(op, [I])
    for op in ('exp', 'sqrt', 'square', 'abs', 'sign', 'negative', 'relu', 'logical_not', 'sigmoid'):
        g.add(op, [np.abs(I) if op == 'sqrt' else np.clip(I, -3, 8).astype(np.int32)],
              note='integers: computed in float, truncated')
    g.add('smooth_l1', [A], {'scalar': 1.0})
    g.add('smooth_l1', [A], {'scalar': 2.0})
    g.add('hard_sigmoid', [A], {'alpha': .5, 'beta': .25})
    g.add('clip', [A], {'a_min': -.5, 'a_max': .5})
    g.add('clip', [Z], {'a_min': -1.5, 'a_max': .5}, note='ties at the bounds')
    g.add('clip', [I], {'a_min': -1.5, 'a_max': 4.5})
    for t in ('float32', 'float64', 'float16', 'int32', 'int64', 'int8', 'uint8', 'bool'):
        g.add('cast', [A * 2], {'dtype': t})
        g.add('Cast', [I], {'dtype': t})

    # softmax family
    for op in ('softmax', 'log_softmax', 'softmin'):
        g.add(op, [A])
        g.add(op, [T], {'axis': 1})
        g.add(op, [A], {'axis': 0, 'temperature': 2.0})
    g.add('softmax', [D])
    g.add('softmax', [A], {'dtype': 'float64'})
    g.add('softmax', [A * 100], note='stable')
    g.add('softmax', [A, np.array([1, 3], np.int32)], {'use_length': True})
    g.add('SoftmaxActivation', [A])
    g.add('SoftmaxActivation', [T], {'mode': 'channel'})
    lab = np.array([2, 0], f32)
    g.add('SoftmaxOutput', [A, lab])
    for at in ({'grad_scale': 2.0}, {'normalization': 'batch'}, {'normalization': 'valid'},
               {'use_ignore': True, 'ignore_label': 0.0},
               {'use_ignore': True, 'ignore_label': 0.0, 'normalization': 'valid'},
               {'smooth_alpha': .1}, {'out_grad': True}):
        g.add('SoftmaxOutput', [A, lab], at)
    g.add('SoftmaxOutput', [T, np.array([[0, 1, 2, 0], [1, 1, 2, 0]], f32)], {'multi_output': True})
    g.add('SoftmaxOutput', [T, np.array([[0, 1, 3], [1, 1, 2]], f32)], {'preserve_shape': True})
    for op in ('LinearRegressionOutput', 'LogisticRegressionOutput', 'MAERegressionOutput'):
        g.add(op, [A, B])
        g.add(op, [A, B], {'grad_scale': .5})
    g.add('MakeLoss', [A], {'grad_scale': 3.0})
    g.add('MakeLoss', [A], {'normalization': 'batch'})
    g.add('softmax_cross_entropy', [A, lab], wrt=[0])

    # layers
    for act in ('relu', 'sigmoid', 'tanh', 'softrelu', 'softsign'):
        g.add('Activation', [A], {'act_type': act})
    g.add('Activation', [A], {'act_type': 'foo'}, note='bad enum')
    g.add('Activation', [A], note='missing attribute')
    for act in ('leaky', 'elu', 'selu', 'gelu'):
        g.add('LeakyReLU', [A], {'act_type': act})
    g.add('LeakyReLU', [A], {'act_type': 'leaky', 'slope': .1})
    g.add('LeakyReLU', [A, np.array([.1, .2, .3], f32)], {'act_type': 'prelu'})
    W = rs.randn(4, 3).astype(f32)
    b4 = rs.randn(4).astype(f32)
    g.add('FullyConnected', [A, W, b4], {'num_hidden': 4})
    g.add('FullyConnected', [A, W], {'num_hidden': 4, 'no_bias': True})
    g.add('FullyConnected', [T, rs.randn(4, 12).astype(f32), b4], {'num_hidden': 4})
    g.add('FullyConnected', [T, rs.randn(5, 4).astype(f32), rs.randn(5).astype(f32)],
          {'num_hidden': 5, 'flatten': False})
    g.add('FullyConnected', [A, W], {'num_hidden': 4}, note='bias missing')
    g.add('FullyConnected', [A, W, b4], note='num_hidden missing')
    g.add('FullyConnected', [A, W.T.copy(), b4], {'num_hidden': 4}, note='bad weight shape')
    g.add('Embedding', [np.array([[0, 2], [3, 9]], f32), W], {'input_dim': 4, 'output_dim': 3}, wrt=[1])
    g.add('Embedding', [np.array([1, 1], np.int32), W], {'input_dim': 4, 'output_dim': 3}, wrt=[1])
    g.add('Dropout', [A], {'p': .5}, note='not training: identity')
    g.add('LayerNorm', [A, P[0], R3])
    g.add('LayerNorm', [T, b4, b4], {'axis': -1, 'eps': 1e-3})
    g.add('L2Normalization', [A])
    g.add('L2Normalization', [T], {'mode': 'channel'})
    g.add('BatchNorm', [T, R3, R3, R3 * 0, R3 * 0 + 1], {'fix_gamma': False}, note='global statistics', grad=False)
    g.add('BatchNorm', [T, R3, R3, R3 * 0, R3 * 0 + 1], {'fix_gamma': False}, train=True, note='batch statistics', wrt=[0, 1, 2])

    # reductions
    for op in ('sum', 'mean', 'prod', 'max', 'min', 'nansum', 'nanprod'):
        g.add(op, [A])
        g.add(op, [T], {'axis': 1})
        g.add(op, [T], {'axis': [0, 2]})
        g.add(op, [T], {'axis': -1, 'keepdims': True})
        g.add(op, [T], {'axis': 1, 'exclude': True})
        g.add(op, [T], {'keepdims': True})
    for op in ('sum', 'max', 'min', 'prod', 'mean'):
        g.add(op, [I], {'axis': 1})
        g.add(op, [K], note='uint8')
        g.add(op, [D], {'axis': 0})
        g.add(op, [S], grad=False, note='nan inf -inf 0 1')
    g.add('nansum', [S[[0, 3, 4]]])
    g.add('max', [np.array([[1, 3, 3], [2, 2, 0]], f32)], {'axis': 1}, note='ties')
    g.add('min', [np.array([[1, 1, 3], [2, 0, 0]], f32)], {'axis': 1}, note='ties')
    g.add('sum', [A], {'axis': 2}, note='bad axis')
    g.add('sum', [A], {'axis': [0, 0]}, note='duplicates')
    g.add('sum_axis', [A], {'axis': 1})
    g.add('max_axis', [A], {'axis': 1})
    g.add('norm', [A])
    for at in ({'axis': 1}, {'axis': 0, 'keepdims': True}, {'axis': [0, 1]}, {'ord': 1},
               {'ord': 1, 'axis': 1}):
        g.add('norm', [A], at)
    g.add('norm', [D])
    M = np.array([[1, 5, 5, 2], [7, 0, 7, 0]], f32)
    for op in ('argmax', 'argmin'):
        g.add(op, [M])
        g.add(op, [M], {'axis': 0})
        g.add(op, [M], {'axis': 1})
        g.add(op, [M], {'axis': -1, 'keepdims': True})
        g.add(op, [I], {'axis': 1})
        g.add(op, [D], {'axis': 1})
        g.add(op, [S], {'axis': 0}, note='nan')
    g.add('argmax_channel', [M])
    g.add('cumsum', [T], {'axis': 1})
    g.add('cumsum', [A])
    g.add('topk', [A], {'k': 2})
    g.add('topk', [A], {'k': 2, 'ret_typ': 'value'})
    g.add('topk', [A], {'k': 2, 'ret_typ': 'both', 'is_ascend': True})
    g.add('topk', [A], {'k': 2, 'ret_typ': 'mask'})
    g.add('topk', [A], {'k': 1, 'axis': 0, 'dtype': 'int32'})
    g.add('topk', [A], {'k': 3, 'axis': None})
    g.add('sort', [A])
    g.add('sort', [A], {'axis': 0, 'is_ascend': False})
    g.add('argsort', [A])
    g.add('argsort', [A], {'is_ascend': False, 'dtype': 'int32'})

    # shape
    for shape in ([3, 2], [-1], [0, -1], [-2], [-3], [-4, 1, 2, -2], [2, 3, 1]):
        g.add('reshape', [A], {'shape': shape})
    g.add('reshape', [T], {'shape': [-1, 0], 'reverse': True})
    g.add('reshape_like', [A, rs.randn(3, 2).astype(f32)])
    g.add('Flatten', [T])
    g.add('flatten', [R3])
    g.add('transpose', [A])
    g.add('transpose', [T], {'axes': [1, 2, 0]})
    g.add('swapaxes', [T], {'dim1': 0, 'dim2': 2})
    g.add('expand_dims', [A], {'axis': 1})
    g.add('expand_dims', [A], {'axis': -1})
    g.add('squeeze', [C21])
    g.add('squeeze', [T[:1]], {'axis': 0})
    g.add('squeeze', [A], {'axis': 0}, note='not one')
    g.add('broadcast_to', [C21], {'shape': [2, 4]})
    g.add('broadcast_to', [C21], {'shape': [0, 4]})
    g.add('broadcast_axis', [T[:1]], {'axis': 0, 'size': 3})
    g.add('broadcast_axis', [T[:1, :, :1]], {'axis': [0, 2], 'size': [2, 5]})
    g.add('broadcast_like', [C21, A])
    g.add('tile', [A], {'reps': [2, 2]})
    g.add('tile', [A], {'reps': [2]})
    g.add('tile', [A], {'reps': [2, 1, 2]})
    g.add('repeat', [A], {'repeats': 2})
    g.add('repeat', [A], {'repeats': 2, 'axis': 1})
    g.add('flip', [A], {'axis': 1})
    g.add('reverse', [A], {'axis': [0, 1]})
    g.add('concat', [A, C21])
    g.add('concat', [A, B], {'dim': 0})
    g.add('Concat', [T, T], {'dim': -1})
    g.add('concat', [I, J], {'dim': 0})
    g.add('concat', [A, T], {'dim': 0}, note='bad ranks')
    g.add('stack', [A, B])
    g.add('stack', [A, B], {'axis': 1})
    g.add('stack', [A, B], {'axis': -1})
    g.add('split', [T], {'num_outputs': 3})
    g.add('split', [T], {'num_outputs': 2, 'axis': 0, 'squeeze_axis': True})
    g.add('SliceChannel', [T], {'num_outputs': 2, 'axis': 2})
    g.add('split', [A], {'num_outputs': 1})
    g.add('slice', [T], {'begin': [0, 1], 'end': [2, 3]})
    g.add('slice', [T], {'begin': [None, -1], 'end': [None, None], 'step': [1, -2]})
    g.add('slice_axis', [T], {'axis': 1, 'begin': 1, 'end': None})
    g.add('slice_axis', [T], {'axis': -1, 'begin': -3, 'end': -1})
    g.add('slice_axis', [T], {'axis': 1, 'begin': 1, 'end': 9}, note='end too large')
    g.add('slice_like', [T, T[:1, :2, :3]])
    g.add('slice_like', [T, A], note='ranks differ')
    g.add('slice_like', [T, np.zeros((1, 2, 2), f32)], {'axes': [1, 2]})
    X4 = rs.randn(1, 2, 2, 3).astype(f32)
    pw = [0, 0, 0, 0, 1, 1, 1, 1]
    g.add('pad', [X4], {'mode': 'constant', 'pad_width': pw, 'constant_value': 1.5})
    g.add('pad', [X4], {'mode': 'edge', 'pad_width': pw})
    g.add('pad', [X4], {'mode': 'reflect', 'pad_width': pw})
    g.add('diag', [R3])
    g.add('diag', [A], {'k': 1})
    g.add('shape_array', [T])
    g.add('size_array', [T])

    # indexing
    g.add('take', [W, np.array([0, 9, -1, 1], f32)])
    g.add('take', [W, np.array([0, 9, -1, 1], f32)], {'mode': 'wrap'})
    g.add('take', [W, np.array([[0, 2], [1, 1]], np.int32)], {'axis': 1})
    g.add('take', [T, np.array([1, 1.9], f32)], {'axis': -1})
    g.add('pick', [A, np.array([0, 2], f32)])
    g.add('pick', [A, np.array([0, 9], f32)], {'keepdims': True})
    g.add('pick', [A, np.array([0, 1, 1], f32)], {'axis': 0})
    g.add('pick', [A, np.array([-1, 4], f32)], {'mode': 'wrap'})
    g.add('one_hot', [np.array([0, 2, 5, -1], f32)], {'depth': 3})
    g.add('one_hot', [np.array([[0, 2]], np.int32)], {'depth': 3, 'on_value': 2.0, 'off_value': -1.0, 'dtype': 'int32'})
    g.add('gather_nd', [A, np.array([[0, 1, 0], [2, 1, 2]], f32)])
    g.add('scatter_nd', [np.array([5, 6], f32), np.array([[0, 1], [1, 0]], f32)], {'shape': [2, 3]})
    g.add('where', [dt(A > 0, f32), A, B])
    g.add('where', [dt(A > 0, np.int32), A, B])
    g.add('where', [np.array([1, 0], f32), A, B], note='rows')
    g.add('batch_take', [A, np.array([0, 2], np.int32)])
    g.add('SequenceMask', [T, np.array([1, 2, 0], f32)], {'use_sequence_length': True, 'value': -1.0})

    # products
    g.add('dot', [A, W.T.copy()])
    g.add('dot', [A, W], {'transpose_b': True})
    g.add('dot', [A, B], {'transpose_a': True})
    g.add('dot', [R3, R3])
    g.add('dot', [A, R3])
    g.add('dot', [T, b4])
    g.add('dot', [T, rs.randn(4, 2).astype(f32)])
    g.add('dot', [D, D.T.copy()])
    g.add('dot', [A, B], note='bad shapes')
    g.add('dot', [I, J.T.copy()], note='integers')
    T2 = rs.randn(2, 4, 2).astype(f32)
    g.add('batch_dot', [T, T2])
    g.add('batch_dot', [T, T], {'transpose_b': True})
    g.add('batch_dot', [T, T], {'transpose_a': True})
    g.add('batch_dot', [A, B], note='not 3-D')
    g.add('khatri_rao', [A, B], grad=False)

    np.savez_compressed(path('ops.npz'), **g.arrays)
    dump('ops.json', g.cases)
    bad = [c for c in g.cases if 'error' in c and 'note' not in c]
    for c in bad:
        print('unexpected error:', c['op'], c['attrs'], c['error'])
    return g
