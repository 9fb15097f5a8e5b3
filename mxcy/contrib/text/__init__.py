"""Vocabularies of words, and vectors of words from local files."""

from . import embedding, utils, vocab
from .embedding import CompositeEmbedding, CustomEmbedding
from .vocab import Vocabulary

__all__ = ["CompositeEmbedding", "CustomEmbedding", "Vocabulary", "embedding", "utils", "vocab"]
