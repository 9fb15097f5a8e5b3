"""The command `mxcy`: a table of subcommands, each imported when it is used.

A module of the table has `add_arguments(parser)` and `run(arguments)`, which returns the exit code.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from .errors import MXNetError

__all__ = ["COMMANDS", "main"]

# name: (module below mxcy, what it does)
COMMANDS = {
    "im2rec": ("tools.im2rec", "make lists of pictures, and files of records from them"),
    "launch": ("kvstore.dist.launch", "run a program as the workers of a distributed job"),
    "rec": ("tools.rec", "look into files of records: info, verify, extract, index"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    lines = "\n".join(f"  {name:10} {what}" for name, (_, what) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="mxcy",
        epilog=f"commands:\n{lines}\n\nmxcy COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    name = parser.parse_args(given[:1]).command
    module = importlib.import_module(f".{COMMANDS[name][0]}", __package__)
    own = argparse.ArgumentParser(prog=f"mxcy {name}", description=module.__doc__)
    module.add_arguments(own)
    try:
        return module.run(own.parse_args(given[1:]))
    except (MXNetError, OSError) as error:
        print(f"mxcy {name}: {error}", file=sys.stderr)
        return 1
