"""Make amp.json: the symbols of ../amp_programs.py in mixed precision, by the real MXNet 1.9.1.

    .peers/mxnet/bin/python tests/golden/make_amp.py [OUTPUT_FOLDER]
"""
import json
import os
import sys
import warnings

warnings.simplefilter('ignore')
import mxnet as mx
from mxnet.contrib import amp

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
sys.path.insert(0, os.path.dirname(HERE))
import amp_programs

assert mx.__version__ == '1.9.1', mx.__version__
found = amp_programs.converted(mx, amp)
with open(os.path.join(OUT, 'amp.json'), 'w') as f:
    f.write('{\n' + ',\n'.join('%s: %s' % (json.dumps(k), json.dumps(v)) for k, v in found.items()) + '\n}\n')
print(len(found), 'symbols')
