"""The candidates of a search, as members of a library."""

import numpy as np
from sklearn.base import clone

from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.ensemble.experts.expert import behind_fill
from sklearn_mmsent.utils._metadata import fit_metadata
from sklearn_mmsent.utils._sklearn import BaseSearchCV


def is_search(estimator):
    """Tell whether an estimator is a search over candidates, fitted or not."""
    return isinstance(estimator, BaseSearchCV)


def run_search(expert, data):
    """Return a fitted search: as it is, if it was fitted before; else its clone, run on the rows.

    Parameters
    ----------
    expert : Expert
        Whose estimator is a search.
    data : Training
        Rows.

    Returns
    -------
    search
        With ``cv_results_``.
    """
    search = expert.estimator
    if not hasattr(search, "cv_results_"):
        rows = np.flatnonzero(data.table.readable(expert))
        model, _ = behind_fill(clone(search), data.table)
        metadata = fit_metadata(model, **data.metadata(rows))
        model.fit(data.table.cut(expert, rows), data.y[rows], **metadata)
        search = final_step(model)
    return search


def best_candidates(search, n):
    """Return the best candidates of a fitted search, failed ones left out.

    Parameters
    ----------
    search : search
        Fitted.
    n : int
        How many at most.

    Returns
    -------
    dict of int to dict
        Parameters by place in ``cv_results_``, best first; equal ones once.
    """
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
    """Return the mean score of each candidate, the one that decides if there are several."""
    results = search.cv_results_
    names = ["mean_test_score", f"mean_test_{search.refit}"]
    names += [name for name in results if name.startswith("mean_test_")]
    name = next(name for name in names if name in results)
    return np.asarray(results[name], dtype=np.float64)
