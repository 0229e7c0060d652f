"""Candidates of a search as experts of an ensemble."""

import numpy as np
from sklearn.base import clone

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.ensemble.experts.expert import with_imputation
from sklearn_mmsent.utils._sklearn import BaseSearchCV


def is_search(estimator):
    """Return whether an estimator is a search over candidates, fitted or not."""
    return isinstance(estimator, BaseSearchCV)


def fit_search(expert, data):
    """Return the search of an expert if it is fitted, else a clone fitted on its rows."""
    search = expert.estimator
    if not hasattr(search, "cv_results_"):
        rows = np.flatnonzero(data.table.readable(expert))
        model, _ = with_imputation(clone(search), data.table)
        fold = data.fold(data.table.columns_of(expert), model, rows)
        search = final_step(model.fit(*fold.arguments, **fold.params))
    return search


def best_candidates(search, n):
    """Return the parameters of the n best candidates by index, without failures and duplicates."""
    scores = _scores(search)
    order = [i for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])]
    chosen, seen = {}, []
    for i in order:
        params = search.cv_results_["params"][i]
        if repr(params) not in seen:
            seen.append(repr(params))
            chosen[int(i)] = params
        if len(chosen) == n:
            break
    return chosen


def _scores(search):
    """Return the mean score of each candidate; of several scores, that of `refit` or the first."""
    results = search.cv_results_
    names = ["mean_test_score", f"mean_test_{search.refit}"]
    names += [name for name in results if name.startswith("mean_test_")]
    name = next(name for name in names if name in results)
    return np.asarray(results[name], dtype=np.float64)
