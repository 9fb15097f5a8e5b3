"""Make programs/: what the programs of ../programs start from, their losses and what they save, by MXNet 1.9.1.

    .peers/mxnet/bin/python tests/golden/make_programs.py [OUTPUT_FOLDER]

Each program runs in a process of its own, with the folder programs/NAME.
"""
import json
import os
import shutil
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else HERE
PROGRAMS = os.path.join(os.path.dirname(HERE), 'programs')


def call(path, action, folder):
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONDONTWRITEBYTECODE='1')
    command = [sys.executable, '-W', 'ignore', path, action, folder]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(found.stdout.decode().splitlines()[-1])


found = {}
for entry in sorted(os.listdir(PROGRAMS)):
    name = entry[:-3]
    if not entry.startswith(('module_', 'gluon_')) or not entry.endswith('.py'):
        continue
    path, folder = os.path.join(PROGRAMS, entry), os.path.join(OUT, 'programs', name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    call(path, 'make', folder)
    found[name] = call(path, 'run', folder)
    again = call(path, 'read', folder)
    assert np.allclose(again['outputs'], found[name]['outputs'], 1e-4, 1e-5), name
with open(os.path.join(OUT, 'programs', 'programs.json'), 'w') as f:
    f.write('{\n' + ',\n'.join('%s: %s' % (json.dumps(k), json.dumps(v)) for k, v in found.items()) + '\n}\n')
print(len(found), 'programs')
