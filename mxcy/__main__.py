"""`python -m mxcy` is the command `mxcy`."""

import sys

from .command import main

sys.exit(main())
