"""Make gluon.json: losses of twenty steps of the programs in ../gluon_programs.py under the real MXNet 1.9.1.

    .peers/mxnet/bin/python tests/golden/make_gluon.py [OUTPUT_FOLDER]
"""
import json
import os
import sys
import warnings

warnings.simplefilter('ignore')
os.environ.setdefault('OMP_NUM_THREADS', '1')
import mxnet as mx

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
sys.path.insert(0, os.path.dirname(HERE))
import gluon_programs

assert mx.__version__ == '1.9.1', mx.__version__
found = {}
for program in gluon_programs.PROGRAMS:
    name = program.__name__
    shapes, losses, sums = gluon_programs.train(mx, program)
    found[name] = {'shapes': shapes, 'losses': losses, 'sums': sums}
    net = program(mx)[0]
    found[name]['repr'] = repr(net)
with open(os.path.join(OUT, 'gluon.json'), 'w') as f:
    f.write('{\n' + ',\n'.join('%s: %s' % (json.dumps(k), json.dumps(v)) for k, v in found.items()) + '\n}\n')
print(len(found), 'programs')
