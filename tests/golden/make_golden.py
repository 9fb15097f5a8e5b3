"""Make the golden files of this folder with the real Apache MXNet 1.9.1.

    benchmarks/peers/setup.sh mxnet
    .peers/mxnet/bin/python tests/golden/make_golden.py [OUTPUT_FOLDER]

It imports nothing but MXNet, NumPy and the standard library. The formats are
described in README.md beside this file. Runs in a few seconds, is
deterministic (same inputs each time), and prints a summary.
"""
import json
import os
import re
import sys
import warnings

warnings.simplefilter('ignore')
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MXNET_SUBGRAPH_BACKEND', 'NONE')
import numpy as np
import mxnet as mx
from mxnet import nd, autograd

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
assert mx.__version__ == '1.9.1', mx.__version__


def path(name):
    return os.path.join(OUT, name)


def dump(name, obj, one_per_line=True):
    """JSON, one case a line (small diffs), NaN/Infinity as Python's json writes them."""
    with open(path(name), 'w') as f:
        if isinstance(obj, list) and one_per_line:
            f.write('[\n' + ',\n'.join(json.dumps(x) for x in obj) + '\n]\n')
        else:
            json.dump(obj, f, indent=1)
            f.write('\n')


def error_of(exc):
    """Class name and the line of the message that says something."""
    lines = [l.strip() for l in str(exc).strip().splitlines() if l.strip()]
    lines = [l for l in lines if not l.startswith(('Traceback', 'File "'))] or ['']
    text = re.sub(r'\[\d\d:\d\d:\d\d\] \S+:\d+: ', '', lines[0])   # time, source line
    return {'type': type(exc).__name__, 'text': text[:300]}


def value_of(a):
    """A small array as JSON: dtype, shape, flat values."""
    n = a.asnumpy()
    return {'dtype': np.dtype(a.dtype).name, 'shape': list(a.shape),
            'value': n.ravel().tolist()}


# ---------------------------------------------------------------- .params

def params_files():
    rs = np.random.RandomState(7)
    d = {}
    for dt in ('float32', 'float64', 'float16'):
        d[dt] = nd.array(rs.randn(2, 3), dtype=dt)
    d['uint8'] = nd.array(rs.randint(0, 256, (3, 2)), dtype='uint8')
    d['int32'] = nd.array(rs.randint(-2**31, 2**31 - 1, (2, 2)), dtype='int32')
    d['int8'] = nd.array(rs.randint(-128, 128, (5,)), dtype='int8')
    d['int64'] = nd.array(rs.randint(-2**62, 2**62, (2, 1, 2)), dtype='int64')
    d['bool'] = nd.array(np.array([True, False, True]), dtype='bool')
    d['one'] = nd.array([42.5])
    d['one_4d'] = nd.ones((1, 1, 1, 1))
    d['specials'] = nd.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4028235e38])
    d['large_dims'] = nd.arange(600).reshape((300, 2))
    d['dims6'] = nd.arange(24).reshape((1, 2, 3, 1, 2, 2))
    d['strided_source'] = nd.arange(12).reshape((3, 4))[:, 1]
    d['view_source'] = nd.arange(12).reshape((3, 4))[1:3]
    d['arg:fc1_weight'] = nd.array(rs.randn(4, 3))
    d['aux:bn_moving_mean'] = nd.zeros((4,))
    d[u'name \u00e9\u4e2d'] = nd.array([1., 2.])
    d[''] = nd.array([3.])
    nd.save(path('params_dict.params'), d)
    lst = [d['float32'], d['int64'], d['uint8'], d['bool'], d['one'], nd.arange(3)]
    nd.save(path('params_list.params'), lst)
    # empty containers, a single array, and zero-size arrays (no names).
    nd.save(path('params_empty.params'), [])
    nd.save(path('params_single.params'), nd.array([1., 2., 3.]))
    nd.save(path('params_zero_size.params'), {'zero_rows': nd.ones((2, 3))[0:0],
                                              'after': nd.array([5.])})
    # what they hold, for tests that have no MXNet
    arrays, index = {}, {}
    for i, (k, v) in enumerate(d.items()):
        arrays['d%d' % i] = v.asnumpy()
        index['d%d' % i] = k
    for i, v in enumerate(lst):
        arrays['l%d' % i] = v.asnumpy()
    np.savez_compressed(path('params.npz'), **arrays)
    back = nd.load(path('params_zero_size.params'))
    dump('params.json', {
        'dict_keys': index, 'list_len': len(lst),
        'empty_loads_as': repr(nd.load(path('params_empty.params'))),
        'single_loads_as': 'list of %d' % len(nd.load(path('params_single.params'))),
        'zero_size_loads_as': {k: list(v.shape) for k, v in back.items()},
    }, False)
    # 0-d array: MXNet writes a file that it cannot read back; not kept.


