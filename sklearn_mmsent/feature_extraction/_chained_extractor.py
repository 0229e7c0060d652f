"""Cell transformers and the extractor after them as one extractor."""

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.cells import is_missing
from sklearn_mmsent.utils._pipeline import pipeline_steps
from sklearn_mmsent.utils._sklearn import InvalidParameterError


def as_extractor(transformer, owner):
    """Return an extractor, or a pipeline that ends in one, as a single extractor.

    A pipeline passes whole columns on: all images, denoised, at once. In a single extractor, which
    shares the steps of the pipeline, each cell goes through all steps before the next one is read.

    Raises InvalidParameterError if `transformer` is neither, if the steps before the last are not
    cell transformers, or if the steps disagree on what to do with unusable cells.
    """
    steps = pipeline_steps(transformer)
    *before, last = steps
    if not isinstance(last, BaseExtractor) or not all(
        isinstance(step, CellTransformer) for step in before
    ):
        raise InvalidParameterError(
            f"The 'extractor' parameter of {owner} must be an extractor, or a pipeline of cell "
            f"transformers and an extractor, such as make_pipeline(TextCleaner(), "
            f"TextEmbedder()). Got {transformer!r} instead."
        )
    if not before:
        return last
    if len({step.on_error for step in steps}) > 1:
        found = ", ".join(f"{type(step).__name__}(on_error={step.on_error!r})" for step in steps)
        raise InvalidParameterError(
            f"{owner}: the steps of its extractor disagree on unusable cells: {found}. "
            "Set the same on_error in all of them."
        )
    return ChainedExtractor(before, last)


class ChainedExtractor(BaseExtractor):
    """Cell transformers and an extractor, through which one cell goes after the other.

    `before` is a list of cell transformers, applied in order; `extractor` learns nothing. All are
    fitted in place.
    """

    _parameter_constraints: dict = {"before": [list], "extractor": [BaseExtractor]}

    def __init__(self, before, extractor):
        self.before = before
        self.extractor = extractor

    modality = property(lambda self: self.extractor.modality)
    on_error = property(lambda self: self.extractor.on_error)
    batch_size = property(lambda self: self.extractor.batch_size)
    n_jobs = property(lambda self: self.extractor.n_jobs)
    _stateless = property(lambda self: self.extractor._stateless)

    @property
    def _owner(self):
        return type(self.extractor).__name__

    def fit(self, X, y=None):
        """Fit the steps, which learn nothing."""
        for step in (*self.before, self.extractor):
            step.fit(X, y)
        return super().fit(X, y)

    def _load(self, cell):
        for step in self.before:
            cell = step._convert(cell)
            if is_missing(cell):
                return None
        return self.extractor._load(cell)

    def _encode(self, loaded):
        return self.extractor._encode(loaded)

    def _feature_names(self):
        return self.extractor._feature_names()

    def _order(self, cells):
        return self.extractor._order(cells)

    def _cell_content(self, cell):
        return self.extractor._cell_content(cell)
