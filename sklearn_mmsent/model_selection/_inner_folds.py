"""Folds that a model makes of its training rows by itself, as a search does."""

from numbers import Integral

from sklearn.base import clone
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.validation import has_fit_parameter

from sklearn_mmsent.compose._final_step import final_step
from sklearn_mmsent.model_selection._split_checks import choose_splitter


def splits_inside(final):
    """Tell whether an estimator, which is no pipeline, splits rows and may be given groups."""
    takes = isinstance(final, BaseSearchCV) or has_fit_parameter(final, "groups")
    return takes and "cv" in final.get_params(deep=False)


def with_whole_groups(model, y, groups, *, classifier, random_state=0):
    """Let a model keep groups together where the folds inside of it are but a number.

    Parameters
    ----------
    model : estimator
        Perhaps a search, or a pipeline that ends in one. It is not changed.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : ndarray of shape (n_samples,) or None
        Of the rows; None leaves the model as it is.
    classifier : bool
        Whether it predicts classes.
    random_state : int, RandomState or None, default=0
        Of the shuffle.

    Returns
    -------
    estimator
        A clone, or the model itself if there is nothing to do: also a search that was fitted
        before, which has its candidates.
    """
    final = final_step(model)
    if groups is None or hasattr(final, "cv_results_") or not splits_inside(final):
        return model
    if not isinstance(final.cv, Integral | None):
        return model
    cv = choose_splitter(
        final.cv, y, classifier=classifier, groups=groups, random_state=random_state
    )
    model = clone(model)
    final_step(model).set_params(cv=cv)
    return model
