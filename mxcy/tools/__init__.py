"""Subcommands of `mxcy`."""
