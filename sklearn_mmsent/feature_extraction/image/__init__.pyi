from .color_texture import ColorTexture as ColorTexture
from .denoising import ImageDenoiser as ImageDenoiser
from .embedder import ImageEmbedder as ImageEmbedder
from .faces import FaceCropper as FaceCropper
from .pixels import Pixels as Pixels
