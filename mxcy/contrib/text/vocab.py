"""`Vocabulary`: numbers of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

from ...errors import ArgumentError, AssertedArgumentError, message, problem

__all__ = ["Vocabulary"]

UNKNOWN = 0  # the number of all words that are not in a vocabulary


class Vocabulary:
    """Words by number: the unknown word, reserved ones, then those of a counter, frequent ones first.

    Parameters
    ----------
    counter : how often each word occurs; words that are equally frequent are sorted.
    most_freq_count : at most so many words of the counter.
    min_freq : only words that are as frequent.
    unknown_token : what stands for all others; its number is 0.
    reserved_tokens : other words that are always in.
    """

    def __init__(self, counter: Counter | None = None, most_freq_count: int | None = None, min_freq: int = 1,
                 unknown_token: Hashable = "<unk>", reserved_tokens: list | None = None):  # fmt: skip
        if min_freq <= 0:
            raise AssertedArgumentError(message("Vocabulary", "min_freq", "a positive number", min_freq))
        reserved = list(reserved_tokens or ())
        if unknown_token in reserved or len(set(reserved)) < len(reserved):
            text = "it must not hold the unknown token, nor a token twice"
            raise AssertedArgumentError(problem("Vocabulary", "reserved_tokens", text))
        self._unknown_token = unknown_token
        self._reserved_tokens = None if reserved_tokens is None else reserved
        self._idx_to_token: list = [unknown_token, *reserved]
        if counter is not None:
            self._idx_to_token += self._frequent(counter, most_freq_count, min_freq)
        self._token_to_idx = {token: i for i, token in enumerate(self._idx_to_token)}

    def _frequent(self, counter: Counter, most: int | None, min_freq: int) -> list:
        if not isinstance(counter, Counter):
            expected = "a collections.Counter"
            raise AssertedArgumentError(message("Vocabulary", "counter", expected, type(counter).__name__))
        special = set(self._idx_to_token)
        order = sorted(sorted(counter), key=lambda token: -counter[token])
        return [token for token in order if counter[token] >= min_freq and token not in special][:most]

    def __len__(self) -> int:
        return len(self._idx_to_token)

    @property
    def token_to_idx(self) -> dict[Any, int]:
        """Numbers by word."""
        return self._token_to_idx

    @property
    def idx_to_token(self) -> list:
        """Words by number."""
        return self._idx_to_token

    @property
    def unknown_token(self) -> Any:
        """What stands for words that are not in."""
        return self._unknown_token

    @property
    def reserved_tokens(self) -> list | None:
        """Words that are always in."""
        return self._reserved_tokens

    def to_indices(self, tokens: Any) -> Any:
        """Return the number of a word, or a list of those of a list."""
        if isinstance(tokens, list):
            return [self._token_to_idx.get(token, UNKNOWN) for token in tokens]
        return self._token_to_idx.get(tokens, UNKNOWN)

    def to_tokens(self, indices: Any) -> Any:
        """Return the word of a number, or a list of those of a list."""
        found = []
        for i in indices if isinstance(indices, list) else [indices]:
            if not isinstance(i, int) or not -len(self) <= i < len(self):
                expected = f"numbers below {len(self)}"
                raise ArgumentError(message("to_tokens", "indices", expected, repr(i)))
            found.append(self._idx_to_token[i])
        return found if isinstance(indices, list) else found[0]
