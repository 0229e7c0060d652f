from .cleaning import TextCleaner as TextCleaner
from .embedder import TextEmbedder as TextEmbedder
from .lexicon import SentimentLexicon as SentimentLexicon
from .tfidf import TfidfEmbedder as TfidfEmbedder
from .tokens import TokenIds as TokenIds
from .word_vectors import Word2VecEmbedder as Word2VecEmbedder