# ---------------------------------------------------------------- MLP checkpoint

def mlp():
    with mx.name.NameManager():
        data = mx.sym.Variable('data')
        net = mx.sym.FullyConnected(data, name='fc1', num_hidden=8)
        net = mx.sym.Activation(net, name='relu1', act_type='relu')
        net = mx.sym.FullyConnected(net, name='fc2', num_hidden=3)
        return mx.sym.SoftmaxOutput(net, name='softmax')


def mlp_files():
    rs = np.random.RandomState(3)
    net = mlp()
    x = rs.randn(4, 5).astype('f')
    y = np.array([0, 2, 1, 2], 'f')
    arg = {'fc1_weight': rs.randn(8, 5) * .5, 'fc1_bias': rs.randn(8) * .1,
           'fc2_weight': rs.randn(3, 8) * .5, 'fc2_bias': rs.randn(3) * .1}
    arg = {k: nd.array(v.astype('f')) for k, v in arg.items()}
    cwd = os.getcwd()
    os.chdir(OUT)
    mx.model.save_checkpoint('mlp', 1, net, arg, {})
    os.chdir(cwd)
    ex = net.simple_bind(mx.cpu(), data=x.shape)
    ex.copy_params_from(arg)
    ex.arg_dict['data'][:] = x
    ex.arg_dict['softmax_label'][:] = y
    out = ex.forward(is_train=True)[0].asnumpy()
    ex.backward()
    res = {'data': x, 'label': y, 'output': out}
    for k, g in ex.grad_dict.items():
        if k != 'softmax_label':
            res['grad_' + k] = g.asnumpy()
    # five SGD steps through Module (lr .1, momentum .9, wd .01), same batch
    m = mx.mod.Module(net)
    it = mx.io.NDArrayIter(x, y, batch_size=4)
    m.bind(it.provide_data, it.provide_label)
    m.init_params(arg_params={k: v.copy() for k, v in arg.items()}, aux_params={})
    m.init_optimizer(optimizer='sgd', optimizer_params={
        'learning_rate': .1, 'momentum': .9, 'wd': .01})
    b = next(it)
    for _ in range(5):
        m.forward_backward(b)
        m.update()
    for k, v in m.get_params()[0].items():
        res['after5_' + k] = v.asnumpy()
    np.savez_compressed(path('mlp.npz'), **res)


# ---------------------------------------------------------------- operators

class Ops(object):
    backward_trains = True      # whether or not the forward pass was in training mode

    def __init__(self):
        self.rs = np.random.RandomState(11)
        self.arrays, self.cases, self.known = {}, [], {}

    def put(self, a, prefix):
        a = np.asarray(a)
        key = (a.dtype.name, a.shape, a.tobytes())
        if key not in self.known:
            name = '%s%d' % (prefix, len(self.arrays))
            self.arrays[name] = a
            self.known[key] = name
        return self.known[key]

    def add(self, op, ins, attrs=None, grad=True, train=False, note=None, wrt=None):
        """nd.OP(*ins, **attrs); gradients with the heads passed to backward."""
        attrs = attrs or {}
        f = nd
        for part in op.split('.'):
            f = getattr(f, part)
        ins = [i if isinstance(i, nd.NDArray) else
               nd.array(i, dtype=np.asarray(i).dtype) for i in ins]
        case = {'op': op, 'args': [self.put(i.asnumpy(), 'i') for i in ins],
                'attrs': attrs}
        call = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
        if note:
            case['note'] = note
        if train:
            case['train'] = True
        try:
            wanted = [np.dtype(i.dtype).kind == 'f' and (wrt is None or k in wrt)
                      for k, i in enumerate(ins)]
            for i, w in zip(ins, wanted):
                if w:
                    i.attach_grad()
            try:
                with autograd.record(train_mode=train):
                    out = f(*ins, **call)
            except mx.MXNetError as e:      # works, but not while recording?
                out = f(*ins, **call)
                case['no_grad'] = error_of(e)
                grad = False
            outs = list(out) if isinstance(out, (list, tuple)) else [out]
            case['list'] = isinstance(out, (list, tuple))
            case['outputs'] = [self.put(o.asnumpy(), 'o') for o in outs]
            case['dtype'] = [np.dtype(o.dtype).name for o in outs]
            case['shape'] = [list(o.shape) for o in outs]
            case['grads'] = None
            case['head'] = None
            if grad and np.dtype(outs[0].dtype).kind == 'f' and \
                    any(wanted):
                try:
                    heads = []
                    for o in outs:
                        h = np.linspace(.5, 1.5, int(np.prod(o.shape))).reshape(o.shape)
                        heads.append(nd.array(h.astype(o.dtype), dtype=o.dtype))
                    autograd.backward(outs, heads, train_mode=train or self.backward_trains)
                    case['head'] = [self.put(h.asnumpy(), 'h') for h in heads]
                    case['grads'] = [self.put(i.grad.asnumpy(), 'g')
                                     if w else None for i, w in zip(ins, wanted)]
                except mx.MXNetError as e:
                    case['no_grad'] = error_of(e)
        except Exception as e:
            case['error'] = error_of(e)
        self.cases.append(case)
        return case


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


