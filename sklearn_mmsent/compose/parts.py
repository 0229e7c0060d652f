"""Parts of a pipeline: its final step, and the transformers that read each raw column."""

from sklearn.pipeline import FeatureUnion

from sklearn_mmsent.feature_extraction import Cached
from sklearn_mmsent.utils._pipeline import pipeline_steps


def final_step(estimator):
    """Return the final step of a pipeline, nested ones included; any other estimator itself."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def column_readers(extractor):
    """Return the transformers of a fitted `MultimodalExtractor` that read each raw column.

    They are lists by column: extractors, and the cell transformers before them, taken out of
    pipelines, unions and `Cached`.
    """
    readers = {str(name): [] for name in extractor.feature_names_in_}
    for _, column, transformer in extractor.parts():
        for name in [column] if isinstance(column, str) else column:
            readers[name] += _innermost(transformer)
    return readers


def _innermost(transformer):
    if isinstance(transformer, FeatureUnion):
        return [leaf for _, inner in transformer.transformer_list for leaf in _innermost(inner)]
    if isinstance(transformer, Cached):
        return _innermost(transformer.extractor)
    steps = pipeline_steps(transformer)
    return (
        steps if steps == [transformer] else [leaf for step in steps for leaf in _innermost(step)]
    )
