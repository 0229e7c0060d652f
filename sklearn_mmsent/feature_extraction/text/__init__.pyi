from .cleaning import TextCleaner
from .embedder import TextEmbedder
from .lexicon import SentimentLexicon
from .tfidf import TfidfEmbedder
from .tokens import TokenIds
from .word_vectors import Word2VecEmbedder

__all__ = [
    "SentimentLexicon",
    "TextCleaner",
    "TextEmbedder",
    "TfidfEmbedder",
    "TokenIds",
    "Word2VecEmbedder",
]
