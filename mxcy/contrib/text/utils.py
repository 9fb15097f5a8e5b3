"""Counting words."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["count_tokens_from_str"]


def count_tokens_from_str(
    source_str: str,
    token_delim: str = " ",
    seq_delim: str = "\n",
    to_lower: bool = False,
    counter_to_update: Counter | None = None,
) -> Counter:
    """Count the words of a text; delimiters are regular expressions.

    `counter_to_update` is added to and returned; by default there is a new one.

    >>> sorted(count_tokens_from_str("Life is life", to_lower=True).items())
    [('is', 1), ('life', 2)]
    """
    words = filter(None, re.split(f"{token_delim}|{seq_delim}", source_str))
    counter = Counter() if counter_to_update is None else counter_to_update
    counter.update([word.lower() for word in words] if to_lower else words)
    return counter
