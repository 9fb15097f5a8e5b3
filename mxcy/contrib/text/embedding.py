"""Vectors of words, from files of words and numbers."""

from __future__ import annotations

import logging
import os
import warnings
from array import array
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ... import ndarray as nd
from ... import registry
from ...base import data_dir
from ...errors import ArgumentError, AssertedArgumentError, closest, message, problem, wrap
from ...ndarray import NDArray
from ._pretrained import FASTTEXT, GLOVE
from .vocab import UNKNOWN, Vocabulary

__all__ = [
    "CompositeEmbedding",
    "CustomEmbedding",
    "FastText",
    "GloVe",
    "create",
    "get_pretrained_file_names",
    "register",
]


class TokenEmbedding(Vocabulary):
    """Base class: words with a vector each. Words that are not in have the vector of the unknown token.

    The words are those of the file of vectors, or those of a vocabulary.
    """

    pretrained_file_names: ClassVar[tuple[str, ...]] = ()
    pretrained_file_name_sha1: ClassVar[dict[str, str]] = {}
    _vec_len: int
    _idx_to_vec: NDArray

    # -- reading ----------------------------------------------------------------------------------------

    @classmethod
    def _check_pretrained_file_names(cls, pretrained_file_name: str) -> None:
        """Raise UnknownFileError for what is no file of this embedding."""
        if pretrained_file_name not in cls._file_names():
            near = closest(pretrained_file_name, cls._file_names())
            shown = ", ".join(near or cls._file_names()[:3])
            expected = f"a file of {cls.__name__.lower()}, such as {shown}"
            got = repr(pretrained_file_name)
            raise UnknownFileError(message(cls.__name__, "pretrained_file_name", expected, got))

    @classmethod
    def _get_pretrained_file(cls, embedding_root: str | None, pretrained_file_name: str) -> str:
        """Return the path of a file of this embedding; raise FileNotFoundError where it is not there."""
        root = os.path.expanduser(embedding_root or os.path.join(data_dir(), "embeddings"))
        path = os.path.join(root, cls.__name__.lower(), pretrained_file_name)
        if not os.path.isfile(path):
            text = f"there is no file {path}, and nothing is downloaded"
            hint = "put the file there, or set embedding_root"
            raise wrap(FileNotFoundError(problem(cls.__name__, "pretrained_file_name", text, hint)))
        return path

    @classmethod
    def _file_names(cls) -> tuple[str, ...]:
        """The names of its files; classes that programs derive say them with their check sums."""
        return (*cls.pretrained_file_names, *cls.pretrained_file_name_sha1)

    def _load_embedding(self, path: str, elem_delim: str, init_unknown_vec: Callable,
                        encoding: str = "utf8") -> None:  # fmt: skip
        """Add the words of a file, each line of which is a word and the numbers of its vector."""
        path = os.path.expanduser(path)
        if not os.path.isfile(path):
            raise ArgumentError(message("Embedding", "pretrained_file_path", "a path of a file", repr(path)))
        logging.info("Loading pre-trained token embedding vectors from %s", path)
        numbers = array("f")
        unknown = None
        extent = 0
        seen: set[str] = set()
        with open(path, encoding=encoding) as stream:
            for number, line in enumerate(stream, start=1):
                token, vector = self._parsed(path, number, line.rstrip().split(elem_delim))
                if token in seen:
                    warnings.warn(f"At line {number} of the pre-trained token embedding file: the embedding "
                                  f"vector for token {token} has been loaded and a duplicate embedding for "
                                  "the same token is seen and skipped.", stacklevel=4)  # fmt: skip
                    continue
                if len(vector) == 1 and token != self.unknown_token:
                    warnings.warn(f"At line {number} of the pre-trained text embedding file: token {token} "
                                  f"with 1-dimensional vector {vector} is likely a header and is skipped.",
                                  stacklevel=4)  # fmt: skip
                    continue
                extent = extent or len(vector)
                if len(vector) != extent:
                    text = f"line {number} has a vector of {len(vector)} numbers, those before of {extent}"
                    raise AssertedArgumentError(problem("Embedding", path, text))
                seen.add(token)
                if token == self.unknown_token:
                    unknown = vector
                    continue
                numbers.extend(vector)
                self._token_to_idx[token] = len(self._idx_to_token)
                self._idx_to_token.append(token)
        if not extent:
            raise AssertedArgumentError(problem("Embedding", path, "there are no vectors in the file"))
        self._keep(np.frombuffer(numbers, dtype=np.float32).reshape(-1, extent), unknown, init_unknown_vec)

    def _parsed(self, path: str, number: int, parts: list[str]) -> tuple[str, list[float]]:
        try:
            vector = [float(part) for part in parts[1:]]
        except ValueError:
            vector = []
        if not vector:
            text = f"line {number} is not a word and numbers: {' '.join(parts)[:60]!r}"
            raise AssertedArgumentError(problem("Embedding", path, text))
        return parts[0], vector

    def _keep(self, vectors: np.ndarray, unknown: Any, init_unknown_vec: Callable) -> None:
        special = len(self._idx_to_token) - len(vectors)  # the unknown and reserved tokens: zeros
        whole = np.zeros((special + len(vectors), vectors.shape[1]), dtype=np.float32)
        whole[special:] = vectors
        self._vec_len = vectors.shape[1]
        self._idx_to_vec = nd.array(whole)
        if unknown is None:
            self._idx_to_vec[UNKNOWN] = init_unknown_vec(shape=self._vec_len)
        else:
            self._idx_to_vec[UNKNOWN] = nd.array(unknown)

    # -- vocabularies -----------------------------------------------------------------------------------

    def _take_words(self, vocabulary: Vocabulary) -> None:
        self._token_to_idx = dict(vocabulary.token_to_idx)
        self._idx_to_token = list(vocabulary.idx_to_token)
        self._unknown_token = vocabulary.unknown_token
        self._reserved_tokens = vocabulary.reserved_tokens and list(vocabulary.reserved_tokens)

    def _take_vectors(self, embeddings: list, words: list) -> None:
        """Set vectors of words, those of several embeddings joined."""
        parts = []
        for embedding in embeddings:
            vectors = [embedding.idx_to_vec[0:1]]
            vectors += [embedding.get_vecs_by_tokens(words[1:])] if len(words) > 1 else []
            parts.append(nd.concat(*vectors, dim=0))
        self._idx_to_vec = nd.concat(*parts, dim=1)
        self._vec_len = self._idx_to_vec.shape[1]

    def _restrict(self, vocabulary: Vocabulary | None) -> None:
        """Keep only the words of a vocabulary, if there is one."""
        if vocabulary is not None:
            check_vocabulary(type(self).__name__, vocabulary)
            self._take_vectors([self], vocabulary.idx_to_token)
            self._take_words(vocabulary)

    # -- vectors ----------------------------------------------------------------------------------------

    @property
    def vec_len(self) -> int:
        """The extent of the vectors."""
        return self._vec_len

    @property
    def idx_to_vec(self) -> NDArray:
        """Vectors by number of the word: (words, vec_len)."""
        return self._idx_to_vec

    def get_vecs_by_tokens(self, tokens: Any, lower_case_backup: bool = False) -> NDArray:
        """Return the vector of a word, or (words, vec_len) for a list.

        With `lower_case_backup` words that are not in are looked up in lower case too.
        """
        words = tokens if isinstance(tokens, list) else [tokens]
        known = self._token_to_idx
        numbers = [known.get(word, known.get(word.lower(), UNKNOWN) if lower_case_backup else UNKNOWN)
                   for word in words]  # fmt: skip
        found = self._idx_to_vec.take(nd.array(numbers, dtype=np.int64))
        return found if isinstance(tokens, list) else found[0]

    def update_token_vectors(self, tokens: Any, new_vectors: NDArray) -> None:
        """Set the vectors of a word or of a list of words."""
        words = tokens if isinstance(tokens, list) else [tokens]
        shape = (len(words), self._vec_len)
        single = len(words) == 1 and isinstance(new_vectors, NDArray) and new_vectors.shape == shape[1:]
        if not isinstance(new_vectors, NDArray) or (new_vectors.shape != shape and not single):
            got = new_vectors.shape if isinstance(new_vectors, NDArray) else type(new_vectors).__name__
            expected = f"an NDArray of shape {shape}"
            raise AssertedArgumentError(message("update_token_vectors", "new_vectors", expected, got))
        missing = [word for word in words if word not in self._token_to_idx]
        if missing:
            text = f"unknown: {', '.join(map(str, missing))}"
            hint = f"to set the vector of unknown words, name the unknown token {self.unknown_token!r}"
            raise ArgumentError(problem("update_token_vectors", "tokens", text, hint))
        self._idx_to_vec[nd.array(self.to_indices(words), dtype=np.int64)] = new_vectors.reshape(shape)


