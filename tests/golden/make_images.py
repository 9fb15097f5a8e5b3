"""Make images.json and images.npz with the real Apache MXNet 1.9.1: the operators of nd.image.

    .peers/mxnet/bin/python tests/golden/make_images.py [OUTPUT_FOLDER]

The format is that of ops.json (README.md). Random operators are called with bounds that leave one value.
"""
import re
import sys

import numpy as np
from _golden import dump, path
from make_vision import Vision

F = np.float32


def tensors(g, rs):
    image, several = rs.randint(0, 256, (5, 7, 3)).astype('uint8'), rs.randint(0, 256, (2, 4, 5, 1)).astype('uint8')
    for dtype in ('uint8', 'float32', 'float64', 'int32', 'int8'):
        g.add('image.to_tensor', [image.astype(dtype)], grad=False)
    g.add('image.to_tensor', [several], grad=False)
    g.add('image.to_tensor', [image[0]])
    x = rs.rand(3, 4, 5)
    for dtype in ('float32', 'float64', 'float16'):
        g.add('image.normalize', [x.astype(dtype)], {'mean': [.1, .2, .3], 'std': [1., 2., 3.]})
        g.add('image.normalize', [x.astype(dtype)], {'mean': [.5], 'std': [.1]})
    g.add('image.normalize', [rs.rand(2, 1, 4, 5).astype(F)], {'mean': [.5], 'std': [.1]})
    g.add('image.normalize', [(x * 255).astype('uint8')], {'mean': [10., 20., 30.], 'std': [1., 2., 3.]})
    g.add('image.normalize', [x.astype(F)], {'mean': [.1, .2], 'std': [1.]})
    g.add('image.normalize', [rs.rand(2, 4, 5).astype(F)], {'mean': [.1], 'std': [1.]})


def places(g, rs):
    image, several = rs.rand(5, 7, 3), rs.rand(2, 4, 5, 1)
    attrs = {'x': 1, 'y': 2, 'width': 3, 'height': 2}
    for dtype in ('float32', 'float64', 'uint8'):
        for x in (image, several):
            g.add('image.crop', [(x * 255).astype(dtype)], attrs)
        for op in ('image.flip_left_right', 'image.flip_top_bottom'):
            # the real one does not write the middle of an odd extent
            g.add(op, [(image[:4, :6] * 255).astype(dtype)], grad=False)
    for more in ({'width': 7}, {'height': 4}, {'width': 0}):
        g.add('image.crop', [image], dict(attrs, **more))
    g.add('image.flip_left_right', [several])


def sizes(g, rs):
    image, several = rs.randint(0, 256, (9, 12, 3)), rs.randint(0, 256, (2, 6, 5, 1))
    for dtype in ('uint8', 'float32', 'float64'):
        for interp in range(5):
            for size in ([7, 5], [17, 13], [4, 3], [6, 20]):
                if (dtype, interp, size) != ('uint8', 3, [7, 5]):     # sums of halves, in float32
                    g.add('image.resize', [image.astype(dtype)], {'size': size, 'interp': interp}, grad=False)
    x = image.astype('uint8')
    for attrs in ({'size': [6]}, {'size': [5], 'keep_ratio': True}, {'size': [6, 5], 'interp': 1}):
        g.add('image.resize', [x], attrs, grad=False)
        g.add('image.resize', [x.transpose(1, 0, 2)], attrs, grad=False)
        g.add('image.resize', [several.astype('uint8')], attrs, grad=False)
    g.add('image.resize', [x[:8, :10]], {'size': [5, 4]}, grad=False)
    for attrs in ({'size': []}, {'size': [0]}, {'size': [3, 3, 3]}, {'size': [3, -1]}, {'size': [3], 'interp': 9}):
        g.add('image.resize', [x], attrs)
    g.add('image.resize', [x[0]], {'size': [3]})


def light(g, rs):
    image = rs.randint(0, 256, (5, 7, 3))
    for dtype in ('uint8', 'float32', 'float64'):
        x = image.astype(dtype)
        g.add('image.adjust_lighting', [x], {'alpha': [.1, .2, .3]}, grad=False)
        g.add('image.adjust_lighting', [x], {'alpha': [1., -2., 3.]}, grad=False)
        for op in ('brightness', 'contrast', 'hue'):
            for factor in (.3, .75, 1.7):
                attrs = {'min_factor': factor, 'max_factor': factor}
                g.add('image.random_' + op, [x], attrs, grad=False)
    attrs = {'min_factor': .5, 'max_factor': .5}
    g.add('image.random_brightness', [x[..., :1]], attrs, grad=False)
    g.add('image.random_contrast', [x[..., :1]], attrs, grad=False)
    for op in ('brightness', 'contrast', 'saturation', 'hue'):
        g.add('image.random_' + op, [x[0]], attrs)
        g.add('image.random_' + op, [x], {'min_factor': -.5, 'max_factor': .5})


def main():
    g = Vision()
    for family in (tensors, places, sizes, light):
        family(g, g.rs)
    for case in g.cases:
        if 'error' in case:     # without the place of OpenCV's source
            case['error']['text'] = re.sub(r' /\S+', '', case['error']['text'])
    dump('images.json', g.cases)
    np.savez_compressed(path('images.npz'), **g.arrays)
    print('%d cases, %d errors' % (len(g.cases), sum('error' in c for c in g.cases)))


if __name__ == '__main__':
    sys.exit(main())
