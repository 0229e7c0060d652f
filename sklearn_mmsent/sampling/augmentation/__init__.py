"""Samplers that make new rows of raw cells: texts, pictures and sounds, each slightly changed."""

from sklearn_mmsent.sampling.augmentation._audio import AudioAugmenter
from sklearn_mmsent.sampling.augmentation._image import ImageAugmenter
from sklearn_mmsent.sampling.augmentation._text import TextAugmenter

__all__ = ["AudioAugmenter", "ImageAugmenter", "TextAugmenter"]
