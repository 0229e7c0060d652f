"""Scores of outputs that are computed beforehand."""

import numpy as np

from sklearn_mmsent.metrics import get_scorer
from sklearn_mmsent.model_selection.precomputed import PrecomputedEstimator
from sklearn_mmsent.utils._sklearn import _BaseScorer


class OutputScore:
    """Score outputs of some rows, as a scorer scores an estimator.

    Parameters
    ----------
    scoring : str, callable or None
        Name for :func:`sklearn_mmsent.get_scorer`, or a scorer; None is the negated log loss or
        squared error. The scorer receives row numbers instead of rows.
    data : ExpertData
        Targets and weights.
    """

    def __init__(self, scoring, data):
        default = "neg_mean_squared_error" if data.classes is None else "neg_log_loss"
        self.scorer = get_scorer(default if scoring is None else scoring)
        self.data = data
        if scoring in (None, "neg_log_loss") and data.classes is not None:
            # the rows of one expert may lack a class
            self.scorer._kwargs = {**self.scorer._kwargs, "labels": data.classes}

    def __call__(self, outputs, rows=None):
        """Score outputs of shape (n_samples, n_outputs) on all rows, or on a bool mask of rows."""
        data = self.data
        rows = np.arange(len(data.y)) if rows is None else np.flatnonzero(rows)
        is_classifier = data.classes is not None
        responses = {"predict_proba": outputs} if is_classifier else {"predict": outputs[:, 0]}
        estimator = PrecomputedEstimator(responses, data.classes, classifier=is_classifier)
        options = {}
        if data.sample_weight is not None and isinstance(self.scorer, _BaseScorer):
            options["sample_weight"] = data.sample_weight[rows]
        return float(self.scorer(estimator, rows, data.y[rows], **options))
