from . import audio as audio
from . import image as image
from . import text as text
from . import video as video
from ._base import BaseExtractor as BaseExtractor
from ._cell_transformer import CellTransformer as CellTransformer
from .cache import Cached as Cached
from .cells import is_missing as is_missing
