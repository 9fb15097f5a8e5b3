"""Compute the rows of our operators with the real Apache MXNet 1.9.1.

    PYTHONPATH=.:tests python tests/oracle/write_rows.py FOLDER
    .peers/mxnet/bin/python tests/oracle/make_oracle.py FOLDER

The second reads the inputs that the first has written, and writes `oracle.json` and `oracle.npz` beside
itself (see README.md). Each operator runs in a process of its own: some rows end the real one.
"""
import ctypes
import json
import os
import pickle
import re
import signal
import sys
import warnings

warnings.simplefilter('ignore')
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('MXNET_SUBGRAPH_BACKEND', 'NONE')
import numpy as np
import mxnet as mx
from mxnet._ctypes.ndarray import _imperative_invoke
from mxnet.base import _LIB, c_str

HERE = os.path.dirname(os.path.abspath(__file__))


def handle_of(name):
    """The operator's handle, or None where MXNet has none of this name."""
    handle = ctypes.c_void_p()
    return handle.value if _LIB.NNGetOpHandle(c_str(name), ctypes.byref(handle)) == 0 else None


def reason(error):
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(('Traceback', 'File "'))] or ['']
    text = re.sub(r'\[\d\d:\d\d:\d\d\] \S+:\d+: ', '', lines[0])
    return re.sub(r'/\S*/', '', text)[:160]     # no folders of the machine that it was built on


def head_of(shape, dtype):
    """What flows back: the same numbers for both packages."""
    size = int(np.prod(shape))
    return np.cos(np.arange(1, size + 1)).reshape(shape).astype(dtype)


def is_float(x):
    return np.dtype(x.dtype).kind == 'f'


def run(handle, case, values):
    """Outputs, gradients and changed inputs of one use."""
    inputs = [mx.nd.array(x, dtype=x.dtype) for x in values]
    out = None if case['out'] is None else [inputs[i] for i in case['out']]
    keys, texts = list(case['attrs']), list(case['attrs'].values())
    try:
        made = _imperative_invoke(handle, inputs, keys, texts, out, False, False)
    except mx.MXNetError as error:
        if "argument 'num_args'" not in str(error):     # some have another name for the number of inputs
            raise
        keys, texts = keys[:-1], texts[:-1]
        made = _imperative_invoke(handle, inputs, keys, texts, out, False, False)
    outputs = made if isinstance(made, list) else [made]
    result = {'outputs': [y.asnumpy() for y in outputs]}
    after = [None if i in (case['out'] or ()) else x.asnumpy() for i, x in enumerate(inputs)]
    result['after'] = [None if a is None or np.array_equal(a, b, equal_nan=is_float(a)) else a
                       for a, b in zip(after, values)]
    if case['drawn'] or out or any(a is not None for a in result['after']):
        return result
    floats = [x for x in inputs if is_float(x)]
    if not floats or not all(is_float(y) for y in outputs[:1]):
        return result
    try:
        for x in floats:
            x.attach_grad()
        with mx.autograd.record(train_mode=False):
            made = _imperative_invoke(handle, inputs, keys, texts, None, False, False)
        outputs = made if isinstance(made, list) else [made]
        heads = [mx.nd.array(head_of(y.shape, y.dtype), dtype=y.dtype) for y in outputs]
        mx.autograd.backward(outputs, heads, train_mode=False)
        result['grads'] = [x.grad.asnumpy() if is_float(x) else None for x in inputs]
    except mx.MXNetError as error:
        result['no_grad'] = reason(error)
    return result


def work(handle, cases, arrays, pipe):
    """In a child: results of cases, pickled one after the other."""
    with os.fdopen(pipe, 'wb') as sink:
        for case in cases:
            signal.alarm(5)     # a case that never ends is one that ends the process
            try:
                result = run(handle, case, [arrays[key] for key in case['args']])
            except (mx.MXNetError, ValueError, TypeError, AssertionError, KeyError) as error:
                result = {'refused': reason(error)}
            pickle.dump(result, sink)
            sink.flush()


def computed(handle, cases, arrays):
    """Results of the cases of one operator; after a case that ends the process another one goes on."""
    found = []
    while len(found) < len(cases):
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(source)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                work(handle, cases[len(found):], arrays, sink)
            finally:
                os._exit(0)
        os.close(sink)
        with os.fdopen(source, 'rb') as stream:
            while True:
                try:
                    found.append(pickle.load(stream))
                except (EOFError, pickle.UnpicklingError):
                    break
        os.waitpid(child, 0)
        if len(found) < len(cases):
            found.append({'refused': 'ends the process'})
    return found


class Store:
    """Arrays by number; equal ones are kept once."""

    def __init__(self):
        self.arrays, self.numbers = {}, {}

    def add(self, values):
        if values is None:
            return None
        mark = (values.dtype.str, values.shape, values.tobytes())
        if mark not in self.numbers:
            self.numbers[mark] = 'o%d' % len(self.arrays)
            self.arrays[self.numbers[mark]] = values
        return self.numbers[mark]


def entry(case, result, store):
    """One line of oracle.json."""
    if 'refused' in result:
        return {'key': case['key'], 'refused': result['refused']}
    if case['drawn']:
        return {'key': case['key'], 'drawn': [[str(y.dtype), list(y.shape)] for y in result['outputs']]}
    line = {'key': case['key'], 'outputs': [store.add(y) for y in result['outputs']]}
    if any(a is not None for a in result['after']):
        line['after'] = [store.add(a) for a in result['after']]
    if 'no_grad' in result:
        line['no_grad'] = result['no_grad']
    if any(g is not None for g in result.get('grads', ())):
        line['grads'] = [store.add(g) for g in result['grads']]
    return line


def main(folder):
    cases = json.load(open(os.path.join(folder, 'rows.json')))
    arrays = dict(np.load(os.path.join(folder, 'rows.npz')))
    store, lines, unknown = Store(), [], []
    for name in dict.fromkeys(case['op'] for case in cases):
        mine = [case for case in cases if case['op'] == name]
        handle = handle_of(name)
        if handle is None:
            unknown.append(name)
            continue
        lines += [entry(case, result, store) for case, result in zip(mine, computed(handle, mine, arrays))]
    np.savez_compressed(os.path.join(HERE, 'oracle.npz'), **store.arrays)
    with open(os.path.join(HERE, 'oracle.json'), 'w') as f:
        f.write('[\n' + ',\n'.join(json.dumps(line) for line in lines) + '\n]\n')
    refused = sum('refused' in line for line in lines)
    computed_here = len(lines) - refused
    print('%d rows computed, %d refused, %d operators only here' % (computed_here, refused, len(unknown)))


if __name__ == '__main__':
    main(sys.argv[1])