_TokenEmbedding = TokenEmbedding  # MXNet's name, from which programs derive


class UnknownFileError(ArgumentError, KeyError):
    """No such embedding or file of one."""

    __str__ = Exception.__str__


register = registry.get_register_func(TokenEmbedding, "token embedding")
_create = registry.get_create_func(TokenEmbedding, "token embedding")


def create(embedding_name: str, **kwargs: Any) -> TokenEmbedding:
    """Return an embedding by the name of its class, in any case."""
    return _create(embedding_name, **kwargs)


def get_pretrained_file_names(embedding_name: str | None = None) -> Any:
    """Return the names of files of an embedding, or a dict of those of all."""
    known = {name: list(found._file_names())  # type: ignore[attr-defined]
             for name, found in registry.get_registry(TokenEmbedding).items()}  # fmt: skip
    if embedding_name is None:
        return known
    if embedding_name not in known:
        expected = f"one of {', '.join(known)}"
        raise UnknownFileError(
            message("get_pretrained_file_names", "embedding_name", expected, repr(embedding_name))
        )
    return known[embedding_name]


class Pretrained(TokenEmbedding):
    """Base class of embeddings whose files have names that everybody knows."""

    def __init__(self, pretrained_file_name: str, embedding_root: str | None = None,
                 init_unknown_vec: Callable = nd.zeros, vocabulary: Vocabulary | None = None,
                 **kwargs: Any):  # fmt: skip
        self._check_pretrained_file_names(pretrained_file_name)
        path = self._get_pretrained_file(embedding_root, pretrained_file_name)
        super().__init__(**kwargs)
        self._load_embedding(path, " ", init_unknown_vec)
        self._restrict(vocabulary)


