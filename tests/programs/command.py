"""The command line of the programs beside this file: `python program.py make|run|read FOLDER`.

`make` writes the parameters to start from, `run` trains for 20 steps from them and saves the model, `read`
loads what was saved. `run` and `read` print JSON.
"""

import json
import sys


def main(make, run, read):
    action, folder = sys.argv[1:]
    found = {"make": make, "run": run, "read": read}[action](folder)
    print(json.dumps(found))


def digits(n, size, channels=1, classes=4, seed=0):
    """Pictures of bars whose place is the label, as arrays of float32."""
    import numpy as np

    rs = np.random.RandomState(seed)
    labels = rs.randint(0, classes, n)
    pictures = 0.3 * rs.rand(n, channels, size, size)
    for picture, label in zip(pictures, labels, strict=True):
        picture[:, label * size // classes] += 0.7
    return pictures.astype("float32"), labels.astype("float32")
