"""Steps that prepare cells, and the extractor behind them, as one extractor."""

from sklearn.pipeline import Pipeline

from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._cell_transformer import CellTransformer
from sklearn_mmsent.feature_extraction.cells import is_missing
from sklearn_mmsent.utils._sklearn import InvalidParameterError


def as_extractor(transformer, owner):
    """Give an extractor, or a pipeline that ends in one, as a single extractor.

    A pipeline by itself hands on whole columns: all pictures, denoised, at once. As one
    extractor each cell passes through all steps before the next is read.

    Parameters
    ----------
    transformer : BaseExtractor or Pipeline
        A pipeline's steps before the last must turn cells into cells, as `FaceCropper` does.
    owner : str
        Who asks, for messages.

    Returns
    -------
    BaseExtractor
        The extractor itself, or one that shares the pipeline's steps.

    Raises
    ------
    InvalidParameterError
        If it is neither, or its steps disagree on what to do with unusable cells.
    """
    steps = _steps(transformer)
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
        told = ", ".join(f"{type(step).__name__}(on_error={step.on_error!r})" for step in steps)
        raise InvalidParameterError(
            f"{owner}: the steps of its extractor disagree on what to do with unusable cells: "
            f"{told}. Give all of them the same on_error."
        )
    return ChainedExtractor(before, last)


def _steps(transformer):
    if not isinstance(transformer, Pipeline):
        return [transformer]
    steps = [step for _, step in transformer.steps if step not in (None, "passthrough")]
    return [inner for step in steps for inner in _steps(step)] or [transformer]


class ChainedExtractor(BaseExtractor):
    """Cell transformers and an extractor that take each cell all the way before the next.

    Parameters
    ----------
    before : list of CellTransformer
        Applied in order.
    extractor : BaseExtractor
        What makes numbers of the result; one that learns nothing. Fitted in place.
    """

    _parameter_constraints: dict = {"before": [list], "extractor": [BaseExtractor]}

    def __init__(self, before, extractor):
        self.before = before
        self.extractor = extractor

    on_error = property(lambda self: self.extractor.on_error)
    batch_size = property(lambda self: self.extractor.batch_size)
    n_jobs = property(lambda self: self.extractor.n_jobs)
    _stateless = property(lambda self: self.extractor._stateless)

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
