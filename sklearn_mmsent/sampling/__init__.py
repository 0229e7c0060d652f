"""Modality-aware samplers for imbalanced-learn: resampling, augmentation, cleaning.

Samplers only act on training rows: a pipeline applies them in ``fit`` and skips them in
``predict``. They return tables of the same type, dtypes and names, and give the source row of each
row in ``sample_indices_``.
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
