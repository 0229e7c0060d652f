"""Scorers of a comparison."""

from numbers import Real

import numpy as np
from sklearn.metrics import r2_score

from sklearn_mmsent.metrics import classification_scores, get_scorer, intensity_scores
from sklearn_mmsent.utils._sklearn import _check_response_method

#: Primary scores, by which models are ranked, plotted and searched by default.
PRIMARY = ("f1_macro", "mae", "mae_sims")


def choose_scorer(scoring, y, *, classifier):
    """Return one scorer for all requested scores, as `compare` takes them.

    Its signature is ``(estimator, X, y)``; it returns a dict, or a number if a callable was given.
    The range of targets determines the default scores of intensities.
    """
    if scoring is None:
        return PredictionScores(classification_scores if classifier else _scores_of(y))
    if isinstance(scoring, str):
        return NamedScorers({scoring: get_scorer(scoring)})
    if callable(scoring):
        return scoring
    if isinstance(scoring, dict):
        return NamedScorers({name: get_scorer(scorer) for name, scorer in scoring.items()})
    names = list(scoring)
    if len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"compare: scoring must be a list of unique score names; got {names}.")
    return NamedScorers({name: get_scorer(name) for name in names})


def _scores_of(y):
    y = np.asarray(y, dtype=np.float64)
    limit = np.abs(y).max()
    if y.min() < 0 and limit <= 3:
        return _sims_scores if limit <= 1 else intensity_scores
    return _plain_scores


def _sims_scores(y_true, y_pred):
    return intensity_scores(y_true, y_pred, convention="sims")


def _plain_scores(y_true, y_pred):
    """Score intensities on a scale without a conventional mapping to classes."""
    scores = intensity_scores(y_true, y_pred)
    return {"mae": scores["mae"], "corr": scores["corr"], "r2": float(r2_score(y_true, y_pred))}


class PredictionScores:
    """Scorer from a function of true and predicted targets that returns a dict."""

    def __init__(self, function):
        self.function = function

    def __call__(self, estimator, X, y):
        return self.function(y, estimator.predict(X))


class NamedScorers:
    """Scorer that combines scorers of scikit-learn, a dict by name."""

    def __init__(self, scorers):
        self.scorers = scorers

    def __call__(self, estimator, X, y):
        return {name: scorer(estimator, X, y) for name, scorer in self.scorers.items()}


def compute(scorer, estimator, X, y):
    """Return the scores of a fitted estimator as a dict of floats; a single number is "score"."""
    scores = scorer(estimator, X, y)
    if isinstance(scores, Real):
        scores = {"score": scores}
    return {name: float(value) for name, value in scores.items()}


def primary_of(scores):
    """Return the name of the primary score."""
    return next((name for name in PRIMARY if name in scores), scores[0])


def inner_scoring(scoring, y, *, classifier):
    """Return the scorer that a nested search maximises: the first score of the comparison."""
    if scoring is None:
        function = None if classifier else _scores_of(y)
        if function is None:
            return get_scorer("f1_macro")
        return get_scorer("neg_mae_sims" if function is _sims_scores else "neg_mae")
    if isinstance(scoring, str) or callable(scoring):
        return get_scorer(scoring)
    return get_scorer(next(iter(scoring.values() if isinstance(scoring, dict) else scoring)))


def check_responses(scorer, models):
    """Check that models have the methods that a scorer needs, such as predict_proba."""
    for score, single in getattr(scorer, "scorers", {}).items():
        methods = getattr(single, "_response_method", "predict")
        for name, model in models.items():
            try:
                _check_response_method(model, methods)
            except AttributeError:
                wanted = methods if isinstance(methods, str) else " or ".join(methods)
                raise ValueError(
                    f"compare: the score {score!r} needs {wanted}, which {name!r} "
                    f"({type(model).__name__}) does not have. Wrap it in CalibratedClassifierCV, "
                    "or choose a score of predicted labels, such as 'f1_macro'."
                ) from None
