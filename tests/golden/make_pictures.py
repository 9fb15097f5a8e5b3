"""What the real MXNet makes of the files in golden/pictures: writes pictures.npz.

.peers/mxnet/bin/python tests/golden/make_pictures.py
"""

import sys
from pathlib import Path

import mxnet as mx
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from picture_programs import PROGRAMS, run  # noqa: E402


def main():
    made = {f"{name}/{key}": x for name in PROGRAMS for key, x in run(mx, name).items()}
    np.savez_compressed(HERE / "pictures.npz", **made)


if __name__ == "__main__":
    main()
