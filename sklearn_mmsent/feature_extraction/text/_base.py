"""Base class of text extractors."""

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.text.io import read_text


class TextExtractor(BaseExtractor):
    """Read a text; subclasses encode it."""

    modality = "text"

    def _load(self, cell):
        return read_text(cell)
