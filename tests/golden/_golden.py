"""What the makers of golden files share: where files go, how values and errors are written, recorded calls."""
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
