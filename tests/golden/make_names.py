"""Writes names.json: the public names of namespaces of the real MXNet 1.9.1.

Run under MXNet 1.9.1 from this folder: python make_names.py
"""

import importlib
import json
import types

SPACES = ('nd', 'sym', 'nd.random', 'nd.linalg', 'nd.image', 'nd.contrib', 'nd.sparse', 'random', 'autograd',
          'metric', 'init', 'optimizer', 'lr_scheduler', 'callback', 'io', 'recordio', 'mod', 'model', 'kv',
          'gluon', 'gluon.nn', 'gluon.loss', 'gluon.rnn', 'gluon.data', 'gluon.data.vision',
          'gluon.data.vision.transforms', 'gluon.utils', 'gluon.model_zoo.vision', 'rnn', 'operator', 'profiler',
          'visualization', 'test_utils', 'runtime', 'engine', 'context', 'monitor', 'image')


OTHERS = ('ctypes', 'numpy', 'builtins', '_ctypes', 'collections', 'typing', 'threading', 'math', 'operator',
          'contextlib', 'functools', 'os', 'mxnet.base', '_operator', 'itertools', 'inspect', 'weakref', 'json')
HELPERS = ('is_np_array', 'is_np_shape', 'shape_is_known', 'current_context', 'use_np', 'getenv', 'setenv',
           'get_indexing_dispatch_code', 'get_oshape_of_gather_nd_op', 'indexing_key_expand_implicit_axes')


def names_of(space, module):
    """What a namespace offers itself: no modules, nothing that it has only imported."""
    found = []
    for name in sorted(set(dir(module))):
        value = getattr(module, name)
        if name.startswith('_') or isinstance(value, types.ModuleType) or not callable(value):
            continue
        own = str(getattr(value, '__module__', ''))
        if own.split('.')[0] in OTHERS or own in OTHERS or name in HELPERS or name.startswith('backward_'):
            continue
        found.append(name)
    return found


def main():
    spaces = {}
    for space in SPACES:
        module = importlib.import_module('mxnet')
        for part in space.split('.'):
            module = getattr(module, part)
        spaces[space] = names_of(space, module)
    with open('names.json', 'w') as stream:
        json.dump(spaces, stream, indent=0, sort_keys=True)
    print({space: len(names) for space, names in spaces.items()})


if __name__ == '__main__':
    main()
