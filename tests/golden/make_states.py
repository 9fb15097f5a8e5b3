"""Make states.npz: optimizer states and arrays that the real Apache MXNet 1.9.1 pickled, and how training went on.

    .peers/mxnet/bin/python tests/golden/make_states.py [OUTPUT_FOLDER]

`states.json` holds what was asked for. For each case: `states` (bytes), weights `w*` at that time, gradients
`g*` of the four steps after it, and the weights `a*` after those. `trainer`, `module` and the array pickles
have bytes only.
"""
import json
import os
import pickle
import sys
import warnings

warnings.simplefilter('ignore')
os.environ.setdefault('OMP_NUM_THREADS', '1')
import numpy as np
import mxnet as mx
from mxnet import nd, lr_scheduler

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
assert mx.__version__ == '1.9.1', mx.__version__
NAMES = {0: 'fc_weight', 1: 'fc_bias'}


class Halving(lr_scheduler.LRScheduler):
    """A user's own schedule, which JSON cannot hold whole."""

    def __init__(self):
        super().__init__(base_lr=.2)
        self.inner = [lr_scheduler.FactorScheduler(2, .5, base_lr=.2)]

    def __call__(self, num_update):
        return self.base_lr * .5 ** num_update


HALF = {'dtype': 'float16', 'multi_precision': True}
# optimizer, its arguments, protocol of the pickle, whether the optimizer is in it
CASES = [
    ('sgd', {'momentum': .9}, 4, False), ('sgd', {'momentum': .9, 'wd': .1}, 4, True),
    ('sgd', {'momentum': .9, **HALF}, 4, True), ('sgd', {'momentum': .9, 'stype': 'row_sparse'}, 4, True),
    ('sgd', {'momentum': .9, 'scheduler': ['FactorScheduler', {'step': 3, 'factor': .5}]}, 4, True),
    ('sgd', {'momentum': .9, 'scheduler': ['Halving', {}]}, 4, True),
    ('sgd', {'learning_rate': 'number', 'wd': 'number'}, 4, True),
    ('nag', {'momentum': .9}, 0, True), ('adam', {}, 0, False), ('adam', {'wd': .1}, 1, True),
    ('adam', {'clip_gradient': .5}, 2, True), ('adam', HALF, 4, True), ('adam', {'stype': 'row_sparse'}, 2, True),
    ('adamax', {}, 4, True), ('nadam', {}, 4, False), ('ftrl', {'lamda1': .2}, 4, True), ('ftml', {}, 4, True),
    ('rmsprop', {'centered': True}, 4, True), ('adagrad', {}, 4, True), ('adadelta', {}, 4, True),
    ('signum', {'wd_lh': .1}, 4, True), ('lars', {'momentum': .9}, 4, True), ('lamb', {}, 4, True),
    ('lamb', {'scheduler': ['PolyScheduler', {'max_update': 9}]}, 5, True),
    ('lbsgd', {'momentum': .9, **HALF}, 4, True), ('dcasgd', {}, 4, True),
]


def optimizer(name, attrs):
    attrs = dict(attrs)
    for key in ('learning_rate', 'wd'):
        if attrs.get(key) == 'number':
            attrs[key] = np.float32(.25)
    scheduler = attrs.pop('scheduler', None)
    if scheduler:
        made = Halving() if scheduler[0] == 'Halving' else getattr(lr_scheduler, scheduler[0])(base_lr=.1, **scheduler[1])
        attrs['lr_scheduler'] = made
    return mx.optimizer.create(name, param_idx2name=NAMES, **attrs)


def case(name, attrs, protocol, whole):
    attrs = dict(attrs)
    dtype, stype = attrs.pop('dtype', 'float32'), attrs.pop('stype', 'default')
    rs = np.random.RandomState(5)
    weights = [nd.array(rs.randn(*s), dtype=dtype).tostype(stype) for s in ((3, 2), (4, 1))]
    grads = [[rs.randn(*w.shape).astype(dtype) for w in weights] for _ in range(8)]
    updater = mx.optimizer.get_updater(optimizer(name, attrs))
    found = {}
    for step, values in enumerate(grads):
        if step == 4:
            content = (updater.states, updater.optimizer) if whole else updater.states
            found['states'] = np.frombuffer(pickle.dumps(content, protocol), np.uint8)
            found.update({'w%d' % i: w.asnumpy() for i, w in enumerate(weights)})
            if not whole:  # the updates so far are not in the file
                states = updater.get_states()
                updater = mx.optimizer.get_updater(optimizer(name, attrs))
                updater.set_states(states)
        if step >= 4:
            found.update({'g%d_%d' % (step - 4, i): g for i, g in enumerate(values)})
        for i, g in enumerate(values):
            updater(i, nd.array(g, dtype=dtype).tostype(stype), weights[i])
    found.update({'a%d' % i: w.asnumpy() for i, w in enumerate(weights)})
    return found


def arrays():
    """Pickles of arrays that are no states."""
    x, rows = nd.array([[1, 2], [3, 4]], dtype='int32'), nd.sparse.row_sparse_array(([[1., 2.]], [1]), shape=(3, 2))
    kinds = {'named': {'x': x, 'rows': rows, 'columns': nd.array([[0., 5.]]).tostype('csr')}, 'listed': [x, x],
             'single': x, 'numpy': {'x': mx.np.array([1., 2.])}, 'other': {'x': 3}}
    for kind, value in kinds.items():
        for protocol in (2, 5) if kind == 'named' else (4,):
            yield '%s%d' % (kind, protocol), np.frombuffer(pickle.dumps(value, protocol), np.uint8)


def main():
    found = {'%d.%s' % (i, key): value for i, c in enumerate(CASES) for key, value in case(*c).items()}
    found.update(('array.' + key, value) for key, value in arrays())
    np.savez_compressed(os.path.join(OUT, 'states.npz'), **found)
    with open(os.path.join(OUT, 'states.json'), 'w') as f:
        f.write('[\n' + ',\n'.join(map(json.dumps, CASES)) + '\n]\n')
    print(len(CASES), 'states')


main()