# ---------------------------------------------------------------- optimizers

def optimizer_files():
    """Weights after each of three updates: optimizers.json."""
    cases = []
    g0 = [[2., -.1, .5], [-1., .2, 3.], [.3, .3, -4.]]
    for name, kw in [('sgd', {}), ('sgd', {'momentum': .9}), ('sgd', {'wd': .1}),
                     ('sgd', {'momentum': .9, 'wd': .1, 'rescale_grad': .5, 'clip_gradient': .6}),
                     ('nag', {'momentum': .9}), ('nag', {'momentum': .9, 'wd': .1}),
                     ('adam', {}), ('adam', {'wd': .1, 'clip_gradient': .6}),
                     ('rmsprop', {}), ('rmsprop', {'centered': True}), ('adagrad', {}),
                     ('adadelta', {}), ('adamax', {}), ('nadam', {}), ('ftrl', {}), ('signum', {})]:
        kw = dict(kw)
        lr = kw.pop('learning_rate', .1)
        for idx, pname in ((0, 'w_weight'), (0, 'w_bias')):
            if pname == 'w_bias' and 'wd' not in kw:
                continue
            full = dict(kw)
            if name != 'adadelta':
                full['learning_rate'] = lr
            o = mx.optimizer.create(name, param_idx2name={0: pname}, **full)
            w = nd.array([1., -2., .5])
            st = o.create_state(0, w)
            hist = []
            try:
                for gr in g0:
                    o.update(0, w, nd.array(gr), st)
                    hist.append(w.asnumpy().tolist())
                cases.append({'optimizer': name, 'attrs': full, 'name': pname,
                              'weight': [1., -2., .5], 'grads': g0, 'after': hist})
            except Exception as e:
                cases.append({'optimizer': name, 'attrs': full, 'name': pname, 'error': error_of(e)})
    dump('optimizers.json', cases)


# ---------------------------------------------------------------- dtype rules

SCALARS = {'int': 3, 'float': 2.5, 'negative int': -2, 'bool': True,
           'np.float32': np.float32(2.5), 'np.int64': np.int64(3), 'np.float64': np.float64(.5)}


