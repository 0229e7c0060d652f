"""Extractors: scikit-learn transformers from one column of raw cells to one block of numbers.

Each modality has a subpackage; here is what all of them share. Names are resolved on first use, so
that using one modality does not import what another needs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
