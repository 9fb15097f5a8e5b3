"""Sentences as numbers, in buckets of one length."""

from __future__ import annotations

import bisect
import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import ArgumentError, AssertedArgumentError, message, problem
from ..io import DataBatch, DataDesc, DataIter

__all__ = ["BucketSentenceIter", "encode_sentences"]


def encode_sentences(sentences: Sequence[Sequence], vocab: dict | None = None, invalid_label: int = -1,
                     invalid_key: Any = "\n", start_label: int = 0,
                     unknown_token: Any = None) -> tuple[list[list[int]], dict]:  # fmt: skip
    """Return (sentences as lists of numbers, number of each word).

    Parameters
    ----------
    vocab : numbers of words; made, from `start_label` on, if not given.
    invalid_label, invalid_key : number and word of what fills sentences up.
    unknown_token : what stands for words that are not in `vocab`; without it they are an error.
    """
    made = vocab is None
    vocab = {invalid_key: invalid_label} if vocab is None else vocab
    label = start_label
    encoded = []
    for sentence in sentences:
        numbers = []
        for word in sentence:
            if word not in vocab:
                if not (made or unknown_token):
                    text = f"unknown token {word!r}"
                    raise AssertedArgumentError(problem("encode_sentences", None, text, "set unknown_token"))
                word = unknown_token or word
                if word not in vocab:
                    label += label == invalid_label
                    vocab[word] = label
                    label += 1
            numbers.append(vocab[word])
        encoded.append(numbers)
    return encoded, vocab


class BucketSentenceIter(DataIter):
    """Batches of sentences of about one length; labels are the words that follow.

    Parameters
    ----------
    sentences : lists of numbers.
    batch_size : sentences of a batch.
    buckets : lengths; by default all of which there are at least `batch_size` sentences. Longer sentences are
        left out.
    invalid_label : what fills sentences up.
    data_name, label_name, dtype, layout : of the batches; "NT" or "TN" ("NTC" or "TNC" with them embedded).
    """

    def __init__(self, sentences: Sequence[Sequence[int]], batch_size: int,
                 buckets: list[int] | None = None, invalid_label: int = -1, data_name: str = "data",
                 label_name: str = "softmax_label", dtype: Any = "float32",
                 layout: str = "NT"):  # fmt: skip
        super().__init__(batch_size)
        if layout.find("N") not in (0, 1):
            expected = "N, for sentences, first or second, such as 'NT' or 'TN'"
            raise ArgumentError(message("BucketSentenceIter", "layout", expected, repr(layout)))
        if not buckets:
            counts = np.bincount([len(s) for s in sentences])
            buckets = [length for length, count in enumerate(counts) if count >= batch_size]
        buckets = sorted(buckets)
        filled: list[list] = [[] for _ in buckets]
        discarded = 0
        for sentence in sentences:
            place = bisect.bisect_left(buckets, len(sentence))
            if place == len(buckets):
                discarded += 1
                continue
            row = np.full(buckets[place], invalid_label, dtype=dtype)
            row[: len(sentence)] = sentence
            filled[place].append(row)
        if discarded:
            logging.warning("discarded %d sentences longer than the largest bucket.", discarded)
        used = [
            (length, np.asarray(rows, dtype)) for length, rows in zip(buckets, filled, strict=True) if rows
        ]
        if not used:
            expected = "at least one bucket with sentences"
            raise ArgumentError(message("BucketSentenceIter", "buckets", expected, buckets))
        self.buckets = [length for length, _ in used]
        self.data = [rows for _, rows in used]
        self._orders = [np.arange(len(rows)) for rows in self.data]  # of the sentences, as they are now
        self.data_name = data_name
        self.label_name = label_name
        self.dtype = dtype
        self.invalid_label = invalid_label
        self.layout = layout
        self.major_axis = layout.find("N")
        self.default_bucket_key = max(self.buckets)
        self.provide_data = [self._desc(data_name, self.default_bucket_key)]
        self.provide_label = [self._desc(label_name, self.default_bucket_key)]
        self.idx = [(i, j) for i, rows in enumerate(self.data)
                    for j in range(0, len(rows) - batch_size + 1, batch_size)]  # fmt: skip
        self.curr_idx = 0
        self.nddata: list[nd.NDArray] = []
        self.ndlabel: list[nd.NDArray] = []
        self.reset()

    def _desc(self, name: str, length: int) -> DataDesc:
        shape = (self.batch_size, length) if self.major_axis == 0 else (length, self.batch_size)
        return DataDesc(name, shape, np.dtype(self.dtype).type, self.layout)

    def reset(self) -> None:
        """Start again, with batches and sentences in a new random order."""
        self.curr_idx = 0
        random.shuffle(self.idx)
        for rows, order in zip(self.data, self._orders, strict=True):
            moved = np.arange(len(rows))
            np.random.shuffle(moved)
            rows[:], order[:] = rows[moved], order[moved]
        self._make_arrays()

    def _make_arrays(self) -> None:
        self.nddata, self.ndlabel = [], []
        for rows in self.data:
            label = np.full_like(rows, self.invalid_label)
            label[:, :-1] = rows[:, 1:]
            self.nddata.append(nd.array(rows, dtype=self.dtype))
            self.ndlabel.append(nd.array(label, dtype=self.dtype))

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, in this or another process."""
        orders = [order.copy() for order in self._orders]
        return {"idx": list(self.idx), "curr_idx": self.curr_idx, "orders": orders}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called on an iterator over the same sentences."""
        if [len(order) for order in state["orders"]] != [len(rows) for rows in self.data]:
            expected = f"the state of an iterator over {sum(map(len, self.data))} sentences"
            got = sum(map(len, state["orders"]))
            raise ArgumentError(message("set_state", "state", expected, got))
        self.idx, self.curr_idx = list(state["idx"]), state["curr_idx"]
        for rows, order, wanted in zip(self.data, self._orders, state["orders"], strict=True):
            rows[:], order[:] = rows[np.argsort(order)][wanted], wanted
        self._make_arrays()

    def next(self) -> DataBatch:
        """Return the next batch; its `bucket_key` is the length of its sentences."""
        if self.curr_idx == len(self.idx):
            raise StopIteration
        i, j = self.idx[self.curr_idx]
        self.curr_idx += 1
        data, label = [x[i][j : j + self.batch_size] for x in (self.nddata, self.ndlabel)]
        if self.major_axis == 1:
            data, label = data.T, label.T
        key = self.buckets[i]
        return DataBatch([data], [label], pad=0, bucket_key=key,
                         provide_data=[self._desc(self.data_name, key)],
                         provide_label=[self._desc(self.label_name, key)])  # fmt: skip
