"""Augmenters: samplers that add slightly modified copies of texts, images and audio clips."""

from sklearn_mmsent.sampling.augmentation._audio import AudioAugmenter
from sklearn_mmsent.sampling.augmentation._image import ImageAugmenter
from sklearn_mmsent.sampling.augmentation._text import TextAugmenter

__all__ = ["AudioAugmenter", "ImageAugmenter", "TextAugmenter"]
