"""Extractors: scikit-learn transformers from a column of raw cells to a block of features.

Each modality has a subpackage; shared classes are defined here. Names are resolved on first use, so
that using one modality does not import what another needs.
"""

import lazy_loader

from sklearn_mmsent.utils._moved import check_not_moved

_resolve, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    check_not_moved(__name__, name)
    return _resolve(name)
