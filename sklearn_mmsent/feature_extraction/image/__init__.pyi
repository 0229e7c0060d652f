from .color_texture import ColorTexture
from .denoising import ImageDenoiser
from .embedder import ImageEmbedder
from .faces import FaceCropper
from .pixels import Pixels

__all__ = [
    "ColorTexture",
    "FaceCropper",
    "ImageDenoiser",
    "ImageEmbedder",
    "Pixels",
]
