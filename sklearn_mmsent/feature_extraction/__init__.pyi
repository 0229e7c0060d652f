from . import audio, image, text, video
from ._base import BaseExtractor
from ._cell_transformer import CellTransformer
from .cache import Cached
from .cells import is_missing

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
