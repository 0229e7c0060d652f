from . import audio, image, text, video
from ._base import BaseExtractor
from ._cell_transformer import CellTransformer
from ._cells import is_missing
from .cache import Cached

__all__ = [
    "BaseExtractor",
    "Cached",
    "CellTransformer",
    "audio",
    "image",
    "is_missing",
    "text",
    "video",
]