@register
class GloVe(Pretrained):
    """GloVe (Pennington et al. 2014), from `glove/<name>` in a folder.

    Parameters
    ----------
    pretrained_file_name : see `get_pretrained_file_names("glove")`.
    embedding_root : the folder; `embeddings` in that of MXNet's data (MXNET_HOME) by default.
    init_unknown_vec : makes the vector of unknown words, if the file has none.
    vocabulary : the words to keep.
    kwargs : see `Vocabulary`.
    """

    pretrained_file_names = GLOVE

    def __init__(self, pretrained_file_name: str = "glove.840B.300d.txt", *args: Any, **kwargs: Any):
        super().__init__(pretrained_file_name, *args, **kwargs)


@register
class FastText(Pretrained):
    """fastText (Bojanowski et al. 2017), from `fasttext/<name>` in a folder; see `GloVe`."""

    pretrained_file_names = FASTTEXT

    def __init__(self, pretrained_file_name: str = "wiki.simple.vec", *args: Any, **kwargs: Any):
        super().__init__(pretrained_file_name, *args, **kwargs)


class CustomEmbedding(TokenEmbedding):
    """Words and vectors from a file of yours.

    Parameters
    ----------
    pretrained_file_path : each line is a word and the numbers of its vector.
    elem_delim : what is between them.
    encoding, init_unknown_vec, vocabulary, kwargs : see `GloVe`.
    """

    def __init__(self, pretrained_file_path: str, elem_delim: str = " ", encoding: str = "utf8",
                 init_unknown_vec: Callable = nd.zeros, vocabulary: Vocabulary | None = None,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._load_embedding(pretrained_file_path, elem_delim, init_unknown_vec, encoding)
        self._restrict(vocabulary)


class CompositeEmbedding(TokenEmbedding):
    """The words of a vocabulary, with the vectors of several embeddings joined."""

    def __init__(self, vocabulary: Vocabulary, token_embeddings: Any):
        check_vocabulary("CompositeEmbedding", vocabulary)
        embeddings = token_embeddings if isinstance(token_embeddings, list) else [token_embeddings]
        for embedding in embeddings:
            if not isinstance(embedding, TokenEmbedding):
                got = type(embedding).__name__
                expected = "an embedding or a list of them"
                raise AssertedArgumentError(message("CompositeEmbedding", "token_embeddings", expected, got))
        self._take_words(vocabulary)
        self._take_vectors(embeddings, self._idx_to_token)


def check_vocabulary(name: str, vocabulary: Any) -> None:
    """Raise unless it is a vocabulary."""
    if not isinstance(vocabulary, Vocabulary):
        got = type(vocabulary).__name__
        raise AssertedArgumentError(message(name, "vocabulary", "a text.vocab.Vocabulary", got))