def dtype_files():
    import operator as O
    base = {'int32': [-7, 5, 2], 'int64': [-7, 5, 2**40 + 1], 'uint8': [250, 5, 2], 'int8': [-7, 120, 2],
            'float16': [-7, 5.5, 2], 'float32': [-7, 5.5, 2], 'float64': [-7, 5.5, 2],
            'bool': [1, 0, 1]}
    binary = [('add', O.add), ('sub', O.sub), ('mul', O.mul), ('truediv', O.truediv),
              ('floordiv', O.floordiv), ('mod', O.mod), ('pow', O.pow), ('eq', O.eq),
              ('ne', O.ne), ('lt', O.lt), ('le', O.le), ('gt', O.gt), ('ge', O.ge)]
    cases = []

    def run(c, f):
        try:
            c['out'] = value_of(f())
        except Exception as e:
            c['error'] = error_of(e)
        cases.append(c)

    for dt, vals in base.items():
        mk = lambda: nd.array(vals, dtype=dt)
        for name, f in binary:
            for sk, s in SCALARS.items():
                js = s.item() if isinstance(s, np.generic) else s
                integer = dt in ('int32', 'int64', 'uint8', 'int8', 'bool')
                c = {'op': name, 'dtype': dt, 'data': vals, 'scalar kind': sk, 'scalar': js}
                # an integer division by zero kills the MXNet process
                zero = integer and int(js) == 0
                if not (zero and name == 'truediv'):
                    run(c, lambda: f(mk(), s))
                c = dict(c)
                for k in ('out', 'error'):
                    c.pop(k, None)
                c['reversed'] = True
                if not (dt == 'bool' and name == 'truediv') and \
                        not (integer and name in ('pow',) and js < 0):
                    run(c, lambda: f(s, mk()))
        for other in base:
            for name, f in [('add', O.add), ('mul', O.mul), ('eq', O.eq)]:
                run({'op': name, 'dtype': dt, 'data': vals, 'other dtype': other,
                     'other': [1, 1, 1]}, lambda: f(mk(), nd.array([1, 1, 1], dtype=other)))
        for name in ('sum', 'mean', 'max', 'min', 'prod', 'norm', 'argmax', 'argmin', 'exp', 'sqrt',
                     'abs', 'sign', 'floor', 'round', 'relu', 'sigmoid', 'square', 'negative',
                     'logical_not', 'softmax', 'zeros_like', 'ones_like', 'sort', 'argsort'):
            if name in ('norm', ) and dt in ('int32', 'int64', 'uint8', 'int8', 'bool'):
                continue        # a quirk: 40 for [30, 40]
            if name in ('exp', 'sqrt', 'sigmoid') and dt in ('int32', 'int64', 'uint8', 'int8', 'bool'):
                d2 = [3, 1, 2]
            else:
                d2 = vals
            kw = {'axis': 0} if name in ('argmax', 'argmin', 'sort', 'argsort') else {}
            run({'op': 'nd.' + name, 'dtype': dt, 'data': d2, 'attrs': kw},
                lambda: getattr(nd, name)(nd.array(d2, dtype=dt), **kw))
        for name, f in [('neg', O.neg), ('abs', abs)]:
            run({'op': name, 'dtype': dt, 'data': vals}, lambda: f(mk()))
        for ip, f in [('iadd', O.iadd), ('imul', O.imul), ('isub', O.isub), ('itruediv', O.itruediv)]:
            run({'op': ip, 'dtype': dt, 'data': vals, 'scalar kind': 'int', 'scalar': 2},
                lambda: f(mk(), 2))
    for expr in ['nd.array([1, 2])', 'nd.array([1.5])', 'nd.array([True])', 'nd.array(3)',
                 'nd.array(np.array([1, 2]))', 'nd.array(np.array([1, 2], "int32"))',
                 'nd.array(np.array([1., 2]))', 'nd.array(np.array([1], "float16"))',
                 'nd.array(np.array([1], "uint8"))', 'nd.array(np.array([True]))',
                 'nd.array(nd.array([1], dtype="int32"))', 'nd.array([1], dtype=int)',
                 'nd.array([1], dtype=float)', 'nd.array([1], dtype="bool")',
                 'nd.array([1], dtype="int16")', 'nd.array([1], dtype="uint32")',
                 'nd.array(["a"])', 'nd.array([[1, 2], [3]])', 'nd.array([])', 'nd.array([nd.array([1])])',
                 'nd.arange(4)', 'nd.arange(1, 4, dtype="int32")', 'nd.arange(3, repeat=2)', 'nd.arange(5, 0, -2)',
                 'nd.arange(0, 1, 0.3)', 'nd.arange(0)', 'nd.zeros((2,))', 'nd.zeros(2)', 'nd.zeros((2,), dtype="int64")',
                 'nd.zeros(())', 'nd.zeros((0, 3))', 'nd.ones((1, 2))', 'nd.full((2,), 7)', 'nd.full((2,), 7.5, dtype="int32")',
                 'nd.eye(2)', 'nd.eye(2, 3, 1)', 'nd.linspace(0, 1, 5)', 'nd.linspace(0, 1, 4, endpoint=False)',
                 'nd.array([1.7, -1.7, 300]).astype("uint8")', 'nd.array([1.7, -1.7]).astype("int32")',
                 'nd.array([1.7, 0]).astype("bool")', 'nd.array([1.7]).astype(int)',
                 'nd.zeros((2,)) + np.zeros(2)', 'np.zeros(2) + nd.zeros((2,))', 'nd.zeros((2,)) == None',
                 'nd.zeros((2,)) != None', 'nd.zeros((2,)) + None', 'nd.zeros((2,)) < "a"', 'nd.zeros((2,)) + [1, 2]',
                 'nd.zeros((2, 3)) + nd.zeros((2,))', 'nd.zeros((2, 1)) + nd.zeros((1, 3))',
                 'nd.maximum(nd.array([1, 5]), 3)', 'nd.minimum(3, nd.array([1, 5]))', 'nd.power(2, nd.array([1, 2]))',
                 'nd.exp(np.ones(2))', 'nd.exp(1)', 'bool(nd.zeros((2,)))', 'nd.zeros((2,)).asscalar()',
                 'int(nd.zeros((2,)))', 'nd.array([1.]) @ nd.array([1.])', 'nd.array([1.]) // 2', '~nd.array([1.])']:
        c = {'expr': expr}
        try:
            r = eval(expr, {'nd': nd, 'np': np, 'mx': mx})
            c.update({'out': value_of(r)} if isinstance(r, nd.NDArray) else {'result': repr(r)})
        except Exception as e:
            c['error'] = error_of(e)
        cases.append(c)
    dump('dtype_rules.json', cases)


