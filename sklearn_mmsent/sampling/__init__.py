"""Samplers of imbalanced-learn that know modalities: resampling, augmentation, cleaning.

A sampler acts on training rows alone: a pipeline runs it in ``fit`` and passes it by in
``predict``. Each takes and gives tables of one form, keeps dtypes and names, and tells in
``sample_indices_`` from which row each row came.
"""

from sklearn_mmsent.sampling._balancer import ModalityBalancer
from sklearn_mmsent.sampling._label_noise import LabelNoiseFilter
from sklearn_mmsent.sampling._mixup import ModalityMixup
from sklearn_mmsent.sampling._outliers import OutlierRemover
from sklearn_mmsent.sampling._smote import ModalitySMOTE
from sklearn_mmsent.sampling.augmentation import AudioAugmenter, ImageAugmenter, TextAugmenter

__all__ = [
    "AudioAugmenter",
    "ImageAugmenter",
    "LabelNoiseFilter",
    "ModalityBalancer",
    "ModalityMixup",
    "ModalitySMOTE",
    "OutlierRemover",
    "TextAugmenter",
]
