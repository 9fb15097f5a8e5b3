"""Make trajectories.npz: twenty steps of every optimizer of the real Apache MXNet 1.9.1.

    .peers/mxnet/bin/python tests/golden/make_optimizers.py [OUTPUT_FOLDER]

Three parameters (a weight, a bias, a gamma) are updated together, as `Module` does. `trajectories.json` holds
what was asked for, the arrays hold the weights after each step.
"""
import json
import os
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

STEPS = 20
NAMES = {0: 'fc_weight', 1: 'fc_bias', 2: 'bn_gamma'}
COMMON = {'wd': .01, 'clip_gradient': .7, 'rescale_grad': .5}

CASES = [
    ('sgd', {}), ('sgd', {'momentum': .9, **COMMON}), ('ccsgd', {'momentum': .5}),
    ('nag', {}), ('nag', {'momentum': .9, **COMMON}),
    ('signum', {}), ('signum', {'momentum': 0., **COMMON}), ('signum', {'wd_lh': .1, **COMMON}),
    ('ftml', {}), ('ftml', {'beta1': .5, **COMMON}),
    ('lars', {}), ('lars', {'momentum': .9, 'eta': .1, 'eps': 1e-3, **COMMON}),
    ('lars', {'momentum': .9, 'scheduler': ['FactorScheduler', {'step': 3, 'factor': .5}]}),
    ('lbsgd', {'momentum': .9, 'batch_scale': 4, 'updates_per_epoch': 3, **COMMON}),
    ('lbsgd', {'warmup_strategy': 'lars', 'batch_scale': 2}), ('lbsgd', {'warmup_strategy': 'power2'}),
    ('lbsgd', {'warmup_strategy': 'sqrt', 'batch_scale': 3, 'updates_per_epoch': 4, 'begin_epoch': 1}),
    ('lamb', {}), ('lamb', {'lower_bound': .5, 'upper_bound': 2., 'bias_correction': False, **COMMON}),
    ('dcasgd', {}), ('dcasgd', {'lamda': .1, **COMMON}),
    ('adam', {}), ('adam', {'beta1': .8, 'epsilon': 1e-3, **COMMON}),
    ('adagrad', {}), ('adagrad', {'eps': 1e-3, **COMMON}), ('adadelta', {}), ('adadelta', {'rho': .8, **COMMON}),
    ('rmsprop', {}), ('rmsprop', {'centered': True, 'clip_weights': 1.5, **COMMON}),
    ('ftrl', {}), ('ftrl', {'lamda1': .2, 'beta': 2, **COMMON}), ('adamax', {}), ('adamax', COMMON),
    ('nadam', {}), ('nadam', {'schedule_decay': .1, **COMMON}), ('test', {}), ('groupadagrad', {}),
    ('sgd', {'dtype': 'float16', 'multi_precision': True, 'momentum': .9, **COMMON}),
    ('sgd', {'dtype': 'float16', 'multi_precision': True}),
    ('nag', {'dtype': 'float16', 'multi_precision': True, 'momentum': .9, **COMMON}),
    ('adam', {'dtype': 'float16', 'multi_precision': True}),
    ('lamb', {'dtype': 'float16', 'multi_precision': True, **COMMON}),
    ('lars', {'dtype': 'float16', 'multi_precision': True, 'momentum': .9}),
    ('lbsgd', {'dtype': 'float16', 'multi_precision': True, 'momentum': .9}),
    ('sgd', {'mults': [{'fc_weight': .5, 1: 2.}, {'fc_weight': .1, 'fc_bias': 3.}], 'wd': .1}),
    ('adam', {'begin_num_update': 7, 'wd': .1}),
    ('sgd', {'scheduler': ['MultiFactorScheduler', {'step': [3, 9], 'factor': .1}]}),
    ('sgd', {'scheduler': ['PolyScheduler', {'max_update': 15, 'pwr': 2, 'warmup_steps': 4}]}),
    ('sgd', {'momentum': .9, 'scheduler': ['CosineScheduler', {'max_update': 12, 'final_lr': .01,
                                                               'warmup_steps': 3, 'warmup_begin_lr': .05}]}),
]


def start(case, dtype):
    """The three weights, and the gradients of every step."""
    rs = np.random.RandomState(11)
    shapes = [(3, 2)] * 3 if case == 'groupadagrad' else [(3, 2), (4,), (2,)]
    weights = [rs.randn(*s).astype(dtype) for s in shapes]
    grads = [[(rs.randn(*s) * 2).astype(dtype) for s in shapes] for _ in range(STEPS)]
    return weights, grads


def trajectory(name, attrs):
    attrs = dict(attrs)
    dtype = attrs.pop('dtype', 'float32')
    mults = attrs.pop('mults', None)
    scheduler = attrs.pop('scheduler', None)
    if scheduler:
        attrs['lr_scheduler'] = getattr(lr_scheduler, scheduler[0])(base_lr=.1, **scheduler[1])
    elif name not in ('adadelta',):
        attrs['learning_rate'] = .1
    opt = mx.optimizer.create(name, param_idx2name=NAMES, **attrs)
    if mults:
        opt.set_lr_mult(mults[0])
        opt.set_wd_mult(mults[1])
    updater = mx.optimizer.get_updater(opt)
    values, grads = start(name, dtype)
    weights = [nd.array(w, dtype=dtype) for w in values]
    history = []
    for step in grads:
        updater([0, 1, 2], [nd.array(g, dtype=dtype) for g in step], weights)
        history.append(np.concatenate([w.asnumpy().ravel() for w in weights]))
    return np.stack(history)


def pickled():
    """States as MXNet pickles them, without and with the optimizer: updater-*.states."""
    for name, attrs, whole in [('adam', {}, False), ('sgd', {'momentum': .9}, True)]:
        schedule = lr_scheduler.FactorScheduler(3, .5, base_lr=.1)
        opt = mx.optimizer.create(name, lr_scheduler=schedule, param_idx2name=NAMES, **attrs)
        updater = mx.optimizer.get_updater(opt)
        weights = [nd.array([1., 2.]), nd.array([[3.]])]
        for _ in range(4):
            updater([0, 'b'], [nd.array([.1, .2]), nd.array([[-1.]])], weights)
        with open(os.path.join(OUT, 'updater-%s.states' % name), 'wb') as f:
            f.write(updater.get_states(dump_optimizer=whole))


def main():
    pickled()
    arrays = {}
    for i, (name, attrs) in enumerate(CASES):
        arrays[str(i)] = trajectory(name, attrs)
    np.savez_compressed(os.path.join(OUT, 'trajectories.npz'), **arrays)
    with open(os.path.join(OUT, 'trajectories.json'), 'w') as f:
        text = [json.dumps([name, {str(k): v for k, v in attrs.items()}]) for name, attrs in CASES]
        f.write('[\n' + ',\n'.join(text) + '\n]\n')
    print(len(CASES), 'trajectories')


main()