# ---------------------------------------------------------------- reshape and indexing

def reshape_files():
    cases = []
    for shape, tgt, kw in [
            ((2, 3, 4), (0, -1), {}), ((2, 3, 4), (-1,), {}), ((2, 3, 4), (6, 4), {}),
            ((2, 3, 4), (-2,), {}), ((2, 3, 4), (2, -2), {}), ((2, 3, 4), (-2, 1, 1), {}),
            ((2, 3, 4), (-3, 4), {}), ((2, 3, 4, 5), (-3, -3), {}), ((2, 3, 4), (0, -3), {}),
            ((2, 3, 4), (-3, -2), {}), ((2, 3, 4), (-4, 1, 2, -2), {}), ((2, 3, 4), (2, -4, -1, 3, -2), {}),
            ((2, 3, 4), (-4, -1, 2, 0, 0), {}), ((8, 3), (-4, 2, -1, 0), {}), ((8, 3), (-4, 4, 2, 3), {}),
            ((10, 5, 4), (-1, 0), {}), ((10, 5, 4), (-1, 0), {'reverse': True}),
            ((2, 3, 4), (-3, 0), {'reverse': True}), ((8, 3, 3, 3, 4, 4), (0, -1, 0), {'reverse': True}),
            ((2, 3, 4), (5, 5), {}), ((2, 3, 4), (2, 3), {}), ((2, 3, 4), (-1, 5), {}), ((2, 3, 4), (-1, -1), {}),
            ((2, 3, 4), (-5,), {}), ((2, 3, 4), (0, 0), {}), ((1,), (1, 1, 1), {}), ((6,), (2, 3), {}),
            ((2, 3), (3, 0), {}), ((2, 3), (0, 0, 0), {})]:
        c = {'kind': 'reshape', 'shape': list(shape), 'target': list(tgt), 'kwargs': kw}
        try:
            c['result'] = list(nd.zeros(shape).reshape(tgt, **kw).shape)
        except Exception as e:
            c['error'] = error_of(e)
        cases.append(c)
    # a = arange(n).reshape(shape); the key is Python source
    for shape, keys in [
            ((3, 4), ['0', '-1', '2', '3', '-4', '0, 0', '0, 4', '0, 0, 0', '1:3', '5:9', '1:100', '2:1', '-2:', ':-1', '::-1', '::2',
                      ':', '()', '...', ':, 1', ':, 1:3', ':, ::-2', '..., None', 'None', '..., 0', '1, ...', '1:2, 0', 'None, 0', '0, None',
                      '[0, 2]', '[2, -1]', '[0, 3]', '[0, 2], [1, 3]', '[0, 2], slice(None, 2)', ':, [0, 2]', '[[0], [2]], [1, 3]',
                      'np.array([0, 2])', 'np.int64(1)', 'nd.array([0, 2])', 'nd.array([0, 2], dtype="int32")',
                      'nd.array([[0, 2]], dtype="int64")', 'nd.array([0], dtype="int32"), 1', 'np.array([True, False, True])',
                      '[True, False, True]', 'nd.array([1, 0, 1], dtype="bool")', 'True', '1.0', '"x"', 'range(2)', '0:0', '1, 1:3', '1, ::2']),
            ((3,), ['0', '-1', '1:', '0, None', '[0, 2]', '[[0, 1], [2, 2]]', '3', '::-1', '...', 'nd.array([1.9])']),
            ((2, 3, 4), ['0', '1, 2', '1, 2, 3', '1, :, 2', ':, 1', ':, :, 1', '..., 1', '0, ..., 1', '[0, 1], :, [1, 2]', '[0, 1], 1, [1, 2]',
                         ':, [0, 1], 1', ':, [0, 1], [1, 2]', '1, [0, 2]', '[[0, 1], [1, 0]]', 'None, ..., None', '::-1, 1:, ::2', '0:1, 1', '0, 1:3', '0, :, 1:2'])]:
        for key in keys:
            env = {'nd': nd, 'np': np}
            mk = lambda: nd.arange(int(np.prod(shape))).reshape(shape)
            c = {'kind': 'getitem', 'shape': list(shape), 'key': key}
            a = mk()
            try:
                env['a'] = a
                r = eval('a[%s]' % key, env)
                c['out'] = value_of(r)
                c['same_object'] = r is a
                # a view when a write through it shows in a
                if 0 not in r.shape:
                    before = a.asnumpy()
                    r[:] = -1
                    c['view'] = bool((a.asnumpy() != before).any())
            except Exception as e:
                c['error'] = error_of(e)
            cases.append(c)
            got = c['out']['shape'] if 'out' in c else None
            for vk, val in (('scalar', '-5'), ('array', 'VALUE')):
                if key in ('[0, 3]', '[2, -1]'):   # MXNet writes out of bounds: heap corruption
                    continue
                a = mk()
                env = {'nd': nd, 'np': np, 'a': a}
                c2 = {'kind': 'setitem', 'shape': list(shape), 'key': key}
                try:
                    if vk == 'array':
                        if got is None or 0 in got:
                            continue
                        shp = tuple(got)
                        v = nd.array(-np.arange(1, int(np.prod(shp)) + 1).reshape(shp))
                        c2['assigned'] = value_of(v)
                        env['VALUE'] = v
                    else:
                        c2['assigned'] = -5
                    exec('a[%s] = %s' % (key, val), env)
                    c2['after'] = a.asnumpy().ravel().tolist()
                except Exception as e:
                    c2['error'] = error_of(e)
                cases.append(c2)
    # which methods give views: b = EXPR; b[:] = -1; does it show in a?
    for shape, expr in [((3, 4), e) for e in
                        ('a.reshape((4, 3))', 'a.reshape((4, 3), reverse=True)', 'nd.reshape(a, shape=(4, 3))', 'a.T', 'a.transpose()',
                         'a.flatten()', 'a.expand_dims(0)', 'a.slice_axis(axis=0, begin=0, end=1)', 'a.astype("float32")',
                         'a.astype("float32", copy=False)', 'a.as_in_context(mx.cpu())', 'a.detach()', 'a.copy()', 'nd.identity(a)',
                         'nd.BlockGrad(a)', 'a.broadcast_to((3, 4))', 'a.reshape((12,)).reshape((2, 6))[0]', 'a[1:3][0]', 'a[1:3].reshape((-1,))',
                         'a.swapaxes(0, 1)', 'a.squeeze()', 'nd.array(a)', 'nd.concat(a, dim=0)', 'a.split(num_outputs=2)[0]')]:
        c = {'kind': 'view', 'shape': list(shape), 'expr': expr}
        try:
            a = nd.arange(12).reshape(shape)
            b = eval(expr, {'nd': nd, 'np': np, 'mx': mx, 'a': a})
            before = a.asnumpy()
            b[:] = -1
            c['view'] = bool((a.asnumpy() != before).any())
            c['same_object'] = b is a
            c['after'] = a.asnumpy().ravel().tolist()
        except Exception as e:
            c['error'] = error_of(e)
        cases.append(c)
    for expr in ('nd.ones((2, 3))', 'nd.ones((2,), dtype="int32")', 'nd.array(3)', 'nd.ones((2, 3))[0:0]', 'nd.ones((1,))',
                 'nd.zeros((2, 1, 2), dtype="float16")', 'nd.arange(2000)', 'nd.array([True, False], dtype="bool")',
                 'nd.array([1.5, -2, 1e10, float("nan")])', 'nd.ones((2,), ctx=mx.cpu(1))', 'nd.arange(3000).reshape((60, 50))'):
        cases.append({'kind': 'repr', 'expr': expr, 'repr': repr(eval(expr, {'nd': nd, 'mx': mx}))})
    dump('reshape_cases.json', cases)


