"""`mx.log`: loggers whose lines begin with level, time and place."""

from __future__ import annotations

import logging
import warnings
from logging import CRITICAL, DEBUG, ERROR, INFO, NOTSET, WARNING

__all__ = ["CRITICAL", "DEBUG", "ERROR", "INFO", "NOTSET", "WARNING", "getLogger", "get_logger"]

_RED, _GREEN, _BLUE, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[34m", "\x1b[0m"
_LETTERS = {CRITICAL: "C", ERROR: "E", WARNING: "W", INFO: "I", DEBUG: "D"}


class _Formatter(logging.Formatter):
    """Writes `W0505 00:29:47 3525 file.py:function:12] text`, the head in the colour of the level."""

    def __init__(self) -> None:
        place = "%(asctime)s %(process)d %(pathname)s:%(funcName)s:%(lineno)d]"
        super().__init__(f"%(colour)s%(letter)s{place}{_PLAIN} %(message)s", "%m%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.letter = _LETTERS.get(record.levelno, "U")
        record.colour = _RED if record.levelno >= WARNING else _GREEN if record.levelno >= INFO else _BLUE
        return super().format(record)


def get_logger(name: str | None = None, filename: str | None = None, filemode: str | None = None,
               level: int = WARNING) -> logging.Logger:  # fmt: skip
    """Return the logger of a name, which writes to a file (without colours) or to the standard error.

    The first call for a name decides; without a name it is the root logger, left as it is.
    """
    logger = logging.getLogger(name)
    if name is None or getattr(logger, "_init_done", False):
        return logger
    logger._init_done = True  # type: ignore[attr-defined]
    handler: logging.Handler
    if filename:
        handler = logging.FileHandler(filename, filemode or "a")
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter())
    logger.addHandler(handler)
    logger.setLevel(level)
    return logger


def getLogger(name: str | None = None, filename: str | None = None, filemode: str | None = None,
              level: int = WARNING) -> logging.Logger:  # fmt: skip
    """Return what `get_logger` returns, which is the name to use."""
    warnings.warn("getLogger is deprecated, use get_logger", DeprecationWarning, stacklevel=2)
    return get_logger(name, filename, filemode, level)
