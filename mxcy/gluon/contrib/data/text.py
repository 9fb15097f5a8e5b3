"""Texts for language models, from local files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .... import ndarray as nd
from ....base import data_dir
from ....contrib.text import Vocabulary
from ....contrib.text.utils import count_tokens_from_str
from ....errors import ArgumentError, MXNetError, message, problem
from ....ndarray import NDArray
from ...data import Dataset

__all__ = ["WikiText2", "WikiText103"]

EOS = "<eos>"
FILES = {"train": "wiki.train.tokens", "validation": "wiki.valid.tokens", "test": "wiki.test.tokens"}


class WikiText(Dataset):
    """Base class: a file of words as rows of `seq_len` numbers, and the words that follow them.

    Each line ends with the word "<eos>"; empty lines are left out.
    """

    folder = ""

    def __init__(self, root: str | None = None, segment: str = "train", vocab: Any = None,
                 seq_len: int = 35):  # fmt: skip
        if segment not in FILES:
            expected = f"one of {', '.join(FILES)}"
            raise ArgumentError(message(type(self).__name__, "segment", expected, segment))
        root = os.path.join(data_dir(), "datasets", self.folder) if root is None else root
        path = os.path.join(os.path.expanduser(root), FILES[segment])
        if not os.path.isfile(path):
            hint = f"nothing is downloaded: unpack {self.folder}-v1.zip there"
            raise MXNetError(problem(type(self).__name__, "root", f"there is no file {path}", hint))
        with open(path, encoding="utf8") as stream:
            content = stream.read()
        self._counter = count_tokens_from_str(content)
        self._vocab = vocab or Vocabulary(counter=self._counter, reserved_tokens=[EOS])
        lines = [line.split() for line in content.splitlines()]
        words = [word for line in lines if line for word in [*line, EOS]]
        numbers = np.array(self._vocab.to_indices(words), dtype=np.int32)
        rows = (len(numbers) - 1) // seq_len
        self._data, self._label = [
            nd.array(numbers[start : start + rows * seq_len].reshape(rows, seq_len), dtype=np.int32)
            for start in (0, 1)
        ]

    @property
    def vocabulary(self) -> Any:
        """The vocabulary: given, or that of the file."""
        return self._vocab

    @property
    def frequencies(self) -> Any:
        """How often each word is in the file."""
        return self._counter

    def __getitem__(self, idx: int) -> tuple[NDArray, NDArray]:
        return self._data[idx], self._label[idx]

    def __len__(self) -> int:
        return len(self._label)


class WikiText2(WikiText):
    """WikiText-2 (Merity et al. 2016): `wiki.train.tokens` and its like in a folder.

    Parameters
    ----------
    root : the folder, by default `datasets/wikitext-2` in that of MXNet's data (MXNET_HOME).
    segment : "train", "validation" or "test".
    vocab : a vocabulary of `mx.contrib.text`; by default that of the file.
    seq_len : words in each sample.
    """

    folder = "wikitext-2"


class WikiText103(WikiText):
    """WikiText-103 (Merity et al. 2016); see `WikiText2`."""

    folder = "wikitext-103"
