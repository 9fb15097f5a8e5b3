"""Make the golden files of this folder with the real Apache MXNet 1.9.1.

    benchmarks/peers/setup.sh mxnet
    .peers/mxnet/bin/python tests/golden/make_golden.py [OUTPUT_FOLDER]

It and what it imports need nothing but MXNet, NumPy and the standard library. The formats are
described in README.md beside this file. Runs in a few seconds, is
deterministic (same inputs each time), and prints a summary.
"""
import os

from _golden import OUT, path  # first: it sets what MXNet reads when it is imported
from make_files import control_flow_files, mlp_files, params_files, summary_files, sym_files
from make_ops import ops_files
from make_rules import dtype_files, optimizer_files, reshape_files
import mxnet as mx
import numpy as np
from mxnet import nd


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
