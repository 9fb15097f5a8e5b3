"""Make metrics.json: values of the metrics of the real Apache MXNet 1.9.1 after three updates.

    .peers/mxnet/bin/python tests/golden/make_metrics.py [OUTPUT_FOLDER]
"""
import json
import os
import sys
import warnings

warnings.simplefilter('ignore')
import numpy as np
import mxnet as mx
from mxnet import nd

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
assert mx.__version__ == '1.9.1', mx.__version__

CASES = [('acc', {}, 'classes'), ('top_k_accuracy', {'top_k': 2}, 'classes'), ('f1', {}, 'two'),
         ('f1', {'average': 'micro'}, 'two'), ('mcc', {}, 'two'), ('mcc', {'average': 'micro'}, 'two'),
         ('perplexity', {'ignore_label': None}, 'classes'), ('perplexity', {'ignore_label': 0}, 'classes'),
         ('mae', {}, 'numbers'), ('mse', {}, 'numbers'), ('rmse', {}, 'numbers'), ('ce', {}, 'classes'),
         ('nll_loss', {}, 'classes'), ('pearsonr', {}, 'numbers'), ('pearsonr', {'average': 'micro'}, 'numbers'),
         ('pcc', {}, 'classes'), ('pcc', {}, 'two'), ('loss', {}, 'numbers'), ('torch', {}, 'numbers'),
         ('caffe', {}, 'numbers')]


def batches(kind):
    """Labels and predictions of three batches."""
    rs = np.random.RandomState(5)
    for _ in range(3):
        if kind == 'numbers':
            label = rs.randn(8).astype('f')
            yield label, (label + rs.randn(8) * .5).astype('f')
        else:
            n = 2 if kind == 'two' else 4
            label = rs.randint(0, n, 8).astype('f')
            pred = rs.rand(8, n) + .7 * np.eye(n)[label.astype(int)]
            yield label, (pred / pred.sum(1, keepdims=True)).astype('f')


def main():
    found = []
    for name, attrs, kind in CASES:
        metric = mx.metric.create(name, **attrs)
        values = []
        for i, (label, pred) in enumerate(batches(kind)):
            metric.update([nd.array(label)], [nd.array(pred)])
            values.append([float(metric.get()[1]), float(metric.get_global()[1])])
            if i == 1:
                metric.reset_local()
        found.append({'metric': name, 'attrs': attrs, 'kind': kind, 'name': metric.name, 'values': values})
    with open(os.path.join(OUT, 'metrics.json'), 'w') as f:
        f.write('[\n' + ',\n'.join(json.dumps(x) for x in found) + '\n]\n')
    print(len(found), 'metrics')


main()