# ---------------------------------------------------------------- symbols

SYM_EXPRS = '''x+y x-y x*y x/y x%y x**y x+1 1+x x-1 1-x x*2 2*x x/2 2/x x%2 2%x x**2 2**x -x x==y x!=y x>y x>=y x<y x<=y x==1
x!=1 x>1 x>=1 x<1 x<=1 1<x x+0.5 x*-1 x*1e-7 x+True sym.maximum(x,y) sym.maximum(x,1) sym.minimum(1,x) sym.minimum(x,y) sym.pow(x,y) sym.pow(2,x) sym.hypot(x,y)
sym.hypot(x,1) abs(x) sym.exp(x) x.exp() sym.relu(x) sym.sigmoid(x) sym.Activation(x,act_type="relu") sym.FullyConnected(x,num_hidden=3)
sym.FullyConnected(x,num_hidden=3,name="fc1") sym.FullyConnected(x,num_hidden=3,no_bias=True,name="fc") sym.FullyConnected(num_hidden=3)
sym.FullyConnected(data=x,weight=y,num_hidden=3,flatten=False,name="fc") sym.broadcast_add(x,y) sym.broadcast_mul(x) sym.exp() sym.concat(x,y) sym.Concat(x,y,dim=0) sym.stack(x,y,axis=1)
sym.split(x,num_outputs=2) sym.SliceChannel(x,num_outputs=2) sym.sum(x) x.sum(axis=1) x.sum(axis=(0,1),keepdims=True) x.reshape((2,-1)) sym.Reshape(x,shape=(1,))
sym.reshape(x,shape=(1,)) x.reshape(shape=(0,-1)) sym.Flatten(x) sym.flatten(x) sym.SoftmaxOutput(x) sym.SoftmaxOutput(x,name="softmax") sym.SoftmaxOutput(x,y,name="softmax",grad_scale=0.5)
sym.softmax(x) sym.log_softmax(x,axis=1) sym.BlockGrad(x) sym.stop_gradient(x) sym.Dropout(x) sym.Dropout(x,p=0.3) sym.Embedding(x,input_dim=3,output_dim=2) sym.dot(x,y)
sym.dot(x,y,transpose_b=True) sym.transpose(x) sym.transpose(x,axes=(1,0)) sym.BatchNorm(x) sym.Convolution(x,kernel=(3,3),num_filter=2) sym.LeakyReLU(x) sym.LeakyReLU(x,act_type="prelu")
sym.add_n(x,y) sym.ElementWiseSum(x,y,name="ews") sym.Cast(x,dtype="int32") sym.cast(x,dtype="int32") x.astype("int32") sym.zeros((2,)) sym.ones((2,3),dtype="int32") sym.arange(3) sym.full((2,),3)
sym.eye(2) sym.random.uniform(shape=(2,)) sym.random.normal(0,1,(2,)) sym.random_uniform(shape=(2,)) sym.LinearRegressionOutput(x) sym.LogisticRegressionOutput(x,name="lro")
sym.MakeLoss(x) sym.make_loss(x) sym.slice_axis(x,axis=0,begin=0,end=None) sym.slice(x,begin=(0,None),end=(1,None)) sym.where(x,y,y) sym.topk(x,ret_typ="both",k=2) sym.topk(x) sym.norm(x) sym.SwapAxis(x) sym.swapaxes(x,dim1=0,dim2=1)
sym.identity(x) sym.zeros_like(x) sym.one_hot(x,depth=3) sym.mean(x) sym.LayerNorm(x) sym.logical_not(x) sym.broadcast_like(x,y) sym.elemwise_add(x,y) sym.Group([x,y]) sym.clip(x,0,1) sym.clip(x,a_min=0.0,a_max=1.5)
sym.take(x,y) sym.pick(x,y) sym.expand_dims(x,axis=1) sym.squeeze(x) sym.tile(x,reps=(2,2)) sym.argmax(x,axis=1) sym.batch_dot(x,y) sym.L2Normalization(x) sym.maximum(x,2.5) x+"a" x+None x==None sym.FullyConnected(x) sym.FullyConnected(x,num_hidden=3,foo=1) bool(x)
(x+1)*(y+2)+x sym.exp(x+y,name="e")*2 sym.Group([sym.exp(x),sym.split(y,num_outputs=2)]) sym.split(x,num_outputs=2)[1]+1'''.split()


