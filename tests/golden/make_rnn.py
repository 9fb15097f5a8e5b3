"""Make rnn.json: the networks of ../rnn_programs.py under the real MXNet 1.9.1.

    .peers/mxnet/bin/python tests/golden/make_rnn.py [OUTPUT_FOLDER]
"""
import json
import os
import sys
import warnings

warnings.simplefilter('ignore')
import mxnet as mx

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
sys.path.insert(0, os.path.dirname(HERE))
import rnn_programs

assert mx.__version__ == '1.9.1', mx.__version__
found = {}
for name, cell in rnn_programs.cells(mx).items():
    shapes, outputs, gradients = rnn_programs.run(mx, cell)
    found[name] = {'shapes': shapes, 'outputs': outputs.ravel().tolist(), 'gradients': gradients}
with open(os.path.join(OUT, 'rnn.json'), 'w') as f:
    f.write('{\n' + ',\n'.join('%s: %s' % (json.dumps(k), json.dumps(v)) for k, v in found.items()) + '\n}\n')
print(len(found), 'networks')
