"""Files as MXNet 1.9.1 writes them: parameters, a checkpoint, symbols, control flow, tables of networks."""
import contextlib
import io
import json
import os
import sys

from _golden import dump, error_of, OUT, path  # first: it sets what MXNet reads when it is imported
import mxnet as mx
import numpy as np
from mxnet import nd

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