def sym_files():
    sym = mx.sym
    cases = []
    shapes = {'x': (2, 4), 'y': (2, 4)}
    for e in SYM_EXPRS:
        c = {'expr': e}
        with mx.name.NameManager():
            try:
                s = eval(e, {'sym': sym, 'mx': mx, 'x': sym.Variable('x'), 'y': sym.Variable('y')})
                c.update({'shapes': {k: list(v) for k, v in shapes.items()}, 'name': s.name, 'repr': repr(s), 'arguments': s.list_arguments(), 'outputs': s.list_outputs(),
                          'aux': s.list_auxiliary_states(), 'json': json.loads(s.tojson())})
                kw = {k: v for k, v in shapes.items() if k in s.list_arguments()}
                try:
                    with open(os.devnull, 'w') as null:
                        old, sys.stdout = sys.stdout, null
                        try:
                            sh = s.infer_shape(**kw)
                        finally:
                            sys.stdout = old
                    c['infer_shape'] = [[list(t) for t in part] if part is not None else None for part in sh]
                except Exception as ex:
                    c['infer_shape_error'] = error_of(ex)
            except Exception as ex:
                c['error'] = error_of(ex)
        cases.append(c)
    dump('sym_cases.json', cases)
    # exact JSON text of a few graphs (the white space too)
    texts = {}
    with mx.name.NameManager():
        x, y = sym.Variable('x'), sym.Variable('y')
        texts['arith'] = (x * 2 + y).tojson()
        texts['group'] = sym.Group([sym.exp(x), sym.split(y, num_outputs=3)]).tojson()
        texts['variable'] = sym.Variable('w', shape=(2, 3), lr_mult=2.0, wd_mult=.5, dtype='float32',
                                         init=mx.init.One(), attr={'foo': 'bar'}).tojson()
        with mx.AttrScope(ctx_group='dev1', __lr_mult__='3'):
            texts['attr_scope'] = sym.FullyConnected(sym.Variable('d'), num_hidden=3, name='f').tojson()
        h = x
        for i in range(12):
            h = sym.FullyConnected(h, num_hidden=i + 1, no_bias=bool(i % 2))
        texts['deep'] = h.tojson()
    texts['mlp'] = mlp().tojson()
    dump('sym_json.json', texts, False)
    return cases


