"""Extractors: scikit-learn transformers from a column of raw cells to a block of features.

Each modality has a subpackage; shared classes are defined here. Names are resolved on first use, so
that using one modality does not import what another needs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
