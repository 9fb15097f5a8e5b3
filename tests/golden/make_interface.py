"""Writes interface.json: modules, names, signatures and defaults of the real MXNet 1.9.1.

Run under MXNet 1.9.1 from this folder: python make_interface.py

For every module: `own`, what it defines (a signature; a class: its methods and properties; an operator: its
defaults, which are in its documentation), and `names`, what it also offers and MXNet defines elsewhere.
"""

import importlib
import inspect
import json
import os
import re
import sys
import types

# Not MXNet's programming interface: bindings, generated helpers, documentation, other front ends.
LEFT_OUT = re.compile(r'mxnet\.(_|api|contrib\.(ndarray|symbol)|ndarray_doc|symbol_doc|torch|tvmop|notebook|numpy|onnx|libinfo|library|rtc|.*\b'
                      r'(numpy\w*|gen_\w+|gen__internal|register|onnx|quantization|tensorboard|_\w+)\b)')
PARAMETER = re.compile(r'^(\w+) : (.*)$', re.MULTILINE)


def signature(function):
    """Parameters and defaults as text; values that are no plain constants by their type."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return '(...)'
    found = []
    for parameter in parameters:
        text = {parameter.VAR_POSITIONAL: '*', parameter.VAR_KEYWORD: '**'}.get(parameter.kind, '') + parameter.name
        if parameter.default is not parameter.empty:
            text += '=' + default(parameter.default)
        found.append(text)
    return '(' + ', '.join(found) + ')'


def default(value):
    """A default as text."""
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType)) or repr(value).startswith('<'):
        return '<' + type(value).__name__ + '>'
    return repr(value).replace(os.path.expanduser('~'), '~')


def members(cls):
    """Signatures of the methods, and names of the properties, that a class itself defines."""
    found = {}
    for name, value in vars(cls).items():
        if name.startswith('_') and name != '__init__':
            continue
        if isinstance(value, (staticmethod, classmethod)):
            value = getattr(cls, name)
        if inspect.isfunction(value) or inspect.ismethod(value):
            found[name] = signature(value)
        elif isinstance(value, property) or not callable(value):
            found[name] = ''
    return found


def defaults(function):
    """Inputs and attributes of an operator with their documented defaults."""
    text = (function.__doc__ or '').split('Parameters\n----------', 1)[-1].split('\nout : ', 1)[0]
    found = {}
    for name, kind in PARAMETER.findall(text):
        given = re.search(r"default=(.*)$", kind)
        if name == 'name' and kind.startswith('string, optional'):
            continue
        if given:
            found[name] = given.group(1).strip("'")
        else:
            found[name] = 'required' if kind.endswith('required') and 'NDArray' not in kind else 'input'
    return found


def describe(name, module):
    """Everything that a module offers."""
    own, names = {}, []
    for key in sorted(k for k in dir(module) if not k.startswith('_')):
        value = getattr(module, key)
        if isinstance(value, types.ModuleType):
            if value.__name__.startswith('mxnet'):
                names.append(key)
            continue
        home = str(getattr(value, '__module__', None))
        text = str(getattr(value, '__doc__', ''))
        if not callable(value):
            if isinstance(value, (list, dict)) or 'mxnet' in home:
                continue
            own[key] = ''
        elif inspect.isfunction(value) and 'The output NDArray to hold the result.' in text:
            own[key] = defaults(value) if (home if home != 'ndarray' else 'mxnet.ndarray') == name else ''
        elif inspect.isfunction(value) and home == 'symbol' or 'The result symbol.' in text:
            own[key] = ''
        elif home == name:
            own[key] = members(value) if isinstance(value, type) else signature(value)
        elif home.startswith('mxnet'):
            names.append(key)
    return {'own': own, 'names': names}


def main():
    import mxnet  # noqa: F401
    for extra in ('mxnet.contrib.text', 'mxnet.gluon.contrib', 'mxnet.contrib.io', 'mxnet.contrib.autograd'):
        importlib.import_module(extra)
    modules = sorted(m for m in sys.modules if m.split('.')[0] == 'mxnet' and not LEFT_OUT.match(m))
    with open('interface.json', 'w') as stream:
        lines = (json.dumps({m: describe(m, sys.modules[m])}, sort_keys=True)[1:-1] for m in modules)
        stream.write('{\n' + ',\n'.join(lines) + '\n}\n')
    print(len(modules), 'modules')


if __name__ == '__main__':
    main()