# ---------------------------------------------------------------- control flow

def control_flow_files():
    """Graphs of control_flow_programs.py: text, names, values, gradients of the sum of all outputs."""
    from control_flow_programs import PROGRAMS
    found = {}
    for name, (program, values) in PROGRAMS.items():
        with mx.name.NameManager():
            mx.AttrScope._subgraph_names.clear()
            net = mx.sym.Group(program(mx))
        arrays = {key: nd.array(value) for key, value in values.items()}
        grads = {key: nd.zeros(value.shape) for key, value in arrays.items()}
        trains = not name.startswith('cond')   # MXNet's bound _cond has no backward
        executor = net.bind(mx.cpu(), arrays, grads if trains else None, 'write' if trains else 'null')
        outputs = executor.forward(is_train=trains)
        found[name] = {
            'json': net.tojson(),
            'arguments': net.list_arguments(),
            'outputs': net.list_outputs(),
            'values': [out.asnumpy().tolist() for out in outputs],
        }
        if trains:
            executor.backward([nd.ones_like(out) for out in outputs])
            found[name]['gradients'] = {key: grad.asnumpy().tolist() for key, grad in grads.items()}
    dump('control_flow.json', found)


# ---------------------------------------------------------------- tables of networks

def summary_files():
    """What print_summary prints of the networks of summary_networks.py."""
    import contextlib
    import io
    from summary_networks import summaries
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), mx.name.NameManager():
        summaries(mx)
    with open(path('summary.txt'), 'w') as f:
        f.write(stream.getvalue())


def main():
    np.random.seed(0)
    mx.random.seed(0)
    params_files()
    mlp_files()
    g = ops_files()
    optimizer_files()
    dtype_files()
    reshape_files()
    sym_files()
    control_flow_files()
    summary_files()
    nd.waitall()
    total = 0
    for f in sorted(os.listdir(OUT)):
        if f.endswith(('.json', '.npz', '.params', '.txt')):
            total += os.path.getsize(path(f))
            print('%8d %s' % (os.path.getsize(path(f)), f))
    print('%8d bytes in all; %d op cases over %d operators, %d arrays' % (
        total, len(g.cases), len({c['op'] for c in g.cases}), len(g.arrays)))


if __name__ == '__main__':
    main()
