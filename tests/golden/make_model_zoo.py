"""Make model_zoo.json: parameters and outputs of the networks of the real MXNet 1.9.1, with random weights.

    .peers/mxnet/bin/python tests/golden/make_model_zoo.py [OUTPUT_FOLDER]

Of the names and shapes of all parameters there is a SHA-1 sum.
"""
import hashlib
import json
import os
import sys
import warnings

warnings.simplefilter('ignore')
import numpy as np
import mxnet as mx
from mxnet.gluon.model_zoo import vision

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
assert mx.__version__ == '1.9.1', mx.__version__

NAMES = ['alexnet', 'vgg11_bn', 'resnet18_v1', 'resnet50_v1', 'resnet18_v2', 'resnet50_v2', 'densenet121',
         'squeezenet1.0', 'squeezenet1.1', 'inceptionv3', 'mobilenet0.25', 'mobilenetv2_0.5']


def main():
    found = {}
    for name in NAMES:
        with mx.name.NameManager():
            net = vision.get_model(name, classes=10)
        net.initialize()
        net.hybridize()
        size = 299 if 'inception' in name else 224
        rs = np.random.RandomState(0)
        x = mx.nd.array(rs.rand(1, 3, size, size).astype('f'))
        net(x)
        params = net.collect_params()
        for key, p in params.items():
            if key.endswith('weight'):
                scale = (2.0 / np.prod(p.shape[1:])) ** .5
                p.set_data(mx.nd.array(rs.standard_normal(p.shape).astype('f') * scale))
        listing = json.dumps([[key, list(p.shape)] for key, p in params.items()])
        found[name] = {'count': len(params.keys()), 'parameters': hashlib.sha1(listing.encode()).hexdigest(),
                       'output': [float(v) for v in net(x).asnumpy()[0]]}
    with open(os.path.join(OUT, 'model_zoo.json'), 'w') as f:
        f.write('{\n' + ',\n'.join('%s: %s' % (json.dumps(k), json.dumps(v)) for k, v in found.items()) + '\n}\n')


main()
