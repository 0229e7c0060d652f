"""Multimodal sentiment analysis with the tools of scikit-learn.

The documented import paths are the subpackages, as in scikit-learn; the most common names can also
be imported from here. Names are resolved on first use (:pep:`562`), so that importing the package
is fast and does not load torch.
"""

import lazy_loader

from sklearn_mmsent.utils._moved import check_not_moved

__version__ = "0.1.0"

_resolve, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    check_not_moved(__name__, name)
    return _resolve(name)
